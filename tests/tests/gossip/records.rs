//! What is told of where nodes listen.

use libp2p::core::SignedEnvelope;
use libp2p::identity::Keypair;
use surety_node::net::{Topic, identity};
use surety_protocol::claim::SignedClaim;

use crate::stage::{Case, STAGE, case, said};

/// The key of a node whose operator has stake, and the place in the run by which it has.
pub(crate) fn node() -> (usize, Keypair) {
    let (at, claim) = STAGE.first::<SignedClaim>("claims", |_| true);
    let operator = STAGE.operator(&claim.statement.claimant);
    let key = identity::keypair_of(&mut operator.item_seed.clone());
    (at, key.unwrap())
}

/// A field of a message in protobuf.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).unwrap();
    assert!(length < 128);
    [&[number << 3 | 2, length], bytes].concat()
}

/// A record of this number, with one address: whatever makes records takes the time for a number.
pub(crate) fn record(key: &Keypair, number: u8) -> Vec<u8> {
    let peer = key.public().to_peer_id().to_bytes();
    // 192.0.2.1, by TCP at port 1000.
    let address = [4, 192, 0, 2, 1, 6, 3, 232];
    let payload = [
        field(1, &peer),
        vec![2 << 3, number],
        field(3, &field(1, &address)),
    ];
    let domain = "libp2p-peer-record".to_owned();
    let signed = SignedEnvelope::new(key, domain, vec![3, 1], payload.concat());
    signed.unwrap().into_protobuf_encoding()
}

pub(crate) fn cases() -> Vec<Case> {
    let (at, key) = node();
    let stranger = identity::keypair_of(&mut [9; 32]).unwrap();
    let told = |name, data: Vec<u8>| case(name, at, Topic::Records, data);
    let mut forged = record(&key, 1);
    *forged.last_mut().unwrap() ^= 1;
    let mut soon = told("record-too-soon", record(&key, 2));
    soon.before = vec![said(Topic::Records, record(&key, 1))];
    vec![
        told("record", record(&key, 1)),
        soon,
        told("record-of-a-stranger", record(&stranger, 1)),
        told("forged-record", forged),
        told("malformed-record", b"no record".to_vec()),
    ]
}
