//! Performing the effects of the core, one by one.

use std::sync::Arc;
use std::time::Duration;

use surety_attest::effect::{Event, Offer};
use surety_attest::schedule::ALREADY;
use surety_protocol::codec;
use surety_protocol::execution::Execution;
use surety_protocol::id::{Address, ItemId, ProcessId};
use surety_protocol::item::Item;
use surety_slashing::ledger::{Ledger, LedgerEvent};

use super::handle::{Accepted, OfferError};
use super::waiters::{accept, answer, awaited, of_ledger};
use super::{Completion, Driver, DriverError};
use crate::archive::ArchiveError;
use crate::core::{Checking, Effect, Input, Signing};
use crate::exchange::{Fetcher, ItemRequest, Placed, Receipt, Wanted};
use crate::metrics::TopicLabel;
use crate::net::{Acceptance, PeerId, Topic};
use crate::view::NodeEvent;

/// The longest pause between two tries to hand an item to a scheduler.
const DELIVERY_WAIT_MAX: Duration = Duration::from_secs(60);
/// Penalty for a request that cannot be read.
pub(super) const MALFORMED_POINTS: u32 = 25;

impl Driver {
    /// Performs an effect; signatures are made here and go straight back into the core.
    pub(super) async fn act(&mut self, effect: Effect) -> Result<Vec<Effect>, DriverError> {
        match effect {
            // Made durable before.
            Effect::Persist(_) => {}
            Effect::Execute(job, profiles) => {
                let executor = Arc::clone(&self.executor);
                self.beside(move || Input::Executed(executor.perform(job, &profiles)));
            }
            Effect::Judge { evidence, request } => {
                let executor = Arc::clone(&self.executor);
                self.beside(move || {
                    let execution = executor.judge(&request);
                    if let Execution::Abstained(reason) = &execution {
                        tracing::error!(%evidence, %reason, "no verdict on a case");
                    }
                    Input::Judged {
                        evidence,
                        execution,
                    }
                });
            }
            Effect::Check(checking) => self.check(checking),
            Effect::Sign(signing) => return Ok(self.sign(*signing)),
            Effect::Publish { topic, data } => self.publish(topic, data).await,
            Effect::Report { token, acceptance } => {
                if let Some((topic, message)) = self.tokens.remove(&token) {
                    self.count_gossip(topic, acceptance);
                    // A stopped network needs no report.
                    let _ = self.net.report(message, acceptance).await;
                }
            }
            Effect::Fetch(want) => self.fetch(Wanted::Want(want)),
            Effect::FetchEvidence {
                evidence,
                bytes,
                challenger,
            } => {
                self.fetch(Wanted::Evidence {
                    id: evidence,
                    bytes,
                    challenger,
                });
            }
            Effect::FetchBlocks { from } => self.fetch(Wanted::Blocks(from)),
            Effect::Deliver { offer, to } => self.deliver(offer, &to),
            Effect::Assign(assign) => self.find(assign),
            Effect::Recall { process, after } => self.recall(process, after),
            // A stopped network needs to know nothing.
            Effect::Locate { peer, addresses } => {
                let _ = self.net.locate(peer, addresses).await;
            }
            Effect::Announce => {
                let _ = self.net.announce().await;
            }
            Effect::Carry { everybody, all } => {
                let _ = self.net.carry(everybody, all).await;
            }
            Effect::Shrank(process) => {
                self.changed = true;
                self.touched.insert(process);
            }
            Effect::Notify(event) => self.notify(event)?,
            Effect::Applied { height, events } => {
                self.changed = true;
                for event in events {
                    self.count_ledger(&event);
                    self.events.push(NodeEvent::Ledger { height, event });
                }
            }
            Effect::Refused {
                item,
                process,
                code,
                reason,
            } => {
                let waiting = self.waiters.take(&(item, process));
                answer(&self.net, waiting, &Err(OfferError::new(code, reason)));
            }
        }
        Ok(Vec::new())
    }

    /// Runs something heavy beside the loop.
    fn beside(&self, work: impl FnOnce() -> Input + Send + 'static) {
        let completions = self.completions.clone();
        let executions = Arc::clone(&self.executions);
        tokio::spawn(async move {
            let Ok(_permit) = executions.acquire_owned().await else {
                return;
            };
            if let Ok(input) = tokio::task::spawn_blocking(work).await {
                // The driver may have stopped.
                let _ = completions.send(Completion::Input(Box::new(input))).await;
            }
        });
    }

    /// Verifies signatures beside the loop, and beside what is executed: there is one batch at a time (rule CK-2).
    fn check(&self, checking: Checking) {
        let completions = self.completions.clone();
        let seed = self.check_seed;
        tokio::spawn(async move {
            let hold = tokio::task::spawn_blocking(move || checking.run(&seed)).await;
            let hold = hold.inspect_err(|error| tracing::error!(%error, "verifying ended"));
            // The driver may have stopped.
            let input = Box::new(Input::Checked(hold.ok()));
            let _ = completions.send(Completion::Input(input)).await;
        });
    }

    fn sign(&mut self, signing: Signing) -> Vec<Effect> {
        if matches!(signing, Signing::Assignments(_)) {
            self.sign_beside(signing);
            return Vec::new();
        }
        let (signer, archive) = (&self.signer, &self.archive);
        let first = self.core.shared().first;
        match tokio::task::block_in_place(|| signer.sign(signing, archive, first)) {
            Ok(made) => {
                let now = self.now();
                let mut effects = self.core.step(now, Input::Signed(made.signed));
                let publish = |(topic, data)| Effect::Publish { topic, data };
                effects.extend(made.forged.map(publish));
                effects
            }
            Err(error) => {
                tracing::warn!(%error, "not signed");
                Vec::new()
            }
        }
    }

    /// Signs assignments beside the loop: there may be many of them, and a signature of RSA takes milliseconds.
    fn sign_beside(&self, signing: Signing) {
        let (signer, archive) = (Arc::clone(&self.signer), self.archive.clone());
        let completions = self.completions.clone();
        let signings = Arc::clone(&self.signings);
        tokio::spawn(async move {
            let Ok(_permit) = signings.acquire_owned().await else {
                return;
            };
            let made = tokio::task::spawn_blocking(move || signer.sign(signing, &archive, None));
            match made.await {
                // The driver may have stopped.
                Ok(Ok(made)) => drop(completions.send(Completion::Signed(made)).await),
                Ok(Err(error)) => tracing::error!(%error, "assignments were not signed"),
                Err(error) => tracing::error!(%error, "signing assignments ended"),
            }
        });
    }

    async fn publish(&mut self, topic: Topic, data: Vec<u8>) {
        if topic == Topic::Ledger
            && let Ok(item) = Item::parse(data.as_slice())
        {
            let waiting = self.waiters.take(&of_ledger(&item));
            accept(&self.net, waiting, &Accepted::Queued);
        }
        let label = TopicLabel {
            topic: topic.name(),
        };
        self.metrics.gossip_sent.get_or_create(&label).inc();
        if let Err(error) = self.net.publish(topic, data).await {
            tracing::warn!(%error, topic = topic.name(), "not published");
        }
    }

    fn deliver(&self, offer: Offer, to: &Address) {
        let what = awaited(&offer);
        let peer = peer_of(self.core.ledger(), to);
        let fetcher = self.fetcher.clone();
        let completions = self.completions.clone();
        tokio::spawn(async move {
            let outcome = match peer {
                None => Err(OfferError::new(
                    "scheduler-unknown",
                    "the scheduler has no peer id",
                )),
                Some(peer) => offer_patiently(&fetcher, peer, &offer).await,
            };
            let _ = completions.send(Completion::Delivered(what, outcome)).await;
        });
    }

    fn notify(&mut self, event: Event) -> Result<(), ArchiveError> {
        self.changed = true;
        match &event {
            Event::Scheduled {
                message,
                process,
                slot,
                assignment,
                timestamp,
            } => {
                let receipt = Receipt {
                    process: *process,
                    slot: *slot,
                    assignment: (*assignment).into(),
                    timestamp: *timestamp,
                };
                self.metrics.messages_assigned.inc();
                let waiting = self.waiters.take(&(ItemId::from(*message), Some(*process)));
                let already = false;
                answer(&self.net, waiting, &Ok(Placed { receipt, already }));
            }
            Event::Unscheduled {
                message,
                process,
                code,
                reason,
            } => {
                let message = ItemId::from(*message);
                let waiting = self.waiters.take(&(message, *process));
                let refused = OfferError::new(code, reason.as_str());
                // [SC-4]
                let placed = match process {
                    Some(process) if *code == ALREADY => self.receipt(*process, message)?,
                    _ => None,
                };
                let already = true;
                let placed = placed.map(|receipt| Placed { receipt, already });
                answer(&self.net, waiting, &placed.ok_or(refused));
            }
            Event::Evaluated { gas, .. } => {
                self.metrics.inputs_evaluated.inc();
                self.metrics.gas_used.inc_by(*gas);
            }
            Event::Pushed { .. } => {
                self.metrics.pushes.inc();
            }
            Event::Claimed { .. } => {
                self.metrics.claims_signed.inc();
            }
            Event::Approved { .. } => {
                self.metrics.approvals_signed.inc();
            }
            Event::Audited { .. } => {
                self.metrics.claims_audited.inc();
            }
            Event::Refuted { .. } => {
                tracing::warn!(?event, "a claim is false");
            }
            Event::Unaudited { process, claim } => {
                self.metrics.claims_unaudited.inc();
                tracing::warn!(%process, %claim, "a claim was not looked at");
            }
            Event::EnginesDiffer { evidence } => {
                self.metrics.engine_incidents.inc();
                tracing::error!(%evidence, "two engines differ about a case: one of them is at fault; keep the file");
            }
            Event::Accused { .. } => {
                self.metrics.evidence_found.inc();
            }
            Event::Refused { reason } => {
                self.metrics.signatures_refused.inc();
                tracing::error!(%reason, "refused");
            }
            _ => {}
        }
        tracing::debug!(?event, "event");
        self.events.push(NodeEvent::Role(event));
        Ok(())
    }

    /// The slot that a message has, from the archive.
    fn receipt(
        &self,
        process: ProcessId,
        message: ItemId,
    ) -> Result<Option<Receipt>, ArchiveError> {
        let archive = &self.archive;
        let assignment = tokio::task::block_in_place(|| {
            let slot = archive.slot_of(&process, &message)?;
            let assignment = slot.map(|slot| archive.assignment(&process, slot));
            assignment.transpose()
        })?;
        Ok(assignment.flatten().map(|it| Receipt {
            process,
            slot: it.slot,
            assignment: it.id,
            timestamp: it.timestamp,
        }))
    }

    fn count_ledger(&self, event: &LedgerEvent) {
        match event {
            LedgerEvent::Certified { .. } => {
                self.metrics.certificates.inc();
            }
            LedgerEvent::Slashed(slashing) => {
                self.metrics.slashings.inc();
                tracing::warn!(offender = %slashing.offender, kind = slashing.kind.name(), "slashed");
            }
            LedgerEvent::Profile(added) => {
                let (from, version) = (added.from.0, added.profile.version);
                if added.profile.executable() {
                    tracing::info!(from, version, "a profile was added");
                } else {
                    tracing::error!(
                        from,
                        version,
                        "a profile was added that this program does not execute"
                    );
                }
            }
            LedgerEvent::Refused { item, reason } => tracing::debug!(%item, %reason, "refused"),
            _ => {}
        }
    }

    fn count_gossip(&self, topic: Topic, acceptance: Acceptance) {
        let label = TopicLabel {
            topic: topic.name(),
        };
        let family = match acceptance {
            Acceptance::Accept => &self.metrics.gossip_accepted,
            Acceptance::Ignore => &self.metrics.gossip_ignored,
            Acceptance::Reject => &self.metrics.gossip_rejected,
        };
        family.get_or_create(&label).inc();
    }
}

/// The peer that an operator has registered.
pub(crate) fn peer_of(ledger: &Ledger, operator: &Address) -> Option<PeerId> {
    let registered = ledger.operator(operator)?;
    PeerId::from_bytes(&registered.registration.peer).ok()
}

/// Hands an item to a scheduler, again for a while if it cannot be reached: a message between processes is lost to nobody's
/// restart. The scheduler knows what it has, so handing over twice does no harm.
async fn offer_patiently(
    fetcher: &Fetcher,
    peer: PeerId,
    offer: &Offer,
) -> Result<Placed, OfferError> {
    let mut wait = Duration::from_millis(250);
    loop {
        match fetcher.offer(peer, offer).await {
            Ok(Ok(placed)) => return Ok(placed),
            Ok(Err((code, reason))) => return Err(OfferError { code, reason }),
            Err(error) if wait > DELIVERY_WAIT_MAX => {
                return Err(OfferError::new("scheduler-unreachable", error.to_string()));
            }
            Err(_) => {
                tokio::time::sleep(wait).await;
                wait = wait.saturating_mul(2);
            }
        }
    }
}

/// What a peer offers; nothing if the request asks for something else, `Some(None)` if it is malformed.
pub(super) fn offered(request: &[u8]) -> Option<Option<Offer>> {
    let Ok(request) = codec::decode::<ItemRequest>(request) else {
        return Some(None);
    };
    let bytes = request.offered?;
    let item = Item::parse(bytes.into_vec()).and_then(Item::authenticate);
    let offer = |item| match request.assign {
        None => Offer::Item(item),
        Some((process, exclude)) => Offer::Assign {
            process,
            item,
            exclude,
        },
    };
    Some(item.ok().map(offer))
}
