//! Items that others made and that are none, to each route that takes items.

use std::path::Path;

use reqwest::Method;
use serde_json::Value;

use crate::program::{Devnet, text};
use crate::{Target, needed, refused};

/// The routes that take an item, as their description says: those to which bytes of no other kind are sent.
fn item_routes(process: &str) -> Vec<(Method, String)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../specs/openapi.json");
    let described: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let mut routes = Vec::new();
    for (path, methods) in described["paths"].as_object().unwrap() {
        for (method, about) in methods.as_object().unwrap() {
            if about["requestBody"]["content"]["application/octet-stream"].is_object() {
                let method = method.to_ascii_uppercase().parse().unwrap();
                routes.push((method, path.replace("{process}", process)));
            }
        }
    }
    routes
}

/// What a route says of each byte string.
async fn answers(
    target: &Target,
    method: &Method,
    path: &str,
    files: &[(String, Vec<u8>)],
) -> Vec<(u16, Value)> {
    let mut answers = Vec::new();
    for (name, body) in files {
        let answer = target.send(method.clone(), path, body.clone()).await;
        refused(&format!("{name} to {method} {path}"), &answer);
        answers.push(answer);
    }
    answers
}

#[test]
fn every_invalid_item_is_refused_by_each_route_that_takes_items() {
    let Some(vectors) = needed::path("SURETY_VECTORS") else {
        return;
    };
    let dir = vectors.join("ans104");
    let index = std::fs::read(dir.join("index.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    let index = index["vectors"].as_array().unwrap();
    let invalid = index.iter().filter(|it| it["valid"] == false);
    let files: Vec<(String, Vec<u8>)> = invalid
        .map(|it| text(it, "file"))
        // All libraries take it, and so does a node.
        .filter(|name| name != "141-ed25519-tagvalue-3073.bin")
        .map(|name| (name.clone(), std::fs::read(dir.join(name)).unwrap()))
        .collect();
    assert!(files.len() > 50);

    let devnet = Devnet::start(&["--nodes", "4"]);
    let process = devnet.spawn();
    let target = Target::of(&devnet);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let routes = item_routes(&process);
    assert_eq!(routes.len(), 5, "{routes:?}");
    let mut said = Vec::new();
    for (method, path) in &routes {
        said.push(runtime.block_on(answers(&target, method, path, &files)));
    }
    let of_items = routes.iter().position(|(_, path)| path == "/v1/items");
    let codes = said.remove(of_items.unwrap());
    for ((name, _), answers) in files.iter().zip(codes.iter().enumerate()) {
        // Because of what it is, and not of whom it is for: the others say the same in AO's words.
        let (number, (_, problem)) = answers;
        let code = text(problem, "code");
        assert!(code.starts_with("item-"), "{name}: {problem}");
        for others in &said {
            let (_, other) = &others[number];
            assert_eq!(text(other, "error"), text(problem, "detail"), "{name}");
        }
    }
    let last = devnet.send(&process, 3);
    devnet.certified(&process, last + 1);
    assert!(devnet.stop()["slashings"].as_array().unwrap().is_empty());
}
