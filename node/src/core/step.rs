//! One step of a node: an input, and what is done once however much came with it (rule CO-1).

use surety_attest::effect as attest;
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Tick, Timestamp};

use super::{Core, Effect, Input, Signal};

impl Core {
    /// Takes one input and gives its effects (rule CO-1).
    pub fn step(&mut self, now: Tick, input: Input) -> Vec<Effect> {
        let mut out = Outbox::default();
        match input {
            Input::Tick(wall) => self.tick(now, wall, &mut out),
            Input::Gossip {
                teller,
                topic,
                data,
            } => {
                if let Some(acceptance) = self.gossip(now, teller, topic, &data, &mut out) {
                    let token = teller.token;
                    out.push(Effect::Report { token, acceptance });
                }
            }
            Input::Checked(hold) => self.checked(now, hold, &mut out),
            Input::Offer { offer, wall } => self.offer(now, offer, wall, &mut out),
            Input::Deliver(offer) => self.deliver(now, offer, &mut out),
            Input::Recalled(recalled) => {
                self.signal(now, &Signal::Recalled(&recalled), &mut out);
            }
            Input::Known { process, item } => {
                self.signal(now, &Signal::Known { process, item }, &mut out);
            }
            Input::Executed(executed) => self.executed(now, executed, &mut out),
            Input::Judged {
                evidence,
                execution,
            } => self.judged(evidence, &execution, &mut out),
            Input::Signed(signed) => self.signed(now, signed, &mut out),
            Input::Fetched(fetched) => self.fetched(now, fetched, &mut out),
        }
        if let Some(checking) = self.checks.begin(now) {
            out.push(Effect::Check(checking));
        }
        self.settle(now, &mut out);
        effects(out)
    }

    /// What is done once in a step, however many blocks, slots and claims came with it.
    pub(super) fn settle(&mut self, now: Tick, out: &mut Outbox<Effect>) {
        if std::mem::take(&mut self.passed) {
            self.catch_up(out);
        }
        self.signal(now, &Signal::StepEnds, out);
    }

    fn tick(&mut self, now: Tick, wall: Timestamp, out: &mut Outbox<Effect>) {
        self.propose(now, out);
        if let Some(from) = self.replica.gap(&self.ledger) {
            out.push(Effect::FetchBlocks { from });
        }
        self.late_batches(now, out);
        let height = self.ledger.height();
        self.signal(now, &Signal::Tick { wall, height }, out);
    }
}

/// The effects of a step, and how many there were too many.
pub(super) fn effects(mut out: Outbox<Effect>) -> Vec<Effect> {
    let (refused, mut effects) = (out.refused(), out.drain());
    if refused > 0 {
        effects.push(left_out(refused));
    }
    effects
}

/// Effects that had no room in their step (rule MA-3).
pub(super) fn left_out(effects: usize) -> Effect {
    let reason = format!("{effects} effects of one step were left out");
    Effect::Notify(attest::Event::Refused { reason })
}
