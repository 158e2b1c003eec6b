//! The command line of the simulator: runs simulated networks, and replays one from its seed.

mod crowd;
mod economy;
mod pace;
mod planned;
mod replay;
mod scale;
mod sweep;
mod theory;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};
use surety_node::shell::{CliError, Exit, Shell, usage};

use crate::ploy::Ploy;

use crowd::Crowd;
use economy::Economy;
use pace::Pace;
use planned::Planned;
use replay::Replay;
use scale::Scale;
use sweep::Finished;
use theory::Theory;

/// Whole networks of Surety nodes under virtual time.
#[derive(Debug, Parser)]
#[command(name = "surety sim", bin_name = "surety sim", version)]
struct Cli {
    /// One line of JSON for each run.
    #[arg(long, global = true)]
    json: bool,
    /// Say nothing of runs that are clean.
    #[arg(long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one seed, or a range of them; the same command gives the same digests.
    Run(Run),
    /// Run one seed once more and show its events, and where the nodes stand in the end.
    Replay(Replay),
    /// Draw the lot many times: how often liars certify what is false, beside what theory says.
    Theory(Theory),
    /// Follow those who approve without looking, copy, share or lie through many epochs: what it pays.
    Economy(Economy),
    /// Measure what a message costs a node among up to a hundred thousand processes.
    Crowd(Crowd),
    /// Follow claims through networks of up to ten thousand verifiers: time to a certificate, executions, bytes.
    Scale(Scale),
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    planned: Planned,
    /// How many seeds from there on.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// How many seeds run at a time [default: as many as there are cores].
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
    /// Say what the nodes do meanwhile, on stderr.
    #[arg(long)]
    watch: bool,
}

/// Runs the program.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli: Cli = match usage::parse(&args) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let shell = Shell::new(cli.json, cli.quiet);
    shell.end(match cli.command {
        Command::Run(args) => run(&args, &shell, cli.quiet),
        Command::Replay(args) => replay::run(&args, &shell),
        Command::Theory(args) => theory::run(&args, &shell),
        Command::Crowd(args) => crowd::run(&args, &shell),
        Command::Economy(args) => economy::run(&args, &shell),
        Command::Scale(args) => scale::run(&args, &shell),
    })
}

fn run(args: &Run, shell: &Shell, quiet: bool) -> Result<(), CliError> {
    let first = args.planned.seed;
    let plan = |index| args.planned.plan(first.saturating_add(index));
    let jobs = args.jobs.map_or_else(sweep::cores, NonZeroUsize::get);
    let mut unclean = Vec::new();
    let mut pace = Pace::start();
    let mut told = Ok(());
    sweep::run(args.seeds, plan, jobs, args.watch, |it| {
        pace.add(&it.outcome);
        let violated = it.outcome.violation.is_some();
        if violated {
            unclean.push(it.outcome.plan.seed);
        }
        if told.is_ok() && (violated || shell.json() || !quiet) {
            told = shell.data(human(&it), &data(&it));
        }
    });
    told?;
    // Where runs say nothing, how fast they went and that they are clean are the results.
    let tell = |said: String| match quiet && !shell.json() {
        true => shell.data(&said, &Value::Null),
        false => {
            shell.progress(said);
            Ok(())
        }
    };
    if args.seeds > 1 {
        tell(pace.describe())?;
    }
    if unclean.is_empty() {
        return tell(match args.seeds {
            1 => "no violation".to_owned(),
            seeds => format!("all {seeds} seeds are clean"),
        });
    }
    let message = format!(
        "{} of {} seeds are not clean: {unclean:?}",
        unclean.len(),
        args.seeds
    );
    Err(CliError::new(Exit::Failure, "not-clean", message)
        .with_help("`replay` with the same options and one of these seeds shows what happened"))
}

fn human(it: &Finished) -> String {
    let outcome = &it.outcome;
    let faults: Vec<String> = outcome
        .plan
        .faults
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut text = format!(
        "seed {} {} events {} virtual {} ms blocks {} slots {} claims {} certified {} slashed {} nodes {} crashes {} \
         loss {}% partitions {} late {} spam {} flight {} ploy {} faults [{}]",
        outcome.plan.seed,
        outcome.digest,
        outcome.events,
        outcome.virtual_ms,
        outcome.blocks,
        outcome.slots,
        outcome.claims,
        outcome.certified,
        outcome.slashed,
        outcome.plan.nodes,
        outcome.crashes,
        outcome.plan.loss,
        outcome.plan.partitions,
        outcome.plan.late,
        outcome.plan.spam,
        outcome.plan.flight,
        outcome.ploy.map_or("none", Ploy::name),
        faults.join(" "),
    );
    if let Some(violation) = &outcome.violation {
        text.push_str(&format!(
            "\nVIOLATION at event {}: {violation}\nreplay {} --until {}",
            outcome.events,
            planned::arguments(&outcome.plan).join(" "),
            outcome.events
        ));
    }
    text
}

fn data(
    Finished {
        outcome: it,
        took_ms,
    }: &Finished,
) -> Value {
    let faults: Vec<String> = it.plan.faults.iter().map(ToString::to_string).collect();
    let violation = it.violation.as_ref().map(|violation| {
        json!({ "invariant": violation.invariant, "what": violation.what, "event": it.events })
    });
    json!({
        "arguments": planned::arguments(&it.plan),
        "seed": it.plan.seed,
        "nodes": it.plan.nodes,
        "faults": faults,
        "loss": it.plan.loss,
        "partitions": it.plan.partitions,
        "late": it.plan.late,
        "spam": it.plan.spam,
        "flight": it.plan.flight,
        "ploy": it.ploy.map(Ploy::name),
        "digest": it.digest.to_string(),
        "events": it.events,
        "virtual_ms": it.virtual_ms,
        "took_ms": took_ms,
        "blocks": it.blocks,
        "slots": it.slots,
        "claims": it.claims,
        "certified": it.certified,
        "slashed": it.slashed,
        "crashes": it.crashes,
        "violation": violation,
    })
}
