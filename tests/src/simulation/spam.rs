//! What a spammer says (rule CA-3): what it has heard, altered, cut, on another topic, or once more.

use std::sync::Arc;

use surety_node::fault::Fault;
use surety_node::net::Topic;
use surety_protocol::approval::Approval;
use surety_protocol::claim::{SignedClaim, Statement};
use surety_protocol::codec;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::time::Slot;

use super::Simulation;
use super::event::Event;
use super::{HEAL, OPENING};
use crate::fuzz::mutate::mutate;
use crate::node::Heard;
use crate::oracle::Violation;

/// How much of what it hears a spammer remembers.
const OVERHEARD_MAX: usize = 64;

impl Simulation {
    /// The same under a signature that the same verifier, or claimant, or another has made for something else.
    fn forged(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        let mut other = None;
        for _ in 0..OVERHEARD_MAX {
            self.overheard.rotate_left(1);
            let heard = self.overheard.front()?;
            let approval = codec::decode::<Approval>(&heard.data).ok();
            other = other.or(approval.map(|it| it.signature));
        }
        let other = other?;
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

    pub(super) fn spam(&mut self, left: u64) -> Result<(), Violation> {
        let Some(who) = self.cast.spammer.filter(|_| left > 0) else {
            return Ok(());
        };
        let pause = HEAL.since(OPENING).checked_div(self.plan.spam);
        let pause = pause.unwrap_or(0).max(1);
        let left = left.saturating_sub(1);
        self.agenda.after(pause, Event::Spam { left });
        self.overheard.make_contiguous();
        let (heard, _) = self.overheard.as_slices();
        let Some(heard) = self.random.pick(heard).cloned() else {
            return Ok(());
        };
        let mut data = heard.data.to_vec();
        let (mut topic, mut is_forged) = (heard.topic, false);
        match self.random.below(6) {
            0 => topic = self.random.pick(&Topic::ALL).copied().unwrap_or(topic),
            1 => {}
            2 | 3 => {
                if let Some(forged) = self.forged(&data) {
                    is_forged = forged != data;
                    data = forged;
                }
            }
            _ => mutate(&mut data, &mut self.random),
        }
        let id = digest(Domain::OBJECT, &[topic.name().as_bytes(), &data]);
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
