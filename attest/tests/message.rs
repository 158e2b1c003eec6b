//! What a module is given for each kind of input (rules ME-1 to ME-6, in the order of rule IN-1). What is expected is written out by
//! hand, as AO's units give it to the same modules; only ids and signatures are filled in.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use surety_attest::message::{message, program};
use surety_protocol::assignment::{AssignmentDraft, HashChain};
use surety_protocol::execution::Input;
use surety_protocol::id::base64url;
use surety_protocol::item::{Item, ItemDraft, ItemKey};
use surety_protocol::profile::Profile;
use surety_protocol::time::{Slot, Timestamp};
use surety_protocol::verified::Authentic;

/// Addresses: SHA-256 of the public keys of Ed25519 whose seeds are 32 ones, twos and threes.
const USER: &str = "NHUPmL1Z_PyUbaRaqr6TO-FUpLUJThxKv0KGZQXzyX4";
const OWNER: &str = "ajgD1fBZkCocba-8m6RykhL3yqwIY0zDrnaydSnwOCc";
const MESSENGER: &str = "ti6Gf6LzOv5i1daxZC4WIdVDMHhGsqV7iX5xCRm3Zwk";
/// 32 sevens, as an id.
const SEVENS: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

/// What every assignment of these tests says, and what is always so of a message.
const REST: &str = r#""Module":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
    "Block-Height":1600000,"Timestamp":1700000000123,"Epoch":0,"Nonce":4,
    "Hash-Chain":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU","Cron":false}"#;

fn key(seed: u8) -> ItemKey {
    ItemKey::ed25519(&[seed; 32])
}

/// The wallet of the example in EIP-155, whose account is well known.
fn ethereum() -> ItemKey {
    ItemKey::ethereum(&[0x46; 32]).unwrap()
}

fn signed(key: &ItemKey, draft: ItemDraft) -> Authentic<Item> {
    key.sign_item(&draft).unwrap()
}

fn process_of(key: &ItemKey, tags: &[(&str, &str)]) -> Authentic<Item> {
    let draft = ItemDraft::default()
        .tag("Type", "Process")
        .tag("Module", SEVENS)
        .carrying("1984");
    let tagged = tags
        .iter()
        .fold(draft, |draft, (name, value)| draft.tag(*name, *value));
    signed(key, tagged)
}

fn process() -> Authentic<Item> {
    process_of(&key(2), &[])
}

fn to(process: &Item) -> ItemDraft {
    ItemDraft::default().to(*process.id().as_bytes())
}

/// A slot with a message, or without one.
fn input(
    process: &Item,
    slot: u64,
    message: Option<&Authentic<Item>>,
    exclude: &[&str],
    timer: Option<&str>,
) -> Input {
    let draft = AssignmentDraft {
        process: process.id().into(),
        epoch: 0,
        slot: Slot(slot),
        hash_chain: HashChain::new([5; 32]),
        block_height: 1_600_000,
        timestamp: Timestamp(1_700_000_000_123),
        message: message.map(|it| it.id().into()),
        exclude: exclude.iter().map(|it| (*it).to_owned()).collect(),
        timer: timer.map(str::to_owned),
    };
    Input {
        assignment: signed(&key(4), draft.to_item_draft(None)),
        message: message.cloned(),
    }
}

/// Compares what a module is given with a text, in which lines are broken for people.
fn check(what: &str, process: &Authentic<Item>, input: &Input, expected: &str) {
    let item = input.message.as_ref().unwrap_or(process);
    let expected = expected.replace("$REST", REST);
    let expected: String = expected.lines().map(str::trim).collect();
    let expected = expected
        .replace("$PROCESS", &process.id().to_string())
        .replace("$ID", &item.id().to_string())
        .replace("$SIGNATURE", &base64url(item.signature()));
    let given = message(process, input).expect(what);
    assert_eq!(serde_json::to_string(&given).unwrap(), expected, "{what}");
}

/// The same for a message in slot 4.
fn check_message(what: &str, process: &Authentic<Item>, item: &Authentic<Item>, expected: &str) {
    let input = input(process, 4, Some(item), &[], None);
    check(what, process, &input, expected);
}

/// Rule ME-1.
#[test]
fn the_first_message_is_the_process() {
    let process = process();
    let expected = r#"{"Id":"$PROCESS","Signature":"$SIGNATURE","Target":"$PROCESS",
        "Owner":"ajgD1fBZkCocba-8m6RykhL3yqwIY0zDrnaydSnwOCc",
        "From":"ajgD1fBZkCocba-8m6RykhL3yqwIY0zDrnaydSnwOCc","Anchor":"",
        "Tags":[{"name":"Type","value":"Process"},
        {"name":"Module","value":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}],
        "Data":"1984",$REST"#;
    let expected = expected.replace("$REST", &REST.replace(r#""Nonce":4"#, r#""Nonce":0"#));
    let first = input(&process, 0, None, &[], None);
    check("slot 0", &process, &first, &expected);

    // A later slot without a message is a tick, if the process has that timer, and else nothing.
    let later = input(&process, 4, None, &[], None);
    assert_eq!(message(&process, &later), None);
    let tick = input(&process, 4, None, &[], Some("0-5-seconds"));
    assert_eq!(message(&process, &tick), None);
    // What is no assignment assigns nothing.
    let item = signed(&key(1), to(&process));
    let broken = Input {
        assignment: item.clone(),
        message: Some(item),
    };
    assert_eq!(message(&process, &broken), None);
}

/// Rules ME-2 and ME-3.
#[test]
fn a_message_is_from_who_signed_it() {
    let process = process();
    let draft = to(&process)
        .anchored(*b"00000000000000000000000000000017")
        .tag("Action", "Eval")
        // About other things than the assignment.
        .tag("Timestamp", "1")
        .tag("Nonce", "2")
        .carrying("return \"x\"");
    let item = signed(&key(1), draft);
    let expected = r#"{"Id":"$ID","Signature":"$SIGNATURE","Target":"$PROCESS",
        "Owner":"NHUPmL1Z_PyUbaRaqr6TO-FUpLUJThxKv0KGZQXzyX4",
        "From":"NHUPmL1Z_PyUbaRaqr6TO-FUpLUJThxKv0KGZQXzyX4",
        "Anchor":"00000000000000000000000000000017",
        "Tags":[{"name":"Action","value":"Eval"},{"name":"Timestamp","value":"1"},
        {"name":"Nonce","value":"2"}],"Data":"return \"x\"",$REST"#;
    check_message("a wallet", &process, &item, expected);

    let item = signed(&ethereum(), to(&process));
    let expected = r#"{"Id":"$ID","Signature":"$SIGNATURE","Target":"$PROCESS",
        "Owner":"0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F",
        "From":"0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F",
        "Anchor":"","Tags":[],"Data":"",$REST"#;
    check_message("a wallet of Ethereum", &process, &item, expected);

    // It was for somebody else, and its anchor is no text.
    let item = signed(
        &key(1),
        ItemDraft::default().to([7; 32]).anchored([0xff; 32]),
    );
    let expected = r#"{"Id":"$ID","Signature":"$SIGNATURE",
        "Target":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
        "Owner":"NHUPmL1Z_PyUbaRaqr6TO-FUpLUJThxKv0KGZQXzyX4",
        "From":"NHUPmL1Z_PyUbaRaqr6TO-FUpLUJThxKv0KGZQXzyX4",
        "Anchor":"__________________________________________8","Tags":[],"Data":"",$REST"#;
    check_message("a message for another process", &process, &item, expected);
}

/// Rule ME-2.
#[test]
fn a_pushed_message_is_from_the_process_that_sent_it() {
    let process = process();
    let item = signed(&key(3), to(&process).tag("From-Process", SEVENS));
    let expected = r#"{"Id":"$ID","Signature":"$SIGNATURE","Target":"$PROCESS",
        "Owner":"ti6Gf6LzOv5i1daxZC4WIdVDMHhGsqV7iX5xCRm3Zwk",
        "From":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
        "Forwarded-By":"ti6Gf6LzOv5i1daxZC4WIdVDMHhGsqV7iX5xCRm3Zwk","Anchor":"",
        "Tags":[{"name":"From-Process","value":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}],
        "Data":"",$REST"#;
    check_message("pushed", &process, &item, expected);

    // Whoever says that it is itself carried nothing.
    let item = signed(&key(3), to(&process).tag("From-Process", MESSENGER));
    let expected = r#"{"Id":"$ID","Signature":"$SIGNATURE","Target":"$PROCESS",
        "Owner":"ti6Gf6LzOv5i1daxZC4WIdVDMHhGsqV7iX5xCRm3Zwk",
        "From":"ti6Gf6LzOv5i1daxZC4WIdVDMHhGsqV7iX5xCRm3Zwk","Anchor":"",
        "Tags":[{"name":"From-Process","value":"ti6Gf6LzOv5i1daxZC4WIdVDMHhGsqV7iX5xCRm3Zwk"}],
        "Data":"",$REST"#;
    check_message("pushed by itself", &process, &item, expected);
}

/// Rule ME-2.
#[test]
fn tags_do_not_say_who_sent_a_message() {
    let process = process();
    let draft = to(&process)
        .tag("From", OWNER)
        .tag("Action", "Eval")
        .tag("Owner", OWNER)
        .tag("Owner", USER)
        .tag("from", "lower case is another name")
        .tag("Sender", OWNER);
    let item = signed(&key(1), draft);
    let expected = r#"{"Id":"$ID","Signature":"$SIGNATURE","Target":"$PROCESS",
        "Owner":"NHUPmL1Z_PyUbaRaqr6TO-FUpLUJThxKv0KGZQXzyX4",
        "From":"NHUPmL1Z_PyUbaRaqr6TO-FUpLUJThxKv0KGZQXzyX4","Anchor":"",
        "Tags":[{"name":"Action","value":"Eval"},{"name":"from","value":"lower case is another name"},
        {"name":"Sender","value":"ajgD1fBZkCocba-8m6RykhL3yqwIY0zDrnaydSnwOCc"}],"Data":"",$REST"#;
    check_message("a liar", &process, &item, expected);
}

/// Rule ME-4.
#[test]
fn limits_are_those_of_the_process_then_of_the_module_then_of_the_profile() {
    const MIB: u64 = 1 << 20;
    let profile = Profile {
        memory_bytes_max: 1000 * MIB,
        gas_max: 1_000_000,
        ..Profile::v1()
    };
    let (memory, compute) = ("Memory-Limit", "Compute-Limit");
    type Tags<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Tags<'_>, Tags<'_>, (u64, u64)); 7] = [
        (&[], &[], (1000 * MIB, 1_000_000)),
        (&[], &[(memory, "500-mb")], (500 * MIB, 1_000_000)),
        (&[], &[(compute, "7000")], (1000 * MIB, 7000)),
        (
            &[(memory, "64-mb"), (compute, "10")],
            &[(memory, "500-mb"), (compute, "7000")],
            (64 * MIB, 10),
        ),
        // More than the module has.
        (
            &[(memory, "512000-kb")],
            &[(memory, "1-b")],
            (500 * MIB, 1_000_000),
        ),
        // More than the profile has, as modules of AO usually ask for.
        (
            &[],
            &[(memory, "1-gb"), (compute, "9000000000000")],
            (1000 * MIB, 1_000_000),
        ),
        // What cannot be read is the profile's.
        (
            &[(memory, "much"), (compute, "-1")],
            &[],
            (1000 * MIB, 1_000_000),
        ),
    ];
    for (of_process, of_module, limits) in cases {
        let process = process_of(&key(2), of_process);
        let module = process_of(&key(2), of_module);
        let program = program(&profile, &process, &module);
        let given = (program.memory_limit, program.compute_limit);
        assert_eq!(given, limits, "{of_process:?} {of_module:?}");
    }
}

/// Rule ME-5.
#[test]
fn what_is_excluded_is_not_given() {
    let process = process();
    let draft = to(&process)
        .anchored(*b"00000000000000000000000000000017")
        .tag("From-Process", SEVENS)
        .carrying("secret");
    let item = signed(&key(3), draft);
    let who = r#""Target":"$PROCESS","Owner":"ti6Gf6LzOv5i1daxZC4WIdVDMHhGsqV7iX5xCRm3Zwk",
        "From":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
        "Forwarded-By":"ti6Gf6LzOv5i1daxZC4WIdVDMHhGsqV7iX5xCRm3Zwk""#;
    let anchor = r#""Anchor":"00000000000000000000000000000017""#;
    let tags =
        r#""Tags":[{"name":"From-Process","value":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}]"#;
    let signature = r#""Signature":"$SIGNATURE","#;
    let data = r#""Data":"secret""#;
    let none = (r#""Anchor":"""#, r#""Tags":[]"#, r#""Data":"""#);
    let cases = [
        (&["Data"][..], (signature, anchor, tags, none.2)),
        (&["Tags"], (signature, anchor, none.1, data)),
        (&["Anchor"], (signature, none.0, tags, data)),
        (&["Signature"], ("", anchor, tags, data)),
        (
            &["Data", "Tags", "Anchor", "Signature"],
            ("", none.0, none.1, none.2),
        ),
        // These stay, and so does what is only spelt alike.
        (
            &["Id", "Owner", "From", "Target", "data"],
            (signature, anchor, tags, data),
        ),
    ];
    for (exclude, (signature, anchor, tags, data)) in cases {
        let expected = format!(r#"{{"Id":"$ID",{signature}{who},{anchor},{tags},{data},$REST"#);
        let given = input(&process, 4, Some(&item), exclude, None);
        check(&format!("{exclude:?}"), &process, &given, &expected);
    }
}

/// Rule EN-9.
#[test]
fn every_byte_of_its_items_counts_whatever_is_given() {
    let process = process_of(&key(2), &[("Cron-Interval", "5-seconds")]);
    let item = signed(&key(1), to(&process).carrying(vec![b'x'; 5000]));
    let cases = [
        input(&process, 0, None, &[], None),
        input(&process, 4, Some(&item), &[], None),
        input(
            &process,
            4,
            Some(&item),
            &["Data", "Tags", "Signature"],
            None,
        ),
        input(&process, 4, None, &[], Some("0-5-seconds")),
    ];
    for given in cases {
        let assignment = given.assignment.bytes().len();
        let bytes = assignment + given.message.as_ref().map_or(0, |it| it.bytes().len());
        let message = message(&process, &given).unwrap();
        assert_eq!(message.item_bytes, bytes as u64);
    }
}

/// Rule ME-6.
#[test]
fn a_tick_is_from_the_owner_of_the_process() {
    let timers = [
        ("Cron-Interval", "5-seconds"),
        ("Cron-Tag-Action", "Wake"),
        ("Cron-Tag-From", "somebody"),
        ("Cron-Tag-Owner", "somebody"),
        ("Cron-Tag-Number", "7"),
        ("Cron-Interval", "1-block"),
    ];
    let process = process_of(&key(2), &timers);
    let expected = r#"{"Target":"$PROCESS","Owner":"ajgD1fBZkCocba-8m6RykhL3yqwIY0zDrnaydSnwOCc",
        "From":"ajgD1fBZkCocba-8m6RykhL3yqwIY0zDrnaydSnwOCc","Anchor":"",
        "Tags":[{"name":"Action","value":"Wake"},{"name":"Number","value":"7"}],"Data":"",
        "Module":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
        "Block-Height":1600000,"Timestamp":1700000000123,"Cron":true}"#;
    let tick = input(&process, 4, None, &[], Some("0-5-seconds"));
    check("five seconds", &process, &tick, expected);

    let process = process_of(&ethereum(), &timers);
    let expected = r#"{"Target":"$PROCESS","Owner":"0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F",
        "From":"0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F","Anchor":"","Tags":[],"Data":"",
        "Module":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
        "Block-Height":1600000,"Timestamp":1700000000123,"Cron":true}"#;
    let tick = input(&process, 4, None, &[], Some("1-1-block"));
    check("a block", &process, &tick, expected);
    let unknown = input(&process, 4, None, &[], Some("1-5-seconds"));
    assert_eq!(message(&process, &unknown), None);
}
