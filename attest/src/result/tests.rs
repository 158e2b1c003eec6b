use super::*;
use serde_json::json;

fn of(reply: &str) -> ProcessResult {
    ProcessResult::from_reply(reply.as_bytes(), 7)
}

#[test]
fn canonical_json_has_one_spelling() {
    let parse =
        |text: &str| String::from_utf8(canonical(&serde_json::from_str(text).unwrap())).unwrap();
    assert_eq!(
        parse(r#" {"b":[ 1 , {}],"aa":null,"a":"first","a":true}"#),
        r#"{"a":true,"aa":null,"b":[1,{}]}"#
    );
    assert_eq!(
        parse(r#""é\u0001\/\n\u0022\u0008""#),
        "\"é\\u0001/\\n\\\"\\b\""
    );
    assert_eq!(parse("18446744073709551615"), "18446744073709551615");
    assert_eq!(parse("-9223372036854775808"), "-9223372036854775808");
    assert_eq!(parse("[1.50, 1e2, 1.0, 0.1]"), "[1.5,100.0,1.0,0.1]");
    // Beyond 64 bits only the nearest float remains.
    assert_eq!(parse("18446744073709551616"), parse("18446744073709551617"));
}

#[test]
fn replies_of_the_agreed_shape() {
    let full = of(
        r#"{"ok":true,"response":{"Output":{"data":1},"Messages":[{"a":1}],"Spawns":{},"Assignments":null,"Patches":[1]}}"#,
    );
    assert_eq!(full.messages, [json!({"a":1})]);
    assert!(full.spawns.is_empty() && full.assignments.is_empty() && full.error.is_none());
    assert_eq!(full.to_json()["GasUsed"], json!(7));
    assert!(full.to_json().get("Error").is_none());
    for none in ["null", "false", "\"\"", "0"] {
        let reply = format!(r#"{{"ok":true,"response":{{"Messages":[1],"Error":{none}}}}}"#);
        assert_eq!((of(&reply).error, of(&reply).messages.len()), (None, 1));
    }
}

#[test]
fn an_error_empties_the_outbox() {
    let result = of(
        r#"{"ok":true,"response":{"Error":"no","Messages":[1],"Spawns":[1],"Assignments":[1],"Output":"o"}}"#,
    );
    assert_eq!(result.error, Some(json!("no")));
    assert!(
        result.messages.is_empty() && result.spawns.is_empty() && result.assignments.is_empty()
    );
    assert_eq!(result.output, json!("o"));
    assert_eq!(
        of(r#"{"ok":false,"response":"why"}"#).error,
        Some(json!("why"))
    );
}

#[test]
fn everything_else_is_malformed() {
    let deep = format!(
        r#"{{"ok":true,"response":{{"Output":{}{}}}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    let cases = [
        "",
        "{",
        "[]",
        "{}",
        r#"{"ok":true}"#,
        r#"{"response":{}}"#,
        r#"{"ok":true,"response":[]}"#,
        r#"{"ok":true,"response":{"Messages":1}}"#,
        r#"{"ok":true,"response":{"Spawns":{"a":1}}}"#,
        deep.as_str(),
    ];
    for case in cases {
        assert_eq!(of(case), ProcessResult::failed(MALFORMED, 7), "{case}");
    }
}

#[test]
fn parts_come_back_and_are_proved_at_their_places() {
    let reply = r#"{"ok":true,"response":{"Output":"o","Messages":["m","m"],"Spawns":["m"],"Assignments":["m"]}}"#;
    let result = of(reply);
    let (parts, root) = (result.parts(), result.root());
    assert_eq!(parts.len(), 7);
    assert_eq!(root_of_parts(&parts), root);
    assert_eq!(ProcessResult::from_parts(&parts), Some(result.clone()));
    for (i, part) in parts.iter().enumerate() {
        let proof = result.prove_part(i as u64).unwrap();
        assert!(verify_part(&proof, part, &root));
        for other in parts.iter().filter(|other| *other != part) {
            assert!(!verify_part(&proof, other, &root));
        }
    }
    assert_eq!(result.prove_part(7), None);
    // A message is not a spawn with the same content, and parts have one order.
    let mut swapped = parts.clone();
    swapped.swap(2, 3);
    assert_ne!(root_of_parts(&swapped), root);
    assert_eq!(ProcessResult::from_parts(&swapped), None);
    assert_eq!(ProcessResult::from_parts(&parts[..6]), None);
    let error = ProcessResult::failed("why", 3);
    assert_eq!(
        ProcessResult::from_parts(&error.parts()),
        Some(error.clone())
    );
    assert_ne!(
        ProcessResult {
            gas: 4,
            ..error.clone()
        }
        .root(),
        error.root()
    );
}

#[test]
fn who_sends_too_much_at_once_sends_nothing() {
    let reply = |messages: usize, spawns: usize, assignments: usize| {
        let many = |count: usize| vec![json!(0); count];
        let response = json!({ "Messages": many(messages), "Spawns": many(spawns), "Assignments": many(assignments) });
        let reply = json!({ "ok": true, "response": response });
        ProcessResult::from_reply(&serde_json::to_vec(&reply).unwrap(), 7)
    };
    for (messages, spawns, assignments) in [(4096, 0, 4096), (1, 4095, 0)] {
        let fits = reply(messages, spawns, assignments);
        assert_eq!((fits.error, fits.messages.len()), (None, messages));
    }
    for (messages, spawns, assignments) in
        [(4097, 0, 0), (1, 4096, 0), (0, 0, 4097), (4_000_000, 0, 0)]
    {
        let refused = reply(messages, spawns, assignments);
        assert_eq!(
            refused,
            ProcessResult::failed("surety: too many messages", 7)
        );
    }
}
