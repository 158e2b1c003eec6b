//! `surety-fuzz`: cases that nobody chose, for as long as wanted; each failure is repeated by its number.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::json;
use surety_harness::fuzz::Target;
use surety_node::shell::{CliError, Exit, Shell, usage};

/// Puts everything that takes bytes of strangers to the test.
#[derive(Debug, Parser)]
#[command(name = "surety-fuzz", version)]
struct Cli {
    /// What to test: modules, decoders, witness, or all of them in turn.
    #[arg(value_parser = ["modules", "decoders", "witness", "all"])]
    target: String,
    /// How long, for all targets together [default: 60, or until the cases are done].
    #[arg(long)]
    seconds: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds of each target from there on, at most.
    #[arg(long)]
    cases: Option<u64>,
    /// One line of JSON for each target.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let cli: Cli = match usage::parse(&args) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let shell = Shell::new(cli.json, false);
    shell.end(run(&cli, &shell))
}

fn run(cli: &Cli, shell: &Shell) -> Result<(), CliError> {
    let targets = match Target::of_name(&cli.target) {
        Some(target) => vec![target],
        None => Target::ALL.to_vec(),
    };
    let seconds = match (cli.seconds, cli.cases) {
        (Some(seconds), _) => Some(seconds),
        (None, Some(_)) => None,
        (None, None) => Some(60),
    };
    let each = seconds.map(|seconds| Duration::from_secs(seconds) / targets.len() as u32);
    for target in targets {
        let begin = Instant::now();
        let mut cases = 0;
        while cli.cases.is_none_or(|most| cases < most)
            && each.is_none_or(|most| begin.elapsed() < most)
        {
            let seed = cli.seed.wrapping_add(cases);
            if let Err(why) = target.case(seed) {
                let name = target.name();
                let message = format!("{name}, seed {seed}: {why}");
                return Err(
                    CliError::new(Exit::Failure, "case-failed", message).with_help(format!(
                        "repeat it with surety-fuzz {name} --seed {seed} --cases 1"
                    )),
                );
            }
            cases += 1;
        }
        let took = begin.elapsed().as_millis().max(1);
        let rate = u128::from(cases) * 1000 / took;
        let text = format!(
            "{}: {cases} cases from seed {} are clean, {rate} cases/s",
            target.name(),
            cli.seed
        );
        let data = json!({
            "target": target.name(),
            "seed": cli.seed,
            "cases": cases,
            "took_ms": u64::try_from(took).unwrap_or(u64::MAX),
        });
        shell.data(text, &data)?;
    }
    Ok(())
}
