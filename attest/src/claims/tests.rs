//! What is kept (rule KC-3), what counts as a contradiction (rule KC-4), and what a claim builds on (rule KC-2).

use std::ops::Range;

use surety_protocol::bls::SecretKey;
use surety_protocol::claim::{Claim, Leaf, SignedClaim, Statement};
use surety_protocol::hash::{Domain, digest};
use surety_protocol::hashpath::Hashpath;
use surety_protocol::history::History;
use surety_protocol::id::{AssignmentId, ModuleId, NetworkId, ProcessId, ProfileId};
use surety_protocol::time::{Height, Slot};

use super::*;

fn leaf(slot: u64) -> Leaf {
    Leaf {
        slot: Slot(slot),
        assignment: AssignmentId::new(
            *digest(Domain::OBJECT, &[b"assignment", &slot.to_be_bytes()]).as_bytes(),
        ),
        result_root: digest(Domain::OBJECT, &[b"result", &slot.to_be_bytes()]),
        gas: 7,
        state_root: None,
    }
}

/// What one operator claims of leaves that are as they should be but for a change.
fn claim(first_new: u64, size: u64, change: impl Fn(&mut Claim, &mut [Leaf])) -> SignedClaim {
    let mut leaves: Vec<Leaf> = (0..size).map(leaf).collect();
    let mut body = Claim {
        network: NetworkId::default(),
        profile: ProfileId::default(),
        height: Height(0),
        module: ModuleId::default(),
        process: ProcessId::default(),
        fork: 0,
        size,
        history_root: Digest::default(),
        first_new,
        base_root: Digest::default(),
        hashpath: Hashpath::start(ProcessId::default()),
        head_state_root: digest(Domain::OBJECT, &[b"head"]),
    };
    change(&mut body, &mut leaves);
    let history: History = leaves.iter().map(|it| it.digest().unwrap()).collect();
    body.history_root = history.root();
    body.base_root = history.root_at(first_new).unwrap();
    let key = SecretKey::derive_from_seed(&[3; 32]).unwrap();
    SignedClaim {
        statement: Statement::sign(body, Address::new([1; 32]), &key).unwrap(),
        frontier: history.frontier_at(first_new).unwrap(),
        leaves: leaves.split_off(usize::try_from(first_new).unwrap()),
    }
}

/// Where a claim contradicts one of leaves 3 to 7 that is known.
fn contradicted(claim: &SignedClaim) -> Option<Slot> {
    let mut claims = Claims::default();
    assert!(claims.insert(self::claim(3, 8, |_, _| ())));
    claims.insert(claim.clone());
    let found = claims.contradiction(claim)?;
    for side in [&found.first, &found.second] {
        let (leaf, path) = side.prove(found.slot).unwrap();
        let root = &side.statement.claim.history_root;
        assert!(path.verify(&leaf.digest().unwrap(), root));
    }
    Some(found.slot)
}

#[test]
fn the_same_said_again_is_no_contradiction() {
    for (first_new, size) in [(0, 3), (0, 8), (3, 8), (5, 12), (8, 9)] {
        assert_eq!(contradicted(&claim(first_new, size, |_, _| ())), None);
    }
}

#[test]
fn another_leaf_of_the_same_input_is_one() {
    for (first_new, size) in [(0, 8), (3, 8), (5, 12), (5, 6)] {
        let other = claim(first_new, size, |_, leaves| leaves[5].gas += 1);
        assert_eq!(contradicted(&other), Some(Slot(5)), "{first_new}..{size}");
    }
    // A lie about what the other claim is not about, or only builds on.
    assert_eq!(
        contradicted(&claim(8, 9, |_, leaves| leaves[5].gas += 1)),
        None
    );
    assert_eq!(
        contradicted(&claim(3, 9, |_, leaves| leaves[8].gas += 1)),
        None
    );
}

#[test]
fn another_state_after_the_same_history_is_one() {
    let other = |body: &mut Claim, _: &mut [Leaf]| body.head_state_root = Digest::default();
    assert_eq!(contradicted(&claim(3, 8, other)), Some(Slot(7)));
    assert_eq!(contradicted(&claim(3, 7, other)), None);
}

#[test]
fn other_inputs_and_signers_are_none() {
    let input = claim(3, 8, |_, leaves| {
        leaves[5].assignment = AssignmentId::default()
    });
    assert_eq!(contradicted(&input), None);
    let lie = |leaves: &mut [Leaf]| leaves[5].gas += 1;
    // Another profile is no excuse: the log decides which one holds.
    let profile = claim(3, 8, |body, leaves| {
        body.profile = ProfileId::new([1; 32]);
        lie(leaves);
    });
    assert_eq!(contradicted(&profile), Some(Slot(5)));
    let mut signer = claim(3, 8, |_, leaves| lie(leaves));
    signer.statement.claimant = Address::new([2; 32]);
    assert_eq!(contradicted(&signer), None);
}

#[test]
fn what_is_compared_is_bounded() {
    let mut claims = Claims::default();
    let first = claim(0, 1, |_, leaves| leaves[0].gas = 0);
    claims.insert(first.clone());
    for gas in 1..=u64::try_from(RECENT_MAX).unwrap() {
        claims.insert(claim(0, 1, |_, leaves| leaves[0].gas = gas));
    }
    let found = claims.contradiction(&first).unwrap();
    assert_eq!(found.first.leaves[0].gas, 1);
    let id = first.statement.claim.id().unwrap();
    claims.forget(&id, &first.statement.claimant);
    assert_eq!(
        claims.recent.values().map(VecDeque::len).sum::<usize>(),
        RECENT_MAX
    );
}

const MOST: u64 = CLAIMS_MAX as u64;

/// Claims with these numbers, as an operator would have signed them: nothing here looks at signatures.
fn copies(claimant: u8, numbers: Range<u64>) -> impl Iterator<Item = SignedClaim> {
    let one = claim(0, 1, |_, _| ());
    numbers.map(move |number| {
        let mut copy = one.clone();
        copy.statement.claimant = Address::new([claimant; 32]);
        copy.statement.claim.height = Height(number);
        copy
    })
}

/// Whose copies are kept and their numbers, in the order in which they are told.
fn kept(claims: &Claims) -> Vec<(u8, u64)> {
    let copies = claims.all().map(|it| &it.statement);
    let kept: Vec<_> = copies
        .map(|it| (it.claimant.as_bytes()[0], it.claim.height.0))
        .collect();
    // Nothing is left of those that went.
    let signed: usize = claims.claims.values().map(Vec::len).sum();
    assert!(claims.claims.values().all(|it| !it.is_empty()));
    assert_eq!((kept.len(), claims.order.len()), (signed, signed));
    for ((_, claimant), recent) in &claims.recent {
        assert!(!recent.is_empty());
        for id in recent {
            assert!(claims.signed_by(id, claimant).is_some());
        }
    }
    kept
}

fn of(claimant: u8, numbers: Range<u64>) -> Vec<(u8, u64)> {
    numbers.map(|number| (claimant, number)).collect()
}

#[test]
fn who_floods_pushes_out_only_its_own() {
    let mut claims = Claims::default();
    let others = copies(1, 0..100).chain(copies(2, 100..150));
    for claim in others.chain(copies(3, 0..2 * MOST)) {
        assert!(claims.insert(claim));
    }
    let flooded = of(3, MOST + 150..2 * MOST);
    let before = [of(1, 0..100), of(2, 100..150), flooded.clone()].concat();
    assert_eq!(kept(&claims), before);
    // Who comes later takes places from whoever has the most.
    for claim in copies(4, 0..10) {
        assert!(claims.insert(claim));
    }
    let after = [
        of(1, 0..100),
        of(2, 100..150),
        flooded[10..].to_vec(),
        of(4, 0..10),
    ];
    assert_eq!(kept(&claims), after.concat());
}

#[test]
fn copies_of_further_signers_count() {
    let mut claims = Claims::default();
    let mut signers: Vec<_> = (1..=4).map(|it| copies(it, 0..MOST / 2)).collect();
    for _ in 0..MOST / 2 {
        for signer in &mut signers {
            assert!(claims.insert(signer.next().unwrap()));
        }
    }
    let last = MOST / 4..MOST / 2;
    let expected = last.flat_map(|number| (1..=4_u8).map(move |signer| (signer, number)));
    assert_eq!(kept(&claims), expected.collect::<Vec<_>>());
}

#[test]
fn a_claim_stays_as_long_as_a_copy_of_any_signer() {
    let mut claims = Claims::default();
    for claim in copies(1, 0..1).chain(copies(2, 0..1)) {
        assert!(claims.insert(claim.clone()));
        assert!(!claims.insert(claim));
    }
    let claim = copies(2, 0..1).next().unwrap();
    let id = claim.statement.claim.id().unwrap();
    for flood in copies(1, 1..MOST) {
        claims.insert(flood);
    }
    assert_eq!(claims.any(&id), Some(&claim));
    let signers: Vec<Address> = claims.signers(&id).collect();
    assert_eq!(signers, [claim.statement.claimant]);
    let (gone, other) = (Address::new([9; 32]), Address::new([8; 32]));
    assert_eq!(claims.copy(&id, &gone, &other), Some(&claim));
    assert_eq!(claims.copy(&id, &gone, &claim.statement.claimant), None);
    assert_eq!(kept(&claims).len(), CLAIMS_MAX);
}

#[test]
fn of_those_who_have_as_many_the_last_by_address_gives_way() {
    let mut claims = Claims::default();
    for claim in copies(2, 0..MOST / 2).chain(copies(1, 0..MOST / 2)) {
        claims.insert(claim);
    }
    for (claimant, number, goes) in [(3, 0, 2), (3, 1, 1), (4, 0, 2)] {
        let before = kept(&claims);
        for claim in copies(claimant, number..number + 1) {
            claims.insert(claim);
        }
        let after = kept(&claims);
        let mut both = before.iter().zip(&after);
        let (gone, _) = both.find(|(before, after)| before != after).unwrap();
        assert_eq!(gone.0, goes);
    }
}

/// What a history of so many leaves ends with, every eighth of which has a state root; and the claim of those from `first_new` on.
fn long(first_new: u64, size: u64) -> SignedClaim {
    claim(first_new, size, |body, leaves| {
        body.process = ProcessId::new([8; 32]);
        for leaf in leaves.iter_mut().step_by(8) {
            leaf.state_root = Some(digest(
                Domain::OBJECT,
                &[b"state", &leaf.slot.0.to_be_bytes()],
            ));
        }
    })
}

/// Of a lead the first slot, and the slot after the last.
fn slots(lead: &Lead) -> (u64, u64) {
    let first = lead.frontier.size();
    (first, first + lead.leaves.len() as u64)
}

#[test]
fn what_a_claim_builds_on_begins_at_the_last_state_root_before_it() {
    let mut claims = Claims::default();
    assert_eq!(claims.lead(&long(0, 3)), Ok(Lead::default()));
    for (first_new, size) in [(0, 5), (5, 19), (19, 21), (21, 24)] {
        claims.insert(long(first_new, size));
    }
    for (first_new, lead) in [(5, (0, 5)), (19, (16, 19)), (21, (16, 21)), (24, (16, 24))] {
        let claim = long(first_new, first_new + 3);
        let found = claims.lead(&claim).unwrap();
        assert_eq!(slots(&found), lead);
        assert_eq!(found.root(), Some(claim.statement.claim.base_root));
        assert!(found.leaves[0].state_root.is_some());
        // Everything from there on can be proven in what the claim says, and nothing before.
        let slots: Vec<u64> = (lead.0..first_new + 3).collect();
        let path = found.prove(&claim.leaves, &slots).unwrap();
        let leaves = found.leaves.iter().chain(&claim.leaves);
        let entries: Vec<_> = leaves.map(|it| (it.slot.0, it.digest().unwrap())).collect();
        assert!(path.verify(&entries, &claim.statement.claim.history_root));
        let before = lead.0.checked_sub(1);
        assert!(before.is_none_or(|it| found.prove(&claim.leaves, &[it]).is_none()));
    }
}

#[test]
fn what_is_lacking_is_asked_for_where_the_walk_ends_and_believed_if_it_gives_the_root() {
    let mut claims = Claims::default();
    let before = long(17, 20);
    claims.insert(before.clone());
    let claim = long(20, 22);
    let body = &before.statement.claim;
    let lacking = Want::Leaves {
        process: body.process,
        root: body.base_root,
        size: 17,
        claimant: before.statement.claimant,
    };
    assert_eq!(claims.lead(&claim), Err(lacking));
    let whole = Lead::carried(&long(16, 17));
    let altered = |alter: &dyn Fn(&mut Lead)| {
        let mut lead = whole.clone();
        alter(&mut lead);
        lead
    };
    let refused = [
        altered(&|it| it.leaves[0].gas += 1),
        altered(&|it| it.leaves[0].slot = Slot(15)),
        altered(&|it| it.leaves.clear()),
        altered(&|it| it.frontier = long(8, 9).frontier),
        // True, and nothing to start from.
        Lead::carried(&long(15, 16)),
    ];
    for lead in refused {
        assert!(!claims.insert_leaves(body.process, body.base_root, lead));
    }
    assert!(claims.insert_leaves(body.process, body.base_root, whole));
    assert_eq!(slots(&claims.lead(&claim).unwrap()), (16, 20));
}

#[test]
fn claims_without_any_state_root_are_not_followed_for_ever() {
    let mut claims = Claims::default();
    let size = LEAD_MAX as u64 + 192;
    for at in (1..size).step_by(64) {
        claims.insert(claim(at, at + 64, |body, _| {
            body.process = ProcessId::new([8; 32]);
        }));
    }
    let last = claim(size + 1, size + 2, |body, _| {
        body.process = ProcessId::new([8; 32])
    });
    let Err(Want::Leaves { size: at, .. }) = claims.lead(&last) else {
        panic!("there is no state root");
    };
    assert_eq!(at, size + 1 - LEAD_MAX as u64);
}
