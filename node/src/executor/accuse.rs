//! Making evidence: that a claim is false, that a verifier has not executed what it
//! approved, that a scheduler signed two assignments, that a claimant contradicted itself.

use std::sync::Arc;

use serde_bytes::ByteBuf;
use surety_attest::claims::{Contradiction, Lead};
use surety_attest::effect::Executed;
use surety_attest::engine::{EngineError, WitnessFault};
use surety_attest::message;
use surety_protocol::approval::Approval;
use surety_protocol::claim::{Leaf, SignedClaim};
use surety_protocol::codec;
use surety_protocol::evidence::{
    ClaimEquivocation, DoubleAssignment, Evidence, FalseClaim, FalseTrace, InputBytes, Offence,
    OffenceKind, Stretch,
};
use surety_protocol::id::{Address, AssignmentId, Digest, ItemId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::origin::{Action, Registration};
use surety_protocol::profiles::{Profiles, Stride};
use surety_protocol::time::{Height, Slot};
use surety_protocol::trace;
use surety_protocol::verified::Authentic;
use surety_protocol::witness::PackedWitness;

use super::reach::Target;
use super::{Executor, Failure};

impl Executor {
    /// The evidence that the leaf of a slot, or the head after it, is not what the inputs give.
    pub(super) fn accuse(
        &self,
        network: &Profiles,
        claim: &SignedClaim,
        lead: &Lead,
        slot: Slot,
    ) -> Result<Executed, Failure> {
        let body = &claim.statement.claim;
        let stretch = match self.stretch(network, claim, lead, slot)? {
            Ok(stretch) => stretch,
            Err(earlier) => return self.accuse(network, claim, lead, earlier),
        };
        let offence = FalseClaim {
            statement: claim.statement.clone(),
            registration: self.registration(&claim.statement.claimant, |it| {
                claim.statement.signed_by(&it.key)
            })?,
            stretch,
        };
        let evidence = self.file(&Offence::FalseClaim(Box::new(offence)))?;
        let id = body.id().map_err(|_| Failure::Missing("claim"))?;
        Ok(Executed::Accused {
            claim: id,
            claimant: claim.statement.claimant,
            slot,
            evidence,
        })
    }

    /// The evidence that an approval's trace proof is not that of the step which its seed draws.
    pub(super) fn accuse_trace(
        &self,
        network: &Profiles,
        claim: &SignedClaim,
        lead: &Lead,
        seed: &Digest,
        approval: &Approval,
    ) -> Result<Executed, Failure> {
        let body = &claim.statement.claim;
        let slot = trace::slot(seed, body.first_new, body.size)
            .ok_or(Failure::Missing("leaves of the claim"))?;
        let stretch = self
            .stretch(network, claim, lead, slot)?
            .map_err(|_| Failure::Missing("a claim that is true"))?;
        let offender = approval.verifier;
        let id = body.id().map_err(|_| Failure::Missing("claim"))?;
        let bound = |it: &Registration| {
            let item = approval.trace.bound(&id, seed, (&offender, &it.key));
            item.is_some_and(|item| item.owner_address() == it.item_key)
        };
        let offence = FalseTrace {
            claim: body.clone(),
            seed: *seed,
            proof: approval.trace.clone(),
            registration: self.registration(&offender, bound)?,
            stretch,
        };
        Ok(Executed::Proven {
            kind: OffenceKind::FalseTrace,
            offender,
            process: body.process,
            slot,
            evidence: self.file(&Offence::FalseTrace(Box::new(offence)))?,
        })
    }

    /// What anybody has to execute to see what the input of a slot gives; or an earlier slot, whose leaf lacks the state root that
    /// is due there.
    fn stretch(
        &self,
        network: &Profiles,
        claim: &SignedClaim,
        lead: &Lead,
        slot: Slot,
    ) -> Result<Result<Stretch, Slot>, Failure> {
        let body = &claim.statement.claim;
        let profiles = network
            .until(&body.profile)
            .ok_or(Failure::Missing("the claim's profile"))?;
        let setting = self.setting(&body.process)?;
        let known = [&lead.leaves[..], &claim.leaves[..]].concat();
        let leaves =
            leaves_to(&known, slot).ok_or(Failure::Missing("a state root before the slot"))?;
        let executed = leaves.iter().skip(usize::from(slot.0 > 0));
        let mut inputs = Vec::new();
        let mut messages = Vec::new();
        for leaf in executed.clone() {
            let input = self.input(&body.process, leaf.slot)?;
            messages
                .push(message::message(&setting.process, &input).ok_or(Failure::Input(leaf.slot))?);
            inputs.push(InputBytes {
                assignment: ByteBuf::from(input.assignment.bytes()),
                message: input.message.map(|it| ByteBuf::from(it.bytes())),
            });
        }
        // Where a root was due before, and none stands, there is the lie (rule E-34).
        let mut stride = Stride::default();
        let earlier = executed.zip(&messages).find(|(leaf, message)| {
            let stamp = Height(message.block_height);
            stride.advance(&profiles, leaf.slot, stamp, leaf.gas)
        });
        if let Some((leaf, _)) = earlier.filter(|(leaf, _)| leaf.slot < slot) {
            return Ok(Err(leaf.slot));
        }
        let witness = match leaves.first().filter(|_| slot.0 > 0) {
            None => None,
            Some(start) => {
                let root = start.state_root.ok_or(Failure::Missing("a state root"))?;
                let target = Target {
                    size: start.slot.next().0,
                    root,
                    base: body.first_new,
                };
                let snapshot = self
                    .state_at(&profiles, &setting, &body.process, target, u64::MAX)?
                    .ok_or(Failure::Missing("the state before"))?;
                // [E-35]
                let stamp = messages.first().map(|it| Height(it.block_height));
                let profile = &profiles.at(stamp.unwrap_or_default()).profile;
                let engine = self.engines.of(profile)?;
                let program = setting.program(profile);
                let witness = engine.witness(&program, &snapshot, &messages)?;
                let packed = PackedWitness::of(&witness).map_err(WitnessFault::from);
                Some(packed.map_err(EngineError::from)?)
            }
        };
        let slots: Vec<u64> = leaves.iter().map(|leaf| leaf.slot.0).collect();
        let path = lead
            .prove(&claim.leaves, &slots)
            .ok_or(Failure::Missing("the leaves of the claim"))?;
        Ok(Ok(Stretch {
            profiles,
            module: ByteBuf::from(setting.module.bytes()),
            process: ByteBuf::from(setting.process.bytes()),
            witness,
            leaves: leaves.to_vec(),
            path,
            inputs,
        }))
    }

    /// The evidence that a scheduler signed two assignments for one slot.
    pub(super) fn accuse_scheduler(
        &self,
        process: &ProcessId,
        slot: Slot,
        first: &AssignmentId,
        second: &AssignmentId,
    ) -> Result<Executed, Failure> {
        let item = |id: ItemId, what| {
            self.archive
                .item(&id)?
                .ok_or(Failure::Missing(what))
                .map(|it: Authentic<Item>| it)
        };
        let process_item = item((*process).into(), "process")?;
        let first = item((*first).into(), "first assignment")?;
        let second = item((*second).into(), "second assignment")?;
        let offender = self
            .archive
            .operator_of(&first.owner_address())?
            .ok_or(Failure::Missing("the registration of the scheduler"))?;
        let offence = DoubleAssignment {
            registration: self
                .registration(&offender, |it| it.item_key == first.owner_address())?,
            process: ByteBuf::from(process_item.bytes()),
            first: ByteBuf::from(first.bytes()),
            second: ByteBuf::from(second.bytes()),
        };
        Ok(Executed::Proven {
            kind: OffenceKind::DoubleAssignment,
            offender,
            process: *process,
            slot,
            evidence: self.file(&Offence::DoubleAssignment(Box::new(offence)))?,
        })
    }

    /// The evidence that a claimant signed two claims that cannot both be true.
    pub(super) fn accuse_claimant(
        &self,
        contradiction: &Contradiction,
    ) -> Result<Executed, Failure> {
        let Contradiction {
            first,
            second,
            slot,
        } = contradiction;
        let proof = |claim: &SignedClaim| {
            let proof = claim.prove(*slot);
            proof.ok_or(Failure::Missing("a leaf of the claim"))
        };
        let offender = first.statement.claimant;
        let offence = ClaimEquivocation {
            registration: self.registration(&offender, |it| {
                first.statement.signed_by(&it.key) && second.statement.signed_by(&it.key)
            })?,
            first: first.statement.clone(),
            first_leaf: proof(first)?,
            second: second.statement.clone(),
            second_leaf: proof(second)?,
        };
        Ok(Executed::Proven {
            kind: OffenceKind::ClaimEquivocation,
            offender,
            process: first.statement.claim.process,
            slot: *slot,
            evidence: self.file(&Offence::ClaimEquivocation(Box::new(offence)))?,
        })
    }

    /// The item by which an operator bound the keys that it signed with, which may not be those that it has now.
    fn registration(
        &self,
        operator: &Address,
        signed_with: impl Fn(&Registration) -> bool,
    ) -> Result<ByteBuf, Failure> {
        let binds = |item: &Vec<u8>| {
            let item = Item::parse(item.as_slice()).ok()?;
            match Action::from_item(&self.network, &item) {
                Ok((Action::Register(registration), _)) => Some(signed_with(&registration)),
                _ => None,
            }
        };
        let all = self.archive.registrations(operator)?;
        let found = all.into_iter().find(|it| binds(it) == Some(true));
        let found = found.ok_or(Failure::Missing("the offender's registration"))?;
        Ok(ByteBuf::from(found))
    }

    fn file(&self, offence: &Offence) -> Result<Arc<[u8]>, Failure> {
        let evidence = Evidence::new(self.network, offence);
        let bytes = evidence.and_then(|it| codec::encode(&it));
        Ok(Arc::from(bytes.map_err(|_| {
            Failure::Missing("evidence within its limits")
        })?))
    }
}

/// The leaves from the last state root before a slot up to it; the slot alone at the start.
fn leaves_to(known: &[Leaf], slot: Slot) -> Option<&[Leaf]> {
    let end = known.iter().position(|leaf| leaf.slot == slot)?;
    if slot == Slot(0) {
        return known.get(..1);
    }
    let start = known
        .get(..end)?
        .iter()
        .rposition(|leaf| leaf.state_root.is_some())?;
    known.get(start..=end)
}
