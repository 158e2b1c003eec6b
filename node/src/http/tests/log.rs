//! What AO's clients read of a scheduler.

use serde_json::{Value, json};

use super::Stage;
use super::stage::CLOCK;

fn nonces(page: &Value) -> Vec<&str> {
    let edges = page["edges"].as_array().unwrap();
    let nonce = |edge: &Value| {
        let tags = edge["node"]["assignment"]["tags"].as_array().cloned();
        let mut tags = tags.unwrap().into_iter();
        tags.find(|tag| tag["name"] == "Nonce").unwrap()["value"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let known = ["0", "1", "2", "3", "4", "5"];
    edges
        .iter()
        .map(|edge| {
            let nonce = nonce(edge);
            *known.iter().find(|it| **it == nonce).unwrap()
        })
        .collect()
}

#[tokio::test]
async fn a_log_is_paged_by_timestamps_and_by_nonces() {
    let stage = Stage::new(6).await;
    let log = format!("/su/{0}?process-id={0}", stage.process_id());
    let all = stage.get(&log).await.json();
    assert_eq!(nonces(&all), ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(all["page_info"], json!({ "has_next_page": false }));
    // The process is the first edge, and its assignment names no message.
    let first = &all["edges"][0]["node"];
    assert_eq!(first["message"]["id"], json!(stage.process_id()));
    let names = first["assignment"]["tags"].as_array().unwrap();
    assert!(names.iter().all(|tag| tag["name"] != "Message"));
    assert_eq!(all["edges"][2]["cursor"], (CLOCK + 2).to_string());
    assert_eq!(all["edges"][2]["node"]["message"]["data"], "message 2");
    for (query, expected, more) in [
        ("limit=2".to_owned(), &["0", "1"][..], true),
        (format!("from={}&limit=2", CLOCK + 1), &["2", "3"], true),
        (
            format!("from={}&to={}", CLOCK + 1, CLOCK + 3),
            &["2", "3"],
            false,
        ),
        (format!("from={}", CLOCK + 9), &[], false),
        ("from-nonce=-1&to-nonce=1".into(), &["0", "1"], false),
        ("from-nonce=3".into(), &["4", "5"], false),
        ("to-nonce=99&from-nonce=4&limit=1".into(), &["5"], false),
        (
            "from=undefined&to=&limit=undefined&to-nonce=0".into(),
            &["0"],
            false,
        ),
    ] {
        let page = stage.get(&format!("{log}&{query}")).await.json();
        assert_eq!(nonces(&page), expected, "{query}");
        assert_eq!(page["page_info"]["has_next_page"], more, "{query}");
    }
    let by_nonce = stage.get(&format!("{log}&from-nonce=3")).await.json();
    assert_eq!(by_nonce["edges"][0]["cursor"], "4");
    // Some clients do not name the process twice.
    let bare = format!("/su/{}?from=0&to=9999999999999", stage.process_id());
    assert_eq!(nonces(&stage.get(&bare).await.json()).len(), 6);
}

#[tokio::test]
async fn slots_of_one_timestamp_share_a_page() {
    let stage = Stage::at(6, |slot| CLOCK + slot / 4).await;
    let log = format!("/su/{0}?process-id={0}", stage.process_id());
    let first = stage.get(&format!("{log}&limit=2")).await.json();
    assert_eq!(nonces(&first), ["0", "1", "2", "3"]);
    let last = first["edges"][3]["cursor"].as_str().unwrap();
    let rest = stage
        .get(&format!("{log}&limit=2&from={last}"))
        .await
        .json();
    assert_eq!(nonces(&rest), ["4", "5"]);
    let nonces_only = stage.get(&format!("{log}&limit=2&from-nonce=-1")).await;
    assert_eq!(nonces(&nonces_only.json()), ["0", "1"]);
}

#[tokio::test]
async fn a_slot_is_found_by_its_message_and_by_its_assignment() {
    let stage = Stage::new(4).await;
    let process = stage.process_id();
    let by_message = format!("/su/{}?process-id={process}", stage.messages[2].id());
    let found = stage.get(&by_message).await.json();
    assert_eq!(found["message"]["id"], json!(stage.messages[2].id()));
    assert_eq!(found["message"]["anchor"], "");
    let assignment = found["assignment"]["id"].as_str().unwrap();
    let by_assignment = format!("/su/{assignment}?process-id={process}");
    assert_eq!(stage.get(&by_assignment).await.json(), found);
    let latest = stage.get(&format!("/su/{process}/latest")).await.json();
    assert_eq!(latest["message"]["id"], json!(stage.messages[3].id()));
    let about = stage.get(&format!("/su/processes/{process}")).await.json();
    assert_eq!(about["process_id"], json!(process));
    assert_eq!(about["block"], "000000000007");
    assert_eq!(about["timestamp"], CLOCK);
}

#[tokio::test]
async fn a_scheduler_refuses_with_400() {
    let stage = Stage::new(2).await;
    let process = stage.process_id();
    let module = stage.module.id();
    for path in [
        format!("/su/{module}?process-id={process}"),
        format!("/su/{module}?process-id={module}"),
        format!("/su/{module}/latest"),
        "/su/processes/x".into(),
        "/su/x".into(),
        format!("/su/{process}?from=yesterday"),
        format!("/su/{process}?process-id=x"),
    ] {
        let refused = stage.get(&path).await;
        assert_eq!(refused.status, 400, "{path}");
        let said = refused.json();
        assert!(!said["error"].as_str().unwrap().is_empty(), "{path}");
        assert_eq!(said.as_object().unwrap().len(), 1, "{path}");
    }
    let refused = stage.post("/su", vec![1, 2, 3]).await;
    assert_eq!(refused.status, 400);
    assert!(refused.json()["error"].is_string());
    let about = stage.get(&format!("/su?process-id={process}")).await.json();
    assert_eq!(about["address"], json!(stage.alice.node.address()));
    let time = stage.get("/su/timestamp").await.json();
    assert_eq!(time["block_height"].as_str().unwrap().len(), 12);
    assert!(time["timestamp"].as_str().unwrap().parse::<u64>().is_ok());
    assert_eq!(stage.get("/su/health").await.status, 200);
}
