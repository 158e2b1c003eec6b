//! What all routes have in common.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use futures::stream;
use serde_json::Value;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;

use super::Stage;
use crate::http::request::{ITEM_BODY, PLAIN_BODY};
use crate::http::{OPENAPI, ROUTES, problem};

const ID: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[tokio::test]
async fn every_route_is_described_and_nothing_else() {
    let described: Value = serde_json::from_str(OPENAPI).unwrap();
    assert_eq!(described["openapi"], "3.1.0");
    assert_eq!(described["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut found = BTreeSet::new();
    for (path, methods) in described["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if method == "parameters" {
                continue;
            }
            assert!(
                !operation["responses"].as_object().unwrap().is_empty(),
                "{method} {path}"
            );
            assert!(operation["summary"].is_string(), "{method} {path}");
            let named = operation["parameters"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let resolved: Vec<String> = named.iter().map(|it| name_of(&described, it)).collect();
            for part in path.split('/').filter_map(|it| it.strip_prefix('{')) {
                let part = part.trim_end_matches('}').to_owned();
                assert!(resolved.contains(&part), "{method} {path} lacks {part}");
            }
            found.insert((method.clone(), path.clone()));
        }
    }
    let routes: BTreeSet<_> = ROUTES
        .iter()
        .map(|(method, path)| (method.to_string(), path.to_string()))
        .collect();
    assert_eq!(routes.len(), ROUTES.len());
    assert_eq!(found, routes);
}

fn name_of(described: &Value, parameter: &Value) -> String {
    let found = match parameter["$ref"].as_str() {
        Some(path) => described.pointer(path.trim_start_matches('#')).unwrap(),
        None => parameter,
    };
    found["name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn malformed_ids_and_numbers_are_told_apart() {
    let stage = Stage::new(1).await;
    // One character short, one too long, padded, with spare bits, and of another alphabet.
    let wrong = [
        &ID[1..],
        &format!("{ID}A"),
        &format!("{ID}="),
        &format!("{}B", &ID[1..]),
        "%2B",
    ];
    for (method, path) in ROUTES.iter().filter(|(_, path)| path.contains('{')) {
        if path.contains("{height}")
            || *method != "get"
            || path.starts_with("/cu")
            || path.starts_with("/su")
        {
            continue;
        }
        for id in wrong {
            let path = path.replace("{slot}", "0").replace("{message}", ID);
            let first = path.split('/').find(|it| it.starts_with('{'));
            let path = path.replace(first.unwrap(), id);
            stage.get(&path).await.is_problem(400, "id-malformed");
        }
    }
    for slot in ["x", "-1", "18446744073709551616", "1.0"] {
        let path = format!("/v1/processes/{ID}/slots/{slot}");
        stage.get(&path).await.is_problem(400, "number-malformed");
        let path = format!("/v1/ledger/blocks/{slot}");
        stage.get(&path).await.is_problem(400, "number-malformed");
    }
}

#[tokio::test]
async fn unknown_things_have_their_codes() {
    let stage = Stage::new(1).await;
    let process = stage.process_id();
    for (path, code) in [
        ("/v2".into(), "route-unknown"),
        ("/v1".into(), "route-unknown"),
        ("/v1/node/".into(), "route-unknown"),
        (format!("/v1/items/{ID}"), "item-unknown"),
        (format!("/gateway/{ID}"), "item-unknown"),
        (format!("/v1/processes/{ID}"), "process-unknown"),
        (format!("/v1/processes/{ID}/slots"), "process-unknown"),
        (
            format!("/v1/processes/{ID}/slots/0/attested"),
            "process-unknown",
        ),
        (format!("/v1/processes/{process}/slots/1"), "slot-unknown"),
        (
            format!("/v1/processes/{process}/slots/1/result"),
            "slot-unknown",
        ),
        (
            format!("/v1/processes/{process}/messages/{ID}"),
            "message-unknown",
        ),
        (format!("/v1/claims/{ID}"), "claim-unknown"),
        (format!("/v1/operators/{ID}"), "operator-unknown"),
        (format!("/v1/evidence/{ID}"), "evidence-unknown"),
        ("/v1/ledger/blocks/99".into(), "block-unknown"),
        ("/v1/ledger/checkpoint?height=99".into(), "block-unknown"),
    ] {
        stage.get(&path).await.is_problem(404, code);
    }
    let wrong = stage.post("/v1/node", "").await;
    wrong.is_problem(405, "method-not-allowed");
    let known = stage.get("/v1/accounts/".to_owned().as_str()).await;
    known.is_problem(404, "route-unknown");
    let nobody = stage.get(&format!("/v1/accounts/{ID}")).await.json();
    assert_eq!(nobody["balance"], "0");
}

#[tokio::test]
async fn pages_have_bounds_and_meet() {
    let stage = Stage::new(6).await;
    let slots = format!("/v1/processes/{}/slots", stage.process_id());
    for limit in ["0", "1001"] {
        for list in [
            slots.as_str(),
            "/v1/operators",
            "/v1/certificates",
            "/v1/slashings",
        ] {
            let path = format!("{list}?limit={limit}");
            stage.get(&path).await.is_problem(400, "limit-out-of-range");
        }
    }
    for query in ["limit=x", "limit=-1", "form=1", "from=x"] {
        stage
            .get(&format!("{slots}?{query}"))
            .await
            .is_problem(400, "query-malformed");
    }
    let mut seen = Vec::new();
    let mut path = format!("{slots}?limit=4");
    loop {
        let page = stage.get(&path).await.json();
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it["slot"].clone()),
        );
        let Some(next) = page["next"].as_u64() else {
            break;
        };
        path = format!("{slots}?limit=4&from={next}");
    }
    assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
    let beyond = stage
        .get(&format!("{slots}?from=18446744073709551615"))
        .await
        .json();
    assert_eq!(beyond, serde_json::json!({ "items": [], "next": null }));
    let one = stage.get("/v1/operators?limit=1").await.json();
    let next = one["next"].as_str().unwrap();
    let other = stage
        .get(&format!("/v1/operators?limit=1&from={next}"))
        .await
        .json();
    assert_eq!(other["items"][0]["operator"], next);
    assert_eq!(other["next"], Value::Null);
    assert_ne!(one["items"][0]["operator"], next);
    assert_eq!(other["items"][0]["bonded"], "500000000000000");
    assert_eq!(other["items"][0]["active"], true);
}

#[tokio::test]
async fn bodies_are_bounded_whether_they_say_so_or_not() {
    let stage = Stage::new(1).await;
    let declared = Request::post("/v1/items").header("content-length", ITEM_BODY + 1);
    let answer = stage.ask(declared.body(Body::empty()).unwrap()).await;
    answer.is_problem(413, "body-too-large");
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0_u8; 1 << 20]));
    stage
        .post("/v1/items", Body::from_stream(endless))
        .await
        .is_problem(413, "body-too-large");
    // Within the body's bound the item's own rule speaks.
    stage
        .post("/v1/items", vec![1; ITEM_BODY])
        .await
        .is_problem(400, "item-too-large");
    let dry_run = format!("/v1/processes/{}/dry-run", stage.process_id());
    let large = serde_json::json!({ "data": "x".repeat(PLAIN_BODY) });
    stage
        .post_json(&dry_run, &large)
        .await
        .is_problem(413, "body-too-large");
    let broken = stream::iter([Ok(vec![1_u8]), Err(std::io::Error::other("gone"))]);
    stage
        .post("/v1/items", Body::from_stream(broken))
        .await
        .is_problem(400, "body-truncated");
}

#[tokio::test]
async fn too_many_requests_are_refused_but_health_answers() {
    let stage = Stage::new(1).await;
    let api = stage.api().clone();
    let all = api.under_way.acquire_many(256).await.unwrap();
    let refused = stage.get("/v1/node").await;
    refused.is_problem(503, "busy");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(stage.get("/health/live").await.status, 200);
    assert_eq!(stage.get("/metrics").await.status, 200);
    drop(all);
    assert_eq!(stage.get("/v1/node").await.status, 200);
}

#[tokio::test]
async fn answers_are_counted_and_hardened() {
    let stage = Stage::new(1).await;
    stage.get("/v1/ledger").await;
    stage.get("/cu/results/x").await;
    stage.get("/su/metrics").await;
    let root = stage.get("/").await;
    assert_eq!(root.header("x-content-type-options"), "nosniff");
    let text = String::from_utf8(root.bytes).unwrap();
    assert!(ROUTES.iter().all(|(_, path)| text.contains(path)));
    let metrics = stage.get("/metrics").await;
    assert!(
        metrics
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    let text = String::from_utf8(metrics.bytes).unwrap();
    for line in [
        "surety_http_requests_total{surface=\"v1\",status=\"200\"} 1",
        "surety_http_requests_total{surface=\"cu\",status=\"400\"} 1",
        "surety_http_requests_total{surface=\"su\",status=\"200\"} 1",
        "surety_http_requests_total{surface=\"other\",status=\"200\"} 1",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

#[tokio::test]
async fn a_panic_is_one_requests_problem() {
    async fn panics() {
        panic!("a secret of the node");
    }
    let router = axum::Router::new()
        .route("/", axum::routing::get(panics))
        .layer(CatchPanicLayer::custom(problem::panicked));
    let request = Request::get("/").body(Body::empty()).unwrap();
    let answer = super::read(router.oneshot(request).await.unwrap()).await;
    answer.is_problem(500, "internal");
    assert!(!answer.json().to_string().contains("secret"));
}
