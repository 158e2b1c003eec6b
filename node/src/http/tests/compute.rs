//! What AO's clients read.

use serde_json::{Value, json};
use surety_protocol::id::from_base64url;
use surety_protocol::profile::Profile;
use surety_protocol::time::Slot;

use super::Stage;
use super::stage::CLOCK;
use crate::executor::Failure;

fn cursor(edge: &Value) -> Value {
    let text = edge["cursor"].as_str().unwrap();
    assert_eq!(text.len() % 4, 0);
    let text = text
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_");
    serde_json::from_slice(&from_base64url(&text).unwrap()).unwrap()
}

#[tokio::test]
async fn a_result_is_found_by_its_message() {
    let stage = Stage::new(4).await;
    let process = stage.process_id();
    let path = format!("/cu/result/{}?process-id={process}", stage.messages[2].id());
    let result = stage.get(&path).await;
    assert_eq!(result.status, 200);
    assert_eq!(result.json()["Output"], json!({ "data": "3" }));
    // An evaluation that failed is an answer.
    let path = format!("/cu/result/{}?process-id={process}", stage.messages[3].id());
    let failed = stage.get(&path).await;
    assert_eq!(failed.status, 200);
    assert!(failed.json().get("Error").is_some());
    for path in [
        "/cu/result/x?process-id=y",
        &format!("/cu/result/{process}"),
    ] {
        let refused = stage.get(path).await;
        assert_eq!(refused.status, 400);
        assert!(refused.json()["error"].is_string());
    }
}

#[tokio::test]
async fn a_message_is_waited_for_and_refused_when_it_does_not_come() {
    let stage = Stage::new(2).await;
    let process = stage.process_id();
    stage.show(2, 1);
    let path = format!("/cu/result/{}?process-id={process}", stage.messages[1].id());
    let late = async { stage.show(2, 2) };
    let (answer, ()) = tokio::join!(stage.get(&path), late);
    assert_eq!(answer.json()["Output"], json!({ "data": "2" }));
    stage.show(2, 1);
    let stops = async { stage.shutdown.cancel() };
    let (late, ()) = tokio::join!(stage.get(&path), stops);
    assert_eq!(late.status, 504);
    let said = late.json()["error"].as_str().unwrap().to_owned();
    assert!(said.contains("1 of 2 inputs"), "{said}");
    let unknown = stage
        .get(&format!(
            "/cu/result/{process}?process-id={}",
            stage.module.id()
        ))
        .await;
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.json()["error"]
            .as_str()
            .unwrap()
            .contains("no slot")
    );
}

#[tokio::test]
async fn results_are_paged_by_cursors_in_both_directions() {
    let stage = Stage::new(6).await;
    let path = format!("/cu/results/{}", stage.process_id());
    let first = stage.get(&format!("{path}?limit=3")).await.json();
    assert_eq!(first["pageInfo"], json!({ "hasNextPage": true }));
    let edges = first["edges"].as_array().unwrap();
    assert_eq!(cursor(&edges[2])["ordinate"], "2");
    assert_eq!(cursor(&edges[2])["timestamp"], CLOCK + 2);
    let last = edges[2]["cursor"].as_str().unwrap().replace('+', "%2B");
    let rest = stage.get(&format!("{path}?from={last}")).await.json();
    // Slot 3 failed, so it is left out.
    let slots: Vec<Value> = rest["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| cursor(it)["ordinate"].clone())
        .collect();
    assert_eq!(slots, ["4", "5"]);
    assert_eq!(rest["pageInfo"], json!({ "hasNextPage": false }));
    let newest = stage.get(&format!("{path}?limit=2&sort=DESC")).await.json();
    assert_eq!(cursor(&newest["edges"][0])["ordinate"], "5");
    let to = newest["edges"][1]["cursor"]
        .as_str()
        .unwrap()
        .replace('+', "%2B");
    let older = stage
        .get(&format!("{path}?limit=2&sort=DESC&to={to}"))
        .await
        .json();
    assert_eq!(cursor(&older["edges"][0])["ordinate"], "4");
    assert_eq!(cursor(&older["edges"][1])["ordinate"], "2");
    let refused = stage.get(&format!("{path}?from=e30")).await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json(),
        json!({ "error": "the cursor is malformed" })
    );
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_may_look_back() {
    let stage = Stage::new(4).await;
    let process = stage.process_id();
    let path = format!("/cu/dry-run?process-id={process}");
    let sketch = json!({
        "Id": "1234",
        "Owner": "1234",
        "Target": process,
        "Anchor": "0",
        "Data": "message",
        "Tags": [{ "name": "Action", "value": "Count" }],
    });
    // The third message failed, so its count is not there.
    for _ in 0..2 {
        let answer = stage.post_json(&path, &sketch).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["Output"], json!({ "data": "4" }));
    }
    let earlier = format!("{path}&to={}", stage.messages[1].id());
    let answer = stage.post_json(&earlier, &sketch).await.json();
    assert_eq!(answer["Output"], json!({ "data": "3" }));
    let unknown = format!("{path}&to={}", stage.module.id());
    assert_eq!(stage.post_json(&unknown, &sketch).await.status, 404);
    let long = json!({ "Owner": "x".repeat(65) });
    let refused = stage.post_json(&path, &long).await;
    assert_eq!(refused.status, 400);
    assert!(refused.json()["error"].is_string());
}

#[tokio::test]
async fn a_dry_run_takes_a_tenth_of_what_an_input_may() {
    let stage = Stage::new(4).await;
    let process = stage.process_id();
    let question = |action: &str| json!({ "tags": [{ "name": "Action", "value": action }] });
    let path = format!("/v1/processes/{process}/dry-run");
    // Whether the state is kept, or is that after a failed input of a stride that goes on.
    for slots in [1, 4] {
        stage.show(4, slots);
        let endless = stage.post_json(&path, &question("Loop")).await;
        assert_eq!(endless.status, 200);
        let endless = endless.json();
        assert_eq!(endless["GasUsed"], Profile::v1().gas_max / 10);
        assert!(endless.get("Error").is_some());
    }
    let count = stage.post_json(&path, &question("Count")).await.json();
    assert_eq!(count["Output"], json!({ "data": "4" }));
}

#[tokio::test]
async fn the_memory_of_a_process_can_be_read() {
    // States are kept after the first slot, and then where strides of four end.
    let stage = Stage::new(10).await;
    let path = format!("/cu/state/{}", stage.process_id());
    let state = stage.get(&path).await;
    assert_eq!(state.status, 200);
    assert_eq!(state.header("last-ordinate"), "9");
    assert_eq!(state.header("last-timestamp"), (CLOCK + 9).to_string());
    assert_eq!(state.header("last-block-height"), "000000000007");
    assert_eq!(
        state.header("content-length"),
        state.bytes.len().to_string()
    );
    assert_eq!(state.bytes.len() % (64 << 10), 0);
    assert!(state.bytes.iter().any(|it| *it != 0));
    let mut seen = vec![state.bytes];
    for slot in [8, 6, 4, 0] {
        let earlier = stage.get(&format!("{path}?to={}", CLOCK + slot)).await;
        assert_eq!(earlier.header("last-ordinate"), slot.to_string());
        assert!(!seen.contains(&earlier.bytes), "{slot}");
        seen.push(earlier.bytes);
    }
    let before = stage.get(&format!("{path}?to={}", CLOCK - 1)).await;
    assert_eq!(before.status, 409);
    assert!(before.json()["error"].is_string());
}

#[tokio::test]
async fn a_state_is_that_after_exactly_the_input_that_is_meant() {
    let stage = Stage::new(10).await;
    let (process, handle) = (stage.process_id(), &stage.handle);
    let archive = &stage.archive;
    let state = |size: u64| {
        let profiles = stage.ledger.profiles();
        handle.executor.state_after(profiles, &process, size)
    };
    let root = |size: u64| {
        let (_, head, _) = archive
            .evaluated(&process, Slot(size - 1))
            .unwrap()
            .unwrap();
        head.unwrap()
    };
    for size in 1..=10 {
        assert_eq!(state(size).unwrap().root(), root(size), "{size}");
    }
    assert!(matches!(state(11), Err(Failure::Missing(_))));
    // From its boot, and no further than may be replayed.
    archive.forget_states_after(&process, 0).unwrap();
    assert_eq!(state(8).unwrap().root(), root(8));
    let far = Failure::TooFar { size: 9, kept: 0 };
    assert_eq!(state(9).unwrap_err().to_string(), far.to_string());
    let path = format!("/cu/state/{process}");
    let refused = stage.get(&path).await;
    assert_eq!(refused.status, 409);
    assert!(refused.json()["error"].is_string());
}
