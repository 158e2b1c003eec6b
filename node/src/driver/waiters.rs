//! Who waits for what becomes of something that was offered, and how they are told.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_bytes::ByteBuf;
use surety_attest::effect::Offer;
use surety_attest::schedule::ALREADY;
use surety_protocol::codec;
use surety_protocol::id::{ItemId, ProcessId};
use surety_protocol::item::Item;
use tokio::sync::oneshot;

use super::handle::{Accepted, OfferError, Offered};
use crate::exchange::{ItemAnswer, Placed};
use crate::net::{NetHandle, RequestToken};

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

/// Tells everybody who waits what became of an item.
pub(super) fn answer(net: &NetHandle, waiting: Vec<Waiter>, outcome: &Result<Placed, OfferError>) {
    for waiter in waiting {
        match waiter {
            Waiter::Local(reply) => {
                // A user may have gone.
                let outcome = outcome.clone();
                let _ = reply.send(outcome.map(|it| Accepted::Scheduled(it.receipt)));
            }
            Waiter::Peer(token) => {
                let (scheduled, refused) = match outcome {
                    Ok(placed) => {
                        let why = || (ALREADY.to_owned(), "it has that slot already".to_owned());
                        (Some(placed.receipt.clone()), placed.already.then(why))
                    }
                    Err(error) => (None, Some((error.code.clone(), error.reason.clone()))),
                };
                respond(
                    net,
                    token,
                    ItemAnswer {
                        item: None,
                        scheduled,
                        refused,
                    },
                );
            }
        }
    }
}

/// Tells everybody who waits that an item is on its way.
pub(super) fn accept(net: &NetHandle, waiting: Vec<Waiter>, accepted: &Accepted) {
    for waiter in waiting {
        match waiter {
            Waiter::Local(reply) => {
                let _ = reply.send(Ok(accepted.clone()));
            }
            Waiter::Peer(token) => {
                let item = Some(ByteBuf::new());
                respond(
                    net,
                    token,
                    ItemAnswer {
                        item,
                        scheduled: None,
                        refused: None,
                    },
                );
            }
        }
    }
}

fn respond(net: &NetHandle, token: RequestToken, answer: ItemAnswer) {
    let net = net.clone();
    tokio::spawn(async move {
        if let Ok(bytes) = codec::encode(&answer) {
            let _ = net.respond(token, Ok(bytes)).await;
        }
    });
}
