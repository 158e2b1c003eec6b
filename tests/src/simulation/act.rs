//! Performing the effects of a core, one by one, and the work that they ask for.

use std::sync::Arc;

use surety_attest::effect::{Assign, Executed, Finding, Job, Offer};
use surety_node::core::{Effect, Input, Signing, Teller};
use surety_node::fault::made_up;
use surety_node::net::identity::peer_id_of;
use surety_node::net::{Acceptance, Subnets, Topic};
use surety_protocol::approval::Approval;
use surety_protocol::codec;
use surety_protocol::execution::Execution;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::Digest;
use surety_protocol::origin::Action;
use surety_slashing::ledger::LedgerEvent;

use super::event::{Event, Work};
use super::{Said, Simulation};
use crate::cast::Weakness;
use crate::network::Wanted;
use crate::node::Heard;
use crate::oracle::Violation;

impl Simulation {
    pub(super) fn act(&mut self, who: usize, effect: Effect) -> Result<(), Violation> {
        match effect {
            // Made durable before.
            Effect::Persist(_) => {}
            // Nobody looks.
            // Everybody knows where everybody is.
            Effect::Locate { .. } | Effect::Announce => {}
            Effect::Carry { everybody, all } => {
                let seed = self.world.operators.get(who).map(|it| it.item_seed);
                let peer = seed.and_then(|mut it| peer_id_of(&mut it));
                if let (Some(node), Some(peer)) = (self.nodes.get_mut(who), peer) {
                    node.carried = match all {
                        true => Subnets::ALL,
                        false => Subnets::carried_by(&peer.to_bytes(), everybody),
                    };
                }
            }
            Effect::Shrank(_) => {}
            Effect::Execute(job, profiles) => {
                self.beside(who, 30, Work::Job(Box::new(job), profiles));
            }
            Effect::Judge { evidence, request } => {
                self.beside(who, 30, Work::Judge(evidence, request));
            }
            Effect::Check(checking) => self.beside(who, 4, Work::Check(checking)),
            Effect::Sign(signing) => self.beside(who, 4, Work::Sign(signing)),
            Effect::Publish { topic, data } => self.publish(who, topic, data)?,
            Effect::Report { token, acceptance } => self.report(who, token, acceptance)?,
            Effect::Fetch(_) if self.plan.weakness == Some(Weakness::NeverAsking) => {}
            Effect::Fetch(want) => self.fetch(who, Wanted::Want(want))?,
            Effect::FetchEvidence {
                evidence,
                challenger,
                ..
            } => self.fetch(who, Wanted::Evidence(evidence, challenger))?,
            Effect::FetchBlocks { from } => self.fetch(who, Wanted::Blocks(from))?,
            Effect::Deliver { offer, to } => {
                if let (Some(node), Some(to)) = (self.nodes.get(who), self.node_of(&to)) {
                    let deliver = Event::Deliver {
                        who,
                        life: node.life,
                        to,
                        offer,
                        wait: 250,
                    };
                    self.agenda.after(0, deliver);
                }
            }
            Effect::Recall { process, after } => {
                if let Some(node) = self.nodes.get(who) {
                    let read = node.archive.outbox(process, &after);
                    let read = read.map_err(|it| Violation::new("archive", it))?;
                    self.step(who, Input::Recalled(read))?;
                }
            }
            Effect::Assign(Assign {
                process,
                item,
                exclude,
            }) => {
                let found = self
                    .nodes
                    .get(who)
                    .and_then(|it| it.archive.item(&item).ok());
                if let Some(item) = found.flatten() {
                    let offer = Offer::Assign {
                        process,
                        item,
                        exclude,
                    };
                    self.step(who, Input::Deliver(offer))?;
                }
            }
            Effect::Notify(event) => {
                self.tell(who, &format!("{event:?}"));
                self.oracle.notified(self.address(who), &event)?;
                if let surety_attest::effect::Event::Pushed { item, .. } = event
                    && let Some(node) = self.nodes.get(who)
                {
                    let item = node.archive.item(&item);
                    if let Some(item) = item.map_err(|it| Violation::new("archive", it))? {
                        self.oracle.delivers(&item);
                    }
                }
            }
            Effect::Applied { height, events } => {
                self.flee(who, &events)?;
                self.preempt(who, &events)?;
                self.oracle.applied(&events)?;
                self.tell(who, &format!("applies block {height}: {events:?}"));
            }
            Effect::Refused {
                item, code, reason, ..
            } => {
                self.tell(who, &format!("refuses {item}: {code}, {reason}"));
            }
        }
        Ok(())
    }

    /// A liar takes its stake out, once its lie counts (rule CA-5).
    fn flee(&mut self, who: usize, events: &[LedgerEvent]) -> Result<(), Violation> {
        let address = self.address(who);
        let Some(node) = self.nodes.get(who).filter(|_| self.plan.flight) else {
            return Ok(());
        };
        let mut counts = false;
        for event in events {
            if let LedgerEvent::Committed { claimant, root, .. } = event
                && *claimant == address
            {
                let batch = node.archive.batch(root, claimant);
                let batch = batch.map_err(|it| Violation::new("archive", it))?;
                counts |= batch.is_some_and(|it| self.oracle.lie_among(&it.claims));
            }
        }
        if !counts || !self.fled.insert(who) {
            return Ok(());
        }
        self.tell(who, "takes its stake out");
        let to = self.cast.proposer;
        let leaving = self.world.operators.get(who).map(|it| it.leaving.clone());
        for (pause, item) in (0..).zip(leaving.unwrap_or_default()) {
            let offer = Offer::Item(item);
            self.agenda.after(600 * pause, Event::Offer { to, offer });
        }
        Ok(())
    }

    /// Plans something that is done beside the core.
    fn beside(&mut self, who: usize, most: u64, work: Work) {
        let Some(life) = self.nodes.get(who).map(|it| it.life) else {
            return;
        };
        let delay = self.random.between(1, most);
        self.agenda.after(delay, Event::Work { who, life, work });
    }

    pub(super) fn work(&mut self, who: usize, work: Work) -> Result<(), Violation> {
        let honest = self.cast.honest(who);
        let weakness = self.plan.weakness.filter(|_| honest);
        let Some((node, running)) = self
            .nodes
            .get(who)
            .and_then(|it| it.running.as_ref().map(|running| (it, running)))
        else {
            return Ok(());
        };
        let begin = self.begin();
        let input = match work {
            Work::Job(job, profiles) => Input::Executed(match (weakness, job.as_ref()) {
                (
                    Some(Weakness::BlindVerifiers),
                    Job::Check {
                        claim,
                        committed,
                        traced,
                        ..
                    },
                ) => Executed::Checked {
                    claim: claim.statement.claim.id().unwrap_or_default(),
                    committed: *committed,
                    finding: Finding::True(made_up(&traced.keys)),
                },
                (Some(Weakness::UncomparedTraces), Job::AccuseTrace { .. }) => return Ok(()),
                _ => running.executor.perform(*job, &profiles),
            }),
            Work::Judge(evidence, request) => {
                let execution = match weakness {
                    Some(Weakness::BribedJudges) => Execution::Invalid("bribed".into()),
                    _ => running.executor.judge(&request),
                };
                Input::Judged {
                    evidence,
                    execution,
                }
            }
            Work::Check(checking) => {
                let mut hold = checking.run(&Digest::default());
                if weakness == Some(Weakness::TrustingNodes) {
                    hold.fill(true);
                }
                Input::Checked(Some(hold))
            }
            Work::Sign(signing) => {
                if weakness == Some(Weakness::ForgivenApprovers) && tells(&signing) {
                    return Ok(());
                }
                let made =
                    running
                        .signer
                        .sign(*signing, &node.archive, running.core.shared().first);
                let made = made.map_err(|it| Violation::new("signing", it))?;
                self.spend(begin);
                self.step(who, Input::Signed(made.signed))?;
                if let Some((topic, data)) = made.forged {
                    self.publish(who, topic, data)?;
                }
                return Ok(());
            }
        };
        let life = node.life;
        self.spend(begin);
        let abstained = match &input {
            Input::Executed(Executed::Abstained { reason, .. }) => Some(reason.clone()),
            _ => None,
        };
        if let Some(reason) = abstained {
            self.tell(who, &format!("abstains: {reason}"));
        }
        let delay = self.random.below(10);
        self.agenda.after(
            delay,
            Event::Done {
                who,
                life,
                input: Box::new(input),
            },
        );
        Ok(())
    }

    /// A node says something of its own; what it has seen before is not said again (as gossip does).
    fn publish(&mut self, who: usize, topic: Topic, data: Vec<u8>) -> Result<(), Violation> {
        let now = self.agenda.now();
        let skewed = self.skewed(who, topic, &data);
        let is_skewed = skewed.is_some();
        let data = skewed.unwrap_or(data);
        let id = digest(Domain::OBJECT, &[topic.to_string().as_bytes(), &data]);
        let address = self.address(who);
        // [CA-3]
        if self.cast.spammer == Some(who) && matches!(topic, Topic::Approvals(_)) {
            return Ok(());
        }
        let Some(node) = self.nodes.get_mut(who) else {
            return Ok(());
        };
        if node.running.is_none() || !node.sees(id, now) {
            return Ok(());
        }
        self.trace.add(now, "publish", who, id.as_bytes());
        let (network, archive) = (self.world.network, &node.archive);
        // Nobody takes what another version says for a claim.
        if !is_skewed {
            self.oracle
                .published(address, &network, archive, topic, &data)?;
        }
        let heard = Heard {
            topic,
            data: Arc::from(data),
            id,
            from: who,
            origin: who,
        };
        if let Some(record) = &mut self.record {
            let data = Arc::clone(&heard.data);
            record.push(Said { topic, data });
        }
        self.relay(who, &heard);
        Ok(())
    }

    /// Passes gossip on to everybody that is linked but who it came from (rule NW-1).
    pub(super) fn relay(&mut self, who: usize, heard: &Heard) {
        // [NW-4]
        let villain = who == heard.origin && self.cast.lies(who);
        let linked = match villain {
            true => self.carriers(heard.topic),
            false => self.linked(who, heard.topic),
        };
        for to in linked {
            if to == who || to == heard.from || to == heard.origin {
                continue;
            }
            if self.is_kept_from(who, heard, to) {
                continue;
            }
            let copies = match villain {
                true => vec![(self.links.surely(), false)],
                false => self.links.gossip(who, to),
            };
            for (delay, repeated) in copies {
                let heard = Heard {
                    from: who,
                    ..heard.clone()
                };
                self.agenda.after(
                    delay,
                    Event::Gossip {
                        to,
                        heard,
                        repeated,
                    },
                );
            }
        }
    }

    pub(super) fn hear(
        &mut self,
        to: usize,
        heard: Heard,
        repeated: bool,
    ) -> Result<(), Violation> {
        let now = self.agenda.now();
        if self.is_censored(to, &heard) {
            return Ok(());
        }
        let Some(node) = self.nodes.get_mut(to) else {
            return Ok(());
        };
        if node.running.is_none() || !(node.sees(heard.id, now) || repeated) {
            return Ok(());
        }
        if self.plan.weakness == Some(Weakness::HastyNodes)
            && self.cast.honest(to)
            && let Ok(it) = codec::decode::<Approval>(&heard.data)
            && !node.hasty.insert((it.claim, it.committed, it.verifier))
        {
            return Ok(());
        }
        if self.cast.spammer == Some(to) {
            self.overhear(&heard);
        }
        if let Some(meter) = self.meter.as_mut().filter(|_| !repeated) {
            meter.hears(now, &heard.data);
        }
        let Some(node) = self.nodes.get_mut(to) else {
            return Ok(());
        };
        let (topic, data) = (heard.topic, heard.data.to_vec());
        let peer = digest(Domain::OBJECT, &[&heard.from.to_be_bytes()]);
        let token = node.hears(heard);
        let teller = Teller { token, peer };
        self.step(
            to,
            Input::Gossip {
                teller,
                topic,
                data,
            },
        )
    }

    fn report(&mut self, who: usize, token: u64, acceptance: Acceptance) -> Result<(), Violation> {
        let Some(heard) = self.nodes.get_mut(who).and_then(|it| it.judged(token)) else {
            return Ok(());
        };
        let (from, topic) = (heard.origin, heard.topic.name());
        if acceptance != Acceptance::Accept {
            self.tell(who, &format!("{acceptance:?}s {topic} of node {from}"));
        }
        match acceptance {
            Acceptance::Accept => {
                if self.cast.honest(who) && self.forgeries.contains(&heard.id) {
                    let what = format!("node {who} passes on forged {topic} of node {from}");
                    return Err(Violation::new("forged-gossip", what));
                }
                self.oracle
                    .accepted(self.address(who), heard.topic, &heard.data)?;
                self.relay(who, &heard);
            }
            Acceptance::Ignore => {}
            Acceptance::Reject => {
                if self.cast.honest(who) && !self.cast.lies(from) {
                    let what = format!("node {who} rejects {topic} of node {from}");
                    return Err(Violation::new("honest-gossip", what));
                }
            }
        }
        Ok(())
    }
}

/// Whether what is to be signed tells the ledger who approved a false claim.
fn tells(signing: &Signing) -> bool {
    matches!(signing, Signing::Action { action, .. } if matches!(action, Action::FalseApprovals(_)))
}
