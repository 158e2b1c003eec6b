//! A network in which operators 0 and 1 compute, and the others verify.

use std::sync::Arc;

use serde_bytes::ByteBuf;
use surety_protocol::approval::{self, Approval};
use surety_protocol::bls::SecretKey;
use surety_protocol::claim::{Claim, Leaf, SignedClaim, Statement};
use surety_protocol::facts::BlockFacts;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::hashpath::Hashpath;
use surety_protocol::history::History;
use surety_protocol::id::{
    Address, AssignmentId, Digest, ModuleId, NetworkId, ProcessId, ProfileId,
};
use surety_protocol::item::ItemKey;
use surety_protocol::params::Params;
use surety_protocol::sortition;
use surety_protocol::stake::Stake;
use surety_protocol::time::{Height, Slot};
use surety_protocol::trace::{self, TraceProof};
use surety_protocol::validators::{Validator, ValidatorSet};

pub(crate) const VERIFIERS: u8 = 5;
/// The block that commits the claim.
pub(crate) const COMMITTED: Height = Height(10);

pub(crate) fn operator(number: u8) -> Address {
    Address::new([number; 32])
}

pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::derive_from_seed(&[number; 32]).unwrap()
}

pub(crate) fn item_key(number: u8) -> ItemKey {
    ItemKey::ed25519(&[number; 32])
}

pub(crate) fn beacon(height: Height) -> Digest {
    let mut bytes = [3; 32];
    bytes[..8].copy_from_slice(&height.0.to_be_bytes());
    Digest::new(bytes)
}

pub(crate) fn process() -> ProcessId {
    ProcessId::new([7; 32])
}

/// The claim of the first leaf.
pub(crate) fn claim(claimant: u8) -> SignedClaim {
    claim_from(claimant, 0)
}

/// The claim of the first leaf of another process.
pub(crate) fn claim_of(claimant: u8, process: ProcessId) -> SignedClaim {
    let SignedClaim {
        statement,
        frontier,
        leaves,
    } = claim(claimant);
    let body = Claim {
        process,
        hashpath: Hashpath::start(process),
        ..statement.claim
    };
    SignedClaim {
        statement: Statement::sign(body, operator(claimant), &key(claimant)).unwrap(),
        frontier,
        leaves,
    }
}

/// The claim of one leaf, after those before it.
pub(crate) fn claim_from(claimant: u8, first_new: u64) -> SignedClaim {
    let leaf = |slot| Leaf {
        slot: Slot(slot),
        assignment: AssignmentId::new([1; 32]),
        result_root: Digest::new([2; 32]),
        gas: 5,
        state_root: Some(Digest::new([3; 32])),
    };
    let mut history = History::new();
    for slot in 0..=first_new {
        history.append(leaf(slot).digest().unwrap());
    }
    let frontier = history.frontier_at(first_new).unwrap();
    let body = Claim {
        network: NetworkId::new([4; 32]),
        profile: ProfileId::new([5; 32]),
        height: Height(1),
        module: ModuleId::new([6; 32]),
        process: process(),
        fork: 0,
        size: history.size(),
        history_root: history.root(),
        first_new,
        base_root: frontier.root(),
        hashpath: Hashpath::start(process()),
        head_state_root: Digest::new([3; 32]),
    };
    SignedClaim {
        statement: Statement::sign(body, operator(claimant), &key(claimant)).unwrap(),
        frontier,
        leaves: vec![leaf(first_new)],
    }
}

pub(crate) fn params() -> Params {
    Params {
        k: 4,
        ..Params::devnet()
    }
}

pub(crate) fn validators() -> Arc<ValidatorSet> {
    let validators = (0..2 + VERIFIERS).map(|it| Validator {
        operator: operator(it),
        key: *key(it).public_key(),
        item_key: item_key(it).address(),
        stake: Stake::from_ao(100),
        tickets: 10,
    });
    Arc::new(ValidatorSet::new(validators.collect()))
}

/// A block in which this was committed.
pub(crate) fn facts(height: Height, committed: Vec<(Address, Digest)>) -> Arc<BlockFacts> {
    Arc::new(BlockFacts {
        height,
        beacon: beacon(height),
        validators: validators(),
        committed,
        certified: Vec::new(),
        tombstoned: Vec::new(),
        refuted: Vec::new(),
    })
}

/// The seed of the claim's sortition.
pub(crate) fn seed() -> Digest {
    seed_from(0)
}

fn seed_from(first_new: u64) -> Digest {
    let seeded = COMMITTED.plus(params().seed_delay_blocks);
    sortition::seed(&beacon(seeded), &process(), first_new)
}

/// What execution shows under a key.
pub(crate) fn traced(key: &Digest) -> Digest {
    digest(Domain::OBJECT, &[key.as_bytes()])
}

/// The approval of a verifier who has executed the claim.
pub(crate) fn approval(verifier: u8) -> Approval {
    approval_from(verifier, 0)
}

/// The approval of the claim that begins there.
pub(crate) fn approval_from(verifier: u8, first_new: u64) -> Approval {
    let (seed, by) = (seed_from(first_new), operator(verifier));
    let trace = TraceProof {
        signature: key(verifier).sign(&trace::signing_digest(&traced(&trace::common_key(&seed)))),
        own: traced(&trace::own_key(&seed, &by)),
        binding: ByteBuf::new(),
    };
    let claim = claim_from(0, first_new).statement.claim.id().unwrap();
    let approval = Approval {
        claim,
        claimant: operator(0),
        committed: COMMITTED,
        verifier: by,
        sortition: sortition::prove(&key(verifier), &seed),
        signature: key(verifier).sign(&approval::signing_digest(&claim)),
        trace,
    };
    bound_under(&seed, verifier, approval)
}

/// The same, with what binds its trace proof.
pub(crate) fn bound(verifier: u8, approval: Approval) -> Approval {
    bound_under(&seed(), verifier, approval)
}

fn bound_under(seed: &Digest, verifier: u8, mut approval: Approval) -> Approval {
    let proof = &mut approval.trace;
    let (by, key) = (operator(verifier), key(verifier));
    let says = trace::binding(
        &approval.claim,
        seed,
        (&by, key.public_key()),
        &proof.signature,
        &proof.own,
    );
    let item = item_key(verifier).sign_item(&trace::binding_draft(&says));
    proof.binding = ByteBuf::from(item.unwrap().bytes());
    approval
}
