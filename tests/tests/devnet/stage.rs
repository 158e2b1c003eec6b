//! What a story plays on: a node that may be down at any moment, and the processes of AOS on it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use surety_protocol::id::Address;
use surety_protocol::item::{ItemDraft, ItemKey};

use crate::program::{get, text};

/// How long one message may wait for its slot, and all that was sent for what it leads to.
pub(crate) const PATIENCE: Duration = Duration::from_secs(400);

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

    /// A process that is there without having been spawned here.
    pub(crate) fn adopt(&mut self, name: &str, process: String) {
        self.spawned.push((name.to_owned(), process));
    }

    /// The log of a process as it is now; no slot of it is lost.
    pub(crate) fn log(&self, process: &str) -> Vec<Value> {
        let path = format!("{}/v1/processes/{process}", self.unit);
        let slots = read(&path)["slots"].as_u64().unwrap();
        let mut log: Vec<Value> = Vec::new();
        while (log.len() as u64) < slots {
            let page = read(&format!("{path}/slots?from={}&limit=1000", log.len()));
            let items = page["items"].as_array().unwrap();
            assert!(!items.is_empty(), "slot {} of {process}", log.len());
            for (slot, item) in (log.len()..).zip(items) {
                assert_eq!(item["slot"], slot, "no slot is lost");
                log.push(item.clone());
            }
        }
        log
    }

    /// Every slot that there is now is certified, and no message has two; the processes, and how many slots they have.
    pub(crate) fn certified(&self) -> Vec<(String, u64)> {
        let mut all = Vec::new();
        for (name, process) in &self.spawned {
            let log = self.log(process);
            let slots = log.len() as u64;
            let about = || read(&format!("{}/v1/processes/{process}", self.unit));
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
            for item in &log {
                let message = item["message"].as_str().or(item["assignment"].as_str());
                assert!(
                    messages.insert(message.unwrap()),
                    "a message has two slots: {item}"
                );
            }
            eprintln!("{name}: {slots} slots, each certified");
            all.push((process.clone(), slots));
        }
        all
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
