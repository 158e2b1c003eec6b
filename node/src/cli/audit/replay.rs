//! `surety audit replay`: a process evaluated here from its messages alone, and everything claimed about it compared.
//!
//! # Rules
//!
//! - `[RP-1]` The node gives items, which have to be authentic and to make one unbroken log, and claims, which are compared. Nothing
//!   that it evaluated is used.
//! - `[RP-2]` Evaluation starts at slot 0 whatever stretch is compared, for no state but that one is known without trust.
//! - `[RP-3]` What differs is told by the first slot that differs.
//! - `[RP-4]` With `--differing` nothing is executed as long as all claims and the node say the same of each slot, and of the history where
//!   claims meet. Else what was said is compared up to the first slot of which two things are said. A slot of which one thing is
//!   said is not compared.
//! - `[RP-5]` Nothing agrees where nothing was compared, or where what `--differing` finds lies beyond the end of the log: both are errors.
//!   How many claims go beyond it is told.

mod claims;
mod fetch;

use std::ops::Range;
use std::str::FromStr;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use surety_protocol::id::ProcessId;
use surety_protocol::profiles::{Activation, Profiles};
use surety_protocol::time::Height;

use self::claims::Claims;
use self::fetch::Source;
use super::evaluate::Replayed;
use super::seconds;
use crate::cli::Context;
use crate::cli::remote::{number, profile};
use crate::cli::show;
use crate::engines::Engines;
use crate::shell::{CliError, Exit};

/// Slots that are fetched together.
const PAGE: u64 = 64;

/// A stretch of a log, as `a..b` without `b`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slots(Range<u64>);

/// Why a text is not a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("slots are a..b (without b), a..=b, a.. or ..b, and at least one of them")]
struct NotSlots;

impl FromStr for Slots {
    type Err = NotSlots;

    fn from_str(text: &str) -> Result<Slots, NotSlots> {
        let (start, end) = text.split_once("..").ok_or(NotSlots)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| NotSlots);
        let start = if start.is_empty() { 0 } else { number(start)? };
        let end = match end.strip_prefix('=') {
            Some(last) => number(last)?.checked_add(1).ok_or(NotSlots)?,
            None if end.is_empty() => u64::MAX,
            None => number(end)?,
        };
        if start < end {
            Ok(Slots(start..end))
        } else {
            Err(NotSlots)
        }
    }
}

/// `surety audit replay`
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The process
    #[arg(allow_hyphen_values = true)]
    process: ProcessId,
    /// The slots to compare, like 16..32; all are evaluated up to the last of them
    #[arg(long, value_name = "A..B")]
    slots: Option<Slots>,
    /// Execute nothing unless claims, or the node, differ in what they say of the slots; then up to where they do
    #[arg(long)]
    differing: bool,
}

/// Something said of the process that the replay refutes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mismatch {
    /// The slot whose leaf, or after which the state, is false.
    slot: u64,
    /// Who says it: the node, or the claimants of a claim.
    by: String,
    /// The claim, if it is one.
    claim: Option<String>,
    /// What differs.
    field: &'static str,
    /// What is said.
    claimed: String,
    /// What the messages give.
    replayed: String,
}

/// What was done.
#[derive(Debug, Default)]
struct Done {
    /// Slots that the log has of those that were asked for.
    slots: u64,
    /// Slots that were executed.
    executed: u64,
    /// Slots of which something is said, each of them as it is.
    compared: u64,
    /// Claims that say something of the slots that were asked for.
    claims: u64,
    /// Claims of those that go beyond the end of the log.
    beyond: u64,
    evaluating: Duration,
}

impl Done {
    /// Rule RP-5.
    fn compared_some(self, nothing: impl Fn(u64) -> CliError) -> Result<Done, CliError> {
        match (self.slots, self.compared) {
            (0, _) => Err(unknown()),
            (slots, 0) => Err(nothing(slots)),
            _ => Ok(self),
        }
    }

    fn to_json(&self, process: &ProcessId) -> Value {
        let micros = self.evaluating.as_micros();
        let rate = u128::from(self.executed)
            .saturating_mul(1_000_000)
            .checked_div(micros)
            .and_then(|it| u64::try_from(it).ok());
        // Nothing that was not done has a speed.
        let timed = self.executed > 0;
        json!({
            "process": process,
            "agrees": true,
            "slots": self.slots,
            "compared": self.compared,
            "claims": self.claims,
            "claims_beyond_the_log": (self.beyond > 0).then_some(self.beyond),
            "executed": self.executed,
            "seconds": timed.then(|| seconds(self.evaluating)),
            "slots_per_second": rate.filter(|_| timed),
        })
    }
}

pub(super) fn run(context: &Context, verb: &Replay) -> Result<(), CliError> {
    let slots = verb.slots.clone().map_or(0..u64::MAX, |it| it.0);
    let done = context.block_on(replay(context, verb, slots))?;
    let told = done.to_json(&verb.process);
    context.shell.table(&show::fields(&told), &told)
}

/// No slot of the log is among those that were asked for.
fn unknown() -> CliError {
    let message = "the node knows none of the slots that were asked for";
    CliError::new(Exit::Failure, "slot-unknown", message)
        .with_help("see `surety process assignments`")
}

/// Rule RP-5.
fn unsaid(slots: u64) -> CliError {
    let message = format!(
        "nothing to compare: the node has evaluated none of the {slots} slots, and has kept no claim of any of them"
    );
    CliError::new(Exit::Failure, "nothing-said", message).with_help(
        "name a compute unit of the process with --node URL; one that is catching up says it later",
    )
}

/// Rule RP-5.
fn said_once(slots: u64) -> CliError {
    let message =
        format!("nothing to compare: the node does not know two words on any of the {slots} slots");
    CliError::new(Exit::Failure, "nothing-said", message).with_help(
        "name a compute unit of the process with --node URL; without --differing, one word is enough",
    )
}

/// Rule RP-5.
fn short(size: u64) -> CliError {
    let message = format!("what differs cannot be judged: the node's log has {size} slots");
    CliError::new(Exit::Failure, "log-short", message)
        .with_help("it may be catching up: try again, or ask another node")
}

fn differs(it: &Mismatch) -> CliError {
    let claim = it
        .claim
        .as_ref()
        .map(|id| format!(" in claim {id}"))
        .unwrap_or_default();
    let message = format!(
        "slot {}: {} says that the {} is {}{claim}, but the messages give {}",
        it.slot, it.by, it.field, it.claimed, it.replayed
    );
    CliError::new(Exit::VerificationFailed, "replay-differs", message).with_help(
        "staked verifiers make evidence of it: see `surety audit challenge`, and the node's /v1/evidence",
    )
}

async fn replay(context: &Context, verb: &Replay, mut slots: Range<u64>) -> Result<Done, CliError> {
    let (client, process) = (context.client()?, verb.process);
    let told = client.get("/v1/ledger/profiles").await?;
    let (profiles, engines) = (profiles(&told)?, Engines::wasm());
    let mut source = Source::open(&client, process).await?;
    let claims = Claims::fetch(&client, process, &slots).await?;
    context.shell.progress(match claims.len() {
        0 => "the node has kept no claim of these slots: its own results are compared".to_owned(),
        some => format!("{some} claims speak of these slots"),
    });
    let mut done = Done {
        claims: claims.len(),
        ..Done::default()
    };
    if verb.differing {
        let node = source.said(&client, &slots).await?;
        let Some(slot) = claims.first_difference(&node, &slots) else {
            done.slots = u64::try_from(node.len()).unwrap_or(u64::MAX);
            done.compared = claims.twice_said(&node);
            let end = slots.start.saturating_add(done.slots);
            if end < slots.end {
                done.beyond = claims.beyond(end);
            }
            return done.compared_some(said_once);
        };
        context
            .shell
            .progress(format!("what is said of slot {slot} differs"));
        slots.end = slot.saturating_add(1);
    }
    let mut replayed = Replayed::new(&engines, profiles, &source.process, &source.module);
    while replayed.size() < slots.end {
        let left = slots.end.saturating_sub(replayed.size());
        let page = source
            .page(&client, replayed.size(), left.min(PAGE))
            .await?;
        if page.is_empty() {
            break;
        }
        for entry in page {
            let started = Instant::now();
            let head_wanted = claims.ends_at(replayed.size().saturating_add(1));
            let step = replayed.step(&entry.input, head_wanted)?;
            done.evaluating = done.evaluating.saturating_add(started.elapsed());
            done.executed = done.executed.saturating_add(1);
            if !slots.contains(&step.leaf.slot.0) {
                continue;
            }
            done.slots = done.slots.saturating_add(1);
            let found = entry.compare(&step.leaf).or_else(|| claims.compare(&step));
            if let Some(found) = found {
                return Err(differs(&found));
            }
            if entry.is_said() || claims.says(step.leaf.slot.0) {
                done.compared = done.compared.saturating_add(1);
            }
        }
        let (executed, compared) = (done.executed, done.compared);
        context.shell.progress(format!(
            "{executed} slots executed; {compared} were compared, and nothing differs"
        ));
    }
    let size = replayed.size();
    if size < slots.end {
        if verb.differing {
            return Err(short(size));
        }
        done.beyond = claims.beyond(size);
    }
    done.compared_some(unsaid)
}

/// The profiles of the network as the node tells them; the claims name the same, or are found to differ.
fn profiles(told: &Value) -> Result<Profiles, CliError> {
    let mut all = Vec::new();
    let items = told.get("items").and_then(Value::as_array);
    for it in items.into_iter().flatten() {
        let (from, profile) = (Height(number(it, "from")?), profile(it)?);
        all.push(Activation { from, profile });
    }
    Profiles::try_from(all).map_err(|why| {
        let message = format!("the node's profiles are not those of a network: {why}");
        CliError::new(Exit::Failure, "profile-unknown", message)
            .with_help("use the version of surety that the network runs")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_read_as_they_are_written() {
        let read = |text: &str| text.parse::<Slots>().map(|it| it.0);
        assert_eq!(read("3..7"), Ok(3..7));
        assert_eq!(read("3..=7"), Ok(3..8));
        assert_eq!(read("3.."), Ok(3..u64::MAX));
        assert_eq!(read("..7"), Ok(0..7));
        for wrong in [
            "",
            "3",
            "7..3",
            "3..3",
            "a..b",
            "..=18446744073709551615",
            "-1..2",
        ] {
            assert_eq!(read(wrong), Err(NotSlots), "{wrong}");
        }
    }
}
