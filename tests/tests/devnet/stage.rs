//! What a story plays on: a node that may be down at any moment, and the processes of AOS on it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use surety_protocol::id::Address;
use surety_protocol::item::{ItemDraft, ItemKey};

use crate::program::{get, text};

/// How long one message may wait for its slot, and all that was sent for what it leads to.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A story on its stage.
pub(crate) struct Stage {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) http: reqwest::Client,
    director: ItemKey,
    spawned: Vec<(String, String)>,
    pub(crate) unit: String,
    said: AtomicUsize,
}

impl Stage {
    /// A stage without processes, on the node at this address.
    pub(crate) fn new(unit: String) -> Stage {
        Stage {
            runtime: tokio::runtime::Runtime::new().unwrap(),
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(20))
                .build()
                .unwrap(),
            director: ItemKey::ed25519(&[8; 32]),
            spawned: Vec::new(),
            unit,
            said: AtomicUsize::new(0),
        }
    }

    /// Makes a process of the network's module, which believes what the node sends.
    pub(crate) fn spawn(&mut self, ready: &Value, name: &str, tags: &[(&str, &str)]) {
        let authority = text(&read(&format!("{}/v1/node", self.unit)), "item_key");
        let mut draft = ItemDraft::default()
            .tag("Type", "Process")
            .tag("Name", name)
            .tag("Module", text(ready, "module"))
            .tag("Scheduler", text(ready, "scheduler"))
            .tag("Authority", authority);
        for (name, value) in tags {
            draft = draft.tag(*name, *value);
        }
        let (id, item) = self.sign(&self.director, draft);
        self.runtime.block_on(self.post(item));
        self.spawned.push((name.to_owned(), id));
    }

    /// Sends a signed item until it is taken: a node may be down.
    pub(crate) async fn post(&self, item: Vec<u8>) {
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

    pub(crate) fn sign(&self, key: &ItemKey, draft: ItemDraft) -> (String, Vec<u8>) {
        let number = self.said.fetch_add(1, Ordering::Relaxed);
        let anchor: [u8; 32] = format!("{number:032}").into_bytes().try_into().unwrap();
        let draft = draft
            .anchored(anchor)
            .tag("Data-Protocol", "ao")
            .tag("Variant", "ao.TN.1");
        let item = key.sign_item(&draft).unwrap();
        (item.id().to_string(), item.bytes().to_vec())
    }

    /// Who owns the processes.
    pub(crate) fn director(&self) -> Address {
        self.director.address()
    }

    pub(crate) fn process(&self, name: &str) -> &str {
        let found = self.spawned.iter().find(|(it, _)| it == name);
        &found.unwrap().1
    }

    /// Evaluates code; what it returned.
    pub(crate) fn eval(&self, process: &str, code: &str) -> String {
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
                    assert!(result.get("Error").is_none_or(Value::is_null), "{result}");
                    return printed(&result);
                }
                assert!(begin.elapsed() < PATIENCE, "no result of {id}");
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        })
    }

    pub(crate) fn json(&self, process: &str, what: &str) -> Value {
        let text = self.eval(process, &format!("return require('json').encode({what})"));
        serde_json::from_str(&text).expect(&text)
    }

    /// Asks until code returns this.
    pub(crate) fn until(&self, process: &str, code: &str, wanted: &str) {
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

    /// Every slot that there is now is certified, and no message has two.
    pub(crate) fn certified(&self) {
        let unit = &self.unit;
        for (name, process) in &self.spawned {
            let about = || read(&format!("{unit}/v1/processes/{process}"));
            let slots = about()["slots"].as_u64().unwrap();
            let begin = Instant::now();
            while about()["certified"].as_u64().unwrap() < slots {
                assert!(
                    begin.elapsed() < PATIENCE * 2,
                    "{name} of {slots} slots: {}",
                    about()
                );
                std::thread::sleep(Duration::from_millis(500));
            }
            let mut messages = BTreeSet::new();
            let mut from = 0;
            while from < slots {
                let page = read(&format!(
                    "{unit}/v1/processes/{process}/slots?from={from}&limit=1000"
                ));
                let items = page["items"].as_array().unwrap();
                for item in items.iter().filter(|it| it["slot"].as_u64() < Some(slots)) {
                    assert_eq!(item["slot"].as_u64().unwrap(), from, "no slot is lost");
                    let message = item["message"].as_str().or(item["assignment"].as_str());
                    assert!(
                        messages.insert(message.unwrap().to_owned()),
                        "a message has two slots: {item}"
                    );
                    from += 1;
                }
                assert!(!items.is_empty());
            }
            eprintln!("{name}: {slots} slots, each certified");
        }
    }
}

/// What code returned, in the shape of either generation of AOS.
pub(crate) fn printed(result: &Value) -> String {
    let data = &result["Output"]["data"];
    let output = data.get("output").unwrap_or(data);
    output
        .as_str()
        .map_or_else(|| output.to_string(), str::to_owned)
}

/// The JSON at an address, as soon as it is answered.
pub(crate) fn read(url: &str) -> Value {
    let begin = Instant::now();
    loop {
        if let Some(found) = get(url) {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "{url}");
        std::thread::sleep(Duration::from_millis(250));
    }
}
