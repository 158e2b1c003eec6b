//! One of each object that travels.

use serde_bytes::ByteBuf;
use surety_protocol::approval::{self, Approval, ClaimBatch};
use surety_protocol::attested::{AttestedResult, Backing, EntryProof, OperatorEntry, Segment};
use surety_protocol::block::{Block, Checkpoint, Commit, Genesis, Header};
use surety_protocol::bls::{SecretKey, aggregate};
use surety_protocol::certificate::Certificate;
use surety_protocol::claim::{Claim, Leaf, SignedClaim, Statement};
use surety_protocol::evidence::{
    ClaimEquivocation, DoubleAssignment, Evidence, FalseClaim, FalseTrace, InputBytes, Offence,
    Stretch,
};
use surety_protocol::hash::{Domain, digest};
use surety_protocol::hashpath::Hashpath;
use surety_protocol::history::History;
use surety_protocol::id::{Address, AssignmentId, Digest, NetworkId, ProcessId};
use surety_protocol::item::ItemKey;
use surety_protocol::merkle::{KeyedProof, Proof};
use surety_protocol::origin::{Challenge, FalseApproval, FalseApprovals, Registration, Verdict};
use surety_protocol::params::Params;
use surety_protocol::profile::Profile;
use surety_protocol::profiles::{Activation, Profiles};
use surety_protocol::stake::Stake;
use surety_protocol::time::{Height, Slot};
use surety_protocol::trace::{self, TraceProof};
use surety_protocol::witness::{PackedWitness, PageNode, StateHead};

pub(crate) fn named(name: &str) -> Digest {
    digest(Domain::OBJECT, &[name.as_bytes()])
}

pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::derive_from_seed(&[number; 32]).unwrap()
}

pub(crate) fn address(number: u8) -> Address {
    Address::new([number; 32])
}

pub(crate) fn network() -> NetworkId {
    named("network").into()
}

pub(crate) fn leaf(slot: u64) -> Leaf {
    Leaf {
        slot: Slot(slot),
        assignment: AssignmentId::new(*named(&format!("assignment {slot}")).as_bytes()),
        result_root: named(&format!("result {slot}")),
        gas: 1_000 + slot,
        state_root: slot
            .is_multiple_of(4)
            .then(|| named(&format!("state {slot}"))),
    }
}

pub(crate) fn history(leaves: &[Leaf]) -> History {
    leaves.iter().map(|leaf| leaf.digest().unwrap()).collect()
}

/// A claim of the leaves `0..size`, those from `first_new` on being new, with its leaves and signature.
pub(crate) fn signed_claim(first_new: u64, size: u64) -> SignedClaim {
    let leaves: Vec<Leaf> = (0..size).map(leaf).collect();
    let history = history(&leaves);
    let process = ProcessId::new([5; 32]);
    let last = size - 1;
    let claim = Claim {
        network: network(),
        profile: Profile::v1().id().unwrap(),
        height: Height(9),
        module: surety_protocol::id::ModuleId::new([6; 32]),
        process,
        fork: 0,
        size,
        history_root: history.root(),
        first_new,
        base_root: history.root_at(first_new).unwrap(),
        hashpath: leaves.iter().fold(Hashpath::start(process), |path, leaf| {
            path.extend(leaf.assignment)
        }),
        head_state_root: named(&format!("state {last}")),
    };
    SignedClaim {
        statement: Statement::sign(claim, address(1), &key(1)).unwrap(),
        frontier: history.frontier_at(first_new).unwrap(),
        leaves: leaves[usize::try_from(first_new).unwrap()..].to_vec(),
    }
}

pub(crate) fn proof(index: u64, size: u64) -> Proof {
    let leaves: Vec<Leaf> = (0..size).map(leaf).collect();
    history(&leaves).prove(index, size).unwrap()
}

pub(crate) fn approval() -> Approval {
    let claim = signed_claim(2, 6).statement.claim.id().unwrap();
    let (seed, own) = (named("seed"), named("own trace"));
    let trace = key(2).sign(&trace::signing_digest(&named("trace")));
    let says = trace::binding(
        &claim,
        &seed,
        (&address(2), key(2).public_key()),
        &trace,
        &own,
    );
    let item = ItemKey::ed25519(&[2; 32]).sign_item(&trace::binding_draft(&says));
    Approval {
        claim,
        claimant: address(1),
        committed: Height(7),
        verifier: address(2),
        sortition: key(2).sign(&named("seed")),
        signature: key(2).sign(&approval::signing_digest(&claim)),
        trace: TraceProof {
            signature: trace,
            own,
            binding: ByteBuf::from(item.unwrap().bytes()),
        },
    }
}

pub(crate) fn batch() -> ClaimBatch {
    let mut claims: Vec<_> = [3, 4, 5]
        .map(|size| signed_claim(0, size).statement.claim.id().unwrap())
        .to_vec();
    claims.sort();
    ClaimBatch {
        claimant: address(1),
        claims,
    }
}

pub(crate) fn certificate() -> Certificate {
    let approvals = [2, 3].map(|it| key(it).sign(&named("approval")));
    Certificate {
        claim: signed_claim(2, 6).statement.claim,
        claimant: address(1),
        signature: key(1).sign(&named("claim")),
        committed: Height(7),
        inclusion: proof(2, 5),
        approvers: ByteBuf::from(vec![0b110]),
        sortition: [2, 3].map(|it| key(it).sign(&named("seed"))).to_vec(),
        approvals: aggregate(&approvals).unwrap(),
    }
}

pub(crate) fn witness() -> PackedWitness {
    // A page of zeros and one of ones, as LZ4 says it: one byte and the same again so often, twice; then five bytes as they are.
    let again = [[0xff; 15].as_slice(), &[0xfb], &[0xff; 15], &[0xf6]];
    let [first, first_rest, second, second_rest] = again;
    let zeros = [&[0x1f, 0, 1, 0], first, first_rest].concat();
    let ones = [
        &[0x1f, 1, 1, 0],
        second,
        second_rest,
        &[0x50, 1, 1, 1, 1, 1],
    ]
    .concat();
    PackedWitness {
        wasm_pages: 2,
        globals: vec![0, u64::MAX],
        touched: ByteBuf::from(vec![0b1001]),
        pieces: vec![ByteBuf::from([zeros, ones].concat())],
        siblings: vec![named("sibling")],
    }
}

pub(crate) fn state_head() -> StateHead {
    StateHead {
        wasm_pages: 1,
        globals: vec![7],
        top: named("top"),
    }
}

pub(crate) fn page_node() -> PageNode {
    PageNode {
        level: 1,
        present: 0b1001,
        digests: vec![named("a"), named("b")],
    }
}

pub(crate) fn stretch() -> Stretch {
    let leaves: Vec<Leaf> = (0..6).map(leaf).collect();
    Stretch {
        profiles: profiles(),
        module: ByteBuf::from(b"module".to_vec()),
        process: ByteBuf::from(b"process".to_vec()),
        witness: Some(witness()),
        path: history(&leaves).prove_many(&[4, 5], 6).unwrap(),
        leaves: leaves[4..].to_vec(),
        inputs: vec![
            InputBytes {
                assignment: ByteBuf::from(vec![1]),
                message: None,
            },
            InputBytes {
                assignment: ByteBuf::from(vec![2]),
                message: Some(vec![3].into()),
            },
        ],
    }
}

pub(crate) fn false_claim() -> FalseClaim {
    FalseClaim {
        statement: signed_claim(2, 6).statement,
        registration: ByteBuf::from(b"registration".to_vec()),
        stretch: stretch(),
    }
}

pub(crate) fn false_trace() -> FalseTrace {
    FalseTrace {
        claim: signed_claim(2, 6).statement.claim,
        seed: named("seed"),
        proof: approval().trace,
        registration: ByteBuf::from(b"registration".to_vec()),
        stretch: stretch(),
    }
}

pub(crate) fn double_assignment() -> DoubleAssignment {
    DoubleAssignment {
        registration: ByteBuf::from(b"registration".to_vec()),
        process: ByteBuf::from(b"process".to_vec()),
        first: ByteBuf::from(b"first".to_vec()),
        second: ByteBuf::from(b"second".to_vec()),
    }
}

pub(crate) fn equivocation() -> ClaimEquivocation {
    ClaimEquivocation {
        registration: ByteBuf::from(b"registration".to_vec()),
        first: signed_claim(0, 5).statement,
        first_leaf: (leaf(3), proof(3, 5)),
        second: signed_claim(0, 6).statement,
        second_leaf: (leaf(3), proof(3, 6)),
    }
}

pub(crate) fn evidence() -> Evidence {
    let offence = Offence::DoubleAssignment(Box::new(double_assignment()));
    Evidence::new(network(), &offence).unwrap()
}

pub(crate) fn registration() -> Registration {
    Registration {
        key: *key(1).public_key(),
        possession: key(1).prove_possession(),
        item_key: address(9),
        peer: ByteBuf::from(vec![0, 1, 2]),
    }
}

pub(crate) fn challenge() -> Challenge {
    Challenge {
        evidence: named("evidence").into(),
        bytes: 70_000,
        kind: 1,
        offender: address(1),
        process: ProcessId::new([5; 32]),
        slot: Slot(300),
        claim: Some(named("claim").into()),
    }
}

pub(crate) fn verdict() -> Verdict {
    Verdict::sign(&network(), named("case").into(), true, address(2), &key(2))
}

pub(crate) fn false_approvals() -> FalseApprovals {
    let claim = signed_claim(2, 5).statement.claim;
    let digest = approval::signing_digest(&claim.id().unwrap());
    let approval = |number| FalseApproval {
        verifier: address(number),
        key: ByteBuf::from(key(number).public_key().as_bytes().to_vec()),
        signature: key(number).sign(&digest),
    };
    FalseApprovals {
        case: named("case").into(),
        claim,
        approvals: vec![approval(2), approval(3)],
    }
}

pub(crate) fn activation() -> Activation {
    let from = Height(12);
    let profile = Profile {
        stride: 8,
        ..Profile::v1()
    };
    Activation { from, profile }
}

pub(crate) fn profiles() -> Profiles {
    let mut profiles = Profiles::of(Profile::v1()).unwrap();
    profiles.add(activation()).unwrap();
    profiles
}

pub(crate) fn genesis() -> Genesis {
    Genesis {
        name: "ünit".into(),
        params: Params::standard(),
        profiles: profiles(),
        proposer: address(1),
        proposer_key: *key(1).public_key(),
        balances: vec![
            (address(1), Stake::from_ao(1)),
            (address(2), Stake(u128::MAX / 4)),
        ],
    }
}

pub(crate) fn header() -> Header {
    Header {
        network: network(),
        height: Height(70_000),
        parent: named("parent").into(),
        items_root: named("items"),
        state_root: named("state"),
        beacon: key(1).sign(&named("beacon")),
        proposer: address(1),
    }
}

pub(crate) fn commit() -> Commit {
    Commit::sign(header(), &key(1)).unwrap()
}

pub(crate) fn block() -> Block {
    Block {
        commit: commit(),
        items: vec![ByteBuf::from(vec![1, 2]), ByteBuf::new()],
    }
}

pub(crate) fn checkpoint() -> Checkpoint {
    Checkpoint {
        network: network(),
        height: Height(70_000),
        block: header().id().unwrap(),
        proposer: address(1),
        proposer_key: *key(1).public_key(),
    }
}

pub(crate) fn segment(size: u64) -> Segment {
    Segment {
        size,
        history_root: named(&format!("history {size}")),
        claim: named(&format!("claim {size}")).into(),
        certified: Height(size + 10),
        backing: Backing {
            stake: Stake::from_ao(size + 20),
            tickets: size + 2,
        },
    }
}

pub(crate) fn operator_entry() -> OperatorEntry {
    OperatorEntry {
        key: *key(1).public_key(),
        item_key: address(9),
        peer: ByteBuf::from(vec![1]),
        bonded: Stake::from_ao(100),
        active_from: Height(3),
        escrow: Stake::ZERO,
        tombstoned: false,
    }
}

pub(crate) fn attested_result() -> AttestedResult {
    AttestedResult {
        process: ProcessId::new([5; 32]),
        parts: vec![ByteBuf::from(b"output".to_vec())],
        leaf: leaf(3),
        path: proof(3, 5),
        statement: Some(signed_claim(0, 5).statement),
        entry: EntryProof {
            value: ByteBuf::from(vec![1]),
            path: KeyedProof {
                forks: vec![(0, named("one side")), (9, named("other side"))],
            },
        },
        commit: commit(),
    }
}
