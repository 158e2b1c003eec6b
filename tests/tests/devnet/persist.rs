//! A node that crashes just before, and just after, each of the batches with which its scheduler, its messenger and its guard
//! remember something, one after the other, while its peers follow what it signs (rule FA-3).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use surety_protocol::id::ProcessId;
use surety_protocol::item::{ItemDraft, ItemKey};

use super::program::{Devnet, text, until, variable};
use super::stage::{PATIENCE, Stage, printed, read};

/// Batches at which it crashes: more than these messages, what they lead to and the claims about both take.
const BATCHES: u64 = 20;
/// Messages for each of them.
const MESSAGES: usize = 3;
/// How long a node that did all it was asked for is watched for a crash.
const WATCHED: Duration = Duration::from_secs(1);

const FRONT: &str = "Handlers.add('forward', Handlers.utils.hasMatchingTag('Action', 'Forward'), function (m) \
    ao.send({ Target = Back, Action = 'Note', Number = m.Tags.Number }) end)";
const BACK: &str = "Noted = Noted or {}; \
    Handlers.add('note', Handlers.utils.hasMatchingTag('Action', 'Note'), function (m) \
    Noted[m.Tags.Number] = (Noted[m.Tags.Number] or 0) + 1 end)";

/// A message, and the slot that somebody was told.
struct Sent {
    item: Vec<u8>,
    told: Option<(u64, String)>,
}

impl Sent {
    /// Offers it once. Whoever was told a slot is told no other.
    fn offer(&mut self, stage: &Stage) {
        let url = format!("{}/v1/items", stage.unit);
        let answer = stage.runtime.block_on(async {
            let sent = stage.http.post(url).body(self.item.clone()).send().await;
            sent.ok()?.json::<Value>().await.ok()
        });
        let Some(answer) = answer.filter(|it| text(it, "status") == "scheduled") else {
            return;
        };
        let told = (
            answer["slot"].as_u64().unwrap(),
            text(&answer, "assignment"),
        );
        let before = self.told.get_or_insert_with(|| told.clone());
        assert_eq!(*before, told, "two slots, or two assignments of one");
    }
}

/// Whether the process at the back has noted a number, asked without leaving a trace.
fn noted(stage: &Stage, number: usize) -> bool {
    let back = stage.process("back");
    let url = format!("{}/cu/dry-run?process-id={back}", stage.unit);
    let body = json!({
        "Id": "1234", "Target": back, "Owner": stage.director().to_string(),
        "Tags": [{ "name": "Action", "value": "Eval" }],
        "Data": format!("return tostring(Noted['{number}'] or 0)"),
    });
    let answer = stage.runtime.block_on(async {
        let asked = stage.http.post(url).json(&body).send().await;
        asked.ok()?.json::<Value>().await.ok()
    });
    answer.is_some_and(|it| printed(&it) == "1")
}

/// A scheduler that ends when a slot is durable, and before anybody heard of it; nobody sends anything more.
#[test]
fn a_slot_that_nobody_heard_of_is_announced_again() {
    let devnet = Devnet::start(&["--nodes", "4"]);
    let mut scheduler = devnet.kill(0);
    scheduler.restart_with(&["--roles", "scheduler,gateway"]);
    let process = devnet.spawn();
    let last = devnet.send(&process, 2);
    devnet.certified(&process, last + 1);
    scheduler.kill();
    // The first batch reserves the slot, the second has it signed.
    let crash = [
        "--roles",
        "scheduler,gateway",
        "--fault",
        "store:crash-after@1",
    ];
    scheduler.restart_with(&crash);
    let sent = devnet.run(&["process", "send", &process, "--action", "Count"]);
    assert_ne!(sent.code, 0, "{}", sent.stdout);
    until("it ends", || (!scheduler.runs()).then_some(()));
    scheduler.restart_with(&["--roles", "scheduler,gateway"]);
    devnet.certified(&process, last + 2);
    assert!(devnet.stop()["slashings"].as_array().unwrap().is_empty());
}

#[test]
fn a_node_that_crashes_at_any_batch_loses_nothing_and_signs_nothing_twice() {
    let Some(modules) = variable("SURETY_AOS_MODULES") else {
        eprintln!("AOS is not here: nothing was tried");
        return;
    };
    let wasm = modules.join("aos2_0_6.wasm");
    let devnet = Devnet::start(&["--nodes", "4", "--module", wasm.to_str().unwrap()]);
    let mut node = devnet.kill(0);
    node.restart();
    let mut stage = Stage::new(text(devnet.ready(), "http"));
    for (name, code) in [("front", FRONT), ("back", BACK)] {
        stage.spawn(devnet.ready(), name, &[]);
        stage.eval(name, code);
    }
    let back = stage.process("back").to_owned();
    stage.eval("front", &format!("Back = '{back}'"));

    let front: ProcessId = stage.process("front").parse().unwrap();
    let user = ItemKey::ed25519(&[9; 32]);
    let mut all: Vec<Sent> = Vec::new();
    let mut crashes = BTreeMap::<&str, usize>::new();
    for when in ["before", "after"] {
        for batch in 0..BATCHES {
            for _ in 0..MESSAGES {
                let draft = ItemDraft::default()
                    .to(*front.as_bytes())
                    .tag("Type", "Message")
                    .tag("Action", "Forward")
                    .tag("Number", all.len().to_string());
                let item = stage.sign(&user, draft).1;
                all.push(Sent { item, told: None });
            }
            node.kill();
            node.try_restart_with(&["--fault", &format!("store:crash-{when}@{batch}")]);
            let (begin, mut done) = (Instant::now(), None);
            // What nobody answered is asked again, as every client does.
            while node.runs() && done.is_none_or(|it: Instant| it.elapsed() < WATCHED) {
                assert!(begin.elapsed() < PATIENCE, "{when} {batch}");
                for sent in all.iter_mut().filter(|it| it.told.is_none()) {
                    sent.offer(&stage);
                }
                done = done.or_else(|| noted(&stage, all.len() - 1).then(Instant::now));
                std::thread::sleep(Duration::from_millis(50));
            }
            *crashes.entry(when).or_default() += usize::from(!node.runs());
        }
    }
    eprintln!("crashes: {crashes:?}");
    assert!(crashes.values().all(|it| *it > 10), "{crashes:?}");

    node.kill();
    node.restart();
    let log = format!("{}/v1/processes/{front}/slots?limit=1000", stage.unit);
    for (number, sent) in all.iter_mut().enumerate() {
        let begin = Instant::now();
        while sent.told.is_none() {
            sent.offer(&stage);
            assert!(begin.elapsed() < PATIENCE, "{number} gets no slot");
        }
        sent.offer(&stage);
    }
    let log = read(&log);
    for sent in &all {
        let (slot, assignment) = sent.told.as_ref().unwrap();
        let entry = &log["items"][usize::try_from(*slot).unwrap()];
        assert_eq!(text(entry, "assignment"), *assignment, "{entry}");
    }
    let count = "local n = 0; for _ in pairs(Noted) do n = n + 1 end; return tostring(n)";
    stage.until("back", count, &all.len().to_string());
    let noted = stage.json("back", "Noted");
    let once = noted.as_object().unwrap().values().all(|it| it == 1);
    assert!(once, "{noted}");
    stage.certified();
    let report = devnet.stop();
    assert!(
        report["slashings"].as_array().unwrap().is_empty(),
        "{report}"
    );
}
