//! Signatures of strangers, verified together and beside the core.
//!
//! # Rules
//!
//! - `[CK-1]` A claim or approval that breaks no other rule waits here until its signatures are verified: claims before
//!   approvals, since work begins with them, but never so that approvals have less than half of a batch. What finds its queue full,
//!   or itself waiting already, is dropped without blame.
//! - `[CK-2]` One batch is under way at a time, and what comes meanwhile makes the next one. So a node with little to do verifies
//!   each soon, and one with much to do verifies many for little more than the price of one.
//! - `[CK-3]` What was verified is judged again by what can have changed meanwhile; then its sender hears what it was worth.
//! - `[CK-4]` Nobody who tells much takes the room or the time of others: peers take turns, of what waits one peer has brought
//!   [`SHARE_MAX`](queue::SHARE_MAX) of a kind at most, and where a queue is full the last of whoever has brought the most makes room. What a node has asked for
//!   itself is nobody's share.
//! - `[CK-5]` A claim is verified at once. Approvals of one claim come within a moment of each other, and two cost little more than
//!   one: they are gathered for [`GATHER_MS`], unless a claim takes them along or there are [`GATHERED_MAX`].
//! - `[CK-6]` Nobody is to blame for a claim that is signed with the key which its claimant replaced last: who passed it on may be a
//!   block behind. Nor for any that is not signed with the key known here, while blocks are known to be missing.
//! - `[CK-7]` Peers are strangers until something that they brought held, and again when something did not. Of each kind a batch
//!   has [`STRANGERS_MAX`](queue::STRANGERS_MAX) of theirs at most, and these are verified apart: to find what does not hold among
//!   many takes long.

mod known;
mod queue;

use std::collections::BTreeSet;

use surety_protocol::approval::Approval;
use surety_protocol::bls::{PublicKey, Signature, SignedDigest, find_invalid, same_message_all};
use surety_protocol::claim::SignedClaim;
use surety_protocol::id::{ClaimId, Digest};
use surety_protocol::item::Item;
use surety_protocol::time::{Height, Tick};

use super::Teller;
use crate::net::Acceptance;
use known::Known;
use queue::Queue;

/// Claims that wait.
const CLAIMS_MAX: usize = 2048;
/// Approvals that wait.
const APPROVALS_MAX: usize = 2048;
/// Milliseconds for which approvals are gathered, and how many are enough.
const GATHER_MS: u64 = 100;
const GATHERED_MAX: usize = 32;
/// Claims and approvals verified together.
const BATCH_MAX: usize = 128;

/// Signatures that hold or fail as one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Signatures {
    /// Those of hot keys.
    pub(super) signed: Vec<SignedDigest>,
    /// The bytes of a well-formed data item.
    pub(super) item: Vec<u8>,
    /// Those of one digest that nobody here needs to know.
    pub(super) together: Vec<(PublicKey, Signature)>,
}

/// Signatures to be verified together, in groups.
#[derive(Debug)]
pub struct Checking {
    groups: Vec<Signatures>,
    /// How many of them come first, and are apart from those of strangers.
    known: usize,
}

impl Checking {
    /// Of each group, whether all its signatures hold. The seed is one that senders do not know.
    pub fn run(&self, seed: &Digest) -> Vec<bool> {
        let (known, strangers) = self.groups.split_at(self.known);
        [hold(known, seed), hold(strangers, seed)].concat()
    }
}

/// Of each group, whether all its signatures hold.
fn hold(groups: &[Signatures], seed: &Digest) -> Vec<bool> {
    let authentic = |item: &[u8]| match item {
        [] => true,
        bytes => Item::parse(bytes).is_ok_and(|it| it.authenticate().is_ok()),
    };
    let agree = |it: &Signatures| same_message_all(&it.together, seed);
    let all = groups.iter();
    let mut hold: Vec<bool> = all.map(|it| authentic(&it.item) && agree(it)).collect();
    let groups = (0..).zip(groups);
    let flat = groups.flat_map(|(group, all)| all.signed.iter().map(move |one| (group, *one)));
    let (groups, batch): (Vec<usize>, Vec<SignedDigest>) = flat.unzip();
    for at in find_invalid(&batch, seed) {
        let group = groups.get(at).and_then(|it| hold.get_mut(*it));
        if let Some(group) = group {
            *group = false;
        }
    }
    hold
}

/// What is to be verified.
#[derive(Debug)]
pub(super) enum Subject {
    Claim(Box<SignedClaim>),
    /// A claim that is not signed with the key in force, and may be with the one before.
    UnderFormerKey,
    Approval(Box<Approval>),
    /// The trace proof of an approval that counts.
    Trace(Box<Approval>),
    /// All trace proofs of a claim that was committed by this block.
    Together(ClaimId, Height),
}

/// How something came here.
#[derive(Debug, Clone, Copy)]
pub(super) enum Brought {
    /// By gossip, whose sender is to hear what it was worth.
    Gossip(Teller),
    /// By gossip of this peer, which has heard already.
    Before(Digest),
    /// This node asked for it, or made it.
    Asked,
}

impl Brought {
    /// What stands for the peer whose share it takes.
    pub(super) const fn peer(&self) -> Option<Digest> {
        match self {
            Brought::Gossip(teller) => Some(teller.peer),
            Brought::Before(peer) => Some(*peer),
            Brought::Asked => None,
        }
    }
}

/// A subject that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) subject: Subject,
    pub(super) brought: Brought,
    pub(super) signatures: Signatures,
}

/// What waits, and what is under way.
#[derive(Debug)]
pub(super) struct Checks {
    claims: Queue<Waiting>,
    approvals: Queue<Waiting>,
    /// What this node asks for itself, of approvals that count.
    traces: Queue<Waiting>,
    under_way: Vec<Waiting>,
    /// The signatures of all of them.
    here: BTreeSet<Signatures>,
    /// Since when approvals are gathered.
    gathers: Option<Tick>,
    /// Who is no stranger (rule CK-7).
    known: Known,
}

/// What became of something that is to be verified.
#[derive(Debug)]
pub(super) enum Taken {
    Waits,
    /// It waits, and what somebody else brought has no room any more.
    InsteadOf(Brought),
    /// It is here, or has no room.
    No,
}

impl Default for Checks {
    fn default() -> Checks {
        Checks {
            claims: Queue::new(CLAIMS_MAX),
            approvals: Queue::new(APPROVALS_MAX),
            traces: Queue::new(APPROVALS_MAX),
            under_way: Vec::new(),
            here: BTreeSet::new(),
            gathers: None,
            known: Known::default(),
        }
    }
}

impl Checks {
    /// Takes something to be verified, if there is room (rules CK-1 and CK-4).
    pub(super) fn take(
        &mut self,
        subject: Subject,
        signatures: Signatures,
        brought: Brought,
    ) -> Taken {
        if !self.here.insert(signatures.clone()) {
            return Taken::No;
        }
        let queue = match subject {
            Subject::Claim(_) | Subject::UnderFormerKey => &mut self.claims,
            Subject::Approval(_) => &mut self.approvals,
            Subject::Trace(_) | Subject::Together(..) => &mut self.traces,
        };
        let waiting = Waiting {
            subject,
            brought,
            signatures,
        };
        let this = waiting.signatures.clone();
        let Some(left_out) = queue.push(brought.peer(), waiting) else {
            return Taken::Waits;
        };
        self.here.remove(&left_out.signatures);
        match left_out.signatures == this {
            true => Taken::No,
            false => Taken::InsteadOf(left_out.brought),
        }
    }

    /// The next batch, if none is under way (rule CK-2) and it is time (rule CK-5).
    pub(super) fn begin(&mut self, now: Tick) -> Option<Checking> {
        if !self.under_way.is_empty() || !self.due(now) {
            return None;
        }
        self.gathers = None;
        let approvals = self.approvals.len().min(BATCH_MAX / 2);
        let claims = self.claims.len().min(BATCH_MAX - approvals);
        let approvals = self.approvals.len().min(BATCH_MAX - claims);
        // Beside them, since those of one claim cost little together.
        let traces = self.traces.len().min(BATCH_MAX / 2);
        // [CK-7]
        let known = |peer: &Digest| self.known.has(peer);
        let mut strangers = Vec::new();
        for lot in [
            self.claims.take(claims, known),
            self.approvals.take(approvals, known),
            self.traces.take(traces, known),
        ] {
            self.under_way.extend(lot.known);
            strangers.extend(lot.strangers);
        }
        let known = self.under_way.len();
        self.under_way.extend(strangers);
        let signatures = self.under_way.iter().map(|it| it.signatures.clone());
        let groups: Vec<Signatures> = signatures.collect();
        (!groups.is_empty()).then_some(Checking { groups, known })
    }

    /// What somebody brought was found worth something (rule CK-7).
    pub(super) fn judged(&mut self, brought: &Brought, acceptance: Acceptance) {
        let Some(peer) = brought.peer() else { return };
        match acceptance {
            Acceptance::Accept => self.known.add(peer),
            Acceptance::Reject => self.known.forget(&peer),
            Acceptance::Ignore => {}
        }
    }

    /// Whether what waits has waited long enough, or is enough (rule CK-5).
    fn due(&mut self, now: Tick) -> bool {
        let gathered = self.approvals.len().max(self.traces.len());
        if !self.claims.is_empty() || gathered >= GATHERED_MAX {
            return true;
        }
        if gathered == 0 {
            return false;
        }
        let since = *self.gathers.get_or_insert(now);
        now.since(since) >= GATHER_MS
    }

    /// The batch that was under way.
    pub(super) fn end(&mut self) -> Vec<Waiting> {
        let ended = std::mem::take(&mut self.under_way);
        for waiting in &ended {
            self.here.remove(&waiting.signatures);
        }
        ended
    }
}

#[cfg(test)]
mod tests;
