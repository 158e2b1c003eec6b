//! Bringing a network to life on its ledger: operators register and bond, and the module is published.

use std::path::Path;

use serde_bytes::ByteBuf;
use serde_json::Value;
use surety_protocol::item::{Item, ItemDraft, ItemKey};
use surety_protocol::origin::{Action, Registration};
use surety_protocol::time::Height;
use surety_protocol::verified::Authentic;

use super::child::Network;
use super::plan::{BOND, Plan};
use super::{DevnetError, until};
use crate::client::Client;
use crate::shell::Shell;

/// Blocks for which the items of the start are good.
const LIFE: u64 = 600;

/// Registers and bonds every operator, and waits until all of them count, on every node.
pub(super) async fn bond_all(
    plan: &Plan,
    network: &Network,
    shell: &Shell,
) -> Result<(), DevnetError> {
    let api = network.first_api();
    shell.progress("operators register and bond");
    for (member, node) in plan.members.iter().zip(network.nodes()) {
        let about = node.api().get("/v1/node").await?;
        let peer = about
            .get("peer_id")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let peer = peer
            .parse::<libp2p::PeerId>()
            .map_err(|_| DevnetError::Other("a node without a peer id".into()))?;
        let registration = Registration {
            key: *member.hot.public_key(),
            possession: member.hot.prove_possession(),
            item_key: member.item_key,
            peer: ByteBuf::from(peer.to_bytes()),
        };
        act(
            api,
            plan,
            &member.operator,
            Action::Register(Box::new(registration)),
        )
        .await?;
        act(api, plan, &member.operator, Action::Bond(BOND)).await?;
    }
    for node in network.nodes() {
        for member in &plan.members {
            let path = format!("/v1/operators/{}", member.operator.address());
            until("every operator is active on every node", || async {
                let operator = node.api().get(&path).await.ok()?;
                operator.get("active")?.as_bool()?.then_some(())
            })
            .await?;
        }
    }
    Ok(())
}

/// Signs an action and puts it on the ledger.
async fn act(api: &Client, plan: &Plan, key: &ItemKey, action: Action) -> Result<(), DevnetError> {
    let ledger = api.get("/v1/ledger").await?;
    let height = ledger.get("height").and_then(Value::as_u64).unwrap_or(0);
    let draft = action
        .draft(&plan.network, Height(height).plus(LIFE))
        .map_err(|it| DevnetError::Other(it.to_string()))?;
    api.send_item(&*sign(key, draft)?).await?;
    Ok(())
}

/// Publishes the module; gives its id.
pub(super) async fn publish_module(
    plan: &Plan,
    api: &Client,
    file: Option<&Path>,
) -> Result<String, DevnetError> {
    let (name, bytes) = match file {
        None => ("counter".to_owned(), surety_attest::sample::WASM.to_vec()),
        Some(path) => {
            let bytes = read_module(path)?;
            let name = path
                .file_stem()
                .and_then(|it| it.to_str())
                .unwrap_or("module");
            (name.to_owned(), bytes)
        }
    };
    let draft = ItemDraft::default()
        .tag("Data-Protocol", "ao")
        .tag("Variant", "ao.TN.1")
        .tag("Type", "Module")
        .tag("Name", name)
        .tag("Module-Format", surety_attest::engine::format(&bytes))
        .tag("Input-Encoding", "JSON-1")
        .tag("Output-Encoding", "JSON-1")
        .tag("Memory-Limit", "1-gb")
        .tag("Compute-Limit", "9000000000000")
        .tag("Content-Type", "application/wasm")
        .carrying(bytes);
    let item = sign(&plan.wallet, draft)?;
    api.send_item(&item).await?;
    Ok(item.id().to_string())
}

pub(super) fn sign(key: &ItemKey, draft: ItemDraft) -> Result<Authentic<Item>, DevnetError> {
    key.sign_item(&draft)
        .map_err(|it| DevnetError::Other(it.to_string()))
}

/// The bytes of a module's file.
pub(super) fn read_module(path: &Path) -> Result<Vec<u8>, DevnetError> {
    std::fs::read(path).map_err(|error| DevnetError::File {
        what: format!("cannot read {}", path.display()),
        error,
    })
}
