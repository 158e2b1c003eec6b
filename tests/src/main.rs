//! `surety-sim`: runs simulated networks, and replays one from its seed.

mod sweep;

use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde_json::json;
use surety_harness::cast::{NODES_MIN, Plan, Weakness};
use surety_node::fault::Fault;

use sweep::Finished;

/// Whole networks of Surety nodes under virtual time.
#[derive(Debug, Parser)]
#[command(name = "surety-sim", version)]
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
}

#[derive(Debug, Args)]
struct Run {
    /// The (first) seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds from there on.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// How many seeds run at a time [default: as many as there are cores].
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
    /// Let each seed choose faults, loss and crashes itself.
    #[arg(long, conflicts_with_all = ["nodes", "messages", "fault", "loss", "crashes"])]
    mixed: bool,
    /// How many nodes.
    #[arg(long, default_value_t = NODES_MIN)]
    nodes: usize,
    /// Messages that users send to each of the two processes.
    #[arg(long, default_value_t = 16)]
    messages: u64,
    /// A fault to commit, for example `compute:wrong-result@3`.
    #[arg(long, value_name = "KIND@SLOT")]
    fault: Vec<Fault>,
    /// Lose so many of a hundred messages until the network heals.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=90))]
    loss: u64,
    /// How many times a node crashes.
    #[arg(long, default_value_t = 0)]
    crashes: usize,
    /// Switch a protection of the simulation off, to see the oracle notice.
    #[arg(long)]
    without: Option<Weakness>,
    /// Say what the nodes do meanwhile, on stderr.
    #[arg(long)]
    watch: bool,
}

fn main() -> ExitCode {
    let Cli {
        json,
        quiet,
        command: Command::Run(args),
    } = Cli::parse();
    let plan = |index| args.plan(args.seed.saturating_add(index));
    let jobs = args.jobs.map_or_else(sweep::cores, NonZeroUsize::get);
    let (mut clean, mut unclean) = (0_u64, Vec::new());
    sweep::run(args.seeds, plan, jobs, args.watch, |it| {
        if json {
            print_json(&it)
        } else if it.outcome.violation.is_some() || !quiet {
            print_text(&it)
        }
        match it.outcome.violation {
            None => clean += 1,
            Some(_) => unclean.push(it.outcome.plan.seed),
        }
    });
    if args.seeds > 1 && !json {
        println!("{clean} of {} seeds clean", args.seeds);
    }
    if unclean.is_empty() {
        ExitCode::SUCCESS
    } else {
        eprintln!("not clean: seeds {unclean:?}");
        ExitCode::FAILURE
    }
}

impl Run {
    fn plan(&self, seed: u64) -> Plan {
        let plan = if self.mixed {
            Plan::mixed(seed)
        } else {
            Plan {
                nodes: self.nodes,
                messages: self.messages,
                faults: self.fault.clone(),
                loss: self.loss,
                crashes: self.crashes,
                ..Plan::quiet(seed)
            }
        };
        Plan {
            weakness: self.without,
            ..plan
        }
    }
}

fn print_text(
    Finished {
        outcome: it,
        took_ms,
    }: &Finished,
) {
    let faults: Vec<String> = it.plan.faults.iter().map(ToString::to_string).collect();
    println!(
        "seed {} {} events {} virtual {} ms took {took_ms} ms blocks {} slots {} claims {} \
         certified {} slashed {} crashes {} loss {}% faults [{}]",
        it.plan.seed,
        it.digest,
        it.events,
        it.virtual_ms,
        it.blocks,
        it.slots,
        it.claims,
        it.certified,
        it.slashed,
        it.crashes,
        it.plan.loss,
        faults.join(" "),
    );
    if let Some(violation) = &it.violation {
        println!(
            "VIOLATION at event {} of seed {}: {violation}",
            it.events, it.plan.seed
        );
    }
}

fn print_json(
    Finished {
        outcome: it,
        took_ms,
    }: &Finished,
) {
    let faults: Vec<String> = it.plan.faults.iter().map(ToString::to_string).collect();
    let violation = it.violation.as_ref().map(|violation| {
        json!({ "invariant": violation.invariant, "what": violation.what, "event": it.events })
    });
    let data = json!({
        "seed": it.plan.seed,
        "nodes": it.plan.nodes,
        "faults": faults,
        "loss": it.plan.loss,
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
    });
    println!(
        "{}",
        json!({ "schema": 1, "ok": it.violation.is_none(), "data": data })
    );
}
