//! Where operators' nodes listen, as they say themselves.
//!
//! # Rules
//!
//! - `[CO-18]` A record (rule N-17) is kept and passed on if its peer is one that an operator with stake has registered, it is newer
//!   than the last, and that one came at least [`RECORD_MS`] before: so every node can reach every operator, and nobody else is
//!   heard. It is forgotten when the stake is gone, with every [`FORGET_BLOCKS`]th block. A node says its own [`SETTLED_BLOCKS`] after its operator has stake, so that others know of that, soon once more, and
//!   then every [`ANNOUNCE_BLOCKS`].

use std::collections::{BTreeMap, BTreeSet};

use surety_protocol::id::Address;
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Height, Tick};

use super::{Core, Effect};
use crate::net::record::{self, Record};
use crate::net::{Acceptance, PeerId};

/// Milliseconds between two records of one operator that are heard.
const RECORD_MS: u64 = 10_000;
/// Blocks after which everybody knows of a stake.
const SETTLED_BLOCKS: u64 = 8;
/// Blocks after which a node says it once more: not everybody may have heard.
const AGAIN_BLOCKS: u64 = 120;
/// Blocks after which a node says again where it is.
const ANNOUNCE_BLOCKS: u64 = 3_600;

/// After so many blocks those without stake are forgotten.
const FORGET_BLOCKS: u64 = 600;

/// What is known of operators' peers.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Who has registered a peer, and may have another by now. Anybody can register anybody's.
    operators: BTreeSet<(Vec<u8>, Address)>,
    /// The last record of each operator.
    last: BTreeMap<Address, Heard>,
    /// When this node says its own next, and how often it has.
    next: Option<(Height, u32)>,
}

/// A record that was heard.
#[derive(Debug)]
struct Heard {
    peer: PeerId,
    number: u64,
    at: Tick,
}

impl Core {
    /// The peers that operators have registered by now.
    pub(super) fn know_peers(&mut self) {
        let all = self.ledger.operators();
        let all = all.map(|(it, operator)| (operator.registration.peer.to_vec(), *it));
        self.records.operators.extend(all);
    }

    /// A block may have registered others.
    pub(super) fn registered(&mut self, operator: Address) {
        if let Some(it) = self.ledger.operator(&operator) {
            let peer = it.registration.peer.to_vec();
            self.records.operators.insert((peer, operator));
        }
    }

    /// Takes a record of where a peer listens (rule CO-18).
    pub(super) fn record_gossip(
        &mut self,
        now: Tick,
        data: &[u8],
        out: &mut Outbox<Effect>,
    ) -> Acceptance {
        let Some(Record {
            peer,
            number,
            addresses,
        }) = record::read(data)
        else {
            return Acceptance::Reject;
        };
        let Some(operator) = self.operator_of(peer.to_bytes()) else {
            return Acceptance::Ignore;
        };
        let heard = self.records.last.get(&operator);
        let soon = |it: &Heard| it.peer == peer && it.number >= number;
        if operator == self.shared.operator
            || heard.is_some_and(|it| soon(it) || now.since(it.at) < RECORD_MS)
        {
            return Acceptance::Ignore;
        }
        let at = now;
        let before = self
            .records
            .last
            .insert(operator, Heard { peer, number, at });
        // One peer of each operator is known.
        if let Some(before) = before.map(|it| it.peer).filter(|it| *it != peer) {
            out.push(Effect::Locate {
                peer: before,
                addresses: Vec::new(),
            });
        }
        out.push(Effect::Locate { peer, addresses });
        Acceptance::Accept
    }

    /// Forgets where those listen who have no stake any more, if it is time (rule CO-18).
    pub(super) fn forget_records(&mut self, out: &mut Outbox<Effect>) {
        // Who has no stake in a block of long ago may have some by now.
        let behind = self.replica.behind(&self.ledger) > 0;
        if behind || !self.shared.height.0.is_multiple_of(FORGET_BLOCKS) {
            return;
        }
        // Another operator may have registered the same peer.
        let nobodys = |(operator, heard): &(&Address, &Heard)| {
            let its = self.ledger.answers(operator);
            !its && self.operator_of(heard.peer.to_bytes()).is_none()
        };
        let gone = self.records.last.iter().filter(nobodys);
        let gone: Vec<(Address, PeerId)> = gone.map(|(it, heard)| (*it, heard.peer)).collect();
        for (operator, peer) in gone {
            self.records.last.remove(&operator);
            out.push(Effect::Locate {
                peer,
                addresses: Vec::new(),
            });
        }
    }

    /// The operator with stake whose peer this is now.
    fn operator_of(&self, peer: Vec<u8>) -> Option<Address> {
        let from = (peer.clone(), Address::default());
        let all = self.records.operators.range(from..);
        let its = all.take_while(|(it, _)| *it == peer);
        let mut current = its.filter(|(_, operator)| {
            let registered = self.ledger.operator(operator);
            registered.is_some_and(|it| it.registration.peer.as_slice() == peer)
        });
        let found = current.find(|(_, operator)| self.ledger.answers(operator));
        found.map(|(_, operator)| *operator)
    }

    /// Says where this node is, if it is time (rule CO-18).
    pub(super) fn say_where(&mut self, out: &mut Outbox<Effect>) {
        let height = self.shared.height;
        if !self.ledger.answers(&self.shared.operator) {
            self.records.next = None;
            return;
        }
        let (next, said) = *self
            .records
            .next
            .get_or_insert((height.plus(SETTLED_BLOCKS), 0));
        if height >= next {
            let wait = match said {
                0 => AGAIN_BLOCKS,
                _ => ANNOUNCE_BLOCKS,
            };
            self.records.next = Some((height.plus(wait), said.saturating_add(1)));
            out.push(Effect::Announce);
        }
    }
}
