//! Handing items in and reading them back.

use axum::body::Body;
use surety_attest::effect::Record;
use surety_attest::sample;
use surety_protocol::id::ItemId;
use surety_protocol::item::{Item, ItemDraft};
use surety_protocol::time::{Slot, Timestamp};
use surety_protocol::verified::Authentic;

use super::stage::{module_of, user};
use super::{Answer, Stage};
use crate::driver::{Accepted, Command, OfferError, Offered};
use crate::exchange::Receipt;

fn message() -> Authentic<Item> {
    let draft = ItemDraft::default()
        .to([5; 32])
        .tag("Type", "Message")
        .carrying("hello");
    user().sign_item(&draft).unwrap()
}

/// Bytes of a large item's data.
pub(super) const LARGE: usize = 9 << 20;

/// A large item, kept on a stage.
pub(super) fn large(stage: &Stage) -> ItemId {
    let draft = ItemDraft::default().carrying(vec![7; LARGE]);
    let item = user().sign_item(&draft).unwrap();
    let id = item.id();
    stage.keep(Record::Item(item));
    id
}

/// Where the tags of an Ed25519 item with target and without anchor start: type, signature, owner, target, anchor.
const TAG_COUNT: usize = 2 + 64 + 32 + 33 + 1;

/// A well-formed item of a signature type whose signature and owner have these lengths and are zero.
fn zeros(kind: u8, signature: usize, owner: usize) -> Vec<u8> {
    let mut bytes = vec![0; 2 + signature + owner + 2 + 16];
    bytes[0] = kind;
    bytes
}

#[tokio::test]
async fn every_kind_of_broken_item_has_its_code() {
    let stage = Stage::new(1).await;
    let good = message().bytes().to_vec();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        bytes
    };
    let broken: Vec<(&str, Vec<u8>)> = vec![
        ("item-truncated", Vec::new()),
        ("item-truncated", with(&|it| it.truncate(100))),
        ("item-signature-type-unknown", with(&|it| it[0] = 99)),
        ("item-presence", with(&|it| it[2 + 64 + 32] = 2)),
        ("item-too-many-tags", with(&|it| it[TAG_COUNT] = 200)),
        ("item-tags-too-large", with(&|it| it[TAG_COUNT + 10] = 1)),
        ("item-tag-count", with(&|it| it[TAG_COUNT] = 2)),
        ("item-tag-encoding", with(&|it| it[TAG_COUNT + 16] = 0xFF)),
        (
            "item-signature-invalid",
            with(&|it| *it.last_mut().unwrap() ^= 1),
        ),
        ("item-signature-invalid", with(&|it| it[2] ^= 1)),
        ("item-owner", zeros(7, 65, 42)),
        ("item-signature-type-unsupported", zeros(5, 64, 32)),
    ];
    for (code, bytes) in broken {
        stage.post("/v1/items", bytes).await.is_problem(400, code);
    }
    assert!(stage.archive.item_bytes(&message().id()).unwrap().is_none());
}

#[tokio::test]
async fn a_module_is_stored_only_if_the_engine_takes_it() {
    let stage = Stage::new(1).await;
    for garbage in [&b"not wasm"[..], b"", b"\0asm\x01\0\0\0"] {
        let module = module_of(garbage);
        let answer = stage.post("/v1/items", module.bytes().to_vec()).await;
        answer.is_problem(422, "module-refused");
        stage
            .get(&format!("/v1/items/{}", module.id()))
            .await
            .is_problem(404, "item-unknown");
    }
    let draft = ItemDraft::default()
        .tag("Type", "Module")
        .carrying(sample::WASM);
    let module = user().sign_item(&draft).unwrap();
    let stored = stage.post("/v1/items", module.bytes().to_vec()).await;
    assert_eq!(stored.status, 201);
    let id = module.id().to_string();
    assert_eq!(
        stored.json(),
        serde_json::json!({ "id": id, "status": "stored" })
    );
    assert_eq!(
        stage
            .post("/v1/items", module.bytes().to_vec())
            .await
            .status,
        200
    );
    let bytes = stage.get(&format!("/v1/items/{id}")).await;
    assert_eq!(bytes.bytes, module.bytes());
    assert_eq!(bytes.header("content-type"), "application/octet-stream");
    assert_eq!(
        stage.get(&format!("/gateway/raw/{id}")).await.bytes,
        sample::WASM
    );
}

/// Posts an item while the driver says what becomes of it.
async fn offered(stage: &mut Stage, path: &str, outcome: Offered) -> Answer {
    let item = message();
    let id = item.id();
    let router = stage.router();
    let request = axum::http::Request::post(path)
        .body(Body::from(item.bytes().to_vec()))
        .unwrap();
    let driver = async {
        let Command::Offer { offer, reply } = stage.asked.recv().await.unwrap();
        assert_eq!(offer.item().id(), id);
        reply.send(outcome).unwrap();
    };
    let (response, ()) = tokio::join!(tower::ServiceExt::oneshot(router, request), driver);
    super::read(response.unwrap()).await
}

fn receipt() -> Offered {
    Ok(Accepted::Scheduled(Receipt {
        process: ItemId::new([5; 32]).into(),
        slot: Slot(9),
        assignment: ItemId::new([6; 32]).into(),
        timestamp: Timestamp(1234),
    }))
}

#[tokio::test]
async fn an_offered_item_is_answered_with_what_became_of_it() {
    let mut stage = Stage::new(1).await;
    let scheduled = offered(&mut stage, "/v1/items", receipt()).await;
    assert_eq!(scheduled.status, 200);
    let body = scheduled.json();
    assert_eq!(body["status"], "scheduled");
    assert_eq!(body["slot"], 9);
    assert_eq!(body["timestamp"], 1234);
    assert_eq!(body["assignment"], ItemId::new([6; 32]).to_string());
    let queued = offered(&mut stage, "/v1/items", Ok(Accepted::Queued)).await;
    assert_eq!(queued.status, 202);
    assert_eq!(queued.json()["status"], "queued");
    for (code, status, shown) in [
        ("already-scheduled", 409, "already-scheduled"),
        ("process-unknown", 404, "process-unknown"),
        ("scheduler-unknown", 404, "scheduler-unknown"),
        ("not-a-scheduler", 421, "not-a-scheduler"),
        ("ledger-refused", 422, "ledger-refused"),
        ("scheduler-unreachable", 502, "scheduler-unreachable"),
        ("scheduler-busy", 503, "scheduler-busy"),
        ("timeout", 504, "timeout"),
        ("type-unsupported", 400, "type-unsupported"),
        // Another node chose these.
        ("<script>", 400, "refused"),
        ("", 400, "refused"),
    ] {
        let error = Err(OfferError::new(code, "because"));
        offered(&mut stage, "/v1/items", error)
            .await
            .is_problem(status, shown);
    }
    let long = Err(OfferError::new("x", "y".repeat(10_000)));
    let answer = offered(&mut stage, "/v1/items", long).await;
    assert_eq!(answer.json()["detail"].as_str().unwrap().len(), 400);
    assert!(stage.archive.item_bytes(&message().id()).unwrap().is_none());
    let taken = offered(&mut stage, "/su", receipt()).await;
    assert_eq!(taken.status, 200);
    let id = message().id().to_string();
    assert_eq!(
        taken.json(),
        serde_json::json!({ "id": id, "timestamp": 1234 })
    );
    let sent = offered(&mut stage, "/mu", receipt()).await;
    assert_eq!(
        (sent.status.as_u16(), sent.json()["id"].as_str()),
        (202, Some(id.as_str()))
    );
    let refused = Err(OfferError::new(
        "already-scheduled",
        "the message has a slot already",
    ));
    let refused = offered(&mut stage, "/su", refused).await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json(),
        serde_json::json!({ "error": "the message has a slot already" })
    );
}

#[tokio::test]
async fn a_stopped_driver_takes_nothing() {
    let mut stage = Stage::new(1).await;
    stage.asked.close();
    let answer = stage.post("/v1/items", message().bytes().to_vec()).await;
    answer.is_problem(503, "node-stopping");
}

#[tokio::test]
async fn a_gateway_names_harmless_types_only() {
    let stage = Stage::new(1).await;
    for (named, shown) in [
        (Some("text/plain"), "text/plain"),
        (Some("Image/PNG"), "image/png"),
        (Some("text/html"), "application/octet-stream"),
        (Some("image/svg+xml"), "application/octet-stream"),
        (Some("text/plain\r\nx: y"), "application/octet-stream"),
        (None, "application/octet-stream"),
    ] {
        let mut draft = ItemDraft::default()
            .tag("Number", shown)
            .carrying("<script>");
        if let Some(named) = named {
            draft = draft.tag("Content-Type", named);
        }
        let item = user().sign_item(&draft).unwrap();
        stage.keep(Record::Item(item.clone()));
        for path in [
            format!("/gateway/{}", item.id()),
            format!("/gateway/raw/{}", item.id()),
        ] {
            let answer = stage.get(&path).await;
            assert_eq!(answer.bytes, b"<script>");
            assert_eq!(answer.header("content-type"), shown, "{named:?}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
        }
    }
}

#[tokio::test]
async fn evidence_is_stored_only_if_it_holds() {
    let mut stage = Stage::new(4).await;
    let garbage = stage.post("/v1/evidence", "not evidence").await;
    garbage.is_problem(422, "evidence-refused");
    let bytes = stage.equivocation();
    let stored = stage.post("/v1/evidence", bytes.clone()).await;
    assert_eq!(
        stored.status,
        201,
        "{}",
        String::from_utf8_lossy(&stored.bytes)
    );
    let body = stored.json();
    assert_eq!(body["kind"], "claim-equivocation");
    assert_eq!(body["offender"], stage.alice.address().to_string());
    assert_eq!(stage.post("/v1/evidence", bytes.clone()).await.status, 200);
    let path = format!("/v1/evidence/{}", body["evidence"].as_str().unwrap());
    let file = stage.get(&path).await;
    assert_eq!(
        (file.header("content-type"), &file.bytes),
        ("application/cbor", &bytes)
    );
    let listed = stage.get("/v1/evidence").await.json();
    let entry = serde_json::json!({ "evidence": body["evidence"], "bytes": bytes.len() });
    assert_eq!(
        listed,
        serde_json::json!({ "items": [entry], "next": null })
    );
    let mut forged = bytes;
    let last = forged.len() - 1;
    forged[last] ^= 1;
    stage
        .post("/v1/evidence", forged)
        .await
        .is_problem(422, "evidence-refused");
    let all = stage.api().clone();
    let _places = all.uploads.acquire_many(2).await.unwrap();
    stage
        .post("/v1/evidence", "x")
        .await
        .is_problem(503, "busy");
}
