use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;

/// The test password and secret of EIP-2335.
const EIP_PASSWORD: &str = "𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡🔑";
const EIP_SECRET: &str = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";

const EIP_SCRYPT: &str = r#"{
  "crypto": {
    "kdf": {
      "function": "scrypt",
      "params": { "dklen": 32, "n": 262144, "p": 1, "r": 8,
        "salt": "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3" },
      "message": ""
    },
    "checksum": { "function": "sha256", "params": {},
      "message": "d2217fe5f3e9a1e34581ef8a78f7c9928e436d36dacc5e846690a5581e8ea484" },
    "cipher": { "function": "aes-128-ctr", "params": { "iv": "264daa3f303d7259501c93d997d84fe6" },
      "message": "06ae90d55fe0a6e9c5c3bc5b170827b2e5cce3929ed3f116c2811e6366dfe20f" }
  },
  "description": "This is a test keystore that uses scrypt to secure the secret.",
  "pubkey": "9612d7a727c9d0a22e185a1c768478dfe919cada9266988cb32359c11f2b7b27f4ae4040902382ae2910c15e2b420d07",
  "path": "m/12381/60/3141592653/589793238",
  "uuid": "1d85ae20-35c5-4611-98e8-aa14a633906f",
  "version": 4
}"#;

const EIP_PBKDF2: &str = r#"{
  "crypto": {
    "kdf": {
      "function": "pbkdf2",
      "params": { "dklen": 32, "c": 262144, "prf": "hmac-sha256",
        "salt": "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3" },
      "message": ""
    },
    "checksum": { "function": "sha256", "params": {},
      "message": "8a9f5d9912ed7e75ea794bc5a89bca5f193721d30868ade6f73043c6ea6febf1" },
    "cipher": { "function": "aes-128-ctr", "params": { "iv": "264daa3f303d7259501c93d997d84fe6" },
      "message": "cee03fde2af33149775b7223e7845e4fb2c8ae1792e5f99fe9ecf474cc8c16ad" }
  },
  "description": "This is a test keystore that uses PBKDF2 to secure the secret.",
  "pubkey": "9612d7a727c9d0a22e185a1c768478dfe919cada9266988cb32359c11f2b7b27f4ae4040902382ae2910c15e2b420d07",
  "path": "m/12381/60/0/0",
  "uuid": "64625def-3331-4eea-ab6f-782f3ed16a83",
  "version": 4
}"#;

/// An RSA-4096 wallet that protects nothing.
const WALLET: &str = include_str!("tests/wallet.json");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn password() -> Password {
    Password::new("correct horse").unwrap()
}

fn secret(bytes: &[u8]) -> Secret {
    Secret::new(bytes.to_vec())
}

/// The error of a result whose value cannot be shown.
fn refused<T>(result: Result<T, KeyError>) -> KeyError {
    match result {
        Ok(_) => panic!("was accepted"),
        Err(error) => error,
    }
}

#[test]
fn the_vectors_of_eip_2335_open() {
    for text in [EIP_SCRYPT, EIP_PBKDF2] {
        let store = Keystore::from_json(text.as_bytes()).unwrap();
        assert_eq!(store.kind(), KeyKind::Bls);
        // The public key is compared with that of the secret on the way.
        let secret = store
            .decrypt(&Password::new(EIP_PASSWORD).unwrap())
            .unwrap();
        assert_eq!(hex(secret.expose()), EIP_SECRET);
    }
    let store = Keystore::from_json(EIP_PBKDF2.as_bytes()).unwrap();
    // The same password in another spelling, with a line end.
    let plain = Password::new("testpassword🔑\r\n").unwrap();
    assert_eq!(hex(store.decrypt(&plain).unwrap().expose()), EIP_SECRET);
    let wrong = Password::new("testpassword").unwrap();
    assert!(matches!(
        refused(store.decrypt(&wrong)),
        KeyError::WrongPassword
    ));
}

#[test]
fn every_kind_comes_back_under_its_public_name() {
    let mut bls = [0x55; 32];
    bls[0] = 1;
    let cases: [(KeyKind, &[u8], usize); 5] = [
        (KeyKind::Bls, &bls, 64),
        (KeyKind::Ed25519, &[7; 32], 43),
        (KeyKind::Secp256k1, &[7; 32], 43),
        (KeyKind::Network, &[7; 32], 52),
        (KeyKind::Rsa, WALLET.as_bytes(), 43),
    ];
    for (kind, bytes, length) in cases {
        for kdf in [Kdf::light(), Kdf::Pbkdf2 { rounds: 100_000 }] {
            let store = Keystore::encrypt(kind, &secret(bytes), &password(), kdf).unwrap();
            let text = store.to_json().unwrap();
            assert!(!text.contains(&hex(bytes)), "{kind}");
            let store = Keystore::from_json(text.as_bytes()).unwrap();
            assert_eq!((store.kind(), store.is_light()), (kind, kdf.is_light()));
            assert_eq!(store.public().unwrap().len(), length, "{kind}");
            assert_eq!(store.decrypt(&password()).unwrap().expose(), bytes);
        }
    }
    // The modulus of the wallet is the owner.
    let numbers: serde_json::Value = serde_json::from_str(WALLET).unwrap();
    let modulus = surety_protocol::id::from_base64url(numbers["n"].as_str().unwrap()).unwrap();
    let address = surety_protocol::hash::sha256(&[&modulus]);
    assert_eq!(
        public_text(KeyKind::Rsa, &secret(WALLET.as_bytes())).unwrap(),
        surety_protocol::id::base64url(&address)
    );
    // Two encryptions of one secret share nothing.
    let twice = || {
        Keystore::encrypt(
            KeyKind::Network,
            &secret(&[7; 32]),
            &password(),
            Kdf::light(),
        )
        .unwrap()
        .to_json()
        .unwrap()
    };
    let members = |text: String| {
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        (
            value["crypto"]["kdf"]["params"]["salt"].clone(),
            value["crypto"]["cipher"].clone(),
        )
    };
    let (a, b) = (members(twice()), members(twice()));
    assert!(a.0 != b.0 && a.1 != b.1);
}

#[test]
fn bytes_that_are_no_key_are_refused() {
    let cases: [(KeyKind, &[u8]); 8] = [
        (KeyKind::Bls, &[0; 32]),
        (KeyKind::Bls, &[0xff; 32]),
        (KeyKind::Secp256k1, &[0; 32]),
        (KeyKind::Secp256k1, &[0xff; 32]),
        (KeyKind::Ed25519, &[7; 31]),
        (KeyKind::Network, &[7; 33]),
        (KeyKind::Rsa, b"{}"),
        (KeyKind::Rsa, &[0xff]),
    ];
    for (kind, bytes) in cases {
        let error = refused(Keystore::encrypt(
            kind,
            &secret(bytes),
            &password(),
            Kdf::light(),
        ));
        assert!(
            matches!(error, KeyError::Secret(k) if k == kind),
            "{kind}: {error}"
        );
    }
    assert!(matches!(
        refused(item_key(KeyKind::Bls, &secret(&[1; 32]))),
        KeyError::NotForItems(KeyKind::Bls)
    ));
}

#[test]
fn malformed_files_are_refused_before_any_work() {
    let changed = |from: &str, to: &str| {
        let text = EIP_PBKDF2.replace(from, to);
        assert_ne!(text, EIP_PBKDF2, "{from}");
        refused(Keystore::from_json(text.as_bytes()).and_then(|s| s.decrypt(&password())))
    };
    let member = |error: KeyError| match error {
        KeyError::Member { member, .. } => member,
        other => panic!("{other}"),
    };
    assert!(matches!(
        changed("\"version\": 4", "\"version\": 3"),
        KeyError::Version(3)
    ));
    assert!(matches!(
        changed("\"crypto\"", "\"Crypto\""),
        KeyError::Form(_)
    ));
    assert!(matches!(changed("262144", "-1"), KeyError::Form(_)));
    assert!(matches!(
        changed("262144", "4294967295"),
        KeyError::TooMuchWork
    ));
    assert_eq!(member(changed("262144", "0")), "crypto.kdf.params.c");
    assert_eq!(
        member(changed("\"dklen\": 32", "\"dklen\": 64")),
        "crypto.kdf.params.dklen"
    );
    assert_eq!(
        member(changed("hmac-sha256", "hmac-sha1")),
        "crypto.kdf.params.prf"
    );
    assert_eq!(
        member(changed("\"pbkdf2\"", "\"scrypt\"")),
        "crypto.kdf.function"
    );
    assert_eq!(
        member(changed("\"pbkdf2\"", "\"argon2\"")),
        "crypto.kdf.function"
    );
    assert_eq!(
        member(changed("aes-128-ctr", "aes-256-gcm")),
        "crypto.cipher.function"
    );
    assert_eq!(
        member(changed("\"sha256\"", "\"crc32\"")),
        "crypto.checksum.function"
    );
    assert_eq!(member(changed("264daa3f", "")), "crypto.cipher.params.iv");
    assert_eq!(
        member(changed("cee03fde", "cee03fd")),
        "crypto.cipher.message"
    );
    assert_eq!(
        member(changed("cee03fde", "cee0éde")),
        "crypto.cipher.message"
    );
    assert_eq!(
        member(changed("d4e56740", &"00".repeat(200))),
        "crypto.kdf.params.salt"
    );

    let scrypt = |from: &str, to: &str| {
        let text = EIP_SCRYPT.replace(from, to);
        assert_ne!(text, EIP_SCRYPT, "{from}");
        refused(Keystore::from_json(text.as_bytes()).and_then(|s| s.decrypt(&password())))
    };
    assert_eq!(member(scrypt("262144", "262143")), "crypto.kdf.params");
    assert_eq!(member(scrypt("262144", "1")), "crypto.kdf.params");
    assert_eq!(member(scrypt("\"r\": 8", "\"r\": 0")), "crypto.kdf.params");
    assert!(matches!(
        scrypt("262144", "9223372036854775808"),
        KeyError::TooMuchWork
    ));
    assert!(matches!(
        scrypt("\"r\": 8", "\"r\": 4294967295"),
        KeyError::TooMuchWork
    ));
    assert!(matches!(
        scrypt("\"p\": 1", "\"p\": 4294967295"),
        KeyError::TooMuchWork
    ));

    let greatest = EIP_SCRYPT
        .replace("262144", "9223372036854775808")
        .replace("\"r\": 8", "\"r\": 4294967295")
        .replace("\"p\": 1", "\"p\": 4294967295");
    let store = Keystore::from_json(greatest.as_bytes()).unwrap();
    assert!(matches!(
        refused(store.decrypt(&password())),
        KeyError::TooMuchWork
    ));

    for text in ["", "null", "[]", "{}", "\u{0}", "{\"version\":4}"] {
        assert!(matches!(
            refused(Keystore::from_json(text.as_bytes())),
            KeyError::Form(_)
        ));
    }
    assert!(matches!(
        refused(Keystore::encrypt(
            KeyKind::Network,
            &secret(&[7; 32]),
            &password(),
            Kdf::Scrypt { log_n: 200 }
        )),
        KeyError::TooMuchWork
    ));
}

#[test]
fn a_file_that_names_another_key_is_refused() {
    let store = Keystore::encrypt(
        KeyKind::Ed25519,
        &secret(&[7; 32]),
        &password(),
        Kdf::light(),
    )
    .unwrap();
    let other = public_text(KeyKind::Ed25519, &secret(&[8; 32])).unwrap();
    let text = store.to_json().unwrap();
    let renamed = text.replace(&store.public().unwrap(), &other);
    let error = refused(
        Keystore::from_json(renamed.as_bytes())
            .unwrap()
            .decrypt(&password()),
    );
    assert!(matches!(error, KeyError::Mismatch { .. }), "{error}");
    // Nor does a key change its kind.
    let turned = text.replace("\"kind\": \"ed25519\"", "\"kind\": \"secp256k1\"");
    assert_ne!(turned, text);
    let error = refused(
        Keystore::from_json(turned.as_bytes())
            .unwrap()
            .decrypt(&password()),
    );
    assert!(matches!(error, KeyError::Mismatch { .. }), "{error}");
    let unknown = text.replace("\"kind\": \"ed25519\"", "\"kind\": \"dilithium\"");
    let error = refused(Keystore::from_json(unknown.as_bytes()));
    assert!(matches!(error, KeyError::Form(_)), "{error}");
}

#[test]
fn the_directory_keeps_one_private_file_per_key() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a/keys");
    let keys = KeyDirectory::open(&dir).unwrap();
    assert_eq!(
        fs::metadata(&dir).unwrap().permissions().mode() & 0o777,
        0o700
    );
    assert!(keys.list().unwrap().is_empty());
    assert!(matches!(
        refused(keys.load(KeyKind::Bls, &password())),
        KeyError::NotFound { .. }
    ));

    for kind in [
        KeyKind::Network,
        KeyKind::Secp256k1,
        KeyKind::Rsa,
        KeyKind::Ed25519,
        KeyKind::Bls,
    ] {
        let entry = keys.create(kind, &password(), Kdf::light()).unwrap();
        assert_eq!(
            fs::metadata(&entry.file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let loaded = keys.load(kind, &password()).unwrap();
        assert_eq!(public_text(kind, &loaded).unwrap(), entry.public);
        assert!(entry.light);
    }
    let kinds: Vec<_> = keys
        .list()
        .unwrap()
        .into_iter()
        .map(|key| key.kind)
        .collect();
    assert_eq!(kinds, KeyKind::ALL);
    let wrong = Password::new("wrong").unwrap();
    assert!(matches!(
        refused(keys.load(KeyKind::Bls, &wrong)),
        KeyError::WrongPassword
    ));

    // A second key of a kind must be named, and the same key is not stored twice.
    let first = keys.find(KeyKind::Ed25519, None).unwrap();
    let import = || {
        keys.import(
            KeyKind::Ed25519,
            &secret(&[7; 32]),
            &password(),
            Kdf::light(),
        )
    };
    let second = import().unwrap();
    let before = fs::read(&second.file).unwrap();
    assert!(matches!(refused(import()), KeyError::Exists { .. }));
    assert_eq!(fs::read(&second.file).unwrap(), before);
    let ambiguous = refused(keys.find(KeyKind::Ed25519, None));
    assert!(
        matches!(ambiguous, KeyError::Ambiguous { count: 2, .. }),
        "{ambiguous}"
    );
    assert_eq!(
        keys.find(KeyKind::Ed25519, Some(&first.public)).unwrap(),
        first
    );
    assert_eq!(
        keys.open_key(&second, &password()).unwrap().expose(),
        [7; 32]
    );

    // Nothing is left of the temporary files, and other files are none of our business.
    fs::write(dir.join("README"), "mine").unwrap();
    let names = fs::read_dir(&dir).unwrap().count();
    assert_eq!(names, keys.list().unwrap().len() + 1);

    // Files of Ethereum tools are read; broken ones are named.
    fs::write(dir.join("foreign.json"), EIP_PBKDF2).unwrap();
    assert_eq!(
        keys.list()
            .unwrap()
            .iter()
            .filter(|key| key.kind == KeyKind::Bls)
            .count(),
        2
    );
    fs::write(dir.join("broken.json"), "{").unwrap();
    let error = refused(keys.list());
    assert!(error.to_string().contains("broken.json"), "{error}");
    fs::write(dir.join("broken.json"), vec![b' '; 1 << 20]).unwrap();
    assert!(matches!(refused(keys.list()), KeyError::TooLarge { .. }));
}

#[test]
fn private_files_are_replaced_only_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    write_private(&path, b"one", false).unwrap();
    assert!(matches!(
        refused(write_private(&path, b"two", false)),
        KeyError::Exists { .. }
    ));
    assert_eq!(fs::read(&path).unwrap(), b"one");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    write_private(&path, b"two", true).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let nowhere = dir.path().join("no/file");
    assert!(matches!(
        refused(write_private(&nowhere, b"x", false)),
        KeyError::Io { .. }
    ));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn passwords_come_from_files_in_their_normal_form() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let bytes = |password: Result<Password, KeyError>| password.unwrap().bytes().to_vec();
    let flag = file("flag", b"from flag\n");
    let variable = file("variable", "\u{7f}\u{85}ﬁ\n".as_bytes());
    let env = |name: &str| {
        assert_eq!(name, PASSWORD_FILE_ENV);
        Some(OsString::from(&variable))
    };
    assert_eq!(
        bytes(Password::obtain(Some(&flag), env, Ask::Twice)),
        b"from flag"
    );
    // Compatibility forms are taken apart, C0, C1 and delete removed.
    assert_eq!(bytes(Password::obtain(None, env, Ask::Once)), b"fi");

    assert!(matches!(
        refused(Password::from_file(&file("e", b"\r\n"))),
        KeyError::EmptyPassword
    ));
    assert!(matches!(
        refused(Password::from_file(&file("b", b"\xff"))),
        KeyError::PasswordText
    ));
    let large = file("l", &[b'a'; 4097]);
    assert!(matches!(
        refused(Password::from_file(&large)),
        KeyError::TooLarge { .. }
    ));
    assert!(Password::from_file(&file("m", &[b'a'; 4096])).is_ok());
    let missing = refused(Password::from_file(Path::new("/nonexistent/password")));
    assert!(missing.to_string().contains("/nonexistent/password"));
}
