//! What is told of claims, of the batches that they are committed in, and of approvals.

use surety_node::fault::Fault;
use surety_node::net::{Subnet, Topic};
use surety_protocol::approval::{Approval, ClaimBatch};
use surety_protocol::bls::SecretKey;
use surety_protocol::claim::{SignedClaim, Statement};
use surety_protocol::codec;
use surety_protocol::id::{Address, ClaimId, NetworkId, ProfileId};
use surety_protocol::time::Slot;

use crate::stage::{Case, STAGE, altered, case};

pub(crate) fn cases() -> Vec<Case> {
    [claims(), batches(), approvals()].concat()
}

fn claims() -> Vec<Case> {
    let (at, claim) = STAGE.first::<SignedClaim>("claims", |it| it.leaves.len() > 1);
    let bytes = codec::encode(&claim).unwrap();
    let claimant = STAGE.operator(&claim.statement.claimant);
    let stranger = SecretKey::derive_from_seed(&[9; 32]).unwrap();
    let nobody = Address::new([9; 32]);
    let body = &claim.statement.claim;
    let signed = |change: &dyn Fn(&mut SignedClaim), by: Address, key: &SecretKey| {
        altered(&claim, |it| {
            change(it);
            it.statement = Statement::sign(it.statement.claim.clone(), by, key).unwrap();
        })
    };
    let lie = Fault::WrongResult(Slot(body.size - 1));
    let (lie, leaves) = lie.falsified(body, &claim.frontier, &claim.leaves).unwrap();
    let contradict = |it: &mut SignedClaim| {
        it.statement.claim = lie.clone();
        it.leaves = leaves.clone();
    };
    let told = |name, after, data: Vec<u8>| case(name, after, Topic::Claims, data);
    let own =
        |change: &dyn Fn(&mut SignedClaim)| signed(change, claimant.address, &claimant.hot_key);
    vec![
        told("claim", at, bytes.clone()),
        told("known-claim", at + 1, bytes.clone()),
        told("contradiction", at + 1, own(&contradict)),
        told("stranger", at, signed(&|_| {}, nobody, &stranger)),
        told(
            "other-profile",
            at,
            own(&|it| it.statement.claim.profile = ProfileId::new([9; 32])),
        ),
        told("malformed-claim", at, [&bytes[..], &[0]].concat()),
        told(
            "other-object",
            at,
            codec::encode(&STAGE.world.genesis).unwrap(),
        ),
        told(
            "other-network",
            at,
            own(&|it| it.statement.claim.network = NetworkId::new([9; 32])),
        ),
        told("leaf-missing", at, own(&|it| it.leaves.truncate(1))),
        told(
            "leaf-altered",
            at,
            own(&|it| it.leaves[0].gas = it.leaves[0].gas.wrapping_add(1)),
        ),
        told(
            "forged-claim",
            at,
            signed(&|_| {}, claimant.address, &stranger),
        ),
    ]
}

fn batches() -> Vec<Case> {
    let (at, batch) = STAGE.first::<ClaimBatch>("claims", |_| true);
    let bytes = codec::encode(&batch).unwrap();
    let told = |name, after, data: Vec<u8>| case(name, after, Topic::Claims, data);
    let invented = altered(&batch, |it| it.claims = vec![ClaimId::new([9; 32])]);
    let strange = altered(&batch, |it| it.claimant = Address::new([9; 32]));
    let twice = altered(&batch, |it| it.claims.push(it.claims[0]));
    vec![
        told("batch", at, bytes.clone()),
        told("known-batch", at + 1, bytes.clone()),
        told("early-batch", before_digest(&batch), bytes),
        told("invented-batch", at, invented),
        told("batch-of-a-stranger", at, strange),
        told("unordered-batch", at, twice),
    ]
}

/// A batch that nobody has committed, another one for each number.
pub(crate) fn invented(number: u32) -> Vec<u8> {
    let (_, batch) = STAGE.first::<ClaimBatch>("claims", |_| true);
    let mut claim = [9; 32];
    claim[..4].copy_from_slice(&number.to_be_bytes());
    altered(&batch, |it| it.claims = vec![ClaimId::new(claim)])
}

/// The place in the run of the block that has the digest of a batch.
fn before_digest(batch: &ClaimBatch) -> usize {
    use surety_protocol::block::Block;
    use surety_protocol::item::Item;
    use surety_protocol::origin::Action;
    let has = |bytes: &[u8]| {
        let item = Item::parse(bytes).unwrap();
        let action = Action::from_item(&STAGE.world.network, &item);
        matches!(action, Ok((Action::Claims(root), _)) if root == batch.root())
    };
    let of = |block: &Block| block.items.iter().any(|it| has(it));
    STAGE.first::<Block>("ledger", of).0
}

/// The same topic in another subnet.
pub(crate) fn elsewhere(topic: Topic) -> Topic {
    let others = Subnet::all().filter(|it| Some(*it) != topic.subnet());
    let mut topics = others.flat_map(Topic::of_subnet);
    topics.find(|it| it.name() == topic.name()).unwrap()
}

fn approvals() -> Vec<Case> {
    let (at, approval) = STAGE.first::<Approval>("approvals", |_| true);
    let bytes = codec::encode(&approval).unwrap();
    let (claimed, _) = STAGE.first::<SignedClaim>("claims", |it| {
        it.statement.claim.id().unwrap() == approval.claim
    });
    let (_, other) = STAGE.first::<Approval>("approvals", |it| {
        it.claim == approval.claim && it.verifier != approval.verifier
    });
    let topic = STAGE.said[at].topic;
    let told = |name, after, data: Vec<u8>| case(name, after, topic, data);
    vec![
        case(
            "approval-in-another-subnet",
            at,
            elsewhere(topic),
            bytes.clone(),
        ),
        told("approval", at, bytes.clone()),
        told("known-approval", at + 1, bytes.clone()),
        told("early-approval", claimed, bytes.clone()),
        told(
            "uncommitted",
            at,
            altered(&approval, |it| it.committed = it.committed.minus(1)),
        ),
        told("malformed-approval", at, [&bytes[..], &[0]].concat()),
        told(
            "no-validator",
            at,
            altered(&approval, |it| it.verifier = Address::new([9; 32])),
        ),
        told(
            "by-the-claimant",
            at,
            altered(&approval, |it| it.verifier = it.claimant),
        ),
        told(
            "others-trace",
            at,
            altered(&approval, |it| it.trace = other.trace.clone()),
        ),
        told(
            "forged-approval",
            at,
            altered(&approval, |it| it.signature = other.signature),
        ),
    ]
}
