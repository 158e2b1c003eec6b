//! Processes, slots, results and dry runs.

use serde_json::{Value, json};

use super::Stage;

#[tokio::test]
async fn a_process_shows_how_far_each_slot_is() {
    let mut stage = Stage::new(6).await;
    let id = stage.process_id();
    stage.show(6, 5);
    let claim = stage.claim(4, true);
    stage.certify(&claim);
    stage.claim(5, true);
    stage.show(6, 5);
    let about = stage.get(&format!("/v1/processes/{id}")).await.json();
    let expected = json!({
        "process": id,
        "module": stage.module.id(),
        "scheduler": stage.alice.node.address(),
        "slots": 6,
        "evaluated": 5,
        "certified": 4,
        "settled": 0,
    });
    assert_eq!(about, expected);
    assert_eq!(
        stage.get("/v1/processes").await.json()["items"],
        json!([about])
    );
    let slots = stage.get(&format!("/v1/processes/{id}/slots")).await.json();
    let status: Vec<&Value> = slots["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["status"])
        .collect();
    assert_eq!(
        status,
        [
            "certified",
            "certified",
            "certified",
            "certified",
            "claimed",
            "assigned"
        ]
    );
    stage.pass(6);
    stage.show(6, 5);
    let slot = stage
        .get(&format!("/v1/processes/{id}/slots/3"))
        .await
        .json();
    assert_eq!(slot["status"], "settled");
    assert_eq!(slot["message"], stage.messages[3].id().to_string());
    assert_eq!(slot["leaf"]["gas"], slot["gas"]);
    assert_eq!(slot["leaf"]["slot"], 3);
    let path = format!("/v1/processes/{id}/messages/{}", stage.messages[3].id());
    assert_eq!(stage.get(&path).await.json(), slot);
    // The process item is the message of slot 0.
    let path = format!("/v1/processes/{id}/messages/{id}");
    assert_eq!(stage.get(&path).await.json()["slot"], 0);
    let claims = stage
        .get(&format!("/v1/processes/{id}/claims"))
        .await
        .json();
    assert_eq!(claims["items"][0]["status"], "settled");
    assert_eq!(
        claims["items"][0]["claimants"],
        json!([stage.alice.address()])
    );
    assert_eq!(claims["items"][1]["status"], "claimed");
    let path = format!(
        "/v1/claims/{}",
        claims["items"][0]["claim"].as_str().unwrap()
    );
    let one = stage.get(&path).await.json();
    assert_eq!(one["leaves"].as_array().unwrap().len(), 4);
    let request = axum::http::Request::get(&path).header("accept", "application/cbor");
    let bytes = stage
        .ask(request.body(axum::body::Body::empty()).unwrap())
        .await
        .bytes;
    let decoded: surety_protocol::claim::SignedClaim =
        surety_protocol::codec::decode(&bytes).unwrap();
    assert_eq!(decoded, claim);
    let certificates = stage
        .get(&format!("/v1/certificates?process={id}"))
        .await
        .json();
    assert_eq!(certificates["items"][0]["status"], "settled");
    assert_eq!(stage.get("/v1/certificates").await.json(), certificates);
}

#[tokio::test]
async fn results_have_the_shape_of_ao() {
    let stage = Stage::new(5).await;
    let id = stage.process_id();
    let path = |slot: u64| format!("/v1/processes/{id}/slots/{slot}/result");
    let result = stage.get(&path(2)).await.json();
    assert_eq!(result["Output"], json!({ "data": "3" }));
    assert_eq!(result["Messages"], json!([]));
    assert!(result["GasUsed"].as_u64().unwrap() > 0);
    assert!(result.get("Error").is_none());
    assert!(stage.get(&path(3)).await.json().get("Error").is_some());
    let results = stage
        .get(&format!("/v1/processes/{id}/results?from=1&limit=2"))
        .await
        .json();
    assert_eq!(results["next"], 3);
    assert_eq!(results["items"][1], json!({ "slot": 2, "result": result }));
    stage.show(5, 2);
    stage.get(&path(2)).await.is_problem(404, "not-evaluated");
    stage
        .get(&format!("{}?wait=31", path(2)))
        .await
        .is_problem(400, "wait-out-of-range");
}

#[tokio::test]
async fn who_waits_is_answered_with_the_evaluation() {
    let stage = Stage::new(4).await;
    stage.show(4, 2);
    let path = format!(
        "/v1/processes/{}/slots/2/result?wait=30",
        stage.process_id()
    );
    let late = async { stage.show(4, 3) };
    let (answer, ()) = tokio::join!(stage.get(&path), late);
    assert_eq!(answer.json()["Output"], json!({ "data": "3" }));
    let path = format!(
        "/v1/processes/{}/slots/3/result?wait=30",
        stage.process_id()
    );
    // A node that stops lets nobody wait.
    let stops = async { stage.shutdown.cancel() };
    let (answer, ()) = tokio::join!(stage.get(&path), stops);
    answer.is_problem(404, "not-evaluated");
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let stage = Stage::new(3).await;
    let path = format!("/v1/processes/{}/dry-run", stage.process_id());
    for _ in 0..2 {
        let body = json!({ "tags": [{ "name": "Action", "value": "Count" }], "data": "x" });
        let answer = stage.post_json(&path, &body).await;
        assert_eq!(answer.json()["Output"], json!({ "data": "4" }));
    }
    let failed = json!({ "tags": [{ "name": "Action", "value": "Fail" }] });
    assert!(
        stage
            .post_json(&path, &failed)
            .await
            .json()
            .get("Error")
            .is_some()
    );
    stage.post(&path, "{}").await.is_problem(415, "media-type");
    stage
        .post_json(&path, &json!({ "tag": [] }))
        .await
        .is_problem(400, "json-malformed");
    let many = vec![json!({ "name": "a", "value": "b" }); 129];
    let many = json!({ "tags": many });
    stage
        .post_json(&path, &many)
        .await
        .is_problem(400, "tags-too-large");
    let owner = json!({ "owner": "x".repeat(65) });
    stage
        .post_json(&path, &owner)
        .await
        .is_problem(400, "owner-malformed");
    stage.show(3, 0);
    stage
        .post_json(&path, &json!({}))
        .await
        .is_problem(409, "not-evaluated");
}

#[tokio::test]
async fn heavy_work_that_gets_no_turn_is_refused() {
    let stage = Stage::new(3).await;
    let path = format!("/v1/processes/{}/dry-run", stage.process_id());
    let api = stage.api().clone();
    let all = api.executions.acquire_many(2).await.unwrap();
    stage
        .post_json(&path, &json!({}))
        .await
        .is_problem(503, "busy");
    drop(all);
    assert_eq!(stage.post_json(&path, &json!({})).await.status, 200);
}
