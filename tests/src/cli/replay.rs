//! `surety sim replay`: a run once more, event by event.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use surety_node::shell::{CliError, Exit, Shell};

use super::planned::{self, Planned};
use crate::cast::Plan;
use crate::simulation::{Standing, replay};

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// What `run --json` said, in a file: the first run in it that was not clean, or else the first; without it, the options below
    #[arg(conflicts_with = "Planned")]
    trace: Option<PathBuf>,
    #[command(flatten)]
    planned: Planned,
    /// Stop after this event.
    #[arg(long, value_name = "EVENT")]
    until: Option<u64>,
    /// Show what happens from this event on.
    #[arg(long, value_name = "EVENT", default_value_t = 0)]
    from: u64,
    /// Show what happens to this node only.
    #[arg(long)]
    node: Option<usize>,
}

pub(super) fn run(args: &Replay, shell: &Shell) -> Result<(), CliError> {
    let plan = match &args.trace {
        Some(file) => recorded(file)?,
        None => args.planned.plan(args.planned.seed),
    };
    if let Some(until) = args.until.filter(|it| *it < args.from) {
        let message = format!("nothing lies from event {} to event {until}", args.from);
        return Err(CliError::new(Exit::Usage, "no-events", message));
    }
    let (from, node, json) = (args.from, args.node, shell.json());
    let (outcome, standings) = replay(&plan, args.until, move |it| {
        let about = |node: usize| it.who.is_none_or(|who| who == node);
        if it.event < from || node.is_some_and(|it| !about(it)) {
            return;
        }
        let (event, at, who, what) = (it.event, it.at.0, it.who, it.what);
        match json {
            true => eprintln!(
                "{}",
                json!({ "event": event, "at_ms": at, "node": who, "what": what })
            ),
            false => {
                let who = who.map_or("      ".to_owned(), |it| format!("node {it}"));
                eprintln!("{event:>7} {at:>6} ms  {who}  {what}");
            }
        }
    });
    let standings = standings
        .iter()
        .enumerate()
        .filter(|(who, _)| node.is_none_or(|node| node == *who));
    let (lines, data): (Vec<String>, Vec<Value>) = standings
        .map(|(who, it)| (human(who, it), data(who, it)))
        .unzip();
    if from > outcome.events {
        let events = outcome.events;
        shell.progress(format!(
            "the run has no event {from}: it ended after {events}"
        ));
    }
    let violation = outcome.violation.as_ref().map(ToString::to_string);
    let said = json!({
        "events": outcome.events,
        "virtual_ms": outcome.virtual_ms,
        "nodes": data,
        "violation": violation,
    });
    let verdict = match &violation {
        Some(violation) => format!("VIOLATION at event {}: {violation}", outcome.events),
        None => format!(
            "no violation up to event {}, {} ms",
            outcome.events, outcome.virtual_ms
        ),
    };
    shell.data(format!("{verdict}\n{}", lines.join("\n")), &said)
}

/// The plan of a run that was recorded.
fn recorded(file: &Path) -> Result<Plan, CliError> {
    let failed = |why: String| {
        let message = format!("{}: {why}", file.display());
        CliError::new(Exit::Usage, "not-a-trace", message)
            .with_help("`surety --json sim run ... > FILE` makes one")
    };
    let text = std::fs::read_to_string(file).map_err(|it| failed(it.to_string()))?;
    let lines = text.lines().filter_map(|it| serde_json::from_str(it).ok());
    let runs: Vec<Value> = lines
        .filter_map(|it: Value| it.get("data").cloned())
        .filter(|it| it.get("arguments").is_some_and(Value::is_array))
        .collect();
    let violated = |it: &&Value| it.get("violation").is_some_and(|it| !it.is_null());
    let run = runs.iter().find(violated).or(runs.first());
    let arguments = run.and_then(|it| it.get("arguments").cloned());
    let arguments = arguments.ok_or_else(|| failed("no line says what was run".into()))?;
    let arguments: Vec<String> =
        serde_json::from_value(arguments).map_err(|it| failed(it.to_string()))?;
    planned::plan(&arguments).map_err(|it| failed(it.to_string()))
}

fn human(who: usize, it: &Standing) -> String {
    let roles: Vec<&str> = it.roles.iter().map(|it| it.name()).collect();
    let part = if it.honest { "" } else { ", a villain" };
    let height = it
        .height
        .map_or("down".to_owned(), |it| format!("block {it}"));
    let mut text = format!("node {who} ({}{part}): {height}", roles.join(", "));
    for it in &it.processes {
        let numbers = format!(
            "{} slots, {} evaluated, {} certified",
            it.slots, it.evaluated, it.certified
        );
        text.push_str(&format!("\n  process {}: {numbers}", it.id));
    }
    for wanted in &it.asks {
        text.push_str(&format!("\n  asks for {wanted}"));
    }
    text
}

fn data(who: usize, it: &Standing) -> Value {
    let processes = it.processes.iter().map(|it| {
        json!({
            "process": it.id,
            "slots": it.slots,
            "evaluated": it.evaluated,
            "certified": it.certified,
        })
    });
    json!({
        "node": who,
        "roles": it.roles,
        "honest": it.honest,
        "height": it.height,
        "processes": processes.collect::<Vec<_>>(),
        "asks": it.asks,
    })
}
