//! Gossip, in and out: what is accepted, ignored and rejected (rules CO-2, CO-3).

use surety_attest::effect::Gossip;
use surety_attest::log::{Appended, Double, assigns};
use surety_protocol::approval::ClaimBatch;
use surety_protocol::assignment::Assignment;
use surety_protocol::block::Block;
use surety_protocol::bundle;
use surety_protocol::claim::SignedClaim;
use surety_protocol::codec::{self, Wire};
use surety_protocol::id::ProcessId;
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::time::Tick;
use surety_protocol::verified::Authentic;
use surety_slashing::order::NotQueued;

use super::checks::Brought;
use super::{Core, Effect, Signal, Teller};
use crate::net::{Acceptance, Subnet, Topic};

/// Items larger than this are not gossiped with their assignment; whoever needs them asks.
const GOSSIP_ITEM_MAX: usize = 2 << 20;

/// Gossip of a slot, with its message unless that is large.
pub(super) fn announcement(
    process: &ProcessId,
    assignment: &Authentic<Item>,
    message: Option<&Authentic<Item>>,
) -> Effect {
    let small = message.filter(|it| it.bytes().len() <= GOSSIP_ITEM_MAX);
    let items = std::iter::once(assignment).chain(small);
    Effect::Publish {
        topic: Topic::Assignments(Subnet::of(process)),
        data: bundle::write(items.map(|item| &**item)),
    }
}

impl Core {
    /// Takes what was gossiped. What it is worth is said at once, or, of what has signatures to be verified, later.
    pub(super) fn gossip(
        &mut self,
        now: Tick,
        teller: Teller,
        topic: Topic,
        data: &[u8],
        out: &mut Outbox<Effect>,
    ) -> Option<Acceptance> {
        let acceptance = match topic {
            Topic::Assignments(subnet) => self.input_gossip(now, subnet, data, out),
            Topic::Claims => match codec::kind_of(data).map(|(kind, _)| kind) {
                Some(SignedClaim::KIND) => match codec::decode(data) {
                    Ok(claim) => return self.claim(claim, Brought::Gossip(teller), out),
                    Err(_) => Acceptance::Reject,
                },
                Some(ClaimBatch::KIND) => return self.batch_gossip(now, teller, data, out),
                _ => Acceptance::Reject,
            },
            Topic::Approvals(subnet) => match codec::decode(data) {
                Ok(approval) if self.told_in(&approval, subnet) => {
                    return self.approval(approval, Brought::Gossip(teller), out);
                }
                _ => Acceptance::Reject,
            },
            Topic::Records => self.record_gossip(now, data, out),
            Topic::Ledger => match codec::kind_of(data).map(|(kind, _)| kind) {
                Some(Block::KIND) => match codec::decode(data) {
                    Ok(block) => self.block(now, block, out),
                    Err(_) => Acceptance::Reject,
                },
                _ => self.item_gossip(data),
            },
        };
        Some(acceptance)
    }

    fn input_gossip(
        &mut self,
        now: Tick,
        subnet: Subnet,
        data: &[u8],
        out: &mut Outbox<Effect>,
    ) -> Acceptance {
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
        // [CO-20]
        let read = Assignment::from_item(&assignment);
        if read.is_ok_and(|it| Subnet::of(&it.process) != subnet) {
            return Acceptance::Reject;
        }
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
        let Ok(read) = Assignment::from_item(&assignment) else {
            return Acceptance::Reject;
        };
        // [CO-17]
        let here = self.slots_here(&read.process);
        let alone = message.is_none() && read.timer.is_none();
        let kept = read.slot.0 < here || (read.slot.0 == here && !alone);
        if !kept && !self.follows(&read.process) {
            return self.passed_on(&read, message.as_ref());
        }
        let assigns = assigns(&read, message.as_ref().map(|it| it.id()));
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
                out.push(Effect::Shrank(read.process));
                Acceptance::Accept
            }
            Appended::Nothing => Acceptance::Ignore,
            Appended::Refused(_) => self.unfit(&read.signer, assigns),
        };
        let process = read.process;
        let doubles = self.shared.logs.doubles(&process);
        for double in &doubles {
            let Double {
                slot,
                first,
                second,
            } = *double;
            let double = Signal::Double {
                process,
                slot,
                first,
                second,
            };
            self.signal(now, &double, out);
        }
        // [CO-3]
        match doubles.is_empty() {
            true => acceptance,
            false => Acceptance::Accept,
        }
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
        } else if self.follows(&process) {
            self.lacks(module, out);
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
                process,
                assignment,
                message,
            } => {
                let announced = announcement(&process, &assignment, message.as_ref());
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
                let (data, root) = (codec::encode(&batch).unwrap_or_default(), batch.root());
                if self.shared.claims.insert_batch(batch) {
                    self.signal(now, &Signal::Batch(&root), out);
                }
                out.push(Effect::Publish {
                    topic: Topic::Claims,
                    data,
                });
            }
            Gossip::Approval { process, approval } => {
                let data = codec::encode(approval.as_ref()).unwrap_or_default();
                let mut asked = Outbox::default();
                self.tally.own(*approval, &self.shared.claims, &mut asked);
                self.perform(now, asked.drain(), out);
                out.push(Effect::Publish {
                    topic: Topic::Approvals(Subnet::of(&process)),
                    data,
                });
            }
        }
    }
}
