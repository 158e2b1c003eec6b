//! AO's units by their names, and what they are asked that asks for nothing here.

use serde_json::json;
use surety_attest::effect::Record;
use surety_protocol::item::ItemDraft;
use surety_protocol::time::Slot;

use super::Stage;
use super::stage::user;

impl Stage {
    /// Keeps, as the result of a slot, one that sends so many messages.
    fn sends(&self, slot: u64, count: usize) {
        let (process, slot) = (self.process_id(), Slot(slot));
        let evaluated = self.archive.evaluated(&process, slot).unwrap();
        let (leaf, head, ruling) = evaluated.unwrap();
        let mut result = self.archive.result(&process, slot).unwrap().unwrap();
        result.messages = vec![json!({ "Target": "somebody" }); count];
        self.keep(Record::Evaluated {
            process,
            leaf,
            frontier: None,
            head,
            ruling,
            parts: result.parts(),
        });
    }
}

#[tokio::test]
async fn a_unit_says_who_it_is_and_is_called_with_a_slash_too() {
    let stage = Stage::new(2).await;
    let address = json!(stage.alice.node.address());
    for path in ["/cu", "/cu/"] {
        let about = stage.get(path).await.json();
        assert_eq!(about["address"], address);
        assert!(about["timestamp"].is_u64());
    }
    for path in ["/su", "/su/"] {
        let about = stage.get(path).await.json();
        assert_eq!(about["address"], address);
        assert!(about["timestamp"].is_string());
    }
    for path in ["/mu", "/mu/"] {
        assert_eq!(stage.get(path).await.bytes, b"ao messenger unit");
    }
    for path in ["/su/", "/mu/"] {
        let refused = stage.post(path, vec![1, 2, 3]).await;
        assert_eq!(refused.status, 400, "{path}");
        assert!(refused.json()["error"].is_string(), "{path}");
    }
    for unit in ["/su", "/cu", "/mu"] {
        let metrics = stage.get(&format!("{unit}/metrics")).await;
        assert!(
            metrics
                .header("content-type")
                .starts_with("application/openmetrics-text")
        );
        assert!(metrics.bytes.ends_with(b"# EOF\n"));
    }
}

#[tokio::test]
async fn nothing_of_the_base_layer_is_assigned() {
    let stage = Stage::new(2).await;
    let assign = format!(
        "process-id={}&assign={}",
        stage.process_id(),
        stage.module.id()
    );
    for (unit, said) in [("/su", ""), ("/mu", ""), ("/su/", "=true"), ("/mu/", "=")] {
        let path = format!("{unit}?{assign}&base-layer{said}");
        let refused = stage.post(&path, "").await;
        assert_eq!(refused.status, 400, "{path}");
        let error = refused.json()["error"].clone();
        assert!(error.as_str().unwrap().contains("base-layer"), "{error}");
    }
}

#[tokio::test]
async fn what_is_always_looked_after_is_said_to_be() {
    let stage = Stage::new(3).await;
    let process = stage.process_id();
    let item = |to: [u8; 32]| {
        let draft = ItemDraft::default().to(to).carrying(" ");
        user().sign_item(&draft).unwrap().bytes().to_vec()
    };
    let path = format!("/mu/monitor/{process}");
    let monitored = stage.post(&path, item(*process.as_bytes())).await;
    assert_eq!(monitored.status, 200);
    let stopped = axum::http::Request::delete(&path).body(item(*process.as_bytes()).into());
    assert_eq!(stage.ask(stopped.unwrap()).await.bytes, monitored.bytes);
    for (path, item) in [
        (path, item([9; 32])),
        (
            format!("/mu/monitor/{}", stage.module.id()),
            item(*stage.module.id().as_bytes()),
        ),
    ] {
        let refused = stage.post(&path, item).await;
        assert!(refused.status.is_client_error(), "{path}");
        assert!(refused.json()["error"].is_string(), "{path}");
    }
}

#[tokio::test]
async fn a_push_is_of_a_message_that_there_is() {
    let stage = Stage::new(3).await;
    let process = stage.process_id();
    let push = |message: &str, number: &str| {
        let path = format!("/mu/push/{message}/{number}?process-id={process}");
        let stage = &stage;
        async move { stage.post(&path, "").await }
    };
    // The sample sends nothing unless it is asked to.
    let (sent, other) = (
        stage.messages[1].id().to_string(),
        stage.module.id().to_string(),
    );
    for (message, number, status) in [
        (&sent, "0", 404),
        (&other, "0", 404),
        (&sent, "x", 400),
        (&sent, "-1", 400),
    ] {
        let refused = push(message, number).await;
        assert_eq!(refused.status, status, "{message} {number}");
        assert!(refused.json()["error"].is_string());
    }
    let no_process = stage.post(&format!("/mu/push/{sent}/0"), "").await;
    assert_eq!(no_process.status, 400);
    stage.sends(2, 1);
    let second = stage.messages[2].id().to_string();
    let taken = push(&second, "0").await;
    assert_eq!(taken.status, 202);
    assert_eq!(taken.json()["id"], json!(second));
    assert!(taken.json()["message"].is_string());
    assert_eq!(push(&second, "1").await.status, 404);
}
