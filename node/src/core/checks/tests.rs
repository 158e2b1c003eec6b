//! Batches, queues and groups of signatures.

use std::sync::LazyLock;

use serde_bytes::ByteBuf;
use surety_protocol::bls::SecretKey;
use surety_protocol::claim::{Claim, Statement};
use surety_protocol::hash::{Domain, digest};
use surety_protocol::hashpath::Hashpath;
use surety_protocol::history::Frontier;
use surety_protocol::id::{Address, ClaimId, ModuleId, NetworkId, ProcessId};
use surety_protocol::item::ItemKey;
use surety_protocol::time::Height;
use surety_protocol::trace::{TraceProof, binding_draft};

use super::*;

fn key(number: u64) -> SecretKey {
    let seed = digest(Domain::OBJECT, &[&number.to_be_bytes()]);
    SecretKey::derive_from_seed(seed.as_bytes()).unwrap()
}

fn signed(number: u64) -> SignedDigest {
    let digest = Digest::new([1; 32]);
    SignedDigest {
        key: *key(number).public_key(),
        digest,
        signature: key(number).sign(&digest),
    }
}

fn approval() -> Subject {
    let signature = signed(1).signature;
    Subject::Approval(Box::new(Approval {
        claim: ClaimId::new([1; 32]),
        claimant: Address::new([2; 32]),
        committed: Height(1),
        verifier: Address::new([3; 32]),
        sortition: signature,
        signature,
        trace: TraceProof {
            signature,
            own: Digest::default(),
            binding: ByteBuf::new(),
        },
    }))
}

fn claim() -> Subject {
    let process = ProcessId::new([1; 32]);
    let claim = Claim {
        network: NetworkId::new([1; 32]),
        profile: Digest::default().into(),
        height: Height(1),
        module: ModuleId::new([1; 32]),
        process,
        fork: 0,
        size: 1,
        history_root: Digest::default(),
        first_new: 0,
        base_root: Digest::default(),
        hashpath: Hashpath::start(process),
        head_state_root: Digest::default(),
    };
    Subject::Claim(Box::new(SignedClaim {
        statement: Statement::sign(claim, Address::new([2; 32]), &key(1)).unwrap(),
        frontier: Frontier::empty(),
        leaves: Vec::new(),
    }))
}

fn group(signed: Vec<SignedDigest>) -> Signatures {
    Signatures {
        signed,
        item: Vec::new(),
        together: Vec::new(),
    }
}

/// Groups of which the last two are strangers'.
fn checking(groups: &[Signatures]) -> Checking {
    let (groups, known) = (groups.to_vec(), groups.len() - 2);
    Checking { groups, known }
}

/// What differs by its number, and need not hold.
fn numbered(number: u64) -> Signatures {
    static SIGNED: LazyLock<SignedDigest> = LazyLock::new(|| signed(1));
    group(vec![SignedDigest {
        digest: digest(Domain::OBJECT, &[&number.to_be_bytes()]),
        ..*SIGNED
    }])
}

fn waits(taken: &Taken) -> bool {
    matches!(taken, Taken::Waits)
}

/// The next batch when nobody gathers any more.
fn begin(checks: &mut Checks) -> Option<Checking> {
    let begun = checks.begin(Tick(0));
    begun.or_else(|| checks.begin(Tick(GATHER_MS)))
}

fn told(token: u64) -> Brought {
    let peer = Digest::new([1; 32]);
    Brought::Gossip(Teller { token, peer })
}

/// Claims and approvals of a batch.
fn kinds(batch: &[Waiting]) -> (usize, usize) {
    let claims = |it: &&Waiting| matches!(it.subject, Subject::Claim(_));
    let claims = batch.iter().filter(claims).count();
    (claims, batch.len() - claims)
}

#[test]
fn one_batch_is_under_way_and_the_next_has_what_came_meanwhile() {
    let mut checks = Checks::default();
    assert!(begin(&mut checks).is_none());
    assert!(waits(&checks.take(approval(), numbered(1), told(1))));
    assert!(begin(&mut checks).is_some());
    // What is under way is not taken again.
    assert!(!waits(&checks.take(approval(), numbered(1), told(9))));
    for token in 2..5 {
        assert!(waits(&checks.take(
            approval(),
            numbered(token),
            told(token)
        )));
        assert!(begin(&mut checks).is_none());
    }
    let tokens = |batch: &[Waiting]| {
        batch
            .iter()
            .filter_map(|it| match it.brought {
                Brought::Gossip(teller) => Some(teller.token),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(tokens(&checks.end()), [1]);
    assert!(begin(&mut checks).is_some());
    assert_eq!(tokens(&checks.end()), [2, 3, 4]);
    assert!(begin(&mut checks).is_none());
}

#[test]
fn queues_are_bounded_and_neither_kind_waits_for_the_other_to_end() {
    let mut number = 0;
    let mut other = move || {
        number += 1;
        numbered(number)
    };
    let mut checks = Checks::default();
    for _ in 0..CLAIMS_MAX {
        assert!(waits(&checks.take(claim(), other(), Brought::Asked)));
    }
    assert!(!waits(&checks.take(claim(), other(), Brought::Asked)));
    // Alone they have all of a batch.
    assert!(begin(&mut checks).is_some());
    assert_eq!(kinds(&checks.end()), (BATCH_MAX, 0));
    for _ in 0..APPROVALS_MAX {
        assert!(waits(&checks.take(approval(), other(), Brought::Asked)));
    }
    assert!(!waits(&checks.take(approval(), other(), Brought::Asked)));
    let mut before = CLAIMS_MAX - BATCH_MAX;
    while before > 0 {
        assert!(begin(&mut checks).is_some());
        let (claims, approvals) = kinds(&checks.end());
        assert_eq!((claims, approvals), (BATCH_MAX / 2, BATCH_MAX / 2));
        before -= claims;
    }
    assert!(begin(&mut checks).is_some());
    assert_eq!(kinds(&checks.end()), (0, BATCH_MAX));
}

#[test]
fn approvals_are_gathered_for_a_moment_and_claims_are_not() {
    let mut checks = Checks::default();
    let mut number = 0;
    let mut take = |checks: &mut Checks, subject| {
        number += 1;
        assert!(waits(&checks.take(
            subject,
            numbered(number),
            Brought::Asked
        )));
    };
    let begins = |checks: &mut Checks, at| checks.begin(Tick(at)).is_some();
    take(&mut checks, approval());
    assert!(!begins(&mut checks, 1_000) && !begins(&mut checks, 999 + GATHER_MS));
    take(&mut checks, approval());
    assert!(begins(&mut checks, 1_000 + GATHER_MS));
    assert_eq!(kinds(&checks.end()), (0, 2));
    // The next ones have a moment of their own.
    take(&mut checks, approval());
    assert!(!begins(&mut checks, 2_000));
    take(&mut checks, claim());
    assert!(begins(&mut checks, 2_000));
    assert_eq!(kinds(&checks.end()), (1, 1));
    for _ in 0..GATHERED_MAX {
        assert!(!begins(&mut checks, 3_000));
        take(&mut checks, approval());
    }
    assert!(begins(&mut checks, 3_000));
    assert_eq!(kinds(&checks.end()), (0, GATHERED_MAX));
}

#[test]
fn what_makes_room_for_others_is_here_no_more() {
    let mut checks = Checks::default();
    let mut number = 0;
    let mut take = |checks: &mut Checks, peer: u8| {
        number += 1;
        let peer = Digest::new([peer; 32]);
        let teller = Teller {
            token: number,
            peer,
        };
        checks.take(approval(), numbered(number), Brought::Gossip(teller))
    };
    // Four peers with all that one may bring fill the queue, and a fifth one has room all the same.
    for peer in 1..=4 {
        for _ in 0..APPROVALS_MAX / 4 {
            assert!(waits(&take(&mut checks, peer)));
        }
        assert!(!waits(&take(&mut checks, peer)));
    }
    let Taken::InsteadOf(Brought::Gossip(teller)) = take(&mut checks, 5) else {
        panic!("it has room");
    };
    assert!(teller.peer != Digest::new([5; 32]));
    assert_eq!(checks.here.len(), APPROVALS_MAX);
    // What was left out may come again.
    let again = Brought::Asked;
    assert!(!checks.here.contains(&numbered(teller.token)));
    let taken = checks.take(approval(), numbered(teller.token), again);
    assert!(matches!(taken, Taken::InsteadOf(_)));
    while begin(&mut checks).is_some() {
        checks.end();
    }
    assert!(checks.here.is_empty());
}

#[test]
fn a_group_holds_if_all_its_signatures_do_and_fails_alone() {
    let item = ItemKey::ed25519(&[7; 32]);
    let item = item.sign_item(&binding_draft(&Digest::default())).unwrap();
    let mut groups: Vec<Signatures> = (0..5)
        .map(|it| Signatures {
            signed: vec![signed(2 * it), signed(2 * it + 1)],
            item: item.bytes().to_vec(),
            together: Vec::new(),
        })
        .collect();
    let seed = Digest::new([7; 32]);
    assert_eq!(checking(&groups).run(&seed), [true; 5]);
    groups[1].signed[1].signature = groups[3].signed[0].signature;
    groups[4].signed[0].digest = Digest::new([2; 32]);
    *groups[2].item.last_mut().unwrap() ^= 1;
    let said = |number, digest: &Digest| (*key(number).public_key(), key(number).sign(digest));
    let (trace, other) = (Digest::new([8; 32]), Digest::new([9; 32]));
    groups[0].together = vec![said(1, &trace), said(2, &trace)];
    let expected = [true, false, false, true, false];
    assert_eq!(checking(&groups).run(&seed), expected);
    groups[0].together = vec![said(1, &trace), said(2, &other)];
    let expected = [false, false, false, true, false];
    assert_eq!(checking(&groups).run(&seed), expected);
}

/// Rule CK-7.
#[test]
fn strangers_have_little_of_a_batch_and_are_verified_apart() {
    let mut checks = Checks::default();
    let mut number = 0;
    let mut take = |checks: &mut Checks, peer: u8| {
        number += 1;
        let peer = Digest::new([peer; 32]);
        let token = number;
        let brought = Brought::Gossip(Teller { token, peer });
        assert!(waits(&checks.take(approval(), numbered(number), brought)));
        brought
    };
    let mut batch = |friend: bool| {
        for _ in 0..20 {
            take(&mut checks, 1);
            take(&mut checks, 2);
        }
        let brought = take(&mut checks, 1);
        let begun = begin(&mut checks).unwrap();
        let of = |it: &Waiting| it.brought.peer() == brought.peer();
        let ended = checks.end();
        assert!(!friend || ended[..begun.known].iter().all(of));
        let strangers = ended.len() - begun.known;
        while begin(&mut checks).is_some() {
            checks.end();
        }
        match friend {
            true => checks.judged(&brought, Acceptance::Reject),
            false => checks.judged(&brought, Acceptance::Accept),
        }
        (begun.known, strangers)
    };
    assert_eq!(batch(false), (0, queue::STRANGERS_MAX));
    assert_eq!(batch(true), (21, queue::STRANGERS_MAX));
    assert_eq!(batch(false), (0, queue::STRANGERS_MAX));
}

#[test]
fn a_bounded_number_of_peers_is_known() {
    let mut known = known::Known::default();
    let peer = |number: usize| digest(Domain::OBJECT, &[&number.to_be_bytes()]);
    for number in 0..=known::KNOWN_MAX {
        known.add(peer(number));
        known.add(peer(number));
    }
    assert!(!known.has(&peer(0)) && known.has(&peer(1)));
    known.forget(&peer(1));
    known.add(peer(0));
    assert!(!known.has(&peer(1)) && known.has(&peer(0)) && known.has(&peer(2)));
}
