//! Blocks, in and out: following the ledger, and ordering where this node does.

use std::sync::Arc;

use surety_attest::effect::Event;
use surety_protocol::attested::{Backing, Segment};
use surety_protocol::block::Block;
use surety_protocol::codec::{self, Wire};
use surety_protocol::facts::{BlockFacts, Refuted};
use surety_protocol::id::{CaseId, ClaimId};
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::merkle;
use surety_protocol::origin::Action;
use surety_protocol::time::{Height, Tick};
use surety_slashing::ledger::{CaseState, ItemRefused, LedgerEvent};
use surety_slashing::replica::Followed;

use super::checks::Brought;
use super::{Core, Effect, Signal, Write};
use crate::net::{Acceptance, Topic, limits};

/// A block that nobody could gossip would be heard of only with the next.
const _: () = assert!(Block::BYTES_MAX < limits::GOSSIP_BYTES_MAX);

impl Core {
    /// Makes the next block if it is this node's turn and time (rule OR-1).
    pub(super) fn propose(&mut self, now: Tick, out: &mut Outbox<Effect>) {
        let interval = self.ledger.params().block_interval_ms;
        let Some((proposer, key, next)) = &mut self.proposer else {
            return;
        };
        if now < *next {
            return;
        }
        *next = now.plus(interval);
        match proposer.propose(&self.ledger, key) {
            Ok(block) => {
                let data = codec::encode(&block).unwrap_or_default();
                self.block(now, block, out);
                out.push(Effect::Publish {
                    topic: Topic::Ledger,
                    data,
                });
            }
            Err(error) => out.push(Effect::Notify(Event::Refused {
                reason: error.to_string(),
            })),
        }
    }

    /// Takes a block from anywhere.
    pub(super) fn block(
        &mut self,
        now: Tick,
        block: Block,
        out: &mut Outbox<Effect>,
    ) -> Acceptance {
        match self.replica.follow(&mut self.ledger, block) {
            Followed::Applied(blocks) => {
                for (block, events) in blocks {
                    self.applied(now, block, events, out);
                }
                // When all refusals are known: the ledger has seen what the last of them carried.
                self.confirm(out);
                Acceptance::Accept
            }
            Followed::Gap(from) => {
                out.push(Effect::FetchBlocks { from });
                Acceptance::Accept
            }
            Followed::Old => Acceptance::Ignore,
            Followed::Refused(error) => {
                // What the proposer signed and this node cannot follow its operator has to know; the rest anybody can make up.
                if error.is_divergence() {
                    out.push(Effect::Notify(Event::Refused {
                        reason: error.to_string(),
                    }));
                }
                Acceptance::Reject
            }
        }
    }

    /// A block is part of the ledger: keep it, and tell everybody in this node.
    fn applied(
        &mut self,
        now: Tick,
        block: Block,
        events: Vec<LedgerEvent>,
        out: &mut Outbox<Effect>,
    ) {
        let height = block.commit.header.height;
        self.registrations(&block, out);
        out.push(Effect::Persist(Write::Block(block)));
        let facts = self.facts(height, &events);
        self.absorb(now, &facts, out);
        self.early_batches(now, out);
        for event in &events {
            match event {
                LedgerEvent::Opened { case, .. } => self.case_opened(*case, out),
                LedgerEvent::Refused {
                    item,
                    reason: ItemRefused::TooMany | ItemRefused::Balance | ItemRefused::Stranger,
                } => self.refused_for_now(item),
                _ => {}
            }
        }
        self.ask_again(out);
        self.say_where(out);
        self.forget_records(out);
        out.push(Effect::Applied { height, events });
    }

    /// Tells tally and roles what a block says.
    pub(super) fn absorb(&mut self, now: Tick, facts: &Arc<BlockFacts>, out: &mut Outbox<Effect>) {
        self.shared.height = facts.height;
        let mut asked = Outbox::default();
        let waited = self.tally.block(facts, &self.shared.claims, &mut asked);
        self.perform(now, asked.drain(), out);
        for (approval, peer) in waited {
            let brought = peer.map_or(Brought::Asked, Brought::Before);
            self.approval(approval, brought, out);
        }
        self.signal(now, &Signal::Block(facts), out);
        for (process, segment) in &facts.certified {
            out.push(Effect::Persist(Write::Certified(*process, segment.size)));
            self.heard_of(*process, segment.size, None, out);
        }
        self.committed(facts);
        self.carry(out);
        self.passed = true;
    }

    /// Keeps the items with which operators registered their keys: evidence needs them.
    fn registrations(&mut self, block: &Block, out: &mut Outbox<Effect>) {
        for bytes in &block.items {
            let Ok(item) = Item::parse(bytes.as_slice()) else {
                continue;
            };
            // The others may be large, and cost much to read.
            if item.tag("Action") != Some("Register") {
                continue;
            }
            let Ok((Action::Register(registration), _)) =
                Action::from_item(&self.shared.network, &item)
            else {
                continue;
            };
            let operator = item.owner_address();
            let accepted = self.ledger.operator(&operator).is_some_and(|it| {
                it.had_key(&registration.key) && it.had_item_key(&registration.item_key)
            });
            if accepted {
                self.registered(operator);
                let item = bytes.to_vec();
                out.push(Effect::Persist(Write::Registration {
                    operator,
                    registration,
                    item,
                }));
            }
        }
    }

    /// What a block says, for those who know nothing of the ledger.
    pub(super) fn facts(&self, height: Height, events: &[LedgerEvent]) -> Arc<BlockFacts> {
        let mut facts = BlockFacts {
            height,
            beacon: self.ledger.beacon_at(height).copied().unwrap_or_default(),
            validators: self.ledger.validators_at(height).unwrap_or_default(),
            committed: Vec::new(),
            certified: Vec::new(),
            tombstoned: Vec::new(),
            refuted: Vec::new(),
        };
        for event in events {
            match event {
                LedgerEvent::Committed { claimant, root, .. } => {
                    facts.committed.push((*claimant, *root));
                }
                LedgerEvent::Certified { process, claim, .. } => {
                    // Of several blocks at once, the last may have settled what an earlier one certified.
                    let found = self.ledger.segments(process).find(|it| it.claim == *claim);
                    facts
                        .certified
                        .extend(found.map(|it| (*process, it.clone())));
                }
                LedgerEvent::Slashed(slashing) => facts.tombstoned.push(slashing.offender),
                LedgerEvent::Closed {
                    case,
                    state: CaseState::Guilty,
                    ..
                } => self.refuted(*case, &mut facts),
                _ => {}
            }
        }
        Arc::new(facts)
    }

    /// A claim was proven false, whoever is punished for it: what was certified with it is taken back, and the process goes on from
    /// what is left.
    fn refuted(&self, id: CaseId, facts: &mut BlockFacts) {
        let Some(case) = self.ledger.case(&id) else {
            return;
        };
        let Some(claim) = case.challenge.claim else {
            return;
        };
        facts.refuted.push(Refuted {
            case: id,
            claim,
            slot: case.challenge.slot,
            challenger: case.challenger,
        });
        let process = case.challenge.process;
        let left = self.ledger.latest(&process).cloned();
        let left = left.unwrap_or_else(|| nothing(facts.height));
        facts.certified.push((process, left));
    }
}

/// A process of which nothing is certified.
fn nothing(certified: Height) -> Segment {
    Segment {
        size: 0,
        history_root: merkle::root(&[]),
        claim: ClaimId::default(),
        certified,
        backing: Backing::default(),
    }
}
