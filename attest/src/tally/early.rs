//! Approvals that came before what they refer to (rule TA-3).

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use surety_protocol::approval::Approval;
use surety_protocol::id::Digest;

use crate::shares::Shares;

/// Approvals that wait for a block.
const WAITING_MAX: usize = 4096;
/// Of those the most that one peer brought.
const WAITING_SHARE: usize = 512;

/// An approval that waits, and what stands for the peer that brought it.
pub(super) type Early = (Approval, Option<Digest>);

/// One that is in the order and among those that are known.
type Known = (Arc<Approval>, Option<Digest>);

/// The approvals that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    order: VecDeque<Known>,
    known: BTreeSet<Arc<Approval>>,
    /// How many each peer brought of them.
    brought: Shares<Digest>,
}

impl Waiting {
    pub(super) const fn new() -> Waiting {
        Waiting {
            order: VecDeque::new(),
            known: BTreeSet::new(),
            brought: Shares::new(),
        }
    }

    /// Adds one that somebody brought, unless it is known or the peer has brought its share. Of too many the oldest of whoever brought
    /// the most goes.
    pub(super) fn insert(&mut self, approval: Approval, peer: Option<Digest>) {
        let brought = peer.map_or(0, |it| self.brought.of(&it));
        if brought >= WAITING_SHARE || self.known.contains(&approval) {
            return;
        }
        let approval = Arc::new(approval);
        self.known.insert(Arc::clone(&approval));
        if let Some(peer) = peer {
            self.brought.take(peer);
        }
        self.order.push_back((approval, peer));
        if self.order.len() <= WAITING_MAX {
            return;
        }
        let largest = self.brought.most().map(|(peer, _)| peer);
        let oldest = self.order.iter().position(|(_, by)| *by == largest);
        if let Some((oldest, peer)) = self.order.remove(oldest.unwrap_or(0)) {
            self.left(&oldest, peer);
        }
    }

    /// Takes out those of which this holds.
    pub(super) fn take(&mut self, is_taken: impl Fn(&Approval) -> bool) -> Vec<Early> {
        let order = std::mem::take(&mut self.order).into_iter();
        let (taken, order): (VecDeque<Known>, _) = order.partition(|(it, _)| is_taken(it));
        self.order = order;
        let left = |(approval, peer): Known| {
            self.left(&approval, peer);
            (Arc::unwrap_or_clone(approval), peer)
        };
        taken.into_iter().map(left).collect()
    }

    fn left(&mut self, approval: &Arc<Approval>, peer: Option<Digest>) {
        self.known.remove(approval);
        if let Some(peer) = peer {
            self.brought.leave(&peer);
        }
    }
}
