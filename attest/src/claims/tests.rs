//! What counts as a contradiction (rule KC-4).

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
        assignment: AssignmentId::new([u8::try_from(slot).unwrap(); 32]),
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
    claims.forget(&first.statement.claim.id().unwrap());
    assert_eq!(
        claims.recent.values().map(VecDeque::len).sum::<usize>(),
        RECENT_MAX
    );
}
