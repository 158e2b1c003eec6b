//! What the node keeps for nothing, and who may hand it in.

use std::fs;

use axum::http::Request;
use surety_attest::sample;
use surety_protocol::item::ItemDraft;

use super::stage::user;
use super::{Answer, Stage};
use crate::http::{Token, TokenError, read_token};

const SECRET: &str = "correct-horse-battery-staple";

/// Posts something with an `Authorization`, if there is one.
async fn post(stage: &Stage, path: &str, body: &[u8], authorization: Option<&str>) -> Answer {
    let mut request = Request::post(path);
    if let Some(said) = authorization {
        request = request.header("authorization", said);
    }
    stage.ask(request.body(body.to_vec().into()).unwrap()).await
}

#[tokio::test]
async fn modules_and_evidence_need_the_token_and_nothing_else_does() {
    let mut stage = Stage::new(4).await.with_token(Token::of(SECRET));
    let draft = ItemDraft::default()
        .tag("Type", "Module")
        .carrying(sample::WASM);
    let module = user().sign_item(&draft).unwrap().bytes().to_vec();
    let evidence = stage.equivocation();
    let right = format!("Bearer {SECRET}");
    for (path, body) in [("/v1/items", &module), ("/v1/evidence", &evidence)] {
        for wrong in [
            None,
            Some("Bearer correct-horse-battery-stapl"),
            Some("Bearer"),
            Some("Basic correct-horse-battery-staple"),
            Some(SECRET),
            Some(""),
        ] {
            let refused = post(&stage, path, body, wrong).await;
            refused.is_problem(401, "token-needed");
            assert_eq!(refused.header("www-authenticate"), "Bearer");
            let said = String::from_utf8(refused.bytes).unwrap();
            assert!(!said.contains(SECRET), "{said}");
        }
        let taken = post(&stage, path, body, Some(&right)).await;
        assert_eq!(taken.status, 201, "{path}");
        // The name of the scheme is anybody's to spell.
        let again = post(&stage, path, body, Some(&right.replace('B', "b"))).await;
        assert_eq!(again.status, 200, "{path}");
    }
    // What is no module is for the driver, which this stage does not have; AO's routes take what they take.
    stage.asked.close();
    let draft = ItemDraft::default().to([5; 32]).tag("Type", "Message");
    let message = user().sign_item(&draft).unwrap().bytes().to_vec();
    let offered = post(&stage, "/v1/items", &message, None).await;
    offered.is_problem(503, "node-stopping");
    for path in ["/su", "/mu"] {
        let offered = post(&stage, path, &message, None).await;
        assert_eq!(offered.status, 503, "{path}");
    }
}

#[test]
fn a_token_is_one_line_of_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    let read = |text: &str| {
        fs::write(&path, text).unwrap();
        read_token(&path).map(|it| it.expose().to_owned())
    };
    assert_eq!(read(&format!("{SECRET}\n")).unwrap(), SECRET);
    assert_eq!(read(SECRET).unwrap(), SECRET);
    for wrong in [
        "",
        "\n",
        "short",
        "fifteen-letters",
        "two words of a sentence",
        "correct-horse\nbattery-staple",
        "with-umlauts-\u{fc}\u{f6}\u{e4}-in-it",
        &"x".repeat(513),
    ] {
        let error = read(wrong).unwrap_err();
        assert!(matches!(error, TokenError::Malformed), "{wrong}");
        assert!(wrong.len() < 5 || !error.to_string().contains(wrong));
    }
    let long = read(&"x".repeat(2000)).unwrap_err();
    assert!(matches!(long, TokenError::File(_)));
    let missing = read_token(&dir.path().join("nothing"));
    assert!(matches!(missing, Err(TokenError::File(_))));
    assert_eq!(format!("{:?}", Token::of(SECRET)), "Token(..)");
}
