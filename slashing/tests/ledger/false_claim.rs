//! False claims: what is executed, and what the outcome proves (rules E-1, E-3, E-33, E-34).

use surety_protocol::claim::{Claim, Leaf};
use surety_protocol::codec;
use surety_protocol::evidence::{Evidence, FalseClaim, Offence};
use surety_protocol::execution::{Execution, ExecutionRequest, Start};
use surety_protocol::time::Slot;
use surety_slashing::evidence::{self, Finding, Opened, Proven, Refused};

use crate::support::{
    Person, Process, Trial, World, accusation, claim_of, honest, named, params, profile, statement,
};

pub(crate) struct Setting {
    pub(crate) world: World,
    pub(crate) process: Process,
    pub(crate) claimant: Person,
}

pub(crate) fn setting() -> Setting {
    let Trial {
        world,
        process,
        claimant,
        ..
    } = Trial::new(params(), 1);
    Setting {
        world,
        process,
        claimant,
    }
}

impl Setting {
    /// The accusation of a lie at a slot in a claim of these leaves, whose claim is first changed.
    pub(crate) fn accuse_of(
        &self,
        leaves: &[Leaf],
        slot: u64,
        change: impl Fn(&mut Claim),
    ) -> FalseClaim {
        let mut claim = claim_of(&self.world, &self.process, leaves, 0);
        change(&mut claim);
        let said = statement(&claim, &self.claimant);
        accusation(
            &self.world,
            &self.process,
            &self.claimant,
            &said,
            leaves,
            slot,
        )
    }

    pub(crate) fn accuse(&self, leaves: &[Leaf], slot: u64) -> FalseClaim {
        self.accuse_of(leaves, slot, |_| {})
    }

    pub(crate) fn file(&self, it: &FalseClaim) -> Vec<u8> {
        let offence = Offence::FalseClaim(Box::new(it.clone()));
        codec::encode(&Evidence::new(self.world.ledger.network(), &offence).unwrap()).unwrap()
    }

    pub(crate) fn judge(&self, it: &FalseClaim) -> Result<Proven, Refused> {
        evidence::judge(&self.file(it), honest)
    }

    pub(crate) fn finding(&self, it: &FalseClaim) -> Result<Finding, Refused> {
        self.judge(it).map(|proven| proven.finding)
    }

    /// Leaves with one of them changed.
    pub(crate) fn leaves(&self, size: u64, slot: usize, change: impl Fn(&mut Leaf)) -> Vec<Leaf> {
        let mut leaves = self.process.leaves(size);
        change(&mut leaves[slot]);
        leaves
    }
}

#[test]
fn every_part_of_a_leaf_is_judged() {
    let it = setting();
    let lie = Some(named("lie"));
    // Slot 6 is within a stride, 8 ends one, 0 starts all.
    for slot in [6_u64, 8, 0] {
        let at = usize::try_from(slot).unwrap();
        let root = slot.is_multiple_of(4);
        let result = it.leaves(10, at, |leaf| leaf.result_root = named("lie"));
        let gas = it.leaves(10, at, |leaf| leaf.gas += 1);
        let other = it.leaves(10, at, |leaf| leaf.state_root = lie);
        let missing = it.leaves(10, at, |leaf| leaf.state_root = None);
        assert_eq!(it.finding(&it.accuse(&result, slot)), Ok(Finding::Result));
        assert_eq!(it.finding(&it.accuse(&gas, slot)), Ok(Finding::Gas));
        // Within a stride this is a root that does not belong there.
        assert_eq!(it.finding(&it.accuse(&other, slot)), Ok(Finding::StateRoot));
        let expected = if root {
            Ok(Finding::StateRoot)
        } else {
            Err(Refused::Innocent)
        };
        assert_eq!(it.finding(&it.accuse(&missing, slot)), expected);
        // A right root where none belongs is false as well.
        if !root {
            let right = Some(Process::state_root(slot));
            let right = it.leaves(10, at, |leaf| leaf.state_root = right);
            assert_eq!(it.finding(&it.accuse(&right, slot)), Ok(Finding::StateRoot));
        }
    }
}

#[test]
fn the_head_is_judged_with_the_last_leaf_only() {
    let it = setting();
    let leaves = it.process.leaves(8);
    let lie = |claim: &mut Claim| claim.head_state_root = named("lie");
    let head = it.accuse_of(&leaves, 7, lie);
    let proven = it.judge(&head).unwrap();
    assert_eq!(
        (proven.finding, proven.slot),
        (Finding::HeadStateRoot, Slot(7))
    );
    assert_eq!(
        it.finding(&it.accuse_of(&leaves, 6, lie)),
        Err(Refused::Innocent)
    );
}

#[test]
fn a_true_claim_is_innocent_at_every_slot() {
    let it = setting();
    let leaves = it.process.leaves(13);
    for slot in 0..13 {
        assert_eq!(
            it.finding(&it.accuse(&leaves, slot)),
            Err(Refused::Innocent),
            "slot {slot}"
        );
    }
}

#[test]
fn what_is_proven_names_the_offender_and_the_claim() {
    let it = setting();
    let leaves = it.leaves(10, 6, |leaf| leaf.gas = 0);
    let file = it.accuse(&leaves, 6);
    let proven = it.judge(&file).unwrap();
    assert_eq!(proven.evidence, Evidence::id_of(&it.file(&file)));
    assert_eq!(proven.network, it.world.ledger.network());
    assert_eq!(proven.offender, it.claimant.address());
    assert_eq!(proven.process, it.process.id());
    assert_eq!(
        proven.claim,
        Some(claim_of(&it.world, &it.process, &leaves, 0).id().unwrap())
    );
    assert_eq!(proven.registration, it.claimant.registration());
}

#[test]
fn the_request_holds_what_the_claim_commits_to() {
    let it = setting();
    let leaves = it.leaves(10, 6, |leaf| leaf.gas = 0);
    let open = |slot| match evidence::open(&it.file(&it.accuse(&leaves, slot))) {
        Ok(Opened::Execute { request, .. }) => *request,
        other => panic!("{other:?}"),
    };
    let ExecutionRequest {
        profile: named,
        module,
        process,
        start,
        inputs,
        traced,
    } = open(6);
    assert!(traced.is_empty());
    assert_eq!(named, profile());
    assert_eq!(
        (module.id(), process.id()),
        (it.process.module.id(), it.process.process.id())
    );
    assert!(matches!(start, Start::Witness { root, .. } if root == Process::state_root(4)));
    let assignments: Vec<_> = inputs.iter().map(|input| input.assignment.id()).collect();
    assert_eq!(
        assignments,
        [
            it.process.assignment(5).into(),
            it.process.assignment(6).into()
        ]
    );
    assert!(inputs.iter().all(|input| input.message.is_some()));
    let first = open(0);
    assert!(matches!(first.start, Start::Genesis));
    assert!(first.inputs.len() == 1 && first.inputs[0].message.is_none());
}

#[test]
fn an_execution_that_does_not_finish_proves_nothing() {
    let it = setting();
    let leaves = it.leaves(10, 6, |leaf| leaf.gas = 0);
    let file = it.file(&it.accuse(&leaves, 6));
    let invalid = Refused::Execution("why".into());
    let abstained = Refused::Abstained("why".into());
    let empty = Execution::Done {
        steps: Vec::new(),
        state_root: named("state"),
        traces: Vec::new(),
    };
    let judge = |outcome: Execution| evidence::judge(&file, |_| outcome).unwrap_err();
    assert_eq!(judge(Execution::Invalid("why".into())), invalid);
    assert_eq!(judge(Execution::Abstained("why".into())), abstained);
    assert_eq!(judge(Execution::Differed), Refused::Differed);
    assert!(matches!(judge(empty), Refused::Execution(_)));
}
