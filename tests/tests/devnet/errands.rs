//! What a node is asked for while it crashes: messages that make a process write to another, spawn and assign, and a timer. In
//! the end all of it has come about, once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use surety_protocol::id::ProcessId;
use surety_protocol::item::{ItemDraft, ItemKey};

use super::program::{Devnet, text};
use super::stage::{PATIENCE, Stage, printed, read};
use super::timers;

/// Messages that are sent together, of which the first makes a process spawn another.
const TOGETHER: usize = 3;
/// How often the timer is due.
const SECONDS: u64 = 2;

const FRONT: &str = "Told = Told or {}; \
    Handlers.add('forward', Handlers.utils.hasMatchingTag('Action', 'Forward'), function (m) \
    local number = m.Tags.Number; \
    ao.send({ Target = Back, Action = 'Note', Number = number }); \
    Assign({ Processes = { Back }, Message = m.Id }); \
    if m.Tags.Spawns then ao.spawn(Child, { Tags = { Number = number } }) end end); \
    Handlers.add('told', Handlers.utils.hasMatchingTag('Action', 'Spawned'), function (m) \
    local number = m.Tags.Number; \
    Told[number] = (Told[number] and Told[number] .. ' ' or '') .. m.Tags.Process end)";
const BACK: &str = "Noted, Ticked = Noted or {}, Ticked or {}; \
    local function count (action, where) \
    Handlers.add(action, Handlers.utils.hasMatchingTag('Action', action), function (m) \
    where[m.Tags.Number] = (where[m.Tags.Number] or 0) + 1 end) end; \
    count('Note', Noted); count('Tick', Ticked)";
const CLOCK: &str = "Ticks = Ticks or 0; \
    Handlers.add('wake', Handlers.utils.hasMatchingTag('Action', 'Wake'), function () \
    if Back then Ticks = Ticks + 1; \
    ao.send({ Target = Back, Action = 'Tick', Number = tostring(Ticks) }) end end)";

/// A message, and the slot that somebody was told.
struct Sent {
    id: String,
    item: Vec<u8>,
    told: Option<(u64, String)>,
}

/// All that was asked for so far.
pub(crate) struct Errands {
    stage: Stage,
    user: ItemKey,
    front: ProcessId,
    all: Vec<Sent>,
}

impl Errands {
    /// Makes the processes, on the first node of a network.
    pub(crate) fn new(devnet: &Devnet) -> Errands {
        let wasm = devnet.dir().join("counter.wasm");
        std::fs::write(&wasm, surety_attest::sample::WASM).unwrap();
        let format = surety_attest::engine::format(surety_attest::sample::WASM);
        let published = [wasm.to_str().unwrap(), "--format", format];
        let child = devnet.run(&[&["process", "publish"], &published[..]].concat());
        assert_eq!(child.code, 0, "{}{}", child.stdout, child.stderr);
        let child = text(&child.data(), "id");

        let mut stage = Stage::new(text(devnet.ready(), "http"));
        let every = format!("{SECONDS}-seconds");
        let timer = [("Cron-Interval", &*every), ("Cron-Tag-Action", "Wake")];
        for (name, code, tags) in [
            ("front", FRONT, &[][..]),
            ("back", BACK, &[]),
            ("clock", CLOCK, &timer),
        ] {
            stage.spawn(devnet.ready(), name, tags);
            stage.eval(name, code);
        }
        let back = stage.process("back").to_owned();
        stage.eval("front", &format!("Back, Child = '{back}', '{child}'"));
        stage.eval("clock", &format!("Back = '{back}'"));
        let front = stage.process("front").parse().unwrap();
        Errands {
            stage,
            user: ItemKey::ed25519(&[9; 32]),
            front,
            all: Vec::new(),
        }
    }

    /// Asks for some more.
    pub(crate) fn more(&mut self) {
        for index in 0..TOGETHER {
            let draft = ItemDraft::default()
                .to(*self.front.as_bytes())
                .tag("Type", "Message")
                .tag("Action", "Forward")
                .tag("Number", self.all.len().to_string());
            let draft = match index {
                0 => draft.tag("Spawns", "yes"),
                _ => draft,
            };
            let (id, item) = self.stage.sign(&self.user, draft);
            let told = None;
            self.all.push(Sent { id, item, told });
        }
    }

    /// Sends what nobody answered, as every client does again and again; whether all of it was answered, and led to what it should.
    pub(crate) fn offer(&mut self) -> bool {
        for sent in self.all.iter_mut().filter(|it| it.told.is_none()) {
            sent.offer(&self.stage);
        }
        self.all.iter().all(|it| it.told.is_some()) && self.noted(self.all.len() - 1)
    }

    /// Whether the process at the back has noted a number, asked without leaving a trace.
    fn noted(&self, number: usize) -> bool {
        let stage = &self.stage;
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

    /// Everything that was asked for has come about, once, and is certified; asked of a node that does not crash any more.
    pub(crate) fn come_about(mut self) {
        let begin = Instant::now();
        while !self.offer() {
            assert!(begin.elapsed() < PATIENCE, "messages get no slot");
            std::thread::sleep(Duration::from_millis(50));
        }
        self.slots_are_as_told();
        self.messages_arrive();
        self.assignments_arrive();
        self.children_live();
        self.ticks_arrive();
        self.stage.certified();
    }

    fn slots_are_as_told(&mut self) {
        for sent in &mut self.all {
            sent.offer(&self.stage);
        }
        let log = self.stage.log(&self.front.to_string());
        for sent in &self.all {
            let (slot, assignment) = sent.told.as_ref().unwrap();
            let entry = &log[usize::try_from(*slot).unwrap()];
            assert_eq!(text(entry, "assignment"), *assignment, "{entry}");
            assert_eq!(text(entry, "message"), sent.id, "{entry}");
        }
    }

    fn messages_arrive(&self) {
        let count = "local n = 0; for _ in pairs(Noted) do n = n + 1 end; return tostring(n)";
        self.stage.until("back", count, &self.all.len().to_string());
        once(&self.stage.json("back", "Noted"));
    }

    /// That no message has two slots is seen with all other logs.
    fn assignments_arrive(&self) {
        let ids: BTreeSet<String> = self.all.iter().map(|it| it.id.clone()).collect();
        let back = self.stage.process("back");
        until("assignments are lost", || {
            let log = self.stage.log(back);
            let there: BTreeSet<String> = log.iter().map(|it| text(it, "message")).collect();
            ids.is_subset(&there)
        });
    }

    /// One process for each that was to be spawned, and one word about it.
    fn children_live(&mut self) {
        let spawns = self.all.len() / TOGETHER;
        let told = "local n = 0; for _ in pairs(Told) do n = n + 1 end; return tostring(n)";
        self.stage.until("front", told, &spawns.to_string());
        let told = self.stage.json("front", "Told");
        let told: BTreeMap<String, String> = serde_json::from_value(told).unwrap();
        let children: BTreeSet<String> = told.into_values().collect();
        assert_eq!(children.len(), spawns, "{children:?}");
        let unit = &self.stage.unit;
        let all = read(&format!("{unit}/v1/processes?limit=1000"));
        let all = all["items"].as_array().unwrap();
        let all: BTreeSet<String> = all.iter().map(|it| text(it, "process")).collect();
        // None was told of twice: that would be no id.
        assert!(children.is_subset(&all), "{children:?} {all:?}");
        assert_eq!(all.len(), children.len() + 3, "nothing else was spawned");
        for child in children {
            self.stage.adopt("child", child);
        }
    }

    fn ticks_arrive(&self) {
        let log = timers::log(&self.stage.unit, self.stage.process("clock"));
        let ticks = log.iter().filter(|it| it.timer.is_some());
        for (number, tick) in (1..).zip(ticks) {
            let due = log[0].time / 1000 + number * SECONDS;
            assert_eq!(tick.time, due * 1000, "each tick once: {tick:?}");
        }
        // As many as were sent a moment before have arrived, unless some were lost.
        let sent = self.stage.eval("clock", "return tostring(Ticks)");
        let sent: usize = sent.parse().unwrap();
        until("ticks are lost", || {
            let ticked = self.stage.json("back", "Ticked");
            once(&ticked);
            sent > 1 && (1..=sent).all(|it| ticked[it.to_string()] == 1)
        });
    }
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

/// Nothing came more often. An empty table of Lua is a list.
fn once(counts: &Value) {
    let counts = counts.as_object().cloned().unwrap_or_default();
    assert!(counts.values().all(|it| it == 1), "{counts:?}");
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(500));
    }
}
