//! Putting an action on the ledger, and waiting until it shows there.

use std::time::Duration;

use serde_json::Value;
use surety_protocol::id::{ItemId, NetworkId};
use surety_protocol::item::ItemKey;
use surety_protocol::origin::Action;
use surety_protocol::time::Height;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::remote::{number, parsed};
use super::sign;
use crate::client::{Client, ClientError};
use crate::shell::{CliError, Exit};

/// Blocks for which an action may wait if the ledger does not say how long it lets them.
const LIFE_BLOCKS: u64 = 600;
/// How often the ledger is asked.
const ASK: Duration = Duration::from_millis(200);

/// An action on its way.
pub(super) struct Submitted {
    /// Its item.
    pub(super) item: ItemId,
    /// The height after which it is void.
    pub(super) expires: Height,
    /// What the node said.
    pub(super) answer: Value,
    events: Receiver<Value>,
}

/// Signs an action and sends it to the node.
pub(super) async fn submit(
    client: &Client,
    key: &ItemKey,
    action: &Action,
) -> Result<Submitted, CliError> {
    let node = client.get("/v1/node").await?;
    let network: NetworkId = parsed(&node, "network")?;
    let height = Height(number(&client.get("/v1/ledger").await?, "height")?);
    let params = client.get("/v1/ledger/params").await?;
    let life = number(&params, "item_life_blocks")
        .unwrap_or(LIFE_BLOCKS)
        .min(LIFE_BLOCKS);
    let expires = height.plus(life);
    let draft = action.draft(&network, expires).map_err(|error| {
        CliError::new(
            Exit::Failure,
            "action",
            format!("this cannot be put on the ledger: {error}"),
        )
    })?;
    let item = sign::sign(key, draft)?;
    // From before it is sent, so that no answer is missed.
    let events = client.events(u64::MAX).await?;
    let answer = client.send_item(&item).await?;
    Ok(Submitted {
        item: item.id(),
        expires,
        answer,
        events,
    })
}

impl Submitted {
    /// Asks until the ledger shows what the action does (rule CM-4).
    ///
    /// # Errors
    /// It was refused, it expired, or the time is over.
    pub(super) async fn wait<F>(
        &mut self,
        client: &Client,
        patience: Duration,
        mut shows: impl FnMut() -> F,
    ) -> Result<Value, CliError>
    where
        F: Future<Output = Result<Option<Value>, ClientError>>,
    {
        let deadline = Instant::now() + patience;
        let mut asks = interval(ASK);
        asks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            asks.tick().await;
            // Before the state is looked at: what the last block in time did is still seen.
            let height = Height(number(&client.get("/v1/ledger").await?, "height")?);
            if let Some(found) = shows().await? {
                return Ok(found);
            }
            self.refusal()?;
            if height > self.expires {
                let message = format!(
                    "item {} was not taken before height {}",
                    self.item, self.expires
                );
                return Err(CliError::new(Exit::Failure, "action-expired", message)
                    .with_help("the ledger refused it or was too busy: see `surety stake status`, and try again"));
            }
            if Instant::now() >= deadline {
                let message = format!("item {} is not on the ledger yet", self.item);
                return Err(
                    CliError::new(Exit::Failure, "timeout", message).with_help(format!(
                        "it may still be taken until height {}; wait longer with --wait=SECONDS",
                        self.expires
                    )),
                );
            }
        }
    }

    /// Whether the node told meanwhile that the ledger refused the item.
    fn refusal(&mut self) -> Result<(), CliError> {
        let id = self.item.to_string();
        while let Ok(event) = self.events.try_recv() {
            let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
            if text("kind") == "item-refused" && text("item") == id {
                let message = format!("the ledger refuses item {id}: {}", text("reason"));
                return Err(CliError::new(Exit::Failure, "action-refused", message)
                    .with_help("see `surety stake status` and `surety ledger params`"));
            }
        }
        Ok(())
    }
}
