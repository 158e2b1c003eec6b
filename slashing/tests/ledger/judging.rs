//! Cases: who judges, how they end, and what nobody can do about them (rules L-12, L-30 to L-32, RF-1 to RF-3).

use surety_protocol::codec::Wire;
use surety_protocol::evidence::Evidence;
use surety_protocol::execution::Execution;
use surety_protocol::id::{CaseId, EvidenceId};
use surety_protocol::origin::{Action, Challenge, Verdict};
use surety_protocol::params::Params;
use surety_protocol::time::{Height, Slot};
use surety_slashing::ledger::{CaseState, ItemRefused, LedgerEvent};
use surety_slashing::referee::{self, Announced, File, Judgement};

use crate::support::{Accusation, Person, Trial, ao, honest, params, refusals};

#[test]
fn more_than_two_thirds_settle_it_and_the_stake_moves_at_once() {
    let mut trial = Trial::new(params(), 4);
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    trial.open(&it);
    assert_eq!(trial.world.balance(&trial.auditor), ao(95));
    assert_eq!(trial.case(&it).bond, ao(5));
    trial.say(&it, 0..2, true);
    assert_eq!(trial.case(&it).state, CaseState::Open);
    assert_eq!(trial.world.bonded(&trial.claimant), ao(500));
    let events = trial.say(&it, 2..3, true);
    let slashing = trial.world.ledger.slashings()[0].clone();
    assert!(events.contains(&LedgerEvent::Slashed(slashing.clone())));
    assert_eq!(trial.case(&it).state, CaseState::Guilty);
    assert_eq!(trial.case(&it).bond, ao(0));
    assert_eq!(trial.world.balance(&trial.auditor), ao(100));
    let accused = trial
        .world
        .ledger
        .operator(&trial.claimant.address())
        .unwrap();
    assert_eq!(
        (accused.bonded, accused.escrow, accused.tombstoned),
        (ao(0), ao(500), true)
    );
    // The last judge comes too late.
    let late = trial.verdict(&it, &trial.judges[3], true);
    let late = trial.world.refused(&Person::new(5).node, late);
    assert_eq!(late, ItemRefused::NoCase);
    trial.world.pass_to(slashing.escrow_until);
    assert_eq!(trial.world.balance(&trial.auditor), ao(150));
    assert_eq!(trial.world.ledger.burned(), ao(450));
}

#[test]
fn exactly_two_thirds_settle_nothing() {
    let mut trial = Trial::new(params(), 3);
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    trial.open(&it);
    trial.say(&it, 0..2, true);
    assert_eq!(trial.case(&it).state, CaseState::Open);
    trial.say(&it, 2..3, true);
    assert_eq!(trial.case(&it).state, CaseState::Guilty);
}

#[test]
fn only_the_electors_are_heard_and_each_once() {
    let mut trial = Trial::new(
        Params {
            verdict_blocks: 20,
            ..params()
        },
        4,
    );
    // Somebody who becomes a validator only after the case was opened.
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    trial.open(&it);
    let late = Person::new(0x20);
    let funds = Action::Transfer {
        recipient: late.address(),
        quantity: ao(200),
    };
    trial.world.act(&trial.judges[1].wallet, funds);
    let items = vec![
        trial.world.register(&late),
        trial.world.item(&late.wallet, &Action::Bond(ao(200))),
    ];
    assert!(refusals(&trial.world.block_of(items)).is_empty());
    trial.world.pass(2);
    assert!(trial.world.ledger.is_active(&late.address()));

    let network = trial.world.ledger.network();
    let id = it.challenge.case();
    let judge = &trial.judges[0];
    let sign = |case, guilty, person: &Person, key: &Person| {
        Action::Verdict(Verdict::sign(
            &network,
            case,
            guilty,
            person.address(),
            &key.key,
        ))
    };
    let flipped = match sign(id, true, judge, judge) {
        Action::Verdict(verdict) => Action::Verdict(Verdict {
            guilty: false,
            ..verdict
        }),
        _ => unreachable!(),
    };
    let refused = [
        // The accused itself, a newcomer, a stranger.
        (
            sign(id, false, &trial.claimant, &trial.claimant),
            ItemRefused::NotElector,
        ),
        (sign(id, true, &late, &late), ItemRefused::NotElector),
        (
            sign(id, true, &trial.auditor, &trial.auditor),
            ItemRefused::NotElector,
        ),
        // In another's name, or turned round.
        (
            sign(id, true, judge, &trial.claimant),
            ItemRefused::NotElector,
        ),
        (flipped, ItemRefused::NotElector),
        (
            sign(CaseId::default(), true, judge, judge),
            ItemRefused::NoCase,
        ),
    ];
    for (action, reason) in refused {
        let item = trial.world.item(&trial.auditor.wallet, &action);
        assert_eq!(refusals(&trial.world.block_of(vec![item])), [reason]);
    }
    assert!(trial.case(&it).verdicts.is_empty());
    // The first word counts, whoever carries it.
    let first = sign(id, true, judge, judge);
    let second = sign(id, false, judge, judge);
    let (a, b) = (&trial.auditor.wallet, &trial.claimant.wallet);
    let items = vec![trial.world.item(a, &first), trial.world.item(b, &second)];
    assert_eq!(refusals(&trial.world.block_of(items)), [ItemRefused::Seen]);
    assert_eq!(trial.case(&it).verdicts.get(&judge.address()), Some(&true));
}

#[test]
fn an_innocent_verdict_burns_the_bond() {
    let mut trial = Trial::new(params(), 4);
    let it = trial.accuse(&trial.process.leaves(8), 0, 6);
    trial.open(&it);
    trial.say(&it, 0..3, false);
    assert_eq!(trial.case(&it).state, CaseState::Innocent);
    assert_eq!(trial.world.balance(&trial.auditor), ao(95));
    assert_eq!(trial.world.ledger.burned(), ao(5));
    assert_eq!(trial.world.bonded(&trial.claimant), ao(500));
    assert!(trial.world.ledger.is_active(&trial.claimant.address()));
    let again = Action::Challenge {
        challenge: it.challenge.clone(),
        evidence: None,
    };
    let again = trial.world.refused(&Person::new(0x60).wallet, again);
    assert_eq!(again, ItemRefused::Known);
}

#[test]
fn a_fallen_elector_is_not_heard_and_its_stake_is_not_counted() {
    let mut trial = Trial::new(
        Params {
            verdict_blocks: 12,
            ..params()
        },
        5,
    );
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    let same = it.under(2, 1000);
    for it in [&it, &same] {
        trial.open(it);
        // Three of five are not enough.
        trial.say(it, 0..3, true);
        assert_eq!(trial.case(it).state, CaseState::Open);
    }
    tombstone(&mut trial, 3, [1; 32]);
    // Three of the four that are left: the block that removed the fourth settled it; one of the two, which closed the other.
    let mut states = [trial.case(&it).state, trial.case(&same).state];
    states.sort_by_key(|it| it.name());
    assert_eq!(states, [CaseState::Expired, CaseState::Guilty]);
}

#[test]
fn a_fallen_elector_has_nothing_to_say() {
    let mut trial = Trial::new(
        Params {
            verdict_blocks: 12,
            ..params()
        },
        5,
    );
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    trial.open(&it);
    tombstone(&mut trial, 3, [1; 32]);
    let verdict = trial.verdict(&it, &trial.judges[3], true);
    let refused = trial.world.refused(&Person::new(5).node, verdict);
    assert_eq!(refused, ItemRefused::Tombstoned);
    assert!(trial.case(&it).verdicts.is_empty());
}

/// Four others find a judge guilty of something.
fn tombstone(trial: &mut Trial, judge: usize, evidence: [u8; 32]) {
    let evidence = EvidenceId::new(evidence);
    let it = trial.accuse(&trial.lying(8, 6), 0, 6).challenge;
    let offender = trial.judges[judge].address();
    let challenge = Challenge {
        evidence,
        offender,
        ..it
    };
    let case = challenge.case();
    let action = Action::Challenge {
        challenge,
        evidence: None,
    };
    trial.world.act(&trial.auditor.wallet, action);
    let network = trial.world.ledger.network();
    let others = trial
        .judges
        .iter()
        .filter(|it| it.address() != offender)
        .take(3);
    let mut items = Vec::new();
    for judge in others.chain([&trial.claimant]) {
        let verdict = Verdict::sign(&network, case, true, judge.address(), &judge.key);
        items.push(trial.world.item(&judge.node, &Action::Verdict(verdict)));
    }
    assert!(refusals(&trial.world.block_of(items)).is_empty());
    assert!(trial.world.ledger.operator(&offender).unwrap().tombstoned);
}

/// Nor does who shows the very file that proves the lie, and says something wrong of it, so that it is found to prove nothing.
#[test]
fn a_file_is_not_used_up_by_whoever_announces_it_wrong() {
    let mut trial = Trial::new(params(), 4);
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    let wrong = Accusation {
        bytes: it.bytes.clone(),
        challenge: Challenge {
            slot: Slot(5),
            ..it.challenge.clone()
        },
    };
    trial.open(&wrong);
    trial.say(&wrong, 0..3, false);
    assert_eq!(trial.case(&wrong).state, CaseState::Innocent);
    trial.open(&it);
    trial.say(&it, 0..3, true);
    assert_eq!(trial.case(&it).state, CaseState::Guilty);
    assert_eq!(trial.world.ledger.slashings()[0].slot, Slot(6));
    assert_eq!(trial.world.ledger.burned(), ao(5));
}

#[test]
fn a_bad_accusation_does_not_shield_the_offender() {
    let mut trial = Trial::new(params(), 4);
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    // A friend of the liar announces a file that nobody will ever see.
    let shield = Challenge {
        evidence: EvidenceId::new([1; 32]),
        ..it.challenge.clone()
    };
    let action = Action::Challenge {
        challenge: shield.clone(),
        evidence: None,
    };
    trial.world.act(&trial.judges[3].wallet, action);
    trial.open(&it);
    trial.say(&it, 0..3, true);
    assert_eq!(trial.world.ledger.slashings().len(), 1);
    assert_eq!(
        trial.world.ledger.slashings()[0].challenger,
        trial.auditor.address()
    );
    // Whatever comes of the other case, nobody is punished again or paid for it.
    trial.world.pass(8);
    assert_eq!(
        trial.world.ledger.case(&shield.case()).unwrap().state,
        CaseState::Expired
    );
    assert_eq!(trial.world.ledger.slashings().len(), 1);
    assert_eq!(
        trial
            .world
            .ledger
            .operator(&trial.claimant.address())
            .unwrap()
            .escrow,
        ao(0)
    );
}

#[test]
fn a_case_needs_a_bond_and_a_file_of_bounded_size() {
    let mut trial = Trial::new(params(), 3);
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    let poor = Person::new(0x21);
    let action = Action::Challenge {
        challenge: it.challenge.clone(),
        evidence: None,
    };
    let alms = Action::Transfer {
        recipient: poor.address(),
        quantity: ao(1),
    };
    trial.world.act(&trial.auditor.wallet, alms);
    assert_eq!(
        trial.world.refused(&poor.wallet, action.clone()),
        ItemRefused::Balance
    );
    for bytes in [0, Evidence::BYTES_MAX as u64 + 1] {
        let sized = Action::Challenge {
            challenge: Challenge {
                bytes,
                ..it.challenge.clone()
            },
            evidence: None,
        };
        assert_eq!(
            trial.world.refused(&trial.auditor.wallet, sized),
            ItemRefused::Challenge
        );
    }
    let inside = Action::Challenge {
        challenge: it.challenge.clone(),
        evidence: Some(it.bytes.clone()),
    };
    assert_eq!(
        trial.world.refused(&trial.auditor.wallet, inside),
        ItemRefused::Challenge
    );
    // The node's key has nothing, so its operator pays.
    trial.world.act(&trial.judges[1].node, action);
    assert_eq!(trial.case(&it).challenger, trial.judges[1].address());
    assert_eq!(trial.world.balance(&trial.judges[1]), ao(495));
}

#[test]
fn no_more_than_so_many_cases_are_open() {
    let mut trial = Trial::new(params(), 3);
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    let funds = |to: &Person| Action::Transfer {
        recipient: to.address(),
        quantity: ao(490),
    };
    for judge in [1, 2] {
        let funds = funds(&trial.auditor);
        trial.world.act(&trial.judges[judge].wallet, funds);
    }
    trial
        .world
        .act(&trial.claimant.wallet, funds(&trial.auditor));
    let items: Vec<Vec<u8>> = (0..257_u16)
        .map(|at| {
            let mut id = [9; 32];
            id[..2].copy_from_slice(&at.to_be_bytes());
            let challenge = Challenge {
                evidence: EvidenceId::new(id),
                slot: Slot(0),
                ..it.challenge.clone()
            };
            let action = Action::Challenge {
                challenge,
                evidence: None,
            };
            trial.world.item(&trial.auditor.wallet, &action)
        })
        .collect();
    assert_eq!(
        refusals(&trial.world.block_of(items)),
        [ItemRefused::TooMany]
    );
    assert_eq!(
        trial.world.balance(&trial.auditor),
        ao(100 + 3 * 490 - 256 * 5)
    );
}

#[test]
fn a_validator_judges_the_announced_file_and_nothing_else() {
    let mut trial = Trial::new(params(), 4);
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    trial.open(&it);
    let ledger = &trial.world.ledger;
    let id = it.challenge.case();
    assert!(referee::is_elector(ledger, &id, &trial.judges[0].address()));
    for stranger in [&trial.claimant, &trial.auditor] {
        assert!(!referee::is_elector(ledger, &id, &stranger.address()));
    }
    assert!(!referee::is_elector(
        ledger,
        &CaseId::default(),
        &trial.judges[0].address()
    ));
    let announced = Announced::from(&it.challenge);
    let is_file = |bytes: &[u8]| File::read(bytes.to_vec()).announced() == announced;
    assert!(is_file(&it.bytes));
    assert!(!is_file(&it.bytes[1..]));
    let mut altered = it.bytes.clone();
    altered[100] ^= 1;
    assert!(!is_file(&altered));

    let conclude =
        |execution: &dyn Fn(&surety_protocol::execution::ExecutionRequest) -> Execution| {
            let file = File::read(it.bytes.clone());
            let (Judgement::Execute { request, pending }, _) = referee::open(ledger, file) else {
                panic!("a false claim is executed");
            };
            let proof = referee::conclude(pending, &execution(&request));
            proof.map(|it| it.convicts(ledger, &id))
        };
    assert_eq!(conclude(&honest), Some(true));
    assert_eq!(
        conclude(&|_| Execution::Invalid("witness".into())),
        Some(false)
    );
    assert_eq!(conclude(&|_| Execution::Abstained("memory".into())), None);
    assert_eq!(conclude(&|_| Execution::Differed), None);
    let (judgement, bytes) = referee::open(ledger, File::read(altered.clone()));
    assert!(matches!(judgement, Judgement::Found(proof) if !proof.convicts(ledger, &id)));
    assert_eq!(bytes, altered);
    trial.say(&it, 0..1, true);
    assert!(!referee::is_elector(
        &trial.world.ledger,
        &id,
        &trial.judges[0].address()
    ));
}

#[test]
fn a_true_file_under_a_false_announcement_is_innocent() {
    let trial = Trial::new(params(), 4);
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    let with = |change: &dyn Fn(&mut Challenge)| {
        let mut challenge = it.challenge.clone();
        change(&mut challenge);
        challenge
    };
    let cases = [
        with(&|it| it.slot = Slot(5)),
        with(&|it| it.process = Default::default()),
        with(&|it| it.claim = None),
        with(&|it| it.claim = Some(Default::default())),
        with(&|it| it.offender = trial.judges[0].address()),
        with(&|it| it.kind = 2),
    ];
    for challenge in cases {
        let mut world = Trial::new(params(), 4).world;
        let id = challenge.case();
        let action = Action::Challenge {
            challenge,
            evidence: None,
        };
        assert!(refusals(&world.act(&trial.auditor.wallet, action)).is_empty());
        let file = File::read(it.bytes.clone());
        let (Judgement::Execute { request, pending }, _) = referee::open(&world.ledger, file)
        else {
            panic!("a false claim is executed");
        };
        let proof = referee::conclude(pending, &honest(&request)).unwrap();
        assert!(!proof.convicts(&world.ledger, &id));
    }
}

#[test]
fn the_height_of_an_opened_case_is_that_of_its_block() {
    let mut trial = Trial::new(params(), 3);
    let it = trial.accuse(&trial.lying(8, 6), 0, 6);
    let before = trial.world.ledger.height();
    trial.open(&it);
    assert_eq!(trial.case(&it).opened, Height(before.0 + 1));
    assert_eq!(trial.case(&it).electors.len(), 4);
}
