//! `surety-sim crowd`: what a node pays for a message, however many processes there are.

use clap::Args;
use serde_json::json;
use surety_node::shell::{CliError, Exit, Shell};

use crate::cast::{self, NODES_MIN, Plan};
use crate::simulation::run_metered;

#[derive(Debug, Args)]
pub(super) struct Crowd {
    /// The seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many processes each network has.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 10_000, 100_000], value_parser = clap::value_parser!(u64).range(1..))]
    processes: Vec<u64>,
    /// How many processes begin in a second.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    spawns: u64,
    /// Messages that users send in a second, each to one of the processes.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    messages: u64,
    /// Seconds for which they do.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How many nodes.
    #[arg(long, default_value_t = NODES_MIN)]
    nodes: usize,
}

pub(super) fn run(args: &Crowd, shell: &Shell) -> Result<(), CliError> {
    let sent = args.messages.saturating_mul(args.seconds);
    let nodes = u64::try_from(args.nodes).unwrap_or(u64::MAX);
    let heading = format!(
        "{nodes} nodes; {} messages a second for {} s, each to one of the processes; what a node pays for each of them, with ideal \
         signatures and its disk in memory",
        args.messages, args.seconds
    );
    let columns = "| processes | processor, us | gossip, bytes | fetched, bytes | written, bytes |";
    shell.data(
        format!("{heading}\n\n{columns}\n|---|---|---|---|---|"),
        &json!({ "nodes": nodes, "messages": args.messages, "seconds": args.seconds }),
    )?;
    for processes in &args.processes {
        let crowd = cast::Crowd {
            processes: *processes,
            spawns: args.spawns,
            messages: args.messages,
            seconds: args.seconds,
        };
        let plan = Plan {
            nodes: args.nodes,
            crowd: Some(crowd),
            ..Plan::quiet(args.seed)
        };
        let (outcome, meter) = run_metered(&plan);
        if let Some(violation) = outcome.violation {
            let message = format!("{processes} processes: {violation}");
            return Err(CliError::new(Exit::Failure, "not-clean", message));
        }
        let each = |all: u64| {
            let of_a_node = all.checked_div(nodes).unwrap_or(0);
            of_a_node.checked_div(sent).unwrap_or(0)
        };
        let spent = u64::try_from(meter.spent.as_micros()).unwrap_or(u64::MAX);
        let [spent, heard, fetched, written] =
            [spent, meter.heard, meter.fetched, meter.written].map(each);
        shell.data(
            format!("| {processes} | {spent} | {heard} | {fetched} | {written} |"),
            &json!({
                "processes": processes,
                "processor_us": spent,
                "gossip": heard,
                "fetched": fetched,
                "written": written,
                "events": outcome.events,
                "certified": outcome.certified,
            }),
        )?;
    }
    Ok(())
}
