//! What a story plays on: a node that may be down at any moment, and the processes on it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use surety_protocol::item::{ItemDraft, ItemKey};

use crate::program::get;

/// How long one message may wait for its slot, and all that was sent for what it leads to.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// A story on its stage.
pub(super) struct Stage {
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) http: reqwest::Client,
    pub(super) director: ItemKey,
    pub(super) spawned: [(String, String); 3],
    pub(super) unit: String,
    pub(super) said: AtomicUsize,
}

impl Stage {
    /// Sends a signed item until it is taken: a node may be down.
    pub(super) async fn post(&self, item: Vec<u8>) {
        let begin = Instant::now();
        loop {
            let sent = self
                .http
                .post(format!("{}/mu", self.unit))
                .body(item.clone());
            let why = match sent.send().await {
                Ok(answer) if answer.status().is_success() => return,
                Ok(answer) => answer.text().await.unwrap_or_default(),
                Err(error) => error.to_string(),
            };
            assert!(begin.elapsed() < PATIENCE, "{why}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    pub(super) fn sign(&self, key: &ItemKey, draft: ItemDraft) -> (String, Vec<u8>) {
        let number = self.said.fetch_add(1, Ordering::Relaxed);
        let anchor: [u8; 32] = format!("{number:032}").into_bytes().try_into().unwrap();
        let draft = draft
            .anchored(anchor)
            .tag("Data-Protocol", "ao")
            .tag("Variant", "ao.TN.1");
        let item = key.sign_item(&draft).unwrap();
        (item.id().to_string(), item.bytes().to_vec())
    }

    pub(super) fn process(&self, name: &str) -> &str {
        let found = self.spawned.iter().find(|(it, _)| it == name);
        &found.unwrap().1
    }

    /// Evaluates code; what it returned.
    pub(super) fn eval(&self, process: &str, code: &str) -> String {
        let process = self.process(process).to_owned();
        let target: surety_protocol::id::ProcessId = process.parse().unwrap();
        let draft = ItemDraft::default()
            .to(*target.as_bytes())
            .tag("Type", "Message")
            .tag("Action", "Eval")
            .carrying(code);
        let (id, item) = self.sign(&self.director, draft);
        let url = format!("{}/cu/result/{id}?process-id={process}", self.unit);
        self.runtime.block_on(async {
            self.post(item).await;
            let begin = Instant::now();
            loop {
                if let Ok(answer) = self.http.get(&url).send().await
                    && answer.status().is_success()
                    && let Ok(result) = answer.json::<Value>().await
                {
                    let data = &result["Output"]["data"];
                    let output = data.get("output").unwrap_or(data);
                    assert!(result.get("Error").is_none_or(Value::is_null), "{result}");
                    return output
                        .as_str()
                        .map_or_else(|| output.to_string(), str::to_owned);
                }
                assert!(begin.elapsed() < PATIENCE, "no result of {id}");
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        })
    }

    pub(super) fn json(&self, process: &str, what: &str) -> Value {
        let text = self.eval(process, &format!("return require('json').encode({what})"));
        serde_json::from_str(&text).expect(&text)
    }

    /// Asks until code returns this.
    pub(super) fn until(&self, process: &str, code: &str, wanted: &str) {
        let begin = Instant::now();
        loop {
            let given = self.eval(process, code);
            if given == wanted {
                return;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "{code} gives {given}, not {wanted}"
            );
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

/// The JSON at an address, as soon as it is answered.
pub(super) fn read(url: &str) -> Value {
    let begin = Instant::now();
    loop {
        if let Some(found) = get(url) {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "{url}");
        std::thread::sleep(Duration::from_millis(250));
    }
}
