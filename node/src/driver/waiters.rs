//! Who waits for what becomes of an offered item.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use surety_protocol::id::ItemId;
use tokio::sync::oneshot;

use super::handle::Offered;
use crate::net::RequestToken;

/// How long anybody waits.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// Items that are waited for at once; beyond it the oldest are forgotten, and their askers time out.
const WAITERS_MAX: usize = 16_384;

/// Someone who waits.
#[derive(Debug)]
pub(super) enum Waiter {
    /// A user of this node.
    Local(oneshot::Sender<Offered>),
    /// Another node.
    Peer(RequestToken),
}

/// All who wait.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    waiting: BTreeMap<ItemId, (Instant, Vec<Waiter>)>,
}

impl Waiters {
    pub(super) fn local(&mut self, item: ItemId, reply: oneshot::Sender<Offered>) {
        self.add(item, Waiter::Local(reply));
    }

    pub(super) fn peer(&mut self, item: ItemId, token: RequestToken) {
        self.add(item, Waiter::Peer(token));
    }

    fn add(&mut self, item: ItemId, waiter: Waiter) {
        if self.waiting.len() >= WAITERS_MAX {
            self.waiting
                .retain(|_, (since, _)| since.elapsed() < PATIENCE);
        }
        if self.waiting.len() < WAITERS_MAX {
            let since = Instant::now();
            self.waiting
                .entry(item)
                .or_insert_with(|| (since, Vec::new()))
                .1
                .push(waiter);
        }
    }

    pub(super) fn take(&mut self, item: &ItemId) -> Vec<Waiter> {
        self.waiting
            .remove(item)
            .map(|(_, waiters)| waiters)
            .unwrap_or_default()
    }
}
