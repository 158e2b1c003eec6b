//! The plan of a run on the command line, and back.

use clap::{Args, Parser};
use surety_node::fault::Fault;

use crate::cast::{NODES_MIN, Plan, Weakness};
use crate::ploy::Ploy;

/// What happens in a run.
#[derive(Debug, Clone, Args)]
pub(super) struct Planned {
    /// The (first) seed.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Let each seed choose faults, loss and crashes itself.
    #[arg(long, conflicts_with_all = ["nodes", "messages", "fault", "loss", "crashes", "partitions", "late", "spam", "flight", "ploy"])]
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
    /// How many times the network falls into two parts for a while.
    #[arg(long, default_value_t = 0)]
    partitions: usize,
    /// How many of those who only verify come late, with an empty disk.
    #[arg(long, default_value_t = 0)]
    late: usize,
    /// How many altered, cut or stolen messages a spammer says before the network heals; it goes on like that.
    #[arg(long, default_value_t = 0)]
    spam: u64,
    /// Let liars take their stake out as soon as their lie counts.
    #[arg(long)]
    flight: bool,
    /// What somebody does beside, that no signature proves: withhold, censor, eclipse, skew or whale.
    #[arg(long)]
    ploy: Option<Ploy>,
    /// Switch a protection of the simulation off, to see the oracle notice.
    #[arg(long)]
    without: Option<Weakness>,
}

#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Alone {
    #[command(flatten)]
    planned: Planned,
}

impl Planned {
    /// The plan of one seed.
    pub(super) fn plan(&self, seed: u64) -> Plan {
        let plan = if self.mixed {
            Plan::mixed(seed)
        } else {
            Plan {
                nodes: self.nodes,
                messages: self.messages,
                faults: self.fault.clone(),
                loss: self.loss,
                crashes: self.crashes,
                partitions: self.partitions,
                late: self.late,
                spam: self.spam,
                flight: self.flight,
                ploy: self.ploy,
                ..Plan::quiet(seed)
            }
        };
        Plan {
            weakness: self.without,
            ..plan
        }
    }
}

/// The arguments that give a plan.
pub(super) fn arguments(plan: &Plan) -> Vec<String> {
    let mixed = Plan {
        weakness: plan.weakness,
        ..Plan::mixed(plan.seed)
    };
    let mut all = vec!["--seed".to_owned(), plan.seed.to_string()];
    let mut say = |name: &str, value: String| all.extend([format!("--{name}"), value]);
    if *plan == mixed {
        all.push("--mixed".to_owned());
    } else {
        say("nodes", plan.nodes.to_string());
        say("messages", plan.messages.to_string());
        for fault in &plan.faults {
            say("fault", fault.to_string());
        }
        say("loss", plan.loss.to_string());
        say("crashes", plan.crashes.to_string());
        say("partitions", plan.partitions.to_string());
        say("late", plan.late.to_string());
        say("spam", plan.spam.to_string());
        if plan.flight {
            all.push("--flight".to_owned());
        }
        if let Some(ploy) = plan.ploy {
            all.extend(["--ploy".to_owned(), ploy.to_string()]);
        }
    }
    if let Some(weakness) = plan.weakness {
        all.extend(["--without".to_owned(), weakness.to_string()]);
    }
    all
}

/// The plan that arguments give.
///
/// # Errors
/// What is wrong with them.
pub(super) fn plan(arguments: &[String]) -> Result<Plan, clap::Error> {
    let Alone { planned } = Alone::try_parse_from(arguments)?;
    Ok(planned.plan(planned.seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_give_the_plan_that_they_are_of() {
        let faults = ["compute:wrong-result@3", "verifier:no-show@1"];
        let made = Plan {
            nodes: 6,
            faults: faults.map(|it| it.parse().unwrap()).to_vec(),
            loss: 7,
            crashes: 2,
            spam: 9,
            flight: true,
            ploy: Some(Ploy::Eclipse),
            weakness: Some(Weakness::Amnesia),
            ..Plan::quiet(5)
        };
        let mixed = (1..20).map(Plan::mixed);
        for it in mixed.chain([made, Plan::quiet(4)]) {
            assert_eq!(plan(&arguments(&it)).unwrap(), it);
        }
    }
}
