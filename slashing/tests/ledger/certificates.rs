//! Certificates on the ledger: committed and recorded (rules L-20, L-21, L-23, L-24, CE-1 to CE-3).

use surety_protocol::attested::{Backing, Segment};
use surety_protocol::block::{beacon_digest, next_beacon};
use surety_protocol::bls::aggregate;
use surety_protocol::certificate::{Certificate, CertificateError};
use surety_protocol::claim::Claim;
use surety_protocol::origin::Action;
use surety_protocol::params::Params;
use surety_protocol::sortition::{self, Draw};
use surety_protocol::time::Height;
use surety_slashing::ledger::ItemRefused;

use crate::support::{
    Certification, Person, Trial, World, ao, certification, commit, named, params, record, refusals,
};

#[test]
fn enough_tickets_certify_a_claim_once() {
    // However long it takes until enough tickets have drawn, nothing is settled meanwhile.
    let params = Params {
        challenge_window_blocks: 200,
        ..params()
    };
    let mut trial = Trial::new(params, 5);
    let claim = trial.claim(&trial.process.leaves(4), 0);
    let id = claim.id().unwrap();
    let it = trial.certify(&claim);
    let height = trial.world.ledger.height();
    let segment = Segment {
        size: 4,
        history_root: claim.history_root,
        claim: id,
        certified: height,
        // The claimant's and that of five others, of 500 each.
        backing: Backing {
            stake: ao(3000),
            tickets: drawn(&trial, &it, 5),
        },
    };
    let certified = trial.world.ledger.certified(&claim.process);
    assert!(certified.eq([&segment]));
    let judges: Vec<&Person> = trial.judges.iter().collect();
    let again = record(it.by(&trial.world, &judges));
    let refused = trial.world.refused(&Person::new(2).wallet, again);
    assert_eq!(refused, ItemRefused::NotContinuous);
    // The next claim continues exactly there.
    let next = trial.claim(&trial.process.leaves(8), 4);
    trial.certify(&next);
    assert_eq!(trial.segments(), [4, 8]);
}

/// The tickets of the first judges for a claim, as of now.
fn drawn(trial: &Trial, it: &Certification, judges: usize) -> u64 {
    let (ledger, seeded) = (&trial.world.ledger, it.seeded(&trial.world));
    let validators = ledger.validators_at(seeded).unwrap();
    let draw = Draw::new(
        ledger.params().k,
        validators.tickets_without(&[it.claimant]),
    );
    let tranche = ledger.height().since(seeded) / ledger.params().tranche_blocks;
    let of = |judge: &Person| {
        let tickets = validators.get(&judge.address()).unwrap().tickets;
        draw.tickets(&it.proof(&trial.world, judge), tickets, tranche)
    };
    trial.judges.iter().take(judges).map(of).sum()
}

#[test]
fn a_segment_records_what_stands_behind_all_of_it() {
    let params = Params {
        challenge_window_blocks: 200,
        ..params()
    };
    let mut trial = Trial::new(params, 5);
    let mut sizes = 0;
    let mut certify = |trial: &mut Trial, judges: usize| {
        let claim = trial.claim(&trial.process.leaves(sizes + 2), sizes);
        sizes += 2;
        let it = trial.certify_by(judges, &claim);
        let last = trial.world.ledger.latest(&claim.process).unwrap();
        (drawn(trial, &it, judges), last.backing)
    };
    let (five, first) = certify(&mut trial, 5);
    assert_eq!((first.stake, first.tickets), (ao(3000), five));
    let (four, second) = certify(&mut trial, 4);
    assert_eq!((second.stake, second.tickets), (ao(2500), five.min(four)));
    // More that come later vouch for what they depend on no more than those before.
    let (more, third) = certify(&mut trial, 5);
    assert_eq!(
        third,
        second.least(Backing {
            stake: ao(3000),
            tickets: more
        })
    );
    trial.world.pass(250);
    let settled = |trial: &Trial| {
        let settled = trial.world.ledger.settled(&trial.process.id());
        settled.unwrap().backing
    };
    assert_eq!(settled(&trial), third);
    // What is settled is nothing that one could still pay for.
    let (own, fourth) = certify(&mut trial, 5);
    assert_eq!((fourth.stake, fourth.tickets), (ao(3000), own));
    trial.world.pass(250);
    assert_eq!(settled(&trial), third.least(fourth));
}

#[test]
fn too_few_tickets_do_not() {
    let mut trial = Trial::new(params(), 5);
    let claim = trial.claim(&trial.process.leaves(4), 0);
    let it = certification(&mut trial.world, &trial.claimant, &claim);
    let waited = trial
        .world
        .ledger
        .height()
        .next()
        .since(it.seeded(&trial.world));
    let tranche = waited / trial.world.ledger.params().tranche_blocks;
    // 50 tickets each, without the claimant's.
    let draw = Draw::new(4, 250);
    let mut alone = Vec::new();
    for judge in &trial.judges {
        let tickets = draw.tickets(&it.proof(&trial.world, judge), 50, tranche);
        alone.push((tickets, record(it.by(&trial.world, &[judge]))));
    }
    let before = trial.world.ledger.clone();
    for (tickets, action) in alone {
        let item = trial.world.item(&trial.auditor.wallet, &action);
        let mut ledger = before.clone();
        let block = trial.world.assemble(&ledger, vec![item]);
        let reason = refusals(&ledger.apply(&block).unwrap());
        let needed = draw.needed_at(tranche);
        let few = CertificateError::Tickets { tickets, needed };
        let expected = if tickets < needed {
            vec![ItemRefused::Certificate(few)]
        } else {
            Vec::new()
        };
        assert_eq!(reason, expected);
    }
}

#[test]
fn a_certificate_that_does_not_hold_is_refused_with_its_reason() {
    let mut trial = Trial::new(params(), 5);
    let claim = trial.claim(&trial.process.leaves(4), 0);
    let it = certification(&mut trial.world, &trial.claimant, &claim);
    trial.world.pass(30);
    let world = &trial.world;
    let judges: Vec<&Person> = trial.judges.iter().collect();
    let good = it.by(world, &judges);
    let with = |change: &dyn Fn(&mut Certificate)| {
        let mut it = good.clone();
        change(&mut it);
        it
    };
    let first = judges.iter().map(|it| it.address()).min().unwrap();
    let self_approved: Vec<&Person> = judges.iter().copied().chain([&trial.claimant]).collect();
    let of_another = aggregate(&[judges[0].key.sign(&named("another claim"))]).unwrap();
    let one_missing = it.by(world, &judges[..4]).approvals;
    // A digest that commits another claim.
    let other = trial.claim(&trial.process.leaves(3), 0);
    let mut foreign = it.batch.clone();
    foreign.claims = vec![other.id().unwrap()];
    let not_in = foreign.prove(&foreign.claims[0]).unwrap();
    let cases = [
        (
            with(&|it| it.claim.fork = 1),
            CertificateError::NotCommitted,
        ),
        (
            with(&|it| it.claim.head_state_root = named("lie")),
            CertificateError::NotCommitted,
        ),
        (
            with(&|it| it.claim.size = 5),
            CertificateError::NotCommitted,
        ),
        (
            Certificate {
                claim: other,
                inclusion: not_in,
                ..good.clone()
            },
            CertificateError::NotCommitted,
        ),
        (
            with(&|it| it.approvers.push(0)),
            CertificateError::Approvers,
        ),
        (
            with(&|it| it.approvers.clear()),
            CertificateError::Approvers,
        ),
        (
            with(&|it| it.approvers[0] |= 0x40),
            CertificateError::Approvers,
        ),
        (with(&|it| it.approvers[0] = 0), CertificateError::Approvers),
        (
            with(&|it| _ = it.sortition.pop()),
            CertificateError::Approvers,
        ),
        (
            with(&|it| it.sortition.push(it.sortition[0])),
            CertificateError::Approvers,
        ),
        (it.by(world, &self_approved), CertificateError::SelfApproval),
        // Of another seed; of another verifier.
        (
            with(&|it| it.sortition[0] = judges[0].key.sign(&named("seed"))),
            CertificateError::Sortition(first),
        ),
        (
            with(&|it| it.sortition.swap(0, 1)),
            CertificateError::Sortition(first),
        ),
        (
            with(&|it| it.approvals = of_another),
            CertificateError::Signature,
        ),
        (
            with(&|it| it.approvals = one_missing),
            CertificateError::Signature,
        ),
    ];
    let certificates: Vec<_> = cases.into_iter().enumerate().collect();
    for (at, (certificate, expected)) in certificates {
        let item = trial
            .world
            .item(&trial.auditor.wallet, &record(certificate));
        let found = refusals(&trial.world.block_of(vec![item]));
        // Forged proofs draw other tickets, so they may fail for lack of them; never do they pass.
        let tickets = matches!(
            found.as_slice(),
            [ItemRefused::Certificate(CertificateError::Tickets { .. })]
        );
        let forged = matches!(expected, CertificateError::Sortition(_));
        assert!(
            found == [ItemRefused::Certificate(expected)] || (forged && tickets),
            "case {at}: {found:?}"
        );
    }
    assert!(trial.segments().is_empty());
    assert!(refusals(&trial.world.act(&trial.auditor.wallet, record(good))).is_empty());
    assert_eq!(trial.segments(), [4]);
}

#[test]
fn a_certificate_continues_what_is_certified_and_rests_on_what_was_committed() {
    let mut trial = Trial::new(params(), 5);
    let base = trial.claim(&trial.process.leaves(4), 0);
    trial.certify(&base);
    let leaves = trial.process.leaves(8);
    let changed = |change: &dyn Fn(&mut Claim)| {
        let mut claim = trial.claim(&leaves, 4);
        change(&mut claim);
        claim
    };
    let claims = [
        trial.claim(&leaves, 0),
        trial.claim(&leaves, 3),
        trial.claim(&leaves, 5),
        changed(&|it| it.base_root = named("another base")),
        changed(&|it| it.size = 4),
        changed(&|it| it.network = Default::default()),
        changed(&|it| it.profile = Default::default()),
        changed(&|it| it.height = Height(1_000_000)),
    ];
    for claim in claims {
        let it = certification(&mut trial.world, &trial.claimant, &claim);
        let judges: Vec<&Person> = trial.judges.iter().collect();
        let action = record(it.by(&trial.world, &judges));
        let refused = trial.world.refused(&Person::new(2).wallet, action);
        assert_eq!(refused, ItemRefused::NotContinuous);
    }
    let claim = trial.claim(&leaves, 4);
    let it = certification(&mut trial.world, &trial.claimant, &claim);
    trial.world.pass(20);
    let judges: Vec<&Person> = trial.judges.iter().collect();
    let good = it.by(&trial.world, &judges);
    let stranger = trial.auditor.address();
    let other = trial.judges[0].address();
    for (certificate, expected) in [
        // At a height or by somebody of whom no digest is known.
        (
            Certificate {
                committed: it.committed.minus(1),
                ..good.clone()
            },
            ItemRefused::NotContinuous,
        ),
        (
            Certificate {
                committed: Height(u64::MAX),
                ..good.clone()
            },
            ItemRefused::NotContinuous,
        ),
        (
            Certificate {
                claimant: other,
                ..good.clone()
            },
            ItemRefused::NotContinuous,
        ),
        (
            Certificate {
                claimant: stranger,
                ..good.clone()
            },
            ItemRefused::Tombstoned,
        ),
    ] {
        let refused = trial
            .world
            .refused(&Person::new(2).wallet, record(certificate));
        assert_eq!(refused, expected);
    }
    assert!(refusals(&trial.world.act(&Person::new(2).wallet, record(good))).is_empty());
}

#[test]
fn only_active_operators_commit_and_once_in_a_block() {
    let mut trial = Trial::new(params(), 3);
    let root = Action::Claims(named("root"));
    assert_eq!(
        trial.world.refused(&trial.auditor.wallet, root.clone()),
        ItemRefused::NotRegistered
    );
    let items = [&trial.claimant.wallet, &trial.claimant.node]
        .map(|key| trial.world.item(key, &root))
        .to_vec();
    assert_eq!(
        refusals(&trial.world.block_of(items)),
        [ItemRefused::TooMany]
    );
    let height = trial.world.ledger.height();
    let committed = trial
        .world
        .ledger
        .digest_root(height, trial.claimant.address());
    assert_eq!(committed, Some(&named("root")));
    trial
        .world
        .act(&trial.claimant.wallet, Action::Unbond(ao(450)));
    assert_eq!(
        trial.world.refused(&trial.claimant.node, root),
        ItemRefused::NotActive
    );
}

/// The certificate that the proposer, who knows the next beacon, could make before anybody else.
fn premature(world: &World, it: &Certification, judges: &[&Person]) -> Certificate {
    let height = it.seeded(world);
    assert_eq!(world.ledger.height().next(), height);
    let before = world.ledger.beacon();
    let drawn = world.proposer_key.sign(&beacon_digest(&before, height));
    let beacon = next_beacon(&before, &drawn);
    let seed = sortition::seed(&beacon, &it.claim.process, it.claim.first_new);
    let mut judges = judges.to_vec();
    judges.sort_by_key(|it| it.address());
    let validators = world.ledger.validators();
    let id = it.claim.id().unwrap();
    let digest = surety_protocol::approval::signing_digest(&id);
    let addresses: Vec<_> = judges.iter().map(|it| it.address()).collect();
    let approvals: Vec<_> = judges.iter().map(|it| it.key.sign(&digest)).collect();
    Certificate {
        claim: it.claim.clone(),
        claimant: it.claimant,
        signature: it.signature,
        committed: it.committed,
        inclusion: it.batch.prove(&id).unwrap(),
        approvers: validators.bitfield(&addresses).unwrap().into(),
        sortition: judges
            .iter()
            .map(|it| sortition::prove(&it.key, &seed))
            .collect(),
        approvals: aggregate(&approvals).unwrap(),
    }
}

#[test]
fn no_certificate_stands_in_the_block_that_seeds_it() {
    // One ticket is enough, so that nothing but the rule can refuse it.
    let mut trial = Trial::new(surety_protocol::params::Params { k: 1, ..params() }, 5);
    let claim = trial.claim(&trial.process.leaves(4), 0);
    let (committed, batch) = commit(&mut trial.world, &trial.claimant, &[&claim]);
    let claimant = trial.claimant.address();
    let signature = crate::support::statement(&claim, &trial.claimant).signature;
    let it = Certification {
        claim,
        signature,
        claimant,
        committed,
        batch,
    };
    trial.world.pass(1);
    let judges: Vec<&Person> = trial.judges.iter().collect();
    let certificate = premature(&trial.world, &it, &judges);
    let refused = trial
        .world
        .refused(&trial.auditor.wallet, record(certificate.clone()));
    assert_eq!(refused, ItemRefused::NotContinuous);
    // The same certificate is good from the next block on, as soon as a ticket has a say.
    let accepted = (0..20).any(|_| {
        let item = trial
            .world
            .item(&trial.auditor.wallet, &record(certificate.clone()));
        refusals(&trial.world.block_of(vec![item])).is_empty()
    });
    assert!(accepted);
}
