//! Who approved a claim that was proven false answers for it (rules L-6, L-36, CL-6).

use serde_bytes::ByteBuf;
use surety_protocol::approval;
use surety_protocol::claim::Claim;
use surety_protocol::evidence::OffenceKind;
use surety_protocol::id::{Address, CaseId};
use surety_protocol::origin::{
    Action, FALSE_APPROVALS_MAX, FalseApproval, FalseApprovals, Registration,
};
use surety_protocol::params::Params;
use surety_slashing::ledger::{ItemRefused, LedgerEvent};
use surety_slashing::order::NotQueued;

use crate::support::{Person, Trial, ao, named, params, refusals};

fn long_window() -> Params {
    Params {
        challenge_window_blocks: 200,
        verdict_blocks: 12,
        ..params()
    }
}

fn approval(claim: &Claim, by: &Person) -> FalseApproval {
    let digest = approval::signing_digest(&claim.id().unwrap());
    FalseApproval {
        verifier: by.address(),
        key: ByteBuf::from(by.key.public_key().as_bytes().to_vec()),
        signature: by.key.sign(&digest),
    }
}

/// What tells the ledger who approved a claim.
fn told(case: CaseId, claim: &Claim, approvals: Vec<FalseApproval>) -> Action {
    let mut approvals = approvals;
    approvals.sort_by_key(|it| it.verifier);
    Action::FalseApprovals(Box::new(FalseApprovals {
        case,
        claim: claim.clone(),
        approvals,
    }))
}

/// Who lost stake as an approver, in the order of the ledger.
fn punished(trial: &Trial) -> Vec<Address> {
    let slashings = trial.world.ledger.slashings().into_iter();
    slashings
        .filter(|it| it.kind == OffenceKind::FalseApproval)
        .map(|it| it.offender)
        .collect()
}

/// A claim of four leaves of which the third is proven false, by the word of as many as that takes.
fn refuted(judges: u8) -> (Trial, Claim, CaseId) {
    let mut trial = Trial::new(long_window(), judges);
    let leaves = trial.lying(4, 2);
    let claim = trial.claim(&leaves, 0);
    let it = trial.accuse(&leaves, 0, 2);
    trial.open(&it);
    trial.say(&it, 0..usize::from(judges) * 2 / 3 + 1, true);
    (trial, claim, it.challenge.case())
}

#[test]
fn an_approver_of_a_false_claim_is_punished_once_by_its_signature() {
    let (mut trial, claim, case) = refuted(5);
    let (lazy, reporter) = (&trial.judges[1], &trial.judges[0]);
    let approvals = vec![approval(&claim, lazy)];
    let action = told(case, &claim, approvals.clone());
    let staked = |trial: &Trial, it: &Address| trial.world.ledger.operator(it).unwrap().bonded;
    let before = staked(&trial, &lazy.address());
    let (lazy, by) = (lazy.address(), reporter.address());
    let events = trial.world.act(&trial.judges[0].node, action.clone());
    let Some(LedgerEvent::Slashed(slashing)) = events.first() else {
        panic!("{events:?}");
    };
    let evidence = trial.world.ledger.case(&case).unwrap().challenge.evidence;
    assert_eq!(
        (slashing.offender, slashing.challenger, slashing.evidence),
        (lazy, by, evidence)
    );
    assert_eq!(slashing.kind, OffenceKind::FalseApproval);
    let share = before.share(long_window().penalty).unwrap();
    assert_eq!(slashing.amount, share);
    assert_eq!(staked(&trial, &lazy), before.minus(share).unwrap());
    assert!(trial.world.ledger.operator(&lazy).unwrap().tombstoned);
    let again = trial.world.refused(&trial.judges[0].node, action);
    assert_eq!(again, ItemRefused::Known);
    // With one who is not punished yet it is news.
    let more = [approvals, vec![approval(&claim, &trial.judges[2])]].concat();
    let more = told(case, &claim, more);
    trial.world.act(&trial.judges[0].node, more);
    assert_eq!(punished(&trial), [lazy, trial.judges[2].address()]);
}

#[test]
fn an_approver_answers_with_the_key_that_it_had() {
    let (mut trial, claim, case) = refuted(5);
    let approvals = vec![approval(&claim, &trial.judges[1])];
    let other = Person::new(0x50);
    let registration = Registration {
        item_key: trial.judges[1].node.address(),
        ..other.registration()
    };
    let action = Action::Register(Box::new(registration));
    let events = trial.world.act(&trial.judges[1].wallet, action);
    assert!(refusals(&events).is_empty(), "{events:?}");
    let action = told(case, &claim, approvals);
    trial.world.act(&trial.judges[0].node, action);
    assert_eq!(punished(&trial), [trial.judges[1].address()]);
}

#[test]
fn what_does_not_prove_every_approval_punishes_nobody() {
    let (mut trial, claim, case) = refuted(5);
    let good = approval(&claim, &trial.judges[1]);
    let of = |it: FalseApproval| told(case, &claim, vec![good.clone(), it]);
    let by = |index: usize| approval(&claim, &trial.judges[index]);
    let forged = FalseApproval {
        signature: by(3).signature,
        ..by(2)
    };
    let foreign = FalseApproval {
        key: by(3).key,
        ..by(2)
    };
    let unknown = approval(&claim, &Person::new(0x55));
    let other = Claim {
        head_state_root: named("other"),
        ..claim.clone()
    };
    let list = |approvals: Vec<FalseApproval>| {
        Action::FalseApprovals(Box::new(FalseApprovals {
            case,
            claim: claim.clone(),
            approvals,
        }))
    };
    let never = CaseId::from(named("never"));
    let cases = [
        (of(forged), ItemRefused::Forged),
        (of(foreign), ItemRefused::NotRegistered),
        (of(unknown), ItemRefused::NotRegistered),
        (
            told(case, &other, vec![approval(&other, &trial.judges[1])]),
            ItemRefused::Challenge,
        ),
        (told(never, &claim, vec![good.clone()]), ItemRefused::NoCase),
        (list(Vec::new()), ItemRefused::Challenge),
        (
            list(vec![good.clone(), good.clone()]),
            ItemRefused::Challenge,
        ),
        (
            list(vec![good.clone(); FALSE_APPROVALS_MAX + 1]),
            ItemRefused::Challenge,
        ),
    ];
    for (action, expected) in cases {
        let refused = trial.world.refused(&trial.auditor.wallet, action);
        assert_eq!(refused, expected);
    }
    assert!(punished(&trial).is_empty());
}

#[test]
fn an_approver_answers_for_the_new_leaves_alone() {
    let mut trial = Trial::new(long_window(), 5);
    let leaves = trial.lying(8, 2);
    // The lie stands among the leaves before those that this claim's approvers looked at.
    let claim = trial.claim(&leaves, 4);
    let it = trial.accuse(&leaves, 4, 2);
    trial.open(&it);
    trial.say(&it, 0..4, true);
    let approvals = vec![approval(&claim, &trial.judges[1])];
    let action = told(it.challenge.case(), &claim, approvals);
    let refused = trial.world.refused(&trial.auditor.wallet, action);
    assert_eq!(refused, ItemRefused::Challenge);
}

#[test]
fn whoever_stands_in_a_certificate_that_is_taken_back_is_punished_with_the_liar() {
    let mut trial = Trial::new(long_window(), 6);
    let leaves = trial.lying(12, 6);
    // One has not approved what is false, but what comes before it and after.
    for (to, judges) in [(4, 6), (8, 5), (12, 6)] {
        let claim = trial.claim(&leaves[..to], to as u64 - 4);
        trial.certify_by(judges, &claim);
    }
    let it = trial.accuse(&leaves, 8, 6);
    trial.open(&it);
    trial.say(&it, 0..5, true);
    assert_eq!(trial.segments(), [4]);
    let mut expected: Vec<Address> = trial.judges[..5].iter().map(Person::address).collect();
    expected.sort();
    assert_eq!(punished(&trial), expected);
    let honest = &trial.judges[5];
    let honest = trial.world.ledger.operator(&honest.address()).unwrap();
    assert!(!honest.tombstoned);
}

#[test]
fn who_approved_what_comes_after_a_settled_lie_is_free() {
    let window = Params {
        challenge_window_blocks: 8,
        ..long_window()
    };
    let mut trial = Trial::new(window, 6);
    let leaves = trial.lying(8, 2);
    let claim = trial.claim(&leaves[..4], 0);
    trial.certify(&claim);
    trial.world.pass(9);
    assert_eq!(trial.settled(), Some(4));
    let claim = trial.claim(&leaves, 4);
    trial.certify(&claim);
    let it = trial.accuse(&leaves, 4, 2);
    trial.open(&it);
    trial.say(&it, 0..5, true);
    // The claim contains the lie and is taken back, but nobody looked at that leaf again.
    assert!(trial.segments().is_empty());
    assert!(punished(&trial).is_empty());
}

#[test]
fn of_one_subject_one_costly_item_waits() {
    let (mut trial, claim, case) = refuted(5);
    let action = told(case, &claim, vec![approval(&claim, &trial.judges[1])]);
    let world = &mut trial.world;
    let mut submit = |wallet| {
        let item = world.item(wallet, &action);
        world.proposer.submit(&world.ledger, item).err()
    };
    assert_eq!(submit(&trial.judges[0].node), None);
    assert_eq!(submit(&trial.auditor.wallet), Some(NotQueued::Waiting));
    world.block();
    let again = NotQueued::Refused(ItemRefused::Known);
    let item = world.item(&trial.auditor.wallet, &action);
    assert_eq!(world.proposer.submit(&world.ledger, item), Err(again));
}

#[test]
fn strangers_make_nobody_verify_signatures_and_forgers_are_heard_once_a_block() {
    let (mut trial, claim, case) = refuted(5);
    let good = approval(&claim, &trial.judges[1]);
    let forged = FalseApproval {
        signature: approval(&claim, &trial.judges[3]).signature,
        ..good.clone()
    };
    let forgery = told(case, &claim, vec![forged]);
    let stranger = Person::new(0x56);
    let refused = trial.world.refused(&stranger.wallet, forgery.clone());
    assert_eq!(refused, ItemRefused::Stranger);
    // Nor one who has too little to lose.
    let alms = Action::Transfer {
        recipient: stranger.address(),
        quantity: ao(1),
    };
    trial.world.act(&trial.auditor.wallet, alms);
    let refused = trial.world.refused(&stranger.wallet, forgery.clone());
    assert_eq!(refused, ItemRefused::NotActive);
    let world = &mut trial.world;
    let mut submit = |wallet, action: &Action| {
        let item = world.item(wallet, action);
        world.proposer.submit(&world.ledger, item)
    };
    let (liar, auditor) = (&trial.judges[4].node, &trial.auditor.wallet);
    let truth = told(case, &claim, vec![good]);
    let refused = NotQueued::Refused(ItemRefused::Forged);
    assert_eq!(submit(liar, &forgery), Err(refused));
    assert_eq!(submit(liar, &truth), Err(NotQueued::Full));
    assert!(submit(auditor, &truth).is_ok());
    world.block();
    assert_eq!(punished(&trial), [trial.judges[1].address()]);
}
