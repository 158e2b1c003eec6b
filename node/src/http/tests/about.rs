//! The node and its ledger, as they show themselves.

use super::Stage;

#[tokio::test]
async fn a_node_says_who_it_is_and_when_it_is_ready() {
    let mut stage = Stage::new(1).await;
    let about = stage.get("/v1/node").await.json();
    assert_eq!(about["operator"], stage.alice.address().to_string());
    assert_eq!(about["item_key"], stage.alice.node.address().to_string());
    assert_eq!(about["origin"], stage.ledger.network().to_string());
    assert_eq!(about["roles"], serde_json::json!(["compute", "gateway"]));
    assert_eq!(about["height"], 3);
    assert_eq!(about["peers"], 0);
    assert_eq!(
        stage.get("/v1/peers").await.json()["items"],
        serde_json::json!([])
    );
    // Bob is an operator too, so a node without peers is alone where it should not be.
    let ready = stage.get("/health/ready").await;
    assert_eq!(ready.status, 503);
    assert_eq!(
        ready.json(),
        serde_json::json!({ "ready": false, "reasons": ["no-peer"] })
    );
    stage.handle.metrics.blocks_behind.set(11);
    let reasons = stage.get("/health/ready").await.json()["reasons"].clone();
    assert_eq!(reasons, serde_json::json!(["ledger-behind", "no-peer"]));
    let (other, _) = tokio::sync::watch::channel(stage.handle.now());
    drop(std::mem::replace(&mut stage.view, other));
    let reasons = stage.get("/health/ready").await.json()["reasons"].clone();
    assert_eq!(reasons[0], "node-stopping");
}

#[tokio::test]
async fn the_ledger_is_shown() {
    let stage = Stage::new(1).await;
    let ledger = stage.get("/v1/ledger").await.json();
    assert_eq!(ledger["height"], 3);
    assert_eq!(ledger["head"], stage.ledger.head().to_string());
    assert_eq!(ledger["supply"], "2000000000000000");
    assert_eq!(ledger["validators"], 2);
    let node = stage.get("/v1/node").await.json();
    let profiles = stage.get("/v1/ledger/profiles").await.json();
    assert_eq!(profiles["items"], serde_json::json!([node["profile"]]));
    assert_eq!(profiles["items"][0]["from"], 0);
    assert_eq!(profiles["votes"], serde_json::json!([]));
    let params = stage.get("/v1/ledger/params").await.json();
    assert_eq!(params["ticket"], "10000000000000");
    assert_eq!(
        params["reward"],
        serde_json::json!({ "numerator": 1, "denominator": 10 })
    );
    let block = stage.get("/v1/ledger/blocks/1").await.json();
    let actions: Vec<&str> = block["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["Register", "Bond", "Register", "Bond"]);
    let balance = stage
        .get(&format!("/v1/accounts/{}", stage.bob.address()))
        .await
        .json();
    assert_eq!(balance["balance"], "500000000000000");
}
