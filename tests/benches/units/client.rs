//! Clients of AO's units: they sign beforehand, then send as fast as they are answered.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use surety_protocol::id::ProcessId;
use surety_protocol::item::{ItemDraft, ItemKey};
use tokio::runtime::Runtime;

use super::server::Units;

const PATIENCE: Duration = Duration::from_secs(120);
/// Messages that come before those that are measured.
const WARM: usize = 5;
/// What two processes do with a message that hops: count it, and send it back until it has hopped enough.
const HOP: &str = "Handlers.add('hop', Handlers.utils.hasMatchingTag('Action', 'Hop'), function (m) \
     Hops = (Hops or 0) + 1; local left = tonumber(m.Tags.Left); \
     if left > 0 then ao.send({ Target = Other, Action = 'Hop', Left = tostring(left - 1) }) end end)";

/// What a load gave: answers a second, and milliseconds until half and almost all of them came.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) rate: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// One user, with as many connections as it likes.
pub(crate) struct Client {
    runtime: Runtime,
    http: reqwest::Client,
    wallet: ItemKey,
    sent: Cell<u64>,
}

/// What is sent: where, the signed item, and where the result is asked for, if it is.
struct Request {
    post: String,
    item: Vec<u8>,
    result: Option<String>,
}

impl Client {
    /// One who signs with this wallet.
    pub(crate) fn new(wallet: ItemKey) -> Client {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        Client {
            runtime,
            http: reqwest::Client::new(),
            wallet,
            sent: Cell::new(0),
        }
    }

    /// Who schedules at this address, as AO's scheduler says it.
    pub(crate) fn scheduler(&self, su: &str) -> String {
        let url = format!("{}/", su.trim_end_matches('/'));
        let about: Value = self.runtime.block_on(async {
            let answer = self.http.get(url).send().await.expect("a scheduler");
            answer.json().await.expect("JSON")
        });
        about["address"].as_str().expect("an address").to_owned()
    }

    /// Spawns a process.
    pub(crate) fn spawn(&self, units: &Units, number: usize) -> ProcessId {
        let draft = ItemDraft::default()
            .tag("Type", "Process")
            .tag("Module", &*units.module)
            .tag("Scheduler", &*units.scheduler)
            .tag("Authority", &*units.authority)
            .tag("Number", number.to_string());
        let (id, item) = self.sign(draft);
        let request = Request {
            post: units.post.clone(),
            item,
            result: None,
        };
        self.runtime.block_on(send(&self.http, &request));
        ProcessId::new(id)
    }

    /// Messages that processes get in turn; an answer is one that has its slot.
    pub(crate) fn schedule(
        &self,
        units: &Units,
        processes: &[ProcessId],
        count: usize,
        clients: usize,
    ) -> Load {
        let turns = processes.iter().cycle().take(count);
        let requests = turns.map(|process| self.message(units, *process, "return 1", false));
        self.warm(units, processes);
        self.run(requests.collect(), clients)
    }

    /// Some messages that are not measured.
    fn warm(&self, units: &Units, processes: &[ProcessId]) {
        let some = processes.iter().cycle().take(WARM);
        let some = some.map(|process| self.message(units, *process, "return 1", false));
        self.run(some.collect(), 1);
    }

    /// Messages of one process; an answer is a message's result.
    pub(crate) fn evaluate(
        &self,
        units: &Units,
        process: ProcessId,
        count: usize,
        clients: usize,
    ) -> Load {
        self.warm(units, &[process]);
        let requests = (0..count).map(|_| self.message(units, process, super::EVAL, true));
        self.run(requests.collect(), clients)
    }

    /// Hops a second of one message that two new processes send each other.
    pub(crate) fn hops(&self, units: &Units, hops: u64) -> f64 {
        let pair = [self.spawn(units, 1), self.spawn(units, 2)];
        for (process, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
            self.ask(
                units,
                process,
                &format!("Other = '{other}'; {HOP}; return 1"),
            );
        }
        let draft = ItemDraft::default()
            .tag("Action", "Hop")
            .tag("Left", hops.to_string());
        let request = self.addressed(units, pair[0], draft, false);
        let begin = Instant::now();
        self.runtime.block_on(send(&self.http, &request));
        // Both count: the first one gets the message of the user and every second hop.
        let last = hops / 2 + 1;
        while self.ask(units, pair[0], "return tostring(Hops)") != last.to_string() {
            assert!(begin.elapsed() < PATIENCE, "a message was lost");
            std::thread::sleep(Duration::from_millis(20));
        }
        hops as f64 / begin.elapsed().as_secs_f64()
    }

    /// Evaluates code; gives what it returned.
    fn ask(&self, units: &Units, process: ProcessId, code: &str) -> String {
        let request = self.message(units, process, code, true);
        let result = self.runtime.block_on(send(&self.http, &request));
        let data = &result.expect("a result")["Output"]["data"];
        let output = data.get("output").unwrap_or(data);
        output
            .as_str()
            .map_or_else(|| output.to_string(), str::to_owned)
    }

    fn message(&self, units: &Units, process: ProcessId, code: &str, asks: bool) -> Request {
        let draft = ItemDraft::default().tag("Action", "Eval").carrying(code);
        self.addressed(units, process, draft, asks)
    }

    fn addressed(
        &self,
        units: &Units,
        process: ProcessId,
        draft: ItemDraft,
        asks: bool,
    ) -> Request {
        let draft = draft.to(*process.as_bytes()).tag("Type", "Message");
        let (id, item) = self.sign(draft);
        let id = ProcessId::new(id);
        Request {
            post: units.post.clone(),
            item,
            result: asks.then(|| format!("{}/result/{id}?process-id={process}", units.compute)),
        }
    }

    /// Signs something that nobody signed before.
    fn sign(&self, draft: ItemDraft) -> ([u8; 32], Vec<u8>) {
        self.sent.set(self.sent.get() + 1);
        let mut anchor = [b'0'; 32];
        let number = format!("{:016}{:016}", std::process::id(), self.sent.get());
        anchor.copy_from_slice(number.as_bytes());
        let draft = draft
            .anchored(anchor)
            .tag("Data-Protocol", "ao")
            .tag("Variant", "ao.TN.1");
        let item = self.wallet.sign_item(&draft).expect("an item");
        (*item.id().as_bytes(), item.bytes().to_vec())
    }

    /// Sends everything, so many at once.
    fn run(&self, requests: Vec<Request>, clients: usize) -> Load {
        let requests = Arc::new(requests);
        let next = Arc::new(AtomicUsize::new(0));
        let begin = Instant::now();
        let mut taken: Vec<f64> = self.runtime.block_on(async {
            let work = (0..clients).map(|_| {
                let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
                let http = self.http.clone();
                tokio::spawn(async move {
                    let mut taken = Vec::new();
                    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let begin = Instant::now();
                        send(&http, request).await;
                        taken.push(begin.elapsed().as_secs_f64() * 1e3);
                    }
                    taken
                })
            });
            let work: Vec<_> = work.collect();
            let mut taken = Vec::new();
            for client in work {
                taken.extend(client.await.expect("a client"));
            }
            taken
        });
        let seconds = begin.elapsed().as_secs_f64();
        taken.sort_by(f64::total_cmp);
        let at = |of: usize| taken[taken.len() * of / 100];
        Load {
            rate: taken.len() as f64 / seconds,
            p50: at(50),
            p99: at(99),
        }
    }
}

/// Sends an item, and asks for its result if that is wanted.
async fn send(http: &reqwest::Client, request: &Request) -> Option<Value> {
    let item = request.item.clone();
    let sent = http
        .post(&request.post)
        .header("content-type", "application/octet-stream")
        // AO's scheduler takes messages of machines that it knows by what stands here.
        .header("x-real-ip", "127.0.0.1")
        .body(item);
    let answer = sent.send().await.expect("an answer");
    let (status, text) = (answer.status(), answer.text().await.expect("a text"));
    assert!(status.is_success(), "{status} {text}");
    let url = request.result.as_ref()?;
    let answer = http.get(url).send().await.expect("an answer");
    let result: Value = answer.json().await.expect("JSON");
    assert!(result.get("Messages").is_some(), "{result}");
    Some(result)
}
