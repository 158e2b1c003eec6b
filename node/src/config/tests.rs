use std::collections::BTreeMap;
use std::fs;

use super::*;

fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    fs::write(&path, text).unwrap();
    (dir, path)
}

fn load_file(text: &str) -> Result<NodeConfig, ConfigError> {
    let (_dir, path) = written(text);
    NodeConfig::load(Some(&path), |_| None, &Overrides::new())
}

fn load_with(
    env: &[(&str, &str)],
    flags: &[(Setting, &[&str])],
) -> Result<NodeConfig, ConfigError> {
    let env: BTreeMap<_, _> = env.iter().copied().collect();
    let flag = |(setting, values): &(Setting, &[&str])| {
        (
            *setting,
            values.iter().map(|value| (*value).to_owned()).collect(),
        )
    };
    let overrides = flags.iter().map(flag).collect();
    NodeConfig::load(
        None,
        |name| env.get(name).map(|value| (*value).to_owned()),
        &overrides,
    )
}

#[test]
fn nothing_said_is_a_local_verifier() {
    let config = load_with(&[("HOME", "/home/nobody")], &[]).unwrap();
    assert_eq!(config.dir, Path::new("/home/nobody/.surety"));
    assert_eq!(config.roles, [RoleName::Verifier]);
    assert_eq!(config.http.to_string(), "127.0.0.1:8734");
    let listen: Vec<_> = config.listen.iter().map(ToString::to_string).collect();
    assert_eq!(
        listen,
        ["/ip4/0.0.0.0/udp/8735/quic-v1", "/ip4/0.0.0.0/tcp/8735"]
    );
    assert_eq!(
        config.genesis_file(),
        Path::new("/home/nobody/.surety/genesis.cbor")
    );
    for setting in Setting::ALL {
        assert_eq!(*config.origin(*setting), Origin::Default);
    }
    assert!(config.check().unwrap().is_empty());
    assert!(
        config
            .entries()
            .iter()
            .all(|(setting, ..)| *setting != Setting::Faults)
    );
}

#[test]
fn a_later_source_wins_and_is_remembered() {
    let (dir, path) = written(
        "# comment\nroles = [\"compute\", \"scheduler\", \"compute\"]\nhttp = \"127.0.0.1:1\"\n\
         log = \"debug\"\ngenesis = \"net/genesis.cbor\"\npassword_file = \"/etc/password\"\n\
         listen = []\nhttp_token_file = \"token\"\n",
    );
    let text = path.to_str().unwrap();
    let env = [
        ("SURETY_CONFIG", text),
        ("SURETY_HTTP", "127.0.0.1:2"),
        ("SURETY_LOG", ""),
    ];
    let flags: [(Setting, &[&str]); 2] = [
        (Setting::Http, &["[::1]:3"]),
        (
            Setting::Bootstrap,
            &["/ip4/192.0.2.1/tcp/1, /ip4/192.0.2.2/tcp/2", "/dns/a/tcp/3"],
        ),
    ];
    let config = load_with(&env, &flags).unwrap();
    assert_eq!(config.roles, [RoleName::Scheduler, RoleName::Compute]);
    assert_eq!(
        *config.origin(Setting::Roles),
        Origin::File {
            path: path.clone(),
            line: 2
        }
    );
    assert_eq!(config.http.to_string(), "[::1]:3");
    assert_eq!(
        *config.origin(Setting::Http),
        Origin::Flag { name: "--http" }
    );
    assert_eq!(config.bootstrap.len(), 3);
    // An empty variable says nothing.
    assert_eq!(config.log, "debug");
    assert_eq!(config.origin(Setting::Log).to_string(), format!("{text}:4"));
    assert_eq!(config.listen, []);
    assert_eq!(
        config.genesis.as_deref(),
        Some(dir.path().join("net/genesis.cbor").as_path())
    );
    assert_eq!(
        config.password_file.as_deref(),
        Some(Path::new("/etc/password"))
    );
    assert_eq!(config.http_token_file, Some(dir.path().join("token")));

    let config = load_with(&env, &[]).unwrap();
    assert_eq!(config.http.to_string(), "127.0.0.1:2");
    assert_eq!(
        *config.origin(Setting::Http),
        Origin::Environment {
            name: "SURETY_HTTP"
        }
    );
    let (_, shown, origin) = config.entries().remove(1);
    assert_eq!(
        (shown.as_str(), origin.to_string()),
        ("scheduler,compute", format!("{text}:2"))
    );
}

#[test]
fn the_file_is_found_in_the_directory_but_must_exist_if_named() {
    let (dir, path) = written("roles = [\"all\"]\n");
    let place = dir.path().to_str().unwrap();
    let config = load_with(
        &[("SURETY_DIR", "/nonexistent")],
        &[(Setting::Dir, &[place])],
    )
    .unwrap();
    assert_eq!(config.roles, RoleName::WORKING);
    assert_eq!(*config.origin(Setting::Dir), Origin::Flag { name: "--dir" });
    fs::remove_file(&path).unwrap();
    let config = load_with(&[("SURETY_DIR", place)], &[]).unwrap();
    assert_eq!(config.roles, [RoleName::Verifier]);
    let missing = NodeConfig::load(Some(&path), |_| None, &Overrides::new()).unwrap_err();
    assert!(matches!(missing, ConfigError::Missing { .. }), "{missing}");
    let missing = load_with(&[("SURETY_CONFIG", path.to_str().unwrap())], &[]).unwrap_err();
    assert!(matches!(missing, ConfigError::Missing { .. }), "{missing}");
    // A directory is no file.
    let refused = NodeConfig::load(Some(dir.path()), |_| None, &Overrides::new()).unwrap_err();
    assert!(matches!(refused, ConfigError::Read { .. }), "{refused}");
}

#[test]
fn unknown_keys_name_their_line_and_the_nearest_known_one() {
    let unknown = |text: &str| match load_file(text).unwrap_err() {
        ConfigError::UnknownKey {
            line, key, nearest, ..
        } => (line, key, nearest.map(Setting::key)),
        other => panic!("{other}"),
    };
    assert_eq!(
        unknown("\n\nrole = []"),
        (3, "role".to_owned(), Some("roles"))
    );
    assert_eq!(unknown("password-file = 'x'").2, Some("password_file"));
    assert_eq!(unknown("HTTP = 'x'").2, Some("http"));
    assert_eq!(unknown("bootsrtap = []").2, Some("bootstrap"));
    assert_eq!(unknown("colour = 'red'").2, None);
    // Hidden settings are not advertised, tables are keys too, and a long key costs little.
    assert_eq!(unknown("fault = []").2, None);
    assert_eq!(
        unknown("log = 'info'\n[network]\nx = 1"),
        (2, "network".to_owned(), None)
    );
    assert_eq!(unknown(&format!("{} = 1", "x".repeat(200_000))).2, None);
    let error = load_file("role = []").unwrap_err();
    assert_eq!(error.help().as_deref(), Some("did you mean `roles`?"));
    assert!(
        error
            .to_string()
            .ends_with("surety.toml:1: unknown key `role`"),
        "{error}"
    );
}

#[test]
fn wrong_values_are_named_with_their_place() {
    let wrong = |text: &str| match load_file(text).unwrap_err() {
        ConfigError::Value {
            setting,
            origin: Origin::File { line, .. },
            source,
            ..
        } => (setting, line, source),
        other => panic!("{other}"),
    };
    assert_eq!(
        wrong("http = 'localhost'"),
        (Setting::Http, 1, ValueError::SocketAddr)
    );
    assert_eq!(
        wrong("\nroles = ['judge']"),
        (Setting::Roles, 2, ValueError::Role)
    );
    assert_eq!(wrong("roles = []"), (Setting::Roles, 1, ValueError::Empty));
    assert_eq!(
        wrong("listen = ['1.2.3.4']"),
        (Setting::Listen, 1, ValueError::Multiaddr)
    );
    assert_eq!(
        wrong("log = 'x=loud'"),
        (Setting::Log, 1, ValueError::LogFilter)
    );
    assert_eq!(
        wrong("log_format = 'xml'"),
        (Setting::LogFormat, 1, ValueError::LogFormat)
    );
    assert_eq!(
        wrong("operator = 'me'"),
        (Setting::Operator, 1, ValueError::Address)
    );
    assert_eq!(
        wrong("genesis = ''"),
        (Setting::Genesis, 1, ValueError::Empty)
    );

    let typed = |text: &str| match load_file(text).unwrap_err() {
        ConfigError::Type {
            line,
            expected,
            found,
            ..
        } => (line, expected, found),
        other => panic!("{other}"),
    };
    assert_eq!(typed("http = 8734"), (1, "a string", "integer"));
    assert_eq!(
        typed("\nroles = 'verifier'"),
        (2, "an array of strings", "string")
    );
    assert_eq!(typed("roles = [1]").2, "an array with something else");

    let error = load_with(&[], &[(Setting::Http, &["a", "b"])]).unwrap_err();
    assert_eq!(error.to_string(), "flag --http: `http` cannot be \"a,b\"");
    let error = load_with(&[("SURETY_ROLES", "verifier,judge")], &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "environment SURETY_ROLES: `roles` cannot be \"judge\""
    );
    let cli = crate::shell::CliError::from(error);
    assert_eq!(cli.exit, crate::shell::Exit::Config);
    assert!(
        cli.message
            .ends_with("messenger, verifier, gateway, or all of these; or auditor"),
        "{cli}"
    );
}

#[test]
fn files_that_are_not_toml_are_refused() {
    let syntax = |text: &str| match load_file(text).unwrap_err() {
        ConfigError::Syntax { line, .. } => line,
        other => panic!("{other}"),
    };
    assert_eq!(syntax("log = 'info'\nhttp = "), 2);
    assert_eq!(syntax("log = 'a'\nlog = 'b'"), 2);
    assert_eq!(syntax("\n\n= 1"), 3);
    let (_dir, path) = written("");
    let load = || NodeConfig::load(Some(&path), |_| None, &Overrides::new());
    load().unwrap();
    fs::write(&path, b"log = '\xff'").unwrap();
    assert!(matches!(load().unwrap_err(), ConfigError::NotText { .. }));
    fs::write(&path, vec![b'\n'; (256 << 10) + 1]).unwrap();
    assert!(matches!(load().unwrap_err(), ConfigError::TooLarge { .. }));
    fs::write(&path, vec![b'\n'; 256 << 10]).unwrap();
    load().unwrap();
}

#[test]
fn check_finds_what_is_missing_and_what_is_odd() {
    let config = load_file(
        "http = '0.0.0.0:8734'\nlisten = []\nbootstrap = ['/ip4/192.0.2.1/tcp/1']\n\
         operator = '-----------------------------------------_8'\nfaults = ['wrong-result@4']\n",
    )
    .unwrap();
    assert!(config.operator.is_some());
    assert_eq!(
        config.check().unwrap(),
        [
            Warning::HttpIsPublic,
            Warning::ListensNowhere,
            Warning::BootstrapWithoutPeer,
            Warning::Faults
        ]
    );
    assert!(
        config
            .entries()
            .iter()
            .any(|(setting, ..)| *setting == Setting::Faults)
    );
    let peer = libp2p::identity::Keypair::generate_ed25519()
        .public()
        .to_peer_id();
    let address = format!("/ip4/192.0.2.1/tcp/1/p2p/{peer}");
    let config = load_with(&[], &[(Setting::Bootstrap, &[&address])]).unwrap();
    assert!(config.check().unwrap().is_empty());

    for setting in ["password_file", "http_token_file"] {
        let config = load_file(&format!("{setting} = 'no-such-file'")).unwrap();
        let error = config.check().unwrap_err();
        assert!(error.to_string().contains("no-such-file"), "{error}");
        assert!(error.to_string().contains(setting), "{error}");
    }
    let config = load_file("genesis = '.'").unwrap();
    let error = config.check().unwrap_err();
    assert!(
        matches!(
            error,
            ConfigError::Unreadable {
                setting: Setting::Genesis,
                ..
            }
        ),
        "{error}"
    );
}
