//! Gossip, in and out: what is accepted, ignored and rejected (rules CO-2, CO-3, CK-3).

use surety_attest::effect::Gossip;
use surety_attest::log::Appended;
use surety_attest::tally::Admitted;
use surety_protocol::approval::{Approval, ClaimBatch};
use surety_protocol::block::Block;
use surety_protocol::bls::{PublicKey, SignedDigest};
use surety_protocol::bundle;
use surety_protocol::claim::SignedClaim;
use surety_protocol::codec::{self, Wire};
use surety_protocol::id::ProcessId;
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::time::Tick;
use surety_protocol::verified::Authentic;
use surety_slashing::order::NotQueued;

use super::checks::Subject;
use super::{Core, Effect, Signal};
use crate::net::{Acceptance, Topic};

/// Items larger than this are not gossiped with their assignment; whoever needs them asks.
const GOSSIP_ITEM_MAX: usize = 2 << 20;

/// Gossip of a slot, with its message unless that is large.
pub(super) fn announcement(
    assignment: &Authentic<Item>,
    message: Option<&Authentic<Item>>,
) -> Effect {
    let small = message.filter(|it| it.bytes().len() <= GOSSIP_ITEM_MAX);
    let items = std::iter::once(assignment).chain(small);
    Effect::Publish {
        topic: Topic::Assignments,
        data: bundle::write(items.map(|item| &**item)),
    }
}

impl Core {
    /// Takes what was gossiped. What it is worth is said at once, or, of what has signatures to be verified, later.
    pub(super) fn gossip(
        &mut self,
        now: Tick,
        token: u64,
        topic: Topic,
        data: &[u8],
        out: &mut Outbox<Effect>,
    ) -> Option<Acceptance> {
        let acceptance = match topic {
            Topic::Assignments => self.input_gossip(now, data, out),
            Topic::Claims => match codec::kind_of(data).map(|(kind, _)| kind) {
                Some(SignedClaim::KIND) => match codec::decode(data) {
                    Ok(claim) => return self.claim(claim, Some(token)),
                    Err(_) => Acceptance::Reject,
                },
                Some(ClaimBatch::KIND) => self.batch_gossip(now, data, out),
                _ => Acceptance::Reject,
            },
            Topic::Approvals => match codec::decode(data) {
                Ok(approval) => return self.approval(approval, Some(token)),
                Err(_) => Acceptance::Reject,
            },
            Topic::Ledger => match codec::kind_of(data).map(|(kind, _)| kind) {
                Some(Block::KIND) => match codec::decode(data) {
                    Ok(block) => self.block(now, block, out),
                    Err(_) => Acceptance::Reject,
                },
                _ => self.item_gossip(data),
            },
            // Evidence is announced on the ledger and fetched; records are on the ledger.
            Topic::Evidence | Topic::Records => Acceptance::Ignore,
        };
        Some(acceptance)
    }

    fn input_gossip(&mut self, now: Tick, data: &[u8], out: &mut Outbox<Effect>) -> Acceptance {
        let Ok(items) = bundle::parse(data) else {
            return Acceptance::Reject;
        };
        let mut authentic = Vec::with_capacity(2);
        if items.is_empty() || items.len() > 2 {
            return Acceptance::Reject;
        }
        for view in items {
            match view.to_item().authenticate() {
                Ok(item) => authentic.push(item),
                Err(_) => return Acceptance::Reject,
            }
        }
        let mut authentic = authentic.into_iter();
        let Some(assignment) = authentic.next() else {
            return Acceptance::Reject;
        };
        self.append(now, assignment, authentic.next(), out)
    }

    /// Takes a slot of a log from anywhere.
    pub(super) fn append(
        &mut self,
        now: Tick,
        assignment: Authentic<Item>,
        message: Option<Authentic<Item>>,
        out: &mut Outbox<Effect>,
    ) -> Acceptance {
        let Ok(read) = surety_protocol::assignment::Assignment::from_item(&assignment) else {
            return Acceptance::Reject;
        };
        let mut asked = Outbox::default();
        let begins = self.shared.logs.get(&read.process).is_none();
        let first = begins.then(|| message.clone()).flatten();
        let horizon = self.ledger.horizon();
        let appended = self
            .shared
            .logs
            .append(horizon, assignment, message, &mut asked);
        self.perform(now, asked.drain(), out);
        let acceptance = match appended {
            Appended::Grew => {
                if begins {
                    let log = self.shared.logs.get(&read.process);
                    if let Some(scheduler) = log.map(|log| log.scheduler) {
                        self.follows(scheduler);
                    }
                    // What was restored has begun in another life.
                    if self.shared.logs.len() == 1 {
                        self.shared.first = Some(read.process);
                    }
                    self.began(now, read.process, out);
                    if let Some(item) = &first {
                        self.signal(now, &Signal::LogBegan(item), out);
                    }
                }
                self.log_grew(now, read.process, out);
                Acceptance::Accept
            }
            Appended::Ahead(size) => {
                self.missed_before(read.process, size, out);
                Acceptance::Ignore
            }
            Appended::Shrank => {
                self.missed_before(read.process, read.slot.next().0, out);
                self.signal(now, &Signal::LogShrank(read.process), out);
                Acceptance::Accept
            }
            Appended::Nothing => Acceptance::Ignore,
            Appended::Refused(_) => Acceptance::Reject,
            Appended::Double {
                process,
                slot,
                first,
                second,
            } => {
                let double = Signal::Double {
                    process,
                    slot,
                    first,
                    second,
                };
                self.signal(now, &double, out);
                Acceptance::Accept
            }
        };
        let process = read.process;
        for (slot, first, second) in self.shared.logs.doubles(&process) {
            let double = Signal::Double {
                process,
                slot,
                first,
                second,
            };
            self.signal(now, &double, out);
        }
        acceptance
    }

    /// A log has more slots: its module is asked for if it is not here.
    fn log_grew(
        &mut self,
        now: Tick,
        process: surety_protocol::id::ProcessId,
        out: &mut Outbox<Effect>,
    ) {
        let Some(log) = self.shared.logs.get(&process) else {
            return;
        };
        let module = log.module;
        if self.shared.modules.contains(&module) {
            self.signal(now, &Signal::LogGrew(process), out);
        } else {
            self.lacks(module, out);
        }
    }

    /// Takes a claim from anywhere, to be verified; what it is worth, if it need not be.
    pub(super) fn claim(&mut self, claim: SignedClaim, token: Option<u64>) -> Option<Acceptance> {
        let Ok(id) = claim.statement.claim.id() else {
            return Some(Acceptance::Reject);
        };
        if claim.check(self.shared.network).is_err() {
            return Some(Acceptance::Reject);
        }
        let claimant = claim.statement.claimant;
        let Some(operator) = self.ledger.operator(&claimant) else {
            return Some(Acceptance::Ignore);
        };
        if !self.heeds(&claim) || self.shared.claims.signed_by(&id, &claimant).is_some() {
            return Some(Acceptance::Ignore);
        }
        let Ok(signed) = claim.statement.signed(&operator.registration.key) else {
            return Some(Acceptance::Reject);
        };
        let subject = Subject::Claim(Box::new(claim));
        self.check(subject, vec![signed], token)
    }

    /// Whether a claim can count now.
    fn heeds(&self, claim: &SignedClaim) -> bool {
        // [L-52]
        self.ledger.is_active(&claim.statement.claimant)
            && self.ledger.hears(&claim.statement.claim)
    }

    /// Lets signatures be verified; what is dropped is worth nothing.
    fn check(
        &mut self,
        subject: Subject,
        signed: Vec<SignedDigest>,
        token: Option<u64>,
    ) -> Option<Acceptance> {
        let room = self.checks.take(subject, signed, token);
        (!room).then_some(Acceptance::Ignore)
    }

    /// Signatures were verified: of each subject that was under way, whether they hold; nothing if they could not be (rule CK-3).
    pub(super) fn checked(&mut self, now: Tick, hold: Option<Vec<bool>>, out: &mut Outbox<Effect>) {
        let subjects = self.checks.end();
        let hold = hold.map_or(vec![None; subjects.len()], |it| {
            it.into_iter().map(Some).collect()
        });
        for (waiting, holds) in subjects.into_iter().zip(hold) {
            let acceptance = match (holds, waiting.subject) {
                (None, _) => Acceptance::Ignore,
                (Some(false), _) => Acceptance::Reject,
                (Some(true), Subject::Claim(claim)) => {
                    let key = waiting.signed.first().map(|it| it.key);
                    self.authentic_claim(now, key, *claim, out)
                }
                (Some(true), Subject::Approval(approval)) => match self.tally.count(*approval) {
                    true => Acceptance::Accept,
                    false => Acceptance::Ignore,
                },
            };
            if let Some(token) = waiting.token {
                out.push(Effect::Report { token, acceptance });
            }
        }
        let mut asked = Outbox::default();
        self.tally.post(&self.shared.claims, &mut asked);
        self.perform(now, asked.drain(), out);
    }

    /// Takes a claim whose signature holds under a key, which may have been replaced since.
    fn authentic_claim(
        &mut self,
        now: Tick,
        verified: Option<PublicKey>,
        claim: SignedClaim,
        out: &mut Outbox<Effect>,
    ) -> Acceptance {
        let operator = self.ledger.operator(&claim.statement.claimant);
        if operator.map(|it| it.registration.key) != verified {
            return Acceptance::Ignore;
        }
        if !self.heeds(&claim) || !self.shared.claims.insert(claim.clone()) {
            return Acceptance::Ignore;
        }
        self.heard_of(
            claim.statement.claim.process,
            claim.statement.claim.size,
            out,
        );
        if let Some(contradiction) = self.shared.claims.contradiction(&claim) {
            self.signal(now, &Signal::Contradiction(&contradiction), out);
        }
        self.signal(now, &Signal::Claim(&claim), out);
        self.signal(now, &Signal::Material, out);
        Acceptance::Accept
    }

    fn batch_gossip(&mut self, now: Tick, data: &[u8], out: &mut Outbox<Effect>) -> Acceptance {
        let Ok(batch) = codec::decode::<ClaimBatch>(data) else {
            return Acceptance::Reject;
        };
        self.batch(now, batch, out)
    }

    /// Takes a batch from anywhere.
    pub(super) fn batch(
        &mut self,
        now: Tick,
        batch: ClaimBatch,
        out: &mut Outbox<Effect>,
    ) -> Acceptance {
        if !batch.well_formed() {
            return Acceptance::Reject;
        }
        if !self.ledger.is_active(&batch.claimant) || !self.shared.claims.insert_batch(batch) {
            return Acceptance::Ignore;
        }
        self.signal(now, &Signal::Material, out);
        Acceptance::Accept
    }

    /// Takes an approval from anywhere, to be verified; what it is worth, if it need not be.
    pub(super) fn approval(
        &mut self,
        approval: Approval,
        token: Option<u64>,
    ) -> Option<Acceptance> {
        match self.tally.admit(&approval, &self.shared.claims) {
            Admitted::Checking(signed) => {
                self.check(Subject::Approval(Box::new(approval)), signed.into(), token)
            }
            // Its signature cannot be verified yet; whoever can passes it on.
            Admitted::Nothing | Admitted::Early => Some(Acceptance::Ignore),
            Admitted::Refused => Some(Acceptance::Reject),
        }
    }

    fn item_gossip(&mut self, data: &[u8]) -> Acceptance {
        let Ok(item) = Item::parse(data) else {
            return Acceptance::Reject;
        };
        let Some((proposer, _, _)) = &mut self.proposer else {
            // Judged like a block would judge it, so that nonsense is not passed on.
            return match self.ledger.admissible(item.bytes()) {
                Ok(_) => Acceptance::Accept,
                Err(surety_slashing::ledger::ItemRefused::Item) => Acceptance::Reject,
                Err(_) => Acceptance::Ignore,
            };
        };
        match proposer.submit(&self.ledger, item.bytes().to_vec()) {
            Ok(_) => Acceptance::Accept,
            Err(NotQueued::Refused(surety_slashing::ledger::ItemRefused::Item)) => {
                Acceptance::Reject
            }
            Err(_) => Acceptance::Ignore,
        }
    }

    /// An item of this node, or of its users, for the ledger.
    pub(super) fn item_for_ledger(&mut self, item: Item, out: &mut Outbox<Effect>) {
        let id = item.id();
        let process = item.target().map(|it| ProcessId::new(*it));
        let bytes = item.bytes().to_vec();
        let refused = match &mut self.proposer {
            Some((proposer, _, _)) => proposer
                .submit(&self.ledger, bytes.clone())
                .err()
                .map(|it| it.to_string()),
            None => self
                .ledger
                .admissible(&bytes)
                .err()
                .map(|it| it.to_string()),
        };
        match refused {
            Some(reason) => {
                out.push(Effect::Refused {
                    item: id,
                    process,
                    code: "ledger-refused",
                    reason,
                });
            }
            None => out.push(Effect::Publish {
                topic: Topic::Ledger,
                data: bytes,
            }),
        }
    }

    /// Gossips what a role says, and takes it as everybody else will.
    pub(super) fn broadcast(&mut self, now: Tick, gossip: Gossip, out: &mut Outbox<Effect>) {
        match gossip {
            Gossip::Input {
                assignment,
                message,
            } => {
                let announced = announcement(&assignment, message.as_ref());
                self.append(now, assignment, message, out);
                out.push(announced);
            }
            Gossip::Claim(claim) => {
                let data = codec::encode(claim.as_ref()).unwrap_or_default();
                self.shared.claims.insert(*claim);
                out.push(Effect::Publish {
                    topic: Topic::Claims,
                    data,
                });
            }
            Gossip::Batch(batch) => {
                let data = codec::encode(&batch).unwrap_or_default();
                self.shared.claims.insert_batch(batch);
                out.push(Effect::Publish {
                    topic: Topic::Claims,
                    data,
                });
            }
            Gossip::Approval(approval) => {
                let data = codec::encode(approval.as_ref()).unwrap_or_default();
                let mut asked = Outbox::default();
                self.tally.own(*approval, &self.shared.claims, &mut asked);
                self.perform(now, asked.drain(), out);
                out.push(Effect::Publish {
                    topic: Topic::Approvals,
                    data,
                });
            }
        }
    }
}
