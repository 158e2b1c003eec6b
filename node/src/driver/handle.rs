//! What the rest of a node holds of its driver: ways to ask, and snapshots to read.

use std::sync::Arc;

use surety_attest::effect::Offer;
use tokio::sync::{mpsc, oneshot, watch};

use crate::archive::Archive;
use crate::exchange::{Fetcher, Receipt};
use crate::executor::Executor;
use crate::metrics::Metrics;
use crate::net::NetHandle;
use crate::view::{EventLog, View};

/// What a driver can be asked for.
#[derive(Debug)]
pub enum Command {
    /// Schedule something, or put an item on the ledger.
    Offer {
        /// What is offered.
        offer: Offer,
        /// What becomes of it.
        reply: oneshot::Sender<Offered>,
    },
}

/// What became of an offered item.
pub type Offered = Result<Accepted, OfferError>;

/// Where an offered item is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It has a slot.
    Scheduled(Receipt),
    /// It waits for a block of the ledger.
    Queued,
}

/// Why an offered item was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct OfferError {
    /// A stable code.
    pub code: String,
    /// Why, for people.
    pub reason: String,
}

impl OfferError {
    pub(crate) fn new(code: &str, reason: impl Into<String>) -> OfferError {
        OfferError {
            code: code.into(),
            reason: reason.into(),
        }
    }
}

/// A node, for those who serve its users.
#[derive(Clone)]
pub struct NodeHandle {
    pub(super) commands: mpsc::Sender<Command>,
    /// The latest snapshot.
    pub view: watch::Receiver<Arc<View>>,
    /// The events.
    pub events: EventLog,
    /// The archive.
    pub archive: Archive,
    /// The executor, for dry runs.
    pub executor: Arc<Executor>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The network.
    pub net: NetHandle,
    /// Gets what this node lacks from its peers.
    pub(crate) fetcher: Fetcher,
}

impl std::fmt::Debug for NodeHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NodeHandle(..)")
    }
}

impl NodeHandle {
    /// Offers something and waits for what becomes of it.
    ///
    /// # Errors
    /// Why it was not taken.
    pub async fn offer(&self, offer: Offer) -> Offered {
        let stopped = || OfferError::new("node-stopping", "the node is stopping");
        let (reply, outcome) = oneshot::channel();
        self.commands
            .send(Command::Offer { offer, reply })
            .await
            .map_err(|_| stopped())?;
        match tokio::time::timeout(super::waiters::PATIENCE, outcome).await {
            Ok(outcome) => outcome.map_err(|_| stopped())?,
            Err(_) => Err(OfferError::new(
                "timeout",
                "no answer in time; the item may still be taken",
            )),
        }
    }

    /// The latest snapshot.
    pub fn now(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }
}

#[cfg(test)]
impl NodeHandle {
    /// A handle without a driver: what it is asked for comes out of the receiver.
    pub(crate) fn without_driver(
        view: watch::Receiver<Arc<View>>,
        archive: Archive,
        executor: Arc<Executor>,
        net: NetHandle,
    ) -> (NodeHandle, mpsc::Receiver<Command>) {
        let (commands, asked) = mpsc::channel(8);
        let (events, metrics) = (EventLog::default(), Arc::default());
        let fetcher = Fetcher::new(crate::exchange::Requests::new(net.clone()), archive.clone());
        (
            NodeHandle {
                commands,
                view,
                events,
                archive,
                executor,
                metrics,
                net,
                fetcher,
            },
            asked,
        )
    }
}
