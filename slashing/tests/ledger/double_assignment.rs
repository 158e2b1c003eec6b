//! Two assignments for one slot (rules E-10 to E-12, L-32, L-33).

use serde_bytes::ByteBuf;
use surety_protocol::evidence::{DoubleAssignment, Offence};
use surety_protocol::id::MessageId;
use surety_protocol::item::ItemKey;
use surety_protocol::origin::{Action, Challenge, Registration};
use surety_protocol::time::Slot;
use surety_slashing::evidence::{self, Finding, Opened, Refused};
use surety_slashing::ledger::{CaseState, ItemRefused, LedgerEvent};

use crate::support::{Accusation, Person, Process, World, announce, ao, params, refusals};

/// The scheduler's second word on a slot: another message.
fn second(process: &Process, scheduler: &ItemKey, slot: u64) -> Vec<u8> {
    let other = MessageId::new([0xAB; 32]);
    let draft = process.draft(Slot(slot), Some(other));
    scheduler.sign_item(&draft).unwrap().bytes().to_vec()
}

fn offence(world: &World, process: &Process, offender: &Person, slot: u64) -> DoubleAssignment {
    let first = &process.inputs[usize::try_from(slot).unwrap()].0;
    DoubleAssignment {
        registration: ByteBuf::from(world.registrations[&offender.address()].clone()),
        process: ByteBuf::from(process.process.bytes()),
        first: ByteBuf::from(first.bytes()),
        second: ByteBuf::from(second(process, &offender.node, slot)),
    }
}

fn accuse(
    world: &World,
    process: &Process,
    offender: &Person,
    it: DoubleAssignment,
    slot: u64,
) -> Accusation {
    let offence = Offence::DoubleAssignment(Box::new(it));
    announce(
        world.ledger.network(),
        &offence,
        offender,
        (process.id(), Slot(slot)),
        None,
    )
}

fn inline(it: &Accusation) -> Action {
    Action::Challenge {
        challenge: it.challenge.clone(),
        evidence: Some(it.bytes.clone()),
    }
}

fn setting() -> (Person, Person, World, Process) {
    let (scheduler, auditor) = (Person::new(1), Person::new(2));
    let world = World::staked(params(), &[&scheduler, &auditor, &Person::new(3)]);
    let process = Process::new(&scheduler.node, "p", 4);
    (scheduler, auditor, world, process)
}

#[test]
fn it_is_punished_at_once_and_exactly_once() {
    let (scheduler, auditor, mut world, process) = setting();
    let it = accuse(
        &world,
        &process,
        &scheduler,
        offence(&world, &process, &scheduler, 2),
        2,
    );
    let events = world.act(&auditor.wallet, inline(&it));
    let slashed: Vec<_> = world.ledger.slashings().into_iter().cloned().collect();
    assert_eq!(slashed.len(), 1);
    assert!(events.contains(&LedgerEvent::Slashed(slashed[0].clone())));
    assert_eq!(slashed[0].amount, ao(500));
    let operator = world.ledger.operator(&scheduler.address()).unwrap();
    assert!(operator.tombstoned);
    assert_eq!((operator.bonded, operator.escrow), (ao(0), ao(500)));
    assert!(
        world
            .ledger
            .validators()
            .get(&scheduler.address())
            .is_none()
    );

    // The same file, the same two assignments the other way round, and a third assignment of that slot.
    let first = offence(&world, &process, &scheduler, 2);
    let turned = DoubleAssignment {
        first: first.second.clone(),
        second: first.first.clone(),
        ..first
    };
    let third = process.draft(Slot(2), Some(MessageId::new([1; 32])));
    let third = scheduler.node.sign_item(&third).unwrap().bytes().to_vec();
    let third = DoubleAssignment {
        second: ByteBuf::from(third),
        ..offence(&world, &process, &scheduler, 2)
    };
    for again in [offence(&world, &process, &scheduler, 2), turned, third] {
        let again = accuse(&world, &process, &scheduler, again, 2);
        assert_eq!(
            world.refused(&auditor.wallet, inline(&again)),
            ItemRefused::Known
        );
    }
    assert_eq!(world.ledger.slashings().len(), 1);

    // The window closes: a tenth to the challenger, the rest burns.
    let until = slashed[0].escrow_until;
    assert_eq!(
        until,
        slashed[0].height.plus(world.ledger.params().escrow_blocks)
    );
    world.pass_to(until.minus(1));
    assert_eq!(
        (world.balance(&auditor), world.ledger.burned()),
        (ao(500), ao(0))
    );
    world.block();
    assert_eq!(
        (world.balance(&auditor), world.ledger.burned()),
        (ao(550), ao(450))
    );
    assert_eq!(
        world.ledger.operator(&scheduler.address()).unwrap().escrow,
        ao(0)
    );
    world.pass(3);
    assert_eq!(
        (world.balance(&auditor), world.ledger.burned()),
        (ao(550), ao(450))
    );
}

#[test]
fn a_case_without_the_file_is_punished_once_too() {
    let (scheduler, auditor, mut world, process) = setting();
    let it = accuse(
        &world,
        &process,
        &scheduler,
        offence(&world, &process, &scheduler, 2),
        2,
    );
    let announced = Action::Challenge {
        challenge: it.challenge.clone(),
        evidence: None,
    };
    world.act(&auditor.wallet, announced);
    for judge in [&auditor, &Person::new(3)] {
        let verdict = surety_protocol::origin::Verdict::sign(
            &world.ledger.network(),
            it.challenge.case(),
            true,
            judge.address(),
            &judge.key,
        );
        world.act(&judge.node, Action::Verdict(verdict));
    }
    let case = world.ledger.case(&it.challenge.case()).unwrap();
    assert_eq!(case.state, CaseState::Guilty);
    assert_eq!(world.ledger.slashings().len(), 1);
    assert_eq!(world.ledger.slashings()[0].kind.name(), "double-assignment");
    // Now with the file, in another order, so that it has another id.
    let first = offence(&world, &process, &scheduler, 2);
    let turned = DoubleAssignment {
        first: first.second.clone(),
        second: first.first.clone(),
        ..first
    };
    let again = accuse(&world, &process, &scheduler, turned, 2);
    assert_eq!(
        world.refused(&auditor.wallet, inline(&again)),
        ItemRefused::Known
    );
}

#[test]
fn anybody_may_report_and_the_thief_of_an_address_gets_nothing() {
    let (scheduler, thief, mut world, process) = setting();
    let auditor = Person::new(9);
    world.act(
        &Person::new(3).wallet,
        Action::Transfer {
            recipient: auditor.address(),
            quantity: ao(5),
        },
    );
    // The thief names the auditor's address as its node's key, before the auditor speaks.
    let squat = Registration {
        item_key: auditor.address(),
        ..thief.registration()
    };
    let events = world.act(&thief.wallet, Action::Register(Box::new(squat)));
    assert!(refusals(&events).is_empty());
    let it = accuse(
        &world,
        &process,
        &scheduler,
        offence(&world, &process, &scheduler, 1),
        1,
    );
    world.act(&auditor.wallet, inline(&it));
    assert_eq!(world.ledger.slashings()[0].challenger, auditor.address());
}

#[test]
fn what_is_no_double_assignment_is_refused_and_costs_nobody() {
    let (scheduler, auditor, mut world, process) = setting();
    let good = offence(&world, &process, &scheduler, 2);
    let foreign = Process::new(&auditor.node, "foreign", 4);
    let elsewhere = Process::new(&scheduler.node, "elsewhere", 4);
    let bytes = |slot: usize| ByteBuf::from(process.inputs[slot].0.bytes());
    let mut forged = good.second.clone();
    forged[10] ^= 1;
    let mut tampered = good.process.clone();
    tampered[10] ^= 1;
    let other_epoch = {
        let mut draft = process.draft(Slot(2), None);
        draft.tags[1].1 = "1".into();
        scheduler.node.sign_item(&draft).unwrap().bytes().to_vec()
    };
    let not_registered = world.item(&scheduler.wallet, &Action::Withdraw);
    let with = |change: &dyn Fn(&mut DoubleAssignment)| {
        let mut it = good.clone();
        change(&mut it);
        it
    };
    let auditors = ByteBuf::from(second(&process, &auditor.node, 2));
    let inconsistent = Refused::Inconsistent;
    let slots = inconsistent("the assignments are of different slots");
    let cases = [
        // Signed by somebody else.
        (with(&|it| it.second = auditors.clone()), Refused::Signature),
        (with(&|it| it.first = auditors.clone()), Refused::Signature),
        // Another slot, another epoch, another process.
        (with(&|it| it.second = bytes(3)), slots.clone()),
        (
            with(&|it| it.second = ByteBuf::from(other_epoch.clone())),
            slots.clone(),
        ),
        (
            with(&|it| it.second = ByteBuf::from(elsewhere.inputs[2].0.bytes())),
            slots.clone(),
        ),
        (
            with(&|it| it.process = ByteBuf::from(elsewhere.process.bytes())),
            slots,
        ),
        // A process that names another scheduler.
        (
            with(&|it| it.process = ByteBuf::from(foreign.process.bytes())),
            inconsistent("the process names another scheduler"),
        ),
        // The same words twice.
        (with(&|it| it.second = it.first.clone()), Refused::Innocent),
        // Items that are not authentic, or not what they should be.
        (
            with(&|it| it.second = forged.clone()),
            Refused::Item("second assignment"),
        ),
        (
            with(&|it| it.process = tampered.clone()),
            Refused::Item("process"),
        ),
        (
            with(&|it| it.second = it.process.clone()),
            Refused::Item("assignment"),
        ),
        (
            with(&|it| it.registration = ByteBuf::new()),
            Refused::Item("registration"),
        ),
        (
            with(&|it| it.registration = ByteBuf::from(not_registered.clone())),
            inconsistent("the registration registers nothing"),
        ),
    ];
    for (it, refused) in cases {
        let it = accuse(&world, &process, &scheduler, it, 2);
        let found = world.refused(&auditor.wallet, inline(&it));
        assert_eq!(found, ItemRefused::Evidence(refused));
    }
    assert!(world.ledger.slashings().is_empty());
    assert_eq!(world.balance(&auditor), ao(500));
}

#[test]
fn the_same_words_signed_again_are_no_offence() {
    // An Ethereum wallet and a salted RSA key sign one text in many ways; here one text is signed under two anchors
    // and under one: only the first is a second word.
    let (scheduler, _, world, process) = setting();
    let first = process.inputs[2].0.clone();
    let message = process.inputs[2]
        .1
        .as_ref()
        .map(|it| MessageId::from(it.id()));
    let again = scheduler
        .node
        .sign_item(&process.draft(Slot(2), message))
        .unwrap();
    assert_eq!(again.signing_digest(), first.signing_digest());
    let anchored = process.draft(Slot(2), message).anchored([1; 32]);
    let anchored = scheduler.node.sign_item(&anchored).unwrap();
    let judge = |second: &[u8]| {
        let it = DoubleAssignment {
            second: ByteBuf::from(second),
            ..offence(&world, &process, &scheduler, 2)
        };
        evidence::open(&accuse(&world, &process, &scheduler, it, 2).bytes)
    };
    assert_eq!(judge(again.bytes()).err(), Some(Refused::Innocent));
    let Ok(Opened::Proven(proven)) = judge(anchored.bytes()) else {
        panic!("another anchor is another word");
    };
    assert_eq!(
        (proven.finding, proven.slot),
        (Finding::Assignments, Slot(2))
    );
    assert_eq!(proven.offender, scheduler.address());
}

#[test]
fn the_announcement_must_be_of_what_the_file_proves() {
    let (scheduler, auditor, mut world, process) = setting();
    let good = accuse(
        &world,
        &process,
        &scheduler,
        offence(&world, &process, &scheduler, 2),
        2,
    );
    let with = |change: &dyn Fn(&mut Challenge)| {
        let mut challenge = good.challenge.clone();
        change(&mut challenge);
        Action::Challenge {
            challenge,
            evidence: Some(good.bytes.clone()),
        }
    };
    let elsewhere = Process::new(&scheduler.node, "elsewhere", 1).id();
    let cases = [
        (
            with(&|it| it.evidence = surety_protocol::id::EvidenceId::default()),
            ItemRefused::Challenge,
        ),
        (with(&|it| it.kind = 1), ItemRefused::Challenge),
        (with(&|it| it.kind = 3), ItemRefused::Challenge),
        (with(&|it| it.kind = 4), ItemRefused::Challenge),
        (
            with(&|it| it.offender = Person::new(3).address()),
            ItemRefused::Challenge,
        ),
        (
            with(&|it| it.offender = Person::new(9).address()),
            ItemRefused::NotRegistered,
        ),
        (with(&|it| it.process = elsewhere), ItemRefused::Challenge),
        (with(&|it| it.slot = Slot(3)), ItemRefused::Challenge),
        (
            with(&|it| it.claim = Some(Default::default())),
            ItemRefused::Challenge,
        ),
    ];
    for (action, refused) in cases {
        assert_eq!(world.refused(&auditor.wallet, action), refused);
    }
    assert!(world.ledger.slashings().is_empty());
}

#[test]
fn evidence_of_another_network_or_of_keys_never_registered_here_does_not_fit() {
    let (scheduler, auditor, mut world, process) = setting();
    // The scheduler signs a registration that never reaches the ledger: nobody else can be sure of it.
    let unknown = Registration {
        item_key: Person::new(8).node.address(),
        ..scheduler.registration()
    };
    let unknown = world.item(&scheduler.wallet, &Action::Register(Box::new(unknown)));
    let process_8 = Process::new(&Person::new(8).node, "q", 3);
    let it = DoubleAssignment {
        registration: ByteBuf::from(unknown),
        ..offence_by(&process_8, &Person::new(8))
    };
    let it = accuse(&world, &process_8, &scheduler, it, 2);
    assert!(evidence::open(&it.bytes).is_ok());
    assert_eq!(
        world.refused(&auditor.wallet, inline(&it)),
        ItemRefused::Challenge
    );

    let mut other = World::staked(
        surety_protocol::params::Params { k: 5, ..params() },
        &[&scheduler, &auditor, &Person::new(3)],
    );
    let it = accuse(
        &other,
        &process,
        &scheduler,
        offence(&other, &process, &scheduler, 2),
        2,
    );
    assert_eq!(
        world.refused(&auditor.wallet, inline(&it)),
        ItemRefused::Challenge
    );
    assert!(refusals(&other.act(&auditor.wallet, inline(&it))).is_empty());
}

fn offence_by(process: &Process, scheduler: &Person) -> DoubleAssignment {
    DoubleAssignment {
        registration: ByteBuf::new(),
        process: ByteBuf::from(process.process.bytes()),
        first: ByteBuf::from(process.inputs[2].0.bytes()),
        second: ByteBuf::from(second(process, &scheduler.node, 2)),
    }
}

#[test]
fn the_former_data_item_key_still_answers() {
    let (scheduler, auditor, mut world, process) = setting();
    let it = offence(&world, &process, &scheduler, 2);
    let replaced = Registration {
        item_key: Person::new(8).node.address(),
        ..scheduler.registration()
    };
    world.act(&scheduler.wallet, Action::Register(Box::new(replaced)));
    // Not even if the former key becomes an operator of its own.
    let alone = Registration {
        item_key: scheduler.node.address(),
        ..Person::new(7).registration()
    };
    let events = world.act(&scheduler.node, Action::Register(Box::new(alone)));
    assert!(refusals(&events).is_empty());
    let it = accuse(&world, &process, &scheduler, it, 2);
    assert!(refusals(&world.act(&auditor.wallet, inline(&it))).is_empty());
    assert_eq!(world.ledger.slashings()[0].offender, scheduler.address());
}
