//! What strangers send: over HTTP and over libp2p, to a running network. A clear error, nothing stored, and the node goes on.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "devnet/invalid.rs"]
mod invalid;
#[path = "../../protocol/tests/support/needed.rs"]
mod needed;
#[path = "devnet/program.rs"]
#[allow(dead_code, reason = "shared with the tests of whole networks")]
mod program;
#[path = "devnet/routes.rs"]
mod routes;
#[path = "devnet/slow.rs"]
mod slow;

use std::time::Duration;

use program::{Devnet, text};
use reqwest::Method;
use serde_json::Value;
use surety_node::net::{self, NetConfig, NetEvent, Protocol, Topic, identity};
use surety_protocol::id::NetworkId;
use surety_protocol::item::{ItemDraft, ItemKey};
use tokio_util::sync::CancellationToken;

struct Target {
    http: String,
    client: reqwest::Client,
}

impl Target {
    fn of(devnet: &Devnet) -> Target {
        Target {
            http: text(devnet.ready(), "http"),
            client: reqwest::Client::new(),
        }
    }

    /// Hands something in where items are taken.
    async fn post(&self, body: Vec<u8>) -> (u16, Value) {
        self.send(Method::POST, "/v1/items", body).await
    }

    async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> (u16, Value) {
        let url = format!("{}{path}", self.http);
        let request = self.client.request(method, url).body(body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.http);
        self.client
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    async fn metric(&self, name: &str) -> u64 {
        let url = format!("{}/metrics", self.http);
        let text = self
            .client
            .get(url)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        text.lines()
            .filter(|line| line.starts_with(name))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum::<f64>() as u64
    }

    async fn processes(&self) -> usize {
        self.get("/v1/processes?limit=1000").await["items"]
            .as_array()
            .unwrap()
            .len()
    }
}

/// A refusal has a 4xx status and a stable code.
fn refused(what: &str, (status, problem): &(u16, Value)) {
    assert!((400..500).contains(status), "{what}: {status} {problem}");
    // On AO's routes it has AO's words.
    let says = ["code", "error"].map(|it| text(problem, it));
    assert!(says.iter().any(|it| !it.is_empty()), "{what}: {problem}");
}

async fn over_http(target: &Target) {
    let key = ItemKey::ed25519(&[9; 32]);
    let draft = || ItemDraft::default().tag("Data-Protocol", "ao");
    let sign = |draft: ItemDraft| key.sign_item(&draft).unwrap().bytes().to_vec();
    let nobody = [7; 32];
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("text", b"hello".to_vec()),
        ("a type that is none", sign(draft().tag("Type", "Spell"))),
        (
            "a message for nobody",
            sign(draft().tag("Type", "Message").to(nobody)),
        ),
        (
            "a message without target",
            sign(draft().tag("Type", "Message")),
        ),
        (
            "a module of garbage",
            sign(draft().tag("Type", "Module").carrying(vec![0; 100])),
        ),
        (
            "a process whose scheduler is unknown",
            sign(
                draft()
                    .tag("Type", "Process")
                    .tag(
                        "Module",
                        surety_protocol::id::ModuleId::new(nobody).to_string(),
                    )
                    .tag(
                        "Scheduler",
                        surety_protocol::id::Address::new(nobody).to_string(),
                    ),
            ),
        ),
    ];
    for (what, body) in cases {
        refused(what, &target.post(body).await);
    }
    let origin = text(&target.get("/v1/node").await, "origin");
    let origin: NetworkId = origin.parse().unwrap();
    let ledger = draft()
        .tag("Type", "Message")
        .to(*origin.as_bytes())
        .tag("Action", "Bond")
        .tag("Expires", "50")
        .tag("Quantity", "not a number");
    refused("a bond of no amount", &target.post(sign(ledger)).await);
    let huge = target.post(vec![1; 13 << 20]).await;
    assert_eq!(huge.0, 413, "{}", huge.1);
    // Every byte of a signed item is signed, or part of the signature.
    let good = sign(draft().tag("Type", "Message").to(nobody).carrying("x"));
    for at in (0..good.len()).step_by(7) {
        let mut flipped = good.clone();
        flipped[at] ^= 0x20;
        refused("a flipped byte", &target.post(flipped).await);
    }
}

/// A peer of the network's own protocol that says nothing sensible, on every topic and protocol.
async fn over_libp2p(target: &Target, ready: &Value) {
    let network: NetworkId = text(ready, "origin").parse().unwrap();
    let bootstrap = ready["nodes"][0]["p2p"].as_array().unwrap();
    let config = NetConfig {
        bootstrap: bootstrap
            .iter()
            .map(|it| it.as_str().unwrap().parse().unwrap())
            .collect(),
        ..NetConfig::new(network)
    };
    let stop = CancellationToken::new();
    let keypair = identity::keypair_of(&mut [77; 32]).unwrap();
    let (net, mut events, task) = net::spawn(config, keypair, stop.clone()).unwrap();
    let peer = loop {
        match events.recv().await.unwrap() {
            NetEvent::PeerConnected { peer } => break peer,
            _ => continue,
        }
    };
    let before = target.metric("surety_gossip_rejected").await;
    // A new subscriber is published to at its next heartbeat; what is published before waits for it.
    for (index, topic) in Topic::all().enumerate() {
        let garbage = vec![u8::try_from(index).unwrap(); 333];
        net.publish(topic, garbage).await.unwrap();
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while target.metric("surety_gossip_rejected").await <= before {
        assert!(
            tokio::time::Instant::now() < deadline,
            "garbage was not rejected"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The network layer itself answers who asks for peers.
    let protocols = Protocol::ALL
        .into_iter()
        .filter(|it| *it != Protocol::Peers);
    for (id, protocol) in (1..).zip(protocols) {
        net.request(id, peer, protocol, vec![0xff; 100])
            .await
            .unwrap();
        let answer = loop {
            match events.recv().await.unwrap() {
                NetEvent::Response {
                    request, result, ..
                } if request == id => break result,
                _ => continue,
            }
        };
        assert!(answer.is_err(), "{protocol:?} answered garbage");
    }
    stop.cancel();
    task.await.unwrap();
}

#[test]
fn strangers_get_clear_errors_and_the_network_goes_on() {
    let devnet = Devnet::start(&["--nodes", "4"]);
    let process = devnet.spawn();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let target = Target::of(&devnet);
    runtime.block_on(async {
        let before = target.processes().await;
        over_http(&target).await;
        over_libp2p(&target, devnet.ready()).await;
        assert_eq!(target.processes().await, before, "nothing was stored");
        assert_eq!(
            target
                .client
                .get(format!("{}/health/ready", target.http))
                .send()
                .await
                .unwrap()
                .status(),
            200
        );
    });
    let last = devnet.send(&process, 3);
    devnet.certified(&process, last + 1);
    assert!(devnet.stop()["slashings"].as_array().unwrap().is_empty());
}
