//! `surety-sim theory`: the odds of liars as a table.

use clap::Args;
use serde_json::json;
use surety_node::shell::{CliError, Exit, Shell};

use crate::random::Random;
use crate::theory::{Case, TRANCHES};

/// Shares of the eligible tickets that lie together.
const SHARES: [u64; 3] = [10, 20, 33];
/// Tickets that must approve: the first are drawn, the others are too rare for that.
const SAMPLED: std::ops::RangeInclusive<u64> = 2..=10;
const COMPUTED: [u64; 4] = [16, 24, 32, 64];

#[derive(Debug, Args)]
pub(super) struct Theory {
    /// The seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many claims are drawn for each line.
    #[arg(long, default_value_t = 5_000)]
    claims: u64,
    /// How many tickets may draw.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(100..=4_000))]
    tickets: u64,
}

pub(super) fn run(args: &Theory, shell: &Shell) -> Result<(), CliError> {
    let mut random = Random::new(args.seed);
    let (tickets, claims) = (args.tickets, args.claims);
    let heading = format!(
        "{tickets} tickets; {claims} claims drawn for each line; certified: in tranche 0, in any of {}, and unseen by everybody else",
        TRANCHES + 1
    );
    let columns = "| liars | k | tranche 0 drawn | computed | any drawn | at most | unseen drawn | at most | look |";
    let rule = "|---|---|---|---|---|---|---|---|---|";
    shell.data(
        format!("{heading}\n\n{columns}\n{rule}"),
        &json!({ "tickets": tickets, "claims": claims }),
    )?;
    for share in SHARES {
        for k in SAMPLED.chain(COMPUTED) {
            let case = Case { tickets, share, k };
            let drawn = if SAMPLED.contains(&k) {
                let drawn = case.sample(claims, &mut random);
                Some(drawn.map_err(|it| CliError::new(Exit::Failure, "no-lot", it))?)
            } else {
                None
            };
            let shown = |it: Option<f64>| it.map_or_else(|| "-".into(), odds);
            let (at_once, ever, unseen) = (case.at_once(), case.ever(), case.unseen());
            let line = format!(
                "| {share} % | {k} | {} | {} | {} | {} | {} | {} | {} |",
                shown(drawn.map(|it| it.at_once)),
                odds(at_once),
                shown(drawn.map(|it| it.ever)),
                odds(ever),
                shown(drawn.map(|it| it.unseen)),
                odds(unseen),
                drawn.map_or_else(|| "-".into(), |it| format!("{:.1}", it.lookers)),
            );
            let data = json!({
                "share": share,
                "k": k,
                "drawn": drawn.map(|it| json!({
                    "at_once": it.at_once,
                    "ever": it.ever,
                    "unseen": it.unseen,
                    "lookers": it.lookers,
                })),
                "at_once": at_once,
                "ever": ever,
                "unseen": unseen,
            });
            shell.data(line, &data)?;
        }
    }
    Ok(())
}

/// A chance as people read it.
fn odds(chance: f64) -> String {
    match chance {
        0.0 => "0".into(),
        it if it >= 0.001 => format!("{it:.4}"),
        it => format!("{it:.1e}"),
    }
}
