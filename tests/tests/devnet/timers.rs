//! A process with timers on a network: what its log says, beside AO's rules worked out by hand from its first assignment, while
//! messages come between; and the same again from the log alone, and on another compute unit.

use serde_json::Value;

use super::program::{Devnet, text, until};
use super::stage::{Stage, read};

/// What a slot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) timer: Option<String>,
    pub(crate) time: u64,
    height: u64,
}

/// The log of a process with less than a thousand slots, as AO's clients see it.
pub(crate) fn log(unit: &str, process: &str) -> Vec<Entry> {
    let page = read(&format!(
        "{unit}/su/{process}?process-id={process}&limit=1000"
    ));
    assert_eq!(page["page_info"]["has_next_page"], false);
    let edges = page["edges"].as_array().unwrap().iter();
    let entry = |edge: &Value| {
        let tags = edge["node"]["assignment"]["tags"].as_array().unwrap();
        let tag = |name: &str| {
            let found = tags.iter().find(|it| it["name"] == name)?;
            found["value"].as_str().map(str::to_owned)
        };
        let number = |name: &str| tag(name).unwrap().parse().unwrap();
        Entry {
            timer: tag("Cron"),
            time: number("Timestamp"),
            height: number("Block-Height"),
        }
    };
    edges.map(entry).collect()
}

/// Which ticks of `5-seconds` and `1-block` are due up to an input at this time and height, after those that were: a process that
/// began at second `begin`, in block `height`. The seconds are told in the order of time; at one moment blocks come first.
struct Due {
    begin: u64,
    seconds: u64,
    height: u64,
}

impl Due {
    fn check(&mut self, entry: &Entry) {
        match entry.timer.as_deref() {
            Some("0-5-seconds") => {
                self.seconds += 5;
                assert_eq!(entry.time, (self.begin + self.seconds) * 1000, "{entry:?}");
            }
            Some("1-1-block") => {
                self.height += 1;
                assert_eq!(entry.height, self.height, "each block once: {entry:?}");
            }
            Some(_) => panic!("no timer of the process: {entry:?}"),
            None => assert_eq!(entry.height, self.height, "a block before it: {entry:?}"),
        }
        // Whatever it is, no five seconds have passed without their tick.
        let next = (self.begin + self.seconds + 5) * 1000;
        assert!(entry.time < next || (entry.timer.is_some() && entry.time <= next));
    }
}

#[test]
fn timers_are_told_the_time_by_the_rules_of_ao() {
    let devnet = Devnet::start(&["--nodes", "4"]);
    let http = |node: usize| text(&devnet.ready()["nodes"][node], "http");
    let mut stage = Stage::new(http(0));
    let tags = [
        ("Cron-Interval", "5-seconds"),
        ("Cron-Tag-Action", "Wake"),
        ("Cron-Interval", "1-block"),
        ("Cron-Tag-Action", "Block"),
    ];
    stage.spawn(devnet.ready(), "ticking", &tags);
    let process = stage.process("ticking").to_owned();
    let ticks = |log: &[Entry], timer: &str| {
        let of = log.iter().filter(|it| it.timer.as_deref() == Some(timer));
        of.count()
    };
    until("three times five seconds pass", || {
        devnet.send(&process, 1);
        (ticks(&log(&stage.unit, &process), "0-5-seconds") >= 3).then_some(())
    });
    let log = log(&stage.unit, &process);
    assert_eq!(log[0].timer, None, "never at the origin");
    let mut due = Due {
        begin: log[0].time / 1000,
        seconds: 0,
        height: log[0].height,
    };
    for pair in log.windows(2) {
        assert!(pair[0].time <= pair[1].time, "{pair:?}");
        assert!(pair[0].height <= pair[1].height, "{pair:?}");
        due.check(&pair[1]);
    }
    assert!(ticks(&log, "1-1-block") > 10);
    let messages = log.iter().filter(|it| it.timer.is_none()).count();
    assert!(messages > 3, "messages came between");

    // Everybody evaluates the same: another compute unit, the verifiers, and whoever has nothing but the log.
    let slots = log.len() as u64;
    devnet.certified(&process, slots);
    let results = |node: usize| -> Vec<Value> {
        let url = format!("{}/cu/cron/{process}?limit=1000", http(node));
        until("it is evaluated", || {
            let edges = read(&url)["edges"].as_array()?.clone();
            let due = slots as usize - messages;
            (edges.len() >= due).then(|| edges[..due].to_vec())
        })
    };
    assert_eq!(results(0), results(1));
    let replay = devnet.run(&["audit", "replay", &process]);
    assert_eq!(replay.code, 0, "{}{}", replay.stdout, replay.stderr);
    assert!(replay.data()["slots"].as_u64() >= Some(slots));
    assert!(devnet.stop()["slashings"].as_array().unwrap().is_empty());
}
