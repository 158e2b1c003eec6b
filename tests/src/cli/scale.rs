//! `surety-sim scale`: what a claim costs, and how long it takes, in networks of up to ten thousand verifiers.

use clap::Args;
use serde_json::json;
use surety_node::shell::{CliError, Exit, Shell};
use surety_protocol::params::Params;

use crate::random::Random;
use crate::scale::{Globe, Outcome, Setting};

#[derive(Debug, Args)]
pub(super) struct Scale {
    /// The seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many claims are followed in each network.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    claims: u64,
    /// How many verifiers each network has.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 10_000])]
    verifiers: Vec<usize>,
    /// Of a hundred verifiers so many are asleep.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=100))]
    asleep: u64,
    /// Milliseconds that the new leaves of a claim take to execute.
    #[arg(long, default_value_t = 150, value_parser = clap::value_parser!(u64).range(0..=3_600_000))]
    execution: u64,
}

pub(super) fn run(args: &Scale, shell: &Shell) -> Result<(), CliError> {
    let params = Params::standard();
    let heading = format!(
        "k = {}; {} claims in each network; {} % asleep; {} ms to execute; seconds from claim to certificate",
        params.k, args.claims, args.asleep, args.execution
    );
    let columns = "| verifiers | certified | p50 | p95 | p99 | executions | kB for each node |";
    shell.data(
        format!("{heading}\n\n{columns}\n|---|---|---|---|---|---|---|"),
        &json!({ "k": params.k, "claims": args.claims, "asleep": args.asleep, "execution": args.execution }),
    )?;
    for verifiers in &args.verifiers {
        let failed = |it| CliError::new(Exit::Failure, "no-network", it);
        let setting = Setting {
            verifiers: *verifiers,
            asleep: args.asleep,
            execution: args.execution.saturating_mul(1_000),
        };
        let mut random = Random::new(args.seed);
        let globe = Globe::new(setting, params.clone(), &mut random).map_err(failed)?;
        let claims = (0..args.claims).map(|it| globe.claim(it, &mut random));
        let outcomes = claims.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let mut times: Vec<u64> = outcomes.iter().filter_map(|it| it.certified).collect();
        times.sort_unstable();
        // Of all claims: those that are not certified wait for ever.
        let count = outcomes.len();
        let centile = |it: usize| times.get(count.saturating_mul(it) / 100).copied();
        let all = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>() / args.claims;
        let (executions, bytes) = (all(|it| it.executions), all(|it| it.bytes));
        let [p50, p95, p99] = [50, 95, 99].map(centile);
        let seconds = |it: Option<u64>| match it {
            Some(it) => format!("{}.{:02}", it / 1_000_000, it / 10_000 % 100),
            None => "-".into(),
        };
        let line = format!(
            "| {verifiers} | {} | {} | {} | {} | {executions} | {} |",
            times.len(),
            seconds(p50),
            seconds(p95),
            seconds(p99),
            bytes / 1_000,
        );
        let data = json!({
            "verifiers": verifiers,
            "certified": times.len(),
            "p50_us": p50,
            "p95_us": p95,
            "p99_us": p99,
            "executions": executions,
            "bytes": bytes,
        });
        shell.data(line, &data)?;
    }
    Ok(())
}
