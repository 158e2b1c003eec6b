//! Claims, the digests that commit them, and certificates, all made by hand.

use serde_bytes::ByteBuf;
use surety_protocol::approval::{self, ClaimBatch};
use surety_protocol::bls::{Signature, aggregate};
use surety_protocol::certificate::Certificate;
use surety_protocol::claim::{Claim, Leaf, Statement};
use surety_protocol::hashpath::Hashpath;
use surety_protocol::id::{Address, ClaimId};
use surety_protocol::origin::Action;
use surety_protocol::sortition;
use surety_protocol::time::Height;

use super::{Person, Process, STAMP, World, leaves_root, profile, refusals};

/// The claim of all these leaves, of which those from `first_new` on are new.
pub(crate) fn claim_of(world: &World, process: &Process, leaves: &[Leaf], first_new: u64) -> Claim {
    let base = usize::try_from(first_new).unwrap();
    let last = leaves.last().unwrap();
    Claim {
        network: world.ledger.network(),
        profile: profile().id().unwrap(),
        height: STAMP,
        module: process.module_id(),
        process: process.id(),
        fork: 0,
        size: leaves.len() as u64,
        history_root: leaves_root(leaves),
        first_new,
        base_root: leaves_root(&leaves[..base]),
        hashpath: leaves
            .iter()
            .fold(Hashpath::start(process.id()), |path, leaf| {
                path.extend(leaf.assignment)
            }),
        head_state_root: last
            .state_root
            .unwrap_or_else(|| Process::state_root(last.slot.0)),
    }
}

pub(crate) fn statement(claim: &Claim, claimant: &Person) -> Statement {
    Statement::sign(claim.clone(), claimant.address(), &claimant.key).unwrap()
}

/// Commits the claims in the next block, by the claimant's node.
pub(crate) fn commit(
    world: &mut World,
    claimant: &Person,
    claims: &[&Claim],
) -> (Height, ClaimBatch) {
    let mut claims: Vec<ClaimId> = claims.iter().map(|claim| claim.id().unwrap()).collect();
    claims.sort();
    let batch = ClaimBatch {
        claimant: claimant.address(),
        claims,
    };
    assert!(batch.well_formed());
    let events = world.act(&claimant.node, Action::Claims(batch.root()));
    assert!(refusals(&events).is_empty(), "{events:?}");
    (world.ledger.height(), batch)
}

/// A committed claim on its way to a certificate.
pub(crate) struct Certification {
    pub(crate) claim: Claim,
    pub(crate) claimant: Address,
    pub(crate) signature: Signature,
    pub(crate) committed: Height,
    pub(crate) batch: ClaimBatch,
}

/// Commits a claim and waits until every ticket has a say.
pub(crate) fn certification(world: &mut World, claimant: &Person, claim: &Claim) -> Certification {
    let (committed, batch) = commit(world, claimant, &[claim]);
    let params = world.ledger.params().clone();
    world.pass(params.seed_delay_blocks + 1);
    Certification {
        claim: claim.clone(),
        claimant: claimant.address(),
        signature: statement(claim, claimant).signature,
        committed,
        batch,
    }
}

impl Certification {
    pub(crate) fn seeded(&self, world: &World) -> Height {
        self.committed.plus(world.ledger.params().seed_delay_blocks)
    }

    /// What a verifier signs over the seed of this claim.
    pub(crate) fn proof(&self, world: &World, verifier: &Person) -> Signature {
        let beacon = world.ledger.beacon_at(self.seeded(world)).unwrap();
        let seed = sortition::seed(beacon, &self.claim.process, self.claim.first_new);
        sortition::prove(&verifier.key, &seed)
    }

    /// The certificate with these approvers.
    pub(crate) fn by(&self, world: &World, approvers: &[&Person]) -> Certificate {
        let id = self.claim.id().unwrap();
        let mut approvers = approvers.to_vec();
        approvers.sort_by_key(|it| it.address());
        let addresses: Vec<Address> = approvers.iter().map(|it| it.address()).collect();
        let validators = world.ledger.validators_at(self.seeded(world)).unwrap();
        let digest = approval::signing_digest(&id);
        let approvals: Vec<Signature> = approvers.iter().map(|it| it.key.sign(&digest)).collect();
        Certificate {
            claim: self.claim.clone(),
            claimant: self.claimant,
            signature: self.signature,
            committed: self.committed,
            inclusion: self.batch.prove(&id).unwrap(),
            approvers: ByteBuf::from(validators.bitfield(&addresses).unwrap()),
            sortition: approvers.iter().map(|it| self.proof(world, it)).collect(),
            approvals: aggregate(&approvals).unwrap(),
        }
    }
}

/// Records a certificate.
pub(crate) fn record(certificate: Certificate) -> Action {
    Action::Certificate(Box::new(certificate))
}
