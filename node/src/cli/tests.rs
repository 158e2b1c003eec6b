use std::path::Path;
use std::time::Duration;

use clap::CommandFactory;
use serde_json::json;
use surety_protocol::stake::{AO, Stake};
use tokio::time::Instant;

use super::remote::watch_for;
use super::*;
use crate::client::ClientError;

fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from([&["surety"], args].concat())
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn ids_may_begin_with_a_dash_and_flags_still_count() {
    let id = "-----------------------------------------_8";
    let cli = parse(&["process", "result", id, id, "--wait", "3", "--json"]).unwrap();
    assert!(cli.json);
    assert!(matches!(cli.command, Command::Process(_)));
    parse(&["stake", "status", id]).unwrap();
    let named = parse(&["audit", "challenge", "x", "--token-file", "t"]).unwrap();
    assert_eq!(named.token_file.as_deref(), Some(Path::new("t")));
    parse(&["ledger", "account", id, "--quiet"]).unwrap();
    parse(&["process", "send", id, "--action", "Ping", "--tag", "A=b=c"]).unwrap();
    parse(&[
        "audit",
        "replay",
        id,
        "--slots",
        "0..4",
        "--node",
        "http://h:1",
    ])
    .unwrap();
    // A bit too many in the last character: another spelling is no id.
    assert!(
        parse(&[
            "stake",
            "status",
            "-----------------------------------------_9"
        ])
        .is_err()
    );
    // What was meant as a slot is called one.
    for call in [
        &["process", "result", id, "-1"][..],
        &["process", "trace", id, "-1"],
        &["process", "attested", id, "-1", "--out", "x"],
    ] {
        let error = parse(call).unwrap_err().to_string();
        assert!(error.contains("a slot is a whole number"), "{error}");
    }
    assert!(parse(&["process", "send", id, "--tag", "A="]).is_err());
    assert!(parse(&["process", "send", id, "--data", "x", "--file", "y"]).is_err());
}

#[test]
fn waiting_has_a_default_that_does_not_eat_the_amount() {
    parse(&["stake", "bond", "--wait", "10ao"]).unwrap();
    parse(&["stake", "bond", "--wait=5", "10ao"]).unwrap();
    assert!(parse(&["stake", "bond", "--wait=soon", "10ao"]).is_err());
    assert!(parse(&["stake", "bond"]).is_err());
    // Nothing is signed for nothing.
    assert!(parse(&["stake", "bond", "0ao"]).is_err());
    // What was meant as an amount, or as a number of tickets, is called one.
    let error = parse(&["stake", "bond", "-1ao", "--wait"]).unwrap_err();
    assert!(error.to_string().contains("an amount is"), "{error}");
    let id = "-----------------------------------------_8";
    let attested = ["process", "attested", id, "1", "--out", "x"];
    for (flag, said) in [("--k", "tickets is"), ("--min-stake", "an amount is")] {
        let error = parse(&[&attested[..], &[flag, "-1"]].concat()).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn what_belongs_to_the_simulator_is_not_ours_to_understand() {
    for args in [
        &["sim", "run", "--seed", "7", "--json"][..],
        &["sim", "--help"],
        &["sim"],
    ] {
        let cli = parse(args).unwrap();
        assert!(
            matches!(cli.command, Command::Sim(_)) && !cli.json,
            "{args:?}"
        );
    }
}

#[test]
fn json_is_found_in_a_call_that_does_not_parse() {
    let asks = |args: &[&str]| {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        usage::asks_for_json(&args)
    };
    assert!(asks(&["surety", "nonsense", "--json"]));
    assert!(!asks(&["surety", "nonsense", "--", "--json"]));
    assert!(!asks(&["surety", "--jsonx"]));
}

#[test]
fn amounts_are_exact() {
    let read = |text: &str| item::amount(text).map(|it| it.0);
    assert_eq!(read("250"), Ok(250));
    assert_eq!(read("1ao"), Ok(AO));
    assert_eq!(read("0.25AO"), Ok(AO / 4));
    assert_eq!(read("12.000000000001ao"), Ok(12 * AO + 1));
    let most = u128::MAX / AO;
    assert_eq!(item::amount(&format!("{most}ao")), Ok(Stake(most * AO)));
    assert_eq!(item::some_amount("0.0ao"), Err(item::ArgumentError::Zero));
    assert_eq!(item::some_amount("1"), Ok(Stake(1)));
    let above = format!("{}ao", most + 1);
    for wrong in [
        "",
        "ao",
        ".5ao",
        "1.ao",
        "1.0000000000001ao",
        "-1",
        "+1ao",
        "1e3",
        "1 ao",
        &above,
    ] {
        assert_eq!(read(wrong), Err(item::ArgumentError::Amount), "{wrong}");
    }
}

#[test]
fn documents_become_tables() {
    let text = |value: &serde_json::Value| show::table(value).tab_separated();
    let one = json!({ "a": { "b": 1, "c": null }, "d": ["x", "y"], "e": [{ "f": true }] });
    assert_eq!(text(&one), "a.b\t1\nd\tx,y\ne.0.f\ttrue\n");
    let many: Vec<_> = (0..20).map(|it| json!({ "n": it })).collect();
    let many = text(&json!({ "b": { "many": many }, "a": 1 }));
    assert!(many.starts_with("a\t1\nb.many\t(4 more with --json)\nb.many.0.n\t0\n"));
    assert!(many.ends_with("b.many.15.n\t15\n"));
    let page =
        json!({ "items": [{ "gas": 5, "slot": 0 }, { "slot": 1, "new": "z" }], "next": null });
    assert_eq!(text(&page), "slot\tgas\tnew\n0\t5\t\n1\t\tz\n");
    assert_eq!(text(&json!([])), "");
    assert_eq!(text(&json!(["a", "b"])), "a\nb\n");
    let amounts = json!({ "a": { "balance": "12500000000000" }, "b": { "slot": "7" } });
    assert_eq!(
        text(&amounts),
        "a.balance\t12500000000000\t12.5 AO\nb.slot\t7\n"
    );
    // What a node says cannot break out of its cell.
    assert_eq!(
        text(&json!({ "a": "x\n\u{1b}[2Jy\tz" })),
        "a\tx\\u000a\\u001b[2Jy\\u0009z\n"
    );
}

#[tokio::test]
async fn who_waits_hears_what_there_is_so_far() {
    let refusals = ["nothing", "nothing", "claimed", "certified"];
    let mut left = refusals.into_iter();
    let ask = |seconds: u64| {
        assert!(seconds <= 5);
        let refused = left.next().map(|detail| ClientError::Refused {
            status: 409,
            code: "not-attested".into(),
            detail: detail.into(),
        });
        async move { refused.map_or(Ok("there it is"), Err) }
    };
    let mut told = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    let tell = |available: &str| told.push(available.to_owned());
    let found = watch_for(deadline, &["not-attested"], ask, tell).await;
    assert_eq!(found.map_err(|error| error.code), Ok("there it is"));
    assert_eq!(told, ["nothing", "claimed", "certified"]);
    // What will not come about ends it, and so does the deadline.
    for (code, wait) in [("backing-too-low", 60), ("not-attested", 0)] {
        let refused = || ClientError::Refused {
            status: 409,
            code: code.into(),
            detail: "never".into(),
        };
        let deadline = Instant::now() + Duration::from_secs(wait);
        let ask = |_| async move { Err::<(), _>(refused()) };
        let tell = |_: &str| panic!("there is nothing to wait for");
        let ended = watch_for(deadline, &["not-attested"], ask, tell).await;
        assert_eq!(ended.map_err(|error| error.code), Err("node-refused"));
    }
}

#[test]
fn who_lacks_the_token_is_told_how_to_name_it() {
    let refused = ClientError::Refused {
        status: 401,
        code: "token-needed".into(),
        detail: "this takes the token of the node".into(),
    };
    let error = CliError::from(refused);
    assert_eq!(error.code, "token-needed");
    assert!(error.help.is_some_and(|it| it.contains("--token-file")));
}

#[test]
fn a_node_is_named_by_a_plain_url() {
    let url = |node: &str| {
        let context = Context {
            shell: Shell::new(true, true),
            quiet: true,
            node: Some(node.to_owned()),
            token_file: None,
        };
        context.url().map_err(|error| error.exit)
    };
    assert_eq!(
        url("http://127.0.0.1:1"),
        Ok("http://127.0.0.1:1".to_owned())
    );
    assert_eq!(url("https://example.org"), Err(Exit::Usage));
    assert_eq!(url("127.0.0.1:8734"), Err(Exit::Usage));
}
