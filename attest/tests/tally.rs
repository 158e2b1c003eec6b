//! Approvals become a certificate, whoever passes them on and however.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use std::sync::Arc;

use surety_attest::claims::Claims;
use surety_attest::effect::Effect;
use surety_attest::tally::{Admitted, Tally};
use surety_protocol::approval::{self, Approval, ClaimBatch};
use surety_protocol::bls::SecretKey;
use surety_protocol::certificate::{Certificate, Grounds};
use surety_protocol::claim::{Claim, Leaf, SignedClaim, Statement};
use surety_protocol::facts::BlockFacts;
use surety_protocol::hashpath::Hashpath;
use surety_protocol::history::{Frontier, History};
use surety_protocol::id::{
    Address, AssignmentId, ClaimId, Digest, ModuleId, NetworkId, ProcessId, ProfileId,
};
use surety_protocol::machine::Outbox;
use surety_protocol::origin::Action;
use surety_protocol::params::Params;
use surety_protocol::sortition;
use surety_protocol::stake::Stake;
use surety_protocol::time::{Height, Slot};
use surety_protocol::validators::{Validator, ValidatorSet};

const VERIFIERS: u8 = 5;
/// The block that commits the claim.
const COMMITTED: Height = Height(10);

fn operator(number: u8) -> Address {
    Address::new([number; 32])
}

fn key(number: u8) -> SecretKey {
    SecretKey::derive_from_seed(&[number; 32]).unwrap()
}

/// A network in which operators 0 and 1 compute, and the others verify; the tally is operator 0's.
struct Unit {
    tally: Tally,
    claims: Claims,
    params: Params,
    validators: Arc<ValidatorSet>,
    claim: ClaimId,
    root: Digest,
    height: Height,
}

impl Unit {
    fn new() -> Unit {
        let params = Params {
            k: 4,
            ..Params::devnet()
        };
        let validators = (0..2 + VERIFIERS).map(|it| Validator {
            operator: operator(it),
            key: *key(it).public_key(),
            stake: Stake::from_ao(100),
            tickets: 10,
        });
        let signed = claim(0);
        let id = signed.statement.claim.id().unwrap();
        let batch = ClaimBatch {
            claimant: operator(0),
            claims: vec![id],
        };
        let root = batch.root();
        let mut claims = Claims::default();
        assert!(claims.insert(signed) && claims.insert_batch(batch));
        Unit {
            tally: Tally::new(operator(0), params.clone()),
            claims,
            params,
            validators: Arc::new(ValidatorSet::new(validators.collect())),
            claim: id,
            root,
            height: COMMITTED.minus(1),
        }
    }

    /// The next block; gives the certificates that are posted with it.
    fn block(&mut self, committed: Vec<(Address, Digest)>) -> Vec<Certificate> {
        self.height = self.height.next();
        let facts = Arc::new(BlockFacts {
            height: self.height,
            beacon: beacon(self.height),
            validators: Arc::clone(&self.validators),
            committed,
            certified: Vec::new(),
            tombstoned: Vec::new(),
            refuted: Vec::new(),
        });
        let mut out = Outbox::default();
        for (approval, peer) in self.tally.block(&facts, &self.claims, &mut out) {
            self.hear(approval, peer);
        }
        self.tally.post(&self.claims, &mut out);
        let posted = out.drain().into_iter().map(|effect| match effect {
            Effect::Submit(Action::Certificate(it)) => *it,
            other => panic!("{other:?}"),
        });
        posted.collect()
    }

    /// The block that commits the claim; another operator commits something else in it.
    fn committed(&mut self) {
        let other = Digest::new([9; 32]);
        let committed = vec![(operator(0), self.root), (operator(1), other)];
        assert!(self.block(committed).is_empty());
    }

    /// Blocks until the claim is committed and drawn.
    fn drawn(&mut self) {
        self.committed();
        for _ in 0..self.params.seed_delay_blocks {
            assert!(self.block(Vec::new()).is_empty());
        }
    }

    /// Hears an approval as a node does whose signatures all hold.
    fn hear(&mut self, approval: Approval, peer: Option<Digest>) -> Admitted {
        let admitted = self.tally.admit(&approval, &self.claims);
        match &admitted {
            Admitted::Checking(_) => drop(self.tally.count(approval)),
            Admitted::Early => self.tally.wait(approval, peer),
            _ => {}
        }
        admitted
    }

    fn approval(&self, verifier: u8) -> Approval {
        let seeded = COMMITTED.plus(self.params.seed_delay_blocks);
        let seed = sortition::seed(&beacon(seeded), &process(), 0);
        Approval {
            claim: self.claim,
            claimant: operator(0),
            committed: COMMITTED,
            verifier: operator(verifier),
            sortition: sortition::prove(&key(verifier), &seed),
            signature: key(verifier).sign(&approval::signing_digest(&self.claim)),
        }
    }

    fn approvals(&self) -> Vec<Approval> {
        (2..2 + VERIFIERS).map(|it| self.approval(it)).collect()
    }

    /// Blocks until there is a certificate, which holds.
    fn certified(&mut self) {
        let posted = (0..20).find_map(|_| self.block(Vec::new()).pop());
        let certificate = posted.expect("a certificate");
        assert_eq!(certificate.claimant, operator(0));
        let claimant = key(0);
        let grounds = Grounds {
            digest_root: &self.root,
            claimant_key: claimant.public_key(),
            beacon: &beacon(COMMITTED.plus(self.params.seed_delay_blocks)),
            validators: &self.validators,
            params: &self.params,
            height: self.height.next(),
        };
        certificate.check(grounds).unwrap();
    }
}

fn beacon(height: Height) -> Digest {
    let mut bytes = [3; 32];
    bytes[..8].copy_from_slice(&height.0.to_be_bytes());
    Digest::new(bytes)
}

fn process() -> ProcessId {
    ProcessId::new([7; 32])
}

fn claim(claimant: u8) -> SignedClaim {
    let leaf = Leaf {
        slot: Slot(0),
        assignment: AssignmentId::new([1; 32]),
        result_root: Digest::new([2; 32]),
        gas: 5,
        state_root: Some(Digest::new([3; 32])),
    };
    let mut history = History::new();
    history.append(leaf.digest().unwrap());
    let body = Claim {
        network: NetworkId::new([4; 32]),
        profile: ProfileId::new([5; 32]),
        height: Height(1),
        module: ModuleId::new([6; 32]),
        process: process(),
        fork: 0,
        size: 1,
        history_root: history.root(),
        first_new: 0,
        base_root: Frontier::empty().root(),
        hashpath: Hashpath::start(process()),
        head_state_root: Digest::new([3; 32]),
    };
    SignedClaim {
        statement: Statement::sign(body, operator(claimant), &key(claimant)).unwrap(),
        frontier: Frontier::empty(),
        leaves: vec![leaf],
    }
}

#[test]
fn enough_approvals_are_posted_as_one_certificate() {
    let mut unit = Unit::new();
    unit.drawn();
    for approval in unit.approvals() {
        assert!(matches!(
            unit.hear(approval.clone(), None),
            Admitted::Checking(_)
        ));
        assert_eq!(unit.hear(approval, None), Admitted::Nothing);
    }
    unit.certified();
    assert!(unit.block(Vec::new()).is_empty());
}

/// The name of the claimant is not signed: a stranger may put another there that committed in the same block.
#[test]
fn an_approval_that_is_passed_on_with_another_claimants_name_is_not_lost() {
    let mut unit = Unit::new();
    unit.drawn();
    for approval in unit.approvals() {
        let relabelled = Approval {
            claimant: operator(1),
            ..approval.clone()
        };
        assert!(matches!(unit.hear(relabelled, None), Admitted::Checking(_)));
        // The honest one comes second, and is not verified again.
        assert_eq!(unit.hear(approval, None), Admitted::Nothing);
    }
    unit.certified();
}

#[test]
fn what_was_not_committed_then_or_by_the_verifier_itself_is_not_verified() {
    let mut unit = Unit::new();
    unit.drawn();
    let honest = unit.approval(2);
    let nobody = Approval {
        claimant: operator(3),
        ..honest.clone()
    };
    assert_eq!(unit.hear(nobody, None), Admitted::Nothing);
    let itself = Approval {
        verifier: operator(0),
        ..honest.clone()
    };
    assert_eq!(unit.hear(itself, None), Admitted::Refused);
    let stranger = Approval {
        verifier: operator(77),
        ..honest
    };
    assert_eq!(unit.hear(stranger, None), Admitted::Refused);
}

/// Who brings thousands of early ones takes the room of its own, and none of others.
#[test]
fn early_approvals_wait_whatever_one_peer_brings() {
    let mut unit = Unit::new();
    let (honest, flood) = (Digest::new([1; 32]), Digest::new([2; 32]));
    for approval in unit.approvals() {
        assert_eq!(unit.hear(approval, Some(honest)), Admitted::Early);
    }
    let made_up = unit.approval(2);
    for number in 0..5_000_u64 {
        let mut claim = [8; 32];
        claim[..8].copy_from_slice(&number.to_be_bytes());
        let made_up = Approval {
            claim: ClaimId::new(claim),
            ..made_up.clone()
        };
        assert_eq!(unit.hear(made_up, Some(flood)), Admitted::Early);
    }
    unit.committed();
    unit.certified();
}
