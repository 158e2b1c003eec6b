//! Claims as they are gossiped (rules CL-1 to CL-5).

use surety_protocol::claim::{ClaimError, LEAVES_MAX, SignedClaim};
use surety_protocol::codec;
use surety_protocol::history::Frontier;
use surety_protocol::id::NetworkId;
use surety_protocol::time::Slot;

use crate::objects::{key, leaf, named, network, signed_claim};

fn check(claim: &SignedClaim) -> Result<(), ClaimError> {
    claim.check(network())
}

#[test]
fn a_claim_carries_all_of_its_new_leaves_up_to_a_limit() {
    let limit = LEAVES_MAX as u64;
    for (first_new, size) in [(0, 1), (0, 5), (2, 6), (5, 6), (0, limit), (37, 37 + limit)] {
        let claim = signed_claim(first_new, size);
        assert_eq!(check(&claim), Ok(()));
        assert!(claim.statement.signed_by(key(1).public_key()));
        assert!(
            codec::encode(&claim).is_ok(),
            "the largest claim fits its limit"
        );
    }
    let leaves = |first_new, size, leaves| {
        Err(ClaimError::Leaves {
            first_new,
            size,
            leaves,
        })
    };
    let over = signed_claim(0, limit + 1);
    assert_eq!(check(&over), leaves(0, limit + 1, LEAVES_MAX + 1));
    let mut empty = signed_claim(2, 6);
    empty.leaves.clear();
    assert_eq!(check(&empty), leaves(2, 6, 0));
    let mut hidden = signed_claim(2, 6);
    hidden.leaves.pop();
    assert_eq!(check(&hidden), leaves(2, 6, 3));
    let mut more = signed_claim(2, 6);
    more.leaves.push(leaf(6));
    assert_eq!(check(&more), leaves(2, 6, 5));
    let mut wrapping = signed_claim(2, 6);
    wrapping.statement.claim.first_new = u64::MAX;
    assert_eq!(check(&wrapping), leaves(u64::MAX, 6, 4));
}

#[test]
fn frontier_and_leaves_give_the_claimed_roots() {
    let good = signed_claim(2, 6);
    assert_eq!(good.check(NetworkId::default()), Err(ClaimError::Network));
    let with = |change: &dyn Fn(&mut SignedClaim)| {
        let mut claim = good.clone();
        change(&mut claim);
        check(&claim)
    };
    let history = Err(ClaimError::History);
    assert_eq!(with(&|it| it.frontier = Frontier::empty()), history);
    assert_eq!(
        with(&|it| it.frontier = signed_claim(3, 6).frontier),
        history
    );
    assert_eq!(
        with(&|it| it.statement.claim.base_root = named("root")),
        history
    );
    assert_eq!(
        with(&|it| it.statement.claim.history_root = named("root")),
        history
    );
    assert_eq!(with(&|it| it.leaves[1].gas += 1), history);
    assert_eq!(
        with(&|it| it.leaves[1].assignment = leaf(9).assignment),
        history
    );
    assert_eq!(
        with(&|it| it.leaves.swap(1, 2)),
        Err(ClaimError::Slot(Slot(4)))
    );
    assert_eq!(
        with(&|it| it.leaves[3].slot = Slot(6)),
        Err(ClaimError::Slot(Slot(6)))
    );
}

#[test]
fn state_roots_stand_at_the_start_and_agree_with_the_head() {
    let mut rootless = signed_claim(0, 3);
    rootless.leaves[0].state_root = None;
    assert_eq!(check(&rootless), Err(ClaimError::StateRoot));
    // The last of five leaves is slot 4, which has a root.
    let mut other_head = signed_claim(2, 5);
    other_head.statement.claim.head_state_root = named("head");
    assert_eq!(check(&other_head), Err(ClaimError::StateRoot));
    // Where the last leaf has none, only an execution can tell.
    let mut unknown_head = signed_claim(2, 6);
    unknown_head.statement.claim.head_state_root = named("head");
    assert_eq!(check(&unknown_head), Ok(()));
}

#[test]
fn the_id_is_of_the_claim_and_not_of_its_signer() {
    let claim = signed_claim(2, 6).statement.claim;
    let id = claim.id().unwrap();
    let others = [
        surety_protocol::claim::Claim {
            network: NetworkId::default(),
            ..claim.clone()
        },
        surety_protocol::claim::Claim {
            profile: named("profile").into(),
            ..claim.clone()
        },
        surety_protocol::claim::Claim {
            height: surety_protocol::time::Height(10),
            ..claim.clone()
        },
        surety_protocol::claim::Claim {
            module: Default::default(),
            ..claim.clone()
        },
        surety_protocol::claim::Claim {
            process: Default::default(),
            ..claim.clone()
        },
        surety_protocol::claim::Claim {
            fork: 1,
            ..claim.clone()
        },
        surety_protocol::claim::Claim {
            size: 7,
            ..claim.clone()
        },
        surety_protocol::claim::Claim {
            history_root: named("root"),
            ..claim.clone()
        },
        surety_protocol::claim::Claim {
            first_new: 3,
            ..claim.clone()
        },
        surety_protocol::claim::Claim {
            base_root: named("root"),
            ..claim.clone()
        },
        surety_protocol::claim::Claim {
            hashpath: claim.hashpath.extend(leaf(9).assignment),
            ..claim.clone()
        },
        surety_protocol::claim::Claim {
            head_state_root: named("root"),
            ..claim.clone()
        },
    ];
    for other in others {
        assert_ne!(other.id().unwrap(), id);
    }
    let statement = signed_claim(2, 6).statement;
    assert!(!statement.signed_by(key(2).public_key()));
    // A signature over the claim is no approval of it, and the reverse.
    let approval = key(1).sign(&surety_protocol::approval::signing_digest(&id));
    assert_ne!(approval, statement.signature);
}
