//! `surety stake profile`: an operator's word on the network's next profile.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use surety_protocol::origin::Action;
use surety_protocol::profile::Profile;
use surety_protocol::profiles::Activation;
use surety_protocol::time::Height;

use super::Signing;
use crate::cli::origin::submit;
use crate::cli::remote::{number, profile};
use crate::cli::{Context, show};
use crate::client::{Client, ClientError};
use crate::shell::{CliError, Exit};

/// `surety stake profile`: what is not named stays as the last profile has it.
#[derive(Debug, Args)]
pub(super) struct Vote {
    /// The block height from which it is to hold
    #[arg(long, value_name = "HEIGHT")]
    from: u64,
    /// The version of the rules that are not numbers
    #[arg(long, value_name = "VERSION")]
    profile_version: Option<u32>,
    /// Gas of one input
    #[arg(long, value_name = "GAS")]
    gas_max: Option<u64>,
    /// Inputs from one state root to the next
    #[arg(long, value_name = "INPUTS")]
    stride: Option<u64>,
    /// Gas from one state root to the next
    #[arg(long, value_name = "GAS")]
    stride_gas_max: Option<u64>,
    /// Slots of the stack
    #[arg(long, value_name = "SLOTS")]
    stack_slots_max: Option<u32>,
    /// Bytes of memory
    #[arg(long, value_name = "BYTES")]
    memory_bytes_max: Option<u64>,
    /// Bytes of a module
    #[arg(long, value_name = "BYTES")]
    module_bytes_max: Option<u64>,
    /// Bytes of a module's reply
    #[arg(long, value_name = "BYTES")]
    reply_bytes_max: Option<u64>,
    #[command(flatten)]
    signing: Signing,
}

impl Vote {
    fn profile(&self, last: &Profile) -> Profile {
        Profile {
            version: self.profile_version.unwrap_or(last.version),
            gas_max: self.gas_max.unwrap_or(last.gas_max),
            stride: self.stride.unwrap_or(last.stride),
            stride_gas_max: self.stride_gas_max.unwrap_or(last.stride_gas_max),
            stack_slots_max: self.stack_slots_max.unwrap_or(last.stack_slots_max),
            memory_bytes_max: self.memory_bytes_max.unwrap_or(last.memory_bytes_max),
            module_bytes_max: self.module_bytes_max.unwrap_or(last.module_bytes_max),
            reply_bytes_max: self.reply_bytes_max.unwrap_or(last.reply_bytes_max),
        }
    }
}

pub(super) fn run(context: &Context, verb: &Vote) -> Result<(), CliError> {
    let key = verb.signing.signer.open()?;
    let operator = key.address();
    context.block_on(async {
        let client = context.client()?;
        let told = client.get(PROFILES).await?;
        let last = items(&told, "items").last().ok_or_else(|| {
            CliError::new(Exit::Failure, "node-nonsense", "the node knows no profile")
                .with_help("is it a Surety node, and of this version?")
        })?;
        let wanted = verb.profile(&profile(last)?);
        if !wanted.executable() {
            let message = format!("this program does not execute version {}", wanted.version);
            return Err(CliError::new(Exit::Failure, "profile-unknown", message)
                .with_help("vote with the program that knows it; your node needs it too"));
        }
        let from = Height(verb.from);
        let wanted = Activation {
            from,
            profile: wanted,
        };
        let action = Action::Profile(Box::new(wanted.clone()));
        let mut submitted = submit(&client, &key, &action).await?;
        let mut status = "sent";
        if let Some(seconds) = verb.signing.wait {
            context
                .shell
                .progress(format!("item {} waits for a block", submitted.item));
            let (client, wanted) = (&client, &wanted);
            let operator = operator.to_string();
            let operator = operator.as_str();
            let shows = || stands(client, wanted, operator);
            let patience = Duration::from_secs(seconds);
            status = match submitted.wait(client, patience, shows).await? {
                Value::Bool(true) => "added",
                _ => "voted",
            };
        }
        let told = json!({
            "action": action.name(),
            "operator": operator,
            "item": submitted.item,
            "expires": submitted.expires,
            "status": status,
            "from": from,
        });
        context.shell.table(&show::fields(&told), &told)
    })
}

/// Where a node tells the profiles.
const PROFILES: &str = "/v1/ledger/profiles";

/// Whether the profile was added, if that or the vote for it stands on the ledger.
async fn stands(
    client: &Client,
    wanted: &Activation,
    operator: &str,
) -> Result<Option<Value>, ClientError> {
    let told = client.get(PROFILES).await?;
    let same = |it: &&Value| {
        let from = number(it, "from").is_ok_and(|from| Height(from) == wanted.from);
        from && profile(it).is_ok_and(|it| it == wanted.profile)
    };
    let by = |it: &&Value| it.get("operator").and_then(Value::as_str) == Some(operator);
    if items(&told, "items").iter().find(same).is_some() {
        return Ok(Some(Value::Bool(true)));
    }
    let voted = items(&told, "votes").iter().find(by);
    Ok(voted.filter(same).map(|_| Value::Bool(false)))
}

fn items<'a>(told: &'a Value, name: &str) -> &'a [Value] {
    told.get(name)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}
