//! Evidence of a false claim of which one part is not what the claim commits to (rules E-2, E-30 to E-32).

use serde_bytes::ByteBuf;
use surety_protocol::claim::{Claim, Leaf};
use surety_protocol::codec;
use surety_protocol::evidence::{Evidence, FalseClaim, InputBytes, Offence};
use surety_protocol::origin::Action;
use surety_protocol::profile::Profile;
use surety_protocol::profiles::Profiles;
use surety_protocol::time::Slot;
use surety_slashing::evidence::{self, Finding, Refused};

use crate::false_claim::{Setting, setting};
use crate::support::{
    Person, Process, accusation, claim_of, history, honest, leaves_root, named, profile, statement,
};

#[test]
fn parts_that_the_claim_does_not_name_are_refused() {
    let mut it = setting();
    let leaves = it.leaves(10, 6, |leaf| leaf.gas = 0);
    let good = it.accuse(&leaves, 6);
    let other = Process::new(&Person::new(0x61).node, "other", 8);
    let second = Person::new(2);
    let withdraw = it.world.item(&it.claimant.wallet, &Action::Withdraw);
    let foreign = it.world.registrations[&second.address()].clone();
    let with = |change: &dyn Fn(&mut FalseClaim)| {
        let mut it = good.clone();
        change(&mut it);
        it
    };
    let inconsistent = Refused::Inconsistent;
    let claimed = |change: &dyn Fn(&mut Claim)| it.accuse_of(&leaves, 6, change);
    let strides = |stride| Profile {
        stride,
        ..profile()
    };
    let mut forged = good.registration.clone();
    forged[10] ^= 1;
    let cases = [
        // Another signer.
        (
            with(&|it| it.statement = statement(&it.statement.claim, &second)),
            Refused::Signature,
        ),
        (
            with(&|it| it.statement.claimant = second.address()),
            Refused::Signature,
        ),
        (with(&|it| it.statement.claim.fork = 1), Refused::Signature),
        (
            with(&|it| it.registration = ByteBuf::from(foreign.clone())),
            Refused::Signature,
        ),
        (
            with(&|it| it.registration = forged.clone()),
            Refused::Item("registration"),
        ),
        (
            with(&|it| it.registration = ByteBuf::from(withdraw.clone())),
            inconsistent("the registration registers nothing"),
        ),
        // Another network, profile, process, module.
        (
            claimed(&|claim| claim.network = Default::default()),
            inconsistent("the claim is of another network"),
        ),
        (
            with(&|it| it.stretch.profiles = Profiles::of(strides(5)).unwrap()),
            inconsistent("the claim names another profile"),
        ),
        (
            claimed(&|claim| claim.profile = strides(5).id().unwrap()),
            inconsistent("the claim names another profile"),
        ),
        (
            with(&|it| it.stretch.process = ByteBuf::from(other.process.bytes())),
            inconsistent("the claim names another process"),
        ),
        (
            claimed(&|claim| claim.process = other.id()),
            inconsistent("the claim names another process"),
        ),
        (
            with(&|it| it.stretch.module = ByteBuf::from(other.module.bytes())),
            inconsistent("the process names another module"),
        ),
        (
            {
                let mut it = claimed(&|claim| claim.module = other.module_id());
                it.stretch.module = ByteBuf::from(other.module.bytes());
                it
            },
            inconsistent("the process names another module"),
        ),
        (
            with(&|it| it.stretch.module = it.stretch.process.clone()),
            inconsistent("the process names another module"),
        ),
        (
            with(&|it| it.stretch.module = ByteBuf::new()),
            Refused::Item("module"),
        ),
        (
            with(&|it| it.stretch.process = ByteBuf::new()),
            Refused::Item("process"),
        ),
        (
            with(&|it| it.stretch.process[10] ^= 1),
            Refused::Item("process"),
        ),
        (
            with(&|it| it.stretch.module[10] ^= 1),
            Refused::Item("module"),
        ),
    ];
    for (at, (file, refused)) in cases.into_iter().enumerate() {
        assert_eq!(it.judge(&file).unwrap_err(), refused, "case {at}");
    }
    assert!(it.judge(&good).is_ok());
    // The network of the file itself: the registration is for another.
    let mut elsewhere: Evidence = codec::decode(&it.file(&good)).unwrap();
    elsewhere.network = Default::default();
    let refused = evidence::open(&codec::encode(&elsewhere).unwrap()).unwrap_err();
    assert_eq!(refused, inconsistent("the registration registers nothing"));
    // Another kind of offence.
    let mut kind: Evidence = codec::decode(&it.file(&good)).unwrap();
    for number in [0, 2, 3, 4] {
        kind.kind = number;
        let refused = evidence::open(&codec::encode(&kind).unwrap());
        assert!(matches!(refused, Err(Refused::Codec(_))));
    }
}

#[test]
fn leaves_that_the_claim_does_not_contain_are_refused() {
    let it = setting();
    let leaves = it.leaves(10, 6, |leaf| leaf.gas = 0);
    let good = it.accuse(&leaves, 6);
    let with = |change: &dyn Fn(&mut FalseClaim)| {
        let mut it = good.clone();
        change(&mut it);
        it
    };
    let cases = [
        with(&|it| it.stretch.leaves[2].gas = 1),
        with(&|it| it.stretch.leaves[2].result_root = named("another lie")),
        with(&|it| it.stretch.leaves[2].slot = Slot(7)),
        with(&|it| it.stretch.leaves[2].assignment = it.stretch.leaves[1].assignment),
        with(&|it| it.stretch.leaves[2].state_root = Some(named("root"))),
        with(&|it| it.stretch.leaves[0].state_root = Some(named("root"))),
        with(&|it| it.stretch.leaves[0].slot = Slot(3)),
        with(&|it| it.stretch.leaves.swap(1, 2)),
        with(&|it| _ = it.stretch.leaves.remove(1)),
        with(&|it| _ = it.stretch.leaves.pop()),
        with(&|it| it.stretch.leaves.clear()),
        with(&|it| it.stretch.leaves.push(it.stretch.leaves[2].clone())),
        with(&|it| _ = it.stretch.path.siblings.pop()),
        with(&|it| it.stretch.path.siblings.push(named("more"))),
        with(&|it| it.stretch.path.siblings.swap(0, 1)),
        with(&|it| it.stretch.path.size = 11),
        // Of another claim of the same signer.
        with(&|file| {
            file.statement = statement(
                &claim_of(&it.world, &it.process, &it.process.leaves(10), 0),
                &it.claimant,
            )
        }),
    ];
    for (at, file) in cases.into_iter().enumerate() {
        assert_eq!(it.judge(&file).unwrap_err(), Refused::History, "case {at}");
    }
    // Leaves of the claim that do not follow one another: a gap would hide inputs.
    let mut gap = good.clone();
    let chosen = [4_usize, 6];
    gap.stretch.leaves = chosen.iter().map(|at| leaves[*at].clone()).collect();
    gap.stretch.path = history(&leaves).prove_many(&[4, 6], 10).unwrap();
    gap.stretch.inputs.remove(0);
    assert_eq!(
        gap.stretch.path.root_from_many(&[
            (4, gap.stretch.leaves[0].digest().unwrap()),
            (6, gap.stretch.leaves[1].digest().unwrap())
        ]),
        Some(leaves_root(&leaves))
    );
    assert_eq!(it.judge(&gap).unwrap_err(), Refused::History);
}

#[test]
fn inputs_that_the_leaves_do_not_name_are_refused() {
    let it = setting();
    let leaves = it.leaves(10, 6, |leaf| leaf.gas = 0);
    let good = it.accuse(&leaves, 6);
    let with = |change: &dyn Fn(&mut FalseClaim)| {
        let mut it = good.clone();
        change(&mut it);
        it
    };
    let fit = Refused::Inconsistent("leaves and inputs do not fit one another");
    let assignment = Refused::Inconsistent("an assignment is not the one in its leaf");
    let message = Refused::Inconsistent("a message is missing or unasked for");
    let other = Process::new(&Person::new(0x61).node, "other", 8);
    let foreign = ByteBuf::from(other.inputs[6].0.bytes());
    let cases = [
        (with(&|it| _ = it.stretch.inputs.pop()), fit.clone()),
        (with(&|it| _ = it.stretch.inputs.remove(0)), fit.clone()),
        (with(&|it| it.stretch.inputs.clear()), fit.clone()),
        (
            with(&|it| it.stretch.inputs.push(it.stretch.inputs[1].clone())),
            fit.clone(),
        ),
        (with(&|it| it.stretch.inputs.swap(0, 1)), assignment.clone()),
        (
            with(&|it| it.stretch.inputs[1].assignment = it.stretch.inputs[0].assignment.clone()),
            assignment.clone(),
        ),
        (
            with(&|it| it.stretch.inputs[1].assignment = foreign.clone()),
            assignment,
        ),
        (
            with(&|it| it.stretch.inputs[1].assignment[10] ^= 1),
            Refused::Item("assignment"),
        ),
        (
            with(&|it| it.stretch.inputs[1].assignment = it.stretch.module.clone()),
            Refused::Item("assignment"),
        ),
        (
            with(&|it| it.stretch.inputs[1].message = None),
            message.clone(),
        ),
        (
            with(&|it| it.stretch.inputs[1].message = it.stretch.inputs[0].message.clone()),
            Refused::Inconsistent("a message is not the one assigned"),
        ),
        (
            with(&|it| it.stretch.inputs[1].message.as_mut().unwrap()[10] ^= 1),
            Refused::Item("message"),
        ),
    ];
    for (at, (file, refused)) in cases.into_iter().enumerate() {
        assert_eq!(it.judge(&file).unwrap_err(), refused, "case {at}");
    }
    let mut unasked = it.accuse(&it.leaves(10, 0, |leaf| leaf.gas = 0), 0);
    unasked.stretch.inputs[0].message = good.stretch.inputs[0].message.clone();
    assert_eq!(it.judge(&unasked).unwrap_err(), message);
}

#[test]
fn a_stretch_is_at_most_a_stride_from_the_root_before_it() {
    let it = setting();
    // A claimant that never gives a root after slot 4: the fourth input after it is false, and nothing later is judged.
    let mut rootless = it.process.leaves(12);
    rootless[8].state_root = None;
    assert_eq!(it.finding(&it.accuse(&rootless, 8)), Ok(Finding::StateRoot));
    let fit = Refused::Inconsistent("leaves and inputs do not fit one another");
    assert_eq!(it.finding(&it.accuse(&rootless, 9)), Err(fit));
    // Without the state before.
    let leaves = it.leaves(10, 6, |leaf| leaf.gas = 0);
    let mut blind = it.accuse(&leaves, 6);
    blind.stretch.witness = None;
    let one_more = blind.stretch.inputs[0].clone();
    blind.stretch.inputs.insert(0, one_more);
    let missing = Refused::Inconsistent("the state before is missing");
    assert_eq!(it.finding(&blind), Err(missing));
    // From a leaf that holds no root.
    let mut late = it.accuse(&leaves, 6);
    late.stretch.leaves.remove(0);
    late.stretch.inputs.remove(0);
    late.stretch.path = history(&leaves).prove_many(&[5, 6], 10).unwrap();
    let missing = Refused::Inconsistent("the first leaf holds no state root");
    assert_eq!(it.finding(&late), Err(missing));
}

/// The stretch from a leaf with a root up to a slot, whatever lies between.
fn long(it: &Setting, leaves: &[Leaf], profile: &Profile, from: usize, slot: usize) -> FalseClaim {
    let claim = Claim {
        profile: profile.id().unwrap(),
        ..claim_of(&it.world, &it.process, leaves, 0)
    };
    let said = statement(&claim, &it.claimant);
    let mut file = accusation(
        &it.world,
        &it.process,
        &it.claimant,
        &said,
        leaves,
        slot as u64,
    );
    file.stretch.profiles = Profiles::of(profile.clone()).unwrap();
    file.stretch.leaves = leaves[from..=slot].to_vec();
    let indices: Vec<u64> = file.stretch.leaves.iter().map(|leaf| leaf.slot.0).collect();
    file.stretch.path = history(leaves)
        .prove_many(&indices, leaves.len() as u64)
        .unwrap();
    let skip = usize::from(file.stretch.witness.is_some());
    file.stretch.inputs = it.process.inputs[from + skip..=slot]
        .iter()
        .map(|(assignment, message)| InputBytes {
            assignment: ByteBuf::from(assignment.bytes()),
            message: message.as_ref().map(|it| ByteBuf::from(it.bytes())),
        })
        .collect();
    file
}

/// Gas 11 and 12 of the slots 1 and 2 pass 20: a root is due at 2, and the count starts anew. One may be left out.
fn ended_by_gas(it: &Setting, left_out: Option<u64>) -> (Profile, Vec<Leaf>) {
    let profile = Profile {
        stride: 8,
        stride_gas_max: 20,
        ..profile()
    };
    let mut leaves = it.process.leaves(8);
    for leaf in &mut leaves {
        let slot = leaf.slot.0;
        let root = slot.is_multiple_of(2) && Some(slot) != left_out;
        leaf.state_root = root.then(|| Process::state_root(slot));
    }
    (profile, leaves)
}

#[test]
fn an_honest_claimant_is_not_framed_by_a_stretch_across_a_root() {
    let it = setting();
    let (profile, leaves) = ended_by_gas(&it, None);
    for slot in 1..8 {
        let start = (slot - 1) / 2 * 2;
        let file = long(&it, &leaves, &profile, start, slot);
        assert_eq!(it.finding(&file), Err(Refused::Innocent), "slot {slot}");
    }
    // Counted from slot 0, a root would be due at 3 as well.
    let passes = Refused::Inconsistent("the stretch passes a state root");
    assert_eq!(it.finding(&long(&it, &leaves, &profile, 0, 3)), Err(passes));
}

#[test]
fn a_root_that_is_left_out_where_gas_ends_a_stride_is_a_lie_there_and_not_after_it() {
    let it = setting();
    // Whoever counts anew from 2 finds 3 true, and approves it.
    let (profile, leaves) = ended_by_gas(&it, Some(2));
    let lie = long(&it, &leaves, &profile, 0, 2);
    assert_eq!(it.finding(&lie), Ok(Finding::StateRoot));
    let before = Refused::Inconsistent("a state root was due before the last leaf");
    assert_eq!(it.finding(&long(&it, &leaves, &profile, 0, 3)), Err(before));
}

#[test]
fn an_honest_claimant_is_not_framed_by_a_stretch_from_the_start() {
    let it = setting();
    // Counted with slot 0, the fourth input would be slot 3.
    let leaves = it.process.leaves(8);
    let mut file = long(&it, &leaves, &profile(), 0, 3);
    file.stretch.witness = None;
    let first = &it.process.inputs[0].0;
    let first = InputBytes {
        assignment: ByteBuf::from(first.bytes()),
        message: None,
    };
    file.stretch.inputs.insert(0, first);
    let missing = Refused::Inconsistent("the state before is missing");
    assert_eq!(it.finding(&file), Err(missing));
}

#[test]
fn of_a_file_with_one_altered_byte_only_the_witness_may_still_prove_it() {
    let it = setting();
    let leaves = it.leaves(10, 6, |leaf| leaf.gas = 0);
    let good = it.accuse(&leaves, 6);
    let bytes = it.file(&good);
    let mut survived = 0;
    for at in (0..bytes.len()).step_by(3) {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        if evidence::judge(&altered, honest).is_err() {
            continue;
        }
        // What the executor checks against the root in the leaf, and this one does not.
        let evidence: Evidence = codec::decode(&altered).unwrap();
        let Offence::FalseClaim(found) = evidence.open().unwrap() else {
            panic!("another offence");
        };
        assert_ne!(found.stretch.witness, good.stretch.witness, "byte {at}");
        let mut found = *found;
        found.stretch.witness = good.stretch.witness.clone();
        assert_eq!(found, good, "byte {at}");
        survived += 1;
    }
    assert!(survived <= 4, "{survived}");
    for length in (0..bytes.len()).step_by(97) {
        assert!(evidence::open(&bytes[..length]).is_err());
    }
}
