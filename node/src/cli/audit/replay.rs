//! `surety audit replay`: a process evaluated here from its messages alone, and everything claimed about it compared.
//!
//! # Rules
//!
//! - `[RP-1]` The node gives items, which have to be authentic and to make one unbroken log, and claims, which are compared. Nothing
//!   that it evaluated is used.
//! - `[RP-2]` Evaluation starts at slot 0 whatever stretch is compared, for no state but that one is known without trust.
//! - `[RP-3]` What differs is told by the first slot that differs.
//! - `[RP-4]` With `--differing` nothing is executed as long as all claims and the node say the same of the slots: equal roots are equal
//!   histories. Else what was said is compared up to the first slot of which two things are said.

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
    slots: u64,
    compared: u64,
    claims: u64,
    evaluating: Duration,
}

impl Done {
    /// Fails if no slot was compared.
    fn of_some(self) -> Result<Done, CliError> {
        if self.compared > 0 {
            return Ok(self);
        }
        let message = match self.slots {
            0 => "the process has none of the slots that were asked for".to_owned(),
            slots => format!("the process has {slots} slots, none of them among those asked for"),
        };
        Err(CliError::new(Exit::Failure, "slot-unknown", message)
            .with_help("see `surety process assignments`"))
    }
}

pub(super) fn run(context: &Context, verb: &Replay) -> Result<(), CliError> {
    let slots = verb.slots.clone().map_or(0..u64::MAX, |it| it.0);
    let (done, mismatch) = context.block_on(replay(context, verb, slots))?;
    let millis = u64::try_from(done.evaluating.as_millis())
        .unwrap_or(u64::MAX)
        .max(1);
    let rate = done.slots.saturating_mul(1000) / millis;
    let told = json!({
        "process": verb.process,
        "agrees": mismatch.is_none(),
        "slots": done.slots,
        "compared": done.compared,
        "claims": done.claims,
        "seconds": done.evaluating.as_secs_f64(),
        "slots_per_second": rate,
    });
    match mismatch {
        None => context.shell.table(&show::fields(&told), &told),
        Some(it) => Err(differs(&it)),
    }
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

async fn replay(
    context: &Context,
    verb: &Replay,
    mut slots: Range<u64>,
) -> Result<(Done, Option<Mismatch>), CliError> {
    let (client, process) = (context.client()?, verb.process);
    let told = client.get("/v1/ledger/profiles").await?;
    let (profiles, engines) = (profiles(&told)?, Engines::wasm());
    let mut source = Source::open(&client, process).await?;
    let claims = Claims::fetch(&client, process, &slots).await?;
    context
        .shell
        .progress(format!("{} claims of the process are known", claims.len()));
    if verb.differing {
        let node = source.said(&client, &slots).await?;
        let Some(slot) = claims.first_difference(&node, &slots) else {
            let done = Done {
                claims: claims.len(),
                compared: claims.said(&node, &slots),
                ..Done::default()
            };
            return done.of_some().map(|done| (done, None));
        };
        context
            .shell
            .progress(format!("what is said of slot {slot} differs"));
        slots.end = slot.saturating_add(1);
    }
    let mut replayed = Replayed::new(&engines, profiles, &source.process, &source.module);
    let mut done = Done {
        claims: claims.len(),
        ..Done::default()
    };
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
            done.slots = done.slots.saturating_add(1);
            if !slots.contains(&step.leaf.slot.0) {
                continue;
            }
            done.compared = done.compared.saturating_add(1);
            let found = entry.compare(&step.leaf).or_else(|| claims.compare(&step));
            if found.is_some() {
                return Ok((done, found));
            }
        }
        context
            .shell
            .progress(format!("{} slots agree", done.slots));
    }
    done.of_some().map(|done| (done, None))
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
