//! Two different leaves for one input (rules E-20 to E-22).

use serde_bytes::ByteBuf;
use surety_protocol::claim::{Claim, Leaf};
use surety_protocol::evidence::{ClaimEquivocation, Offence};
use surety_protocol::merkle::Proof;
use surety_protocol::origin::{Action, Registration};
use surety_protocol::time::Slot;
use surety_slashing::evidence::{self, Finding, Opened, Refused};
use surety_slashing::ledger::ItemRefused;

use crate::support::{
    Accusation, Person, Process, World, announce, ao, claim_of, history, named, params, refusals,
    statement,
};

/// One side of an equivocation: leaves, and one of them with its path.
struct Side {
    claim: Claim,
    leaf: (Leaf, Proof),
}

fn side(world: &World, process: &Process, leaves: &[Leaf], slot: u64) -> Side {
    let claim = claim_of(world, process, leaves, 0);
    let path = history(leaves).prove(slot, leaves.len() as u64).unwrap();
    Side {
        claim,
        leaf: (leaves[usize::try_from(slot).unwrap()].clone(), path),
    }
}

fn offence(world: &World, offender: &Person, first: &Side, second: &Side) -> ClaimEquivocation {
    ClaimEquivocation {
        registration: ByteBuf::from(world.registrations[&offender.address()].clone()),
        first: statement(&first.claim, offender),
        first_leaf: first.leaf.clone(),
        second: statement(&second.claim, offender),
        second_leaf: second.leaf.clone(),
    }
}

fn accuse(
    world: &World,
    process: &Process,
    offender: &Person,
    it: ClaimEquivocation,
) -> Accusation {
    let slot = it.first_leaf.0.slot;
    let offence = Offence::ClaimEquivocation(Box::new(it));
    announce(
        world.ledger.network(),
        &offence,
        offender,
        (process.id(), slot),
        None,
    )
}

fn setting() -> (Person, Person, World, Process) {
    let (claimant, auditor) = (Person::new(1), Person::new(2));
    let world = World::staked(params(), &[&claimant, &auditor, &Person::new(3)]);
    let process = Process::new(&Person::new(3).node, "p", 6);
    (claimant, auditor, world, process)
}

/// Leaves with a lie about the result of a slot.
fn lying(process: &Process, size: u64, slot: usize) -> Vec<Leaf> {
    let mut leaves = process.leaves(size);
    leaves[slot].result_root = named("lie");
    leaves
}

#[test]
fn two_leaves_for_one_input_are_punished_exactly_once() {
    let (claimant, auditor, mut world, process) = setting();
    // In claims of different sizes.
    let first = side(&world, &process, &process.leaves(5), 3);
    let second = side(&world, &process, &lying(&process, 4, 3), 3);
    let it = accuse(
        &world,
        &process,
        &claimant,
        offence(&world, &claimant, &first, &second),
    );
    let inline = |it: &Accusation| Action::Challenge {
        challenge: it.challenge.clone(),
        evidence: Some(it.bytes.clone()),
    };
    assert!(refusals(&world.act(&auditor.wallet, inline(&it))).is_empty());
    assert_eq!(world.ledger.slashings().len(), 1);
    assert_eq!(world.ledger.slashings()[0].amount, ao(500));
    let turned = offence(&world, &claimant, &second, &first);
    let turned = accuse(&world, &process, &claimant, turned);
    for again in [it, turned] {
        assert_eq!(
            world.refused(&auditor.wallet, inline(&again)),
            ItemRefused::Known
        );
    }
    assert_eq!(world.ledger.slashings().len(), 1);
}

#[test]
fn one_history_with_two_heads_is_one_too() {
    let (claimant, _, world, process) = setting();
    let first = side(&world, &process, &process.leaves(3), 2);
    let mut second = side(&world, &process, &process.leaves(3), 2);
    second.claim.head_state_root = named("another state");
    let it = accuse(
        &world,
        &process,
        &claimant,
        offence(&world, &claimant, &first, &second),
    );
    let Ok(Opened::Proven(proven)) = evidence::open(&it.bytes) else {
        panic!("two heads prove it");
    };
    assert_eq!((proven.finding, proven.claim), (Finding::Leaves, None));
    // Two claims of different sizes may well have different heads.
    let longer = side(&world, &process, &process.leaves(4), 2);
    let it = accuse(
        &world,
        &process,
        &claimant,
        offence(&world, &claimant, &first, &longer),
    );
    assert_eq!(evidence::open(&it.bytes).err(), Some(Refused::Innocent));
}

#[test]
fn what_is_no_equivocation_is_refused() {
    let (claimant, auditor, mut world, process) = setting();
    let first = side(&world, &process, &process.leaves(5), 3);
    let second = side(&world, &process, &lying(&process, 5, 3), 3);
    let good = offence(&world, &claimant, &first, &second);
    let with = |change: &dyn Fn(&mut ClaimEquivocation)| {
        let mut it = good.clone();
        change(&mut it);
        it
    };
    let claimed = |change: &dyn Fn(&mut Claim)| {
        let mut claim = second.claim.clone();
        change(&mut claim);
        with(&|it| it.second = statement(&claim, &claimant))
    };
    // Another branch of the log: another assignment at the same slot.
    let mut branch = lying(&process, 5, 3);
    branch[3].assignment = process.assignment(0);
    let branch = side(&world, &process, &branch, 3);
    let other_slot = side(&world, &process, &lying(&process, 5, 3), 2);
    let differ = Refused::Inconsistent("the claims are of different processes");
    let inputs = Refused::Inconsistent("the leaves are of different inputs");
    let cases = [
        (with(&|it| it.second = it.first.clone()), Refused::History),
        (
            with(&|it| (it.second, it.second_leaf) = (it.first.clone(), it.first_leaf.clone())),
            Refused::Innocent,
        ),
        // Another signer, with and without its name.
        (
            with(&|it| it.second = statement(&second.claim, &auditor)),
            Refused::Signature,
        ),
        (
            with(&|it| it.second.claimant = auditor.address()),
            Refused::Signature,
        ),
        (
            with(&|it| it.second.signature = it.first.signature),
            Refused::Signature,
        ),
        (
            claimed(&|it| it.network = Default::default()),
            Refused::Signature,
        ),
        (
            claimed(&|it| it.process = Default::default()),
            differ.clone(),
        ),
        (claimed(&|it| it.fork = 1), differ),
        (claimed(&|it| it.size = 6), Refused::History),
        (
            claimed(&|it| it.history_root = first.claim.history_root),
            Refused::History,
        ),
        // Another leaf, or the right one at another place.
        (with(&|it| it.second_leaf.0.gas += 1), Refused::History),
        (
            with(&|it| it.second_leaf.0.slot = Slot(2)),
            Refused::History,
        ),
        (with(&|it| it.second_leaf.1.index = 2), Refused::History),
        (
            with(&|it| it.second_leaf = other_slot.leaf.clone()),
            inputs.clone(),
        ),
        (offence(&world, &claimant, &first, &branch), inputs),
    ];
    let mut refused = Vec::new();
    for (at, (it, expected)) in cases.into_iter().enumerate() {
        let it = accuse(&world, &process, &claimant, it);
        let found = evidence::open(&it.bytes).err();
        assert_eq!(found, Some(expected), "case {at}");
        let action = Action::Challenge {
            challenge: it.challenge.clone(),
            evidence: Some(it.bytes),
        };
        refused.push(world.item(&auditor.wallet, &action));
    }
    let count = refused.len();
    assert_eq!(refusals(&world.block_of(refused)).len(), count);
    assert!(world.ledger.slashings().is_empty());
}

#[test]
fn the_former_hot_key_still_answers() {
    let (claimant, auditor, mut world, process) = setting();
    let first = side(&world, &process, &process.leaves(5), 3);
    let second = side(&world, &process, &lying(&process, 5, 3), 3);
    let old = offence(&world, &claimant, &first, &second);
    let other = Person::new(8);
    let replaced = Registration {
        key: *other.key.public_key(),
        possession: other.key.prove_possession(),
        ..claimant.registration()
    };
    world.act(
        &claimant.wallet,
        Action::Register(Box::new(replaced.clone())),
    );
    assert_eq!(
        world
            .ledger
            .operator(&claimant.address())
            .unwrap()
            .registration,
        replaced
    );
    // A key that the registration inside does not name proves nothing.
    let renamed = world.item(&claimant.wallet, &Action::Register(Box::new(replaced)));
    let unbound = ClaimEquivocation {
        registration: ByteBuf::from(renamed),
        ..old.clone()
    };
    let unbound = accuse(&world, &process, &claimant, unbound);
    assert_eq!(
        evidence::open(&unbound.bytes).err(),
        Some(Refused::Signature)
    );

    let it = accuse(&world, &process, &claimant, old);
    let action = Action::Challenge {
        challenge: it.challenge,
        evidence: Some(it.bytes),
    };
    assert!(refusals(&world.act(&auditor.wallet, action)).is_empty());
    assert_eq!(world.ledger.slashings()[0].offender, claimant.address());
}
