//! The built-in workload: two processes, messages to both, and messages between them.

use std::collections::BTreeSet;

use serde_json::Value;
use surety_protocol::item::ItemDraft;
use tokio::time::Instant;

use super::child::Network;
use super::fund::sign;
use super::plan::{Plan, culprit};
use super::{DevnetError, Options, until};
use crate::client::Client;
use crate::fault::Fault;
use crate::shell::Shell;

/// Messages to the first process; with its own item and what is pushed to it, more than 32 slots.
const FIRST: usize = 34;
/// Messages to the second process.
const SECOND: usize = 20;
/// How long the whole workload may take.
const LATEST: std::time::Duration = std::time::Duration::from_secs(150);

/// One process of the workload.
struct Process {
    id: String,
    sent: u64,
}

/// Plays the workload and waits until everything is evaluated and certified, and every fault is punished; gives its processes,
/// the first one first.
pub(super) async fn play(
    options: &Options,
    plan: &Plan,
    network: &Network,
    module: &str,
    shell: &Shell,
) -> Result<[String; 2], DevnetError> {
    let played = tokio::time::timeout(LATEST, async {
        let aos = options.module.is_some();
        let doubles = options
            .faults
            .iter()
            .any(|it| matches!(it, Fault::DoubleAssign(_)));
        // A scheduler's fault needs a process that the faulty node schedules.
        let scheduler = if doubles {
            plan.item_key(1)
        } else {
            plan.item_key(0)
        };
        let api = network.first_api();
        let mut first = spawn(plan, api, module, scheduler).await?;
        // The faults are on the first process that the faulty node sees.
        for node in network.nodes() {
            let path = format!("/v1/processes/{}", first.id);
            until("every node knows the first process", || async {
                node.api().get(&path).await.ok()
            })
            .await?;
        }
        let mut second = spawn(plan, api, module, plan.item_key(0)).await?;
        shell.progress(format!("processes {} and {}", first.id, second.id));
        // A process is used when it is known to run: every node has fetched and compiled the module then.
        certified(api, &first, shell).await?;
        certified(api, &second, shell).await?;
        for index in 0..FIRST.max(SECOND) {
            if index < FIRST {
                let draft = message(aos, &first, &second, index, true);
                send(plan, api, &mut first, draft).await?;
            }
            if index < SECOND {
                let draft = message(aos, &second, &first, index, false);
                send(plan, api, &mut second, draft).await?;
            }
        }
        shell.progress("all messages have their slots");
        certified(api, &first, shell).await?;
        certified(api, &second, shell).await?;
        // A verifier's fault may have concerned nothing.
        if options.faults.iter().any(|it| !it.is_a_verifiers()) {
            until("the fault is punished", || async {
                let slashings = api.get("/v1/slashings").await.ok()?;
                (!list(&slashings).is_empty()).then_some(())
            })
            .await?;
        }
        if options.faults.iter().any(|it| it.blind_slot().is_some()) {
            blind(options, api).await?;
        }
        Ok([first.id, second.id])
    });
    played
        .await
        .map_err(|_| DevnetError::Late("the workload did not end".into()))?
}

/// Waits until who approved blindly is punished too, if it drew a ticket: others tell of it within this many blocks.
async fn blind(options: &Options, api: &Client) -> Result<(), DevnetError> {
    const BLOCKS: u64 = 24;
    let expected = options.faults.iter().map(culprit).collect::<BTreeSet<_>>();
    let height = || async {
        let status = api.get("/v1/ledger").await.ok()?;
        status.get("height")?.as_u64()
    };
    let punished = until("the ledger answers", height).await?;
    until("everybody who lied is punished", || async {
        let slashings = api.get("/v1/slashings").await.ok()?;
        let all = list(&slashings).len() >= expected.len();
        (all || height().await? >= punished.saturating_add(BLOCKS)).then_some(())
    })
    .await
}

async fn spawn(
    plan: &Plan,
    api: &Client,
    module: &str,
    scheduler: surety_protocol::id::Address,
) -> Result<Process, DevnetError> {
    let draft = ItemDraft::default()
        .tag("Data-Protocol", "ao")
        .tag("Variant", "ao.TN.1")
        .tag("Type", "Process")
        .tag("Module", module)
        .tag("Scheduler", scheduler.to_string())
        .tag("Authority", plan.item_key(0).to_string())
        .tag("Content-Type", "text/plain")
        .carrying("1984")
        .anchored(anchor()?);
    let item = sign(&plan.wallet, draft)?;
    api.send_item(&item).await?;
    Ok(Process {
        id: item.id().to_string(),
        sent: 1,
    })
}

/// A message of the workload: evaluations, a handler, and every few messages one that makes its process write to the other.
fn message(aos: bool, to: &Process, other: &Process, index: usize, first: bool) -> ItemDraft {
    let base = ItemDraft::default()
        .tag("Data-Protocol", "ao")
        .tag("Variant", "ao.TN.1")
        .tag("Type", "Message");
    let target: surety_protocol::id::ProcessId = to.id.parse().unwrap_or_default();
    let base = base.to(*target.as_bytes());
    let talks = first && index % 8 == 3;
    if !aos {
        let base = base
            .tag("Action", "Count")
            .carrying(format!("message {index}"));
        return if talks {
            base.tag("Forward-To", other.id.as_str())
        } else {
            base
        };
    }
    let code = match index {
        0 => "Handlers.add('ping', Handlers.utils.hasMatchingTag('Action', 'Ping'), \
              function(m) Pings = (Pings or 0) + 1; m.reply({Action = 'Pong', Data = tostring(Pings)}) end); \
              return 'handler'"
            .to_owned(),
        _ if talks => format!(
            "ao.send({{Target = '{}', Action = 'Ping', Data = 'from {index}'}}); return 'sent'",
            other.id
        ),
        _ => format!("Count = (Count or 0) + {index}; return Count"),
    };
    base.tag("Action", "Eval").carrying(code)
}

async fn send(
    plan: &Plan,
    api: &Client,
    process: &mut Process,
    draft: ItemDraft,
) -> Result<(), DevnetError> {
    let item = sign(&plan.wallet, draft.anchored(anchor()?))?;
    api.send_item(&item).await?;
    process.sent = process.sent.saturating_add(1);
    Ok(())
}

/// Waits until a process has all its slots, and all of them are certified and stay so.
async fn certified(api: &Client, process: &Process, shell: &Shell) -> Result<(), DevnetError> {
    let path = format!("/v1/processes/{}", process.id);
    let mut told = 0;
    let mut since = Instant::now();
    let mut last = 0;
    loop {
        let about = api.get(&path).await?;
        let number = |name: &str| about.get(name).and_then(Value::as_u64).unwrap_or(0);
        let (slots, certified) = (number("slots"), number("certified"));
        if certified > told {
            told = certified;
            shell.progress(format!(
                "{}: {certified} of {slots} slots certified",
                process.id
            ));
        }
        if slots != last {
            last = slots;
            since = Instant::now();
        }
        // What one process sends the other arrives late: the log has to rest before it counts as whole.
        let rests = since.elapsed() >= std::time::Duration::from_secs(1);
        if slots >= process.sent && certified >= slots && rests {
            return Ok(());
        }
        tokio::time::sleep(super::ASK).await;
    }
}

/// Random bytes that are also text, so that equal messages have different ids.
fn anchor() -> Result<[u8; 32], DevnetError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|it| DevnetError::Other(it.to_string()))?;
    Ok(bytes.map(|byte| b'a' + byte % 26))
}

/// The entries of a list document.
pub(super) fn list(document: &Value) -> Vec<Value> {
    let found = document
        .as_array()
        .or_else(|| document.as_object()?.values().find_map(Value::as_array));
    found.cloned().unwrap_or_default()
}
