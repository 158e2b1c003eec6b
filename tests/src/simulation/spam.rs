//! What a spammer says (rule CA-3): what it has heard, altered, cut, on another topic, or once more.

use std::sync::Arc;

use serde_bytes::ByteBuf;
use surety_node::fault::Fault;
use surety_node::net::{Subnet, Topic};
use surety_protocol::approval::Approval;
use surety_protocol::claim::{SignedClaim, Statement};
use surety_protocol::codec;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::{Address, Digest};
use surety_protocol::time::Slot;
use surety_protocol::trace::TraceProof;
use surety_slashing::ledger::LedgerEvent;

use super::Simulation;
use super::event::Event;
use super::{HEAL, OPENING};
use crate::fuzz::mutate::mutate;
use crate::node::Heard;
use crate::oracle::Violation;

/// How much of what it hears a spammer remembers.
const OVERHEARD_MAX: usize = 64;

impl Simulation {
    /// An approval that it has overheard.
    fn approval(&mut self) -> Option<Approval> {
        let approvals = self.overheard.iter();
        let approvals: Vec<Approval> = approvals
            .filter_map(|it| codec::decode(&it.data).ok())
            .collect();
        self.random.pick(&approvals).cloned()
    }

    /// Says what every verifier will say of the claims that a block has committed to, before they can, under a signature for
    /// something else.
    pub(super) fn preempt(&mut self, who: usize, events: &[LedgerEvent]) -> Result<(), Violation> {
        if self.cast.spammer != Some(who) {
            return Ok(());
        }
        let committed = events.iter().filter_map(|event| match event {
            LedgerEvent::Committed {
                claimant,
                height,
                root,
            } => Some((*claimant, *height, *root)),
            _ => None,
        });
        self.preempting.extend(committed);
        let mut preempting = std::mem::take(&mut self.preempting);
        let Some(core) = self.core(who) else {
            return Ok(());
        };
        let known = &core.shared().claims;
        let mut batches = Vec::new();
        // Which claims they are is told after the block.
        preempting.retain(|(claimant, height, root)| {
            let Some(batch) = known.batch(root) else {
                return true;
            };
            let signed = batch.claims.iter().filter_map(|it| {
                let signed = known.signed_by(it, claimant)?;
                let subnet = Subnet::of(&signed.statement.claim.process);
                Some((*it, subnet, signed.statement.signature))
            });
            batches.push((*claimant, *height, signed.collect::<Vec<_>>()));
            false
        });
        self.preempting = preempting;
        let own = self.address(who);
        let verifiers: Vec<Address> = self.world.operators.iter().map(|it| it.address).collect();
        for (claimant, committed, claims) in batches {
            let others = verifiers
                .iter()
                .filter(|it| **it != own && **it != claimant);
            for verifier in others {
                for (claim, subnet, signature) in &claims {
                    let (subnet, signature) = (*subnet, *signature);
                    let said = codec::encode(&Approval {
                        claim: *claim,
                        claimant,
                        committed,
                        verifier: *verifier,
                        sortition: signature,
                        signature,
                        trace: TraceProof {
                            signature,
                            own: Digest::default(),
                            binding: ByteBuf::new(),
                        },
                    });
                    let said = said.map_err(|it| Violation::new("spam", it))?;
                    self.says(who, Topic::Approvals(subnet), said, true)?;
                }
            }
        }
        Ok(())
    }

    /// The same under a signature that the same verifier, or claimant, or another has made for something else.
    fn forged(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        let other = self.approval()?.signature;
        if let Ok(approval) = codec::decode::<Approval>(data) {
            let signature = other;
            return codec::encode(&Approval {
                signature,
                ..approval
            })
            .ok();
        }
        // A lie in the name of somebody who did not tell it.
        let true_one: SignedClaim = codec::decode(data).ok()?;
        let claimed = &true_one.statement.claim;
        let lie = Fault::WrongResult(Slot(claimed.size.checked_sub(1)?));
        let (claim, leaves) = lie.falsified(claimed, &true_one.frontier, &true_one.leaves)?;
        let statement = Statement {
            claim,
            signature: other,
            ..true_one.statement
        };
        codec::encode(&SignedClaim {
            statement,
            leaves,
            ..true_one
        })
        .ok()
    }

    pub(super) fn overhear(&mut self, heard: &Heard) {
        self.overheard.push_back(heard.clone());
        if self.overheard.len() > OVERHEARD_MAX {
            self.overheard.pop_front();
        }
    }

    pub(super) fn spam(&mut self) -> Result<(), Violation> {
        let Some(who) = self.cast.spammer else {
            return Ok(());
        };
        let pause = HEAL.since(OPENING).checked_div(self.plan.spam);
        self.agenda.after(pause.unwrap_or(0).max(1), Event::Spam);
        self.overheard.make_contiguous();
        let (heard, _) = self.overheard.as_slices();
        let Some(heard) = self.random.pick(heard).cloned() else {
            return Ok(());
        };
        let mut data = heard.data.to_vec();
        let mut topic = heard.topic;
        match self.random.below(6) {
            0 => {
                let each = Topic::each(topic.subnet().unwrap_or_default());
                topic = self.random.pick(&each).copied().unwrap_or(topic);
            }
            1 => {}
            2 | 3 => {
                if let Some(forged) = self.forged(&data).filter(|it| *it != data) {
                    return self.says(who, topic, forged, true);
                }
            }
            _ => mutate(&mut data, &mut self.random),
        }
        self.says(who, topic, data, false)
    }

    fn says(
        &mut self,
        who: usize,
        topic: Topic,
        data: Vec<u8>,
        is_forged: bool,
    ) -> Result<(), Violation> {
        let id = digest(Domain::OBJECT, &[topic.to_string().as_bytes(), &data]);
        if is_forged {
            self.forgeries.insert(id);
        }
        self.trace
            .add(self.agenda.now(), "spam", who, id.as_bytes());
        let said = Heard {
            topic,
            data: Arc::from(data),
            id,
            from: who,
            origin: who,
        };
        self.relay(who, &said);
        Ok(())
    }
}
