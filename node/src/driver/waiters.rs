//! Who waits for what becomes of something that was offered.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use surety_attest::effect::Offer;
use surety_protocol::id::{ItemId, ProcessId};
use surety_protocol::item::Item;
use tokio::sync::oneshot;

use super::handle::Offered;
use crate::net::RequestToken;

/// How long anybody waits.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// Items that are waited for at once; beyond it the oldest are forgotten, and their askers time out.
const WAITERS_MAX: usize = 16_384;

/// Who wait for one thing at once; whoever comes beyond times out.
const SHARED_MAX: usize = 64;

/// Someone who waits.
#[derive(Debug)]
pub(super) enum Waiter {
    /// A user of this node.
    Local(oneshot::Sender<Offered>),
    /// Another node.
    Peer(RequestToken),
}

/// What is waited for: an item, and the process that is to have it if it is for one.
pub(super) type Awaited = (ItemId, Option<ProcessId>);

/// What is waited for when this is offered.
pub(super) fn awaited(offer: &Offer) -> Awaited {
    (offer.item().id(), offer.process())
}

/// What is waited for when this item is for the ledger.
pub(super) fn of_ledger(item: &Item) -> Awaited {
    (item.id(), item.target().map(|it| ProcessId::new(*it)))
}

/// All who wait.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    waiting: BTreeMap<Awaited, (Instant, Vec<Waiter>)>,
}

impl Waiters {
    pub(super) fn local(&mut self, what: Awaited, reply: oneshot::Sender<Offered>) {
        self.add(what, Waiter::Local(reply));
    }

    pub(super) fn peer(&mut self, what: Awaited, token: RequestToken) {
        self.add(what, Waiter::Peer(token));
    }

    fn add(&mut self, what: Awaited, waiter: Waiter) {
        if self.waiting.len() >= WAITERS_MAX {
            self.waiting
                .retain(|_, (since, _)| since.elapsed() < PATIENCE);
        }
        if self.waiting.len() < WAITERS_MAX {
            let since = Instant::now();
            let (_, waiters) = self
                .waiting
                .entry(what)
                .or_insert_with(|| (since, Vec::new()));
            if waiters.len() < SHARED_MAX {
                waiters.push(waiter);
            }
        }
    }

    pub(super) fn take(&mut self, what: &Awaited) -> Vec<Waiter> {
        self.waiting
            .remove(what)
            .map(|(_, waiters)| waiters)
            .unwrap_or_default()
    }
}
