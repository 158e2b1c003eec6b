//! Where a node listens, signed by its network key: libp2p's peer routing record (its RFC 3) in a signed envelope (RFC 2).
//!
//! # Rules
//!
//! - `[N-17]` A record names the peer, up to four addresses (rule N-10) and a number that grows with time. It has at most
//!   1 KiB, and nothing is in it that its signature does not cover. Whose records are heard is the owner's matter.

use libp2p::core::{PeerRecord, SignedEnvelope};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};

use super::{limits, roster};

/// A record whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose it is.
    pub peer: PeerId,
    /// Of two records the larger one is the newer.
    pub number: u64,
    /// Where the peer listens.
    pub addresses: Vec<Multiaddr>,
}

/// Makes the record of the node with a key; `None` without an address that others could dial.
pub(crate) fn sign(key: &Keypair, addresses: &[Multiaddr]) -> Option<Vec<u8>> {
    let mut addresses = addresses.to_vec();
    addresses.retain(|address| roster::dialable(address, true));
    // Of many those that only this machine can dial are the first to be left out.
    addresses.sort_by_key(roster::is_loopback);
    addresses.truncate(limits::ADDRESSES_PER_PEER);
    if addresses.is_empty() {
        return None;
    }
    let signed = PeerRecord::new_interop(key, addresses);
    let signed = signed.inspect_err(|error| tracing::error!(%error, "no record"));
    Some(signed.ok()?.into_signed_envelope().into_protobuf_encoding())
}

/// Reads a record; `None` if it is not one, or not signed by the peer that it names.
pub fn read(bytes: &[u8]) -> Option<Record> {
    if bytes.len() > limits::RECORD_MAX {
        return None;
    }
    let envelope = SignedEnvelope::from_protobuf_encoding(bytes).ok()?;
    // Bytes that the signature does not cover would make many messages of one record.
    if envelope.clone().into_protobuf_encoding() != bytes {
        return None;
    }
    let record = PeerRecord::from_signed_envelope_interop(envelope).ok()?;
    let addresses = record.addresses();
    let fits = (1..=limits::ADDRESSES_PER_PEER).contains(&addresses.len());
    let dialable = addresses.iter().all(|it| roster::dialable(it, true));
    (fits && dialable).then(|| Record {
        peer: record.peer_id(),
        number: record.seq(),
        addresses: addresses.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_signed_is_read_and_nothing_else() {
        let key = Keypair::generate_ed25519();
        let addresses: Vec<Multiaddr> = (1..=6)
            .map(|port| address(&format!("/ip4/10.0.0.1/tcp/{port}")))
            .collect();
        let signed = sign(&key, &addresses).unwrap();
        let record = read(&signed).unwrap();
        assert_eq!(record.peer, key.public().to_peer_id());
        assert_eq!(record.addresses, addresses[..limits::ADDRESSES_PER_PEER]);
        assert!(signed.len() <= limits::RECORD_MAX);
        for at in 0..signed.len() {
            let mut other = signed.clone();
            other[at] ^= 1;
            assert_eq!(read(&other), None, "byte {at}");
            assert_eq!(read(&signed[..at]), None, "{at} bytes");
        }
        // A field that protobuf does not know is in no signature.
        assert_eq!(read(&[&signed[..], &[0x78, 1]].concat()), None);
    }

    #[test]
    fn who_listens_nowhere_has_no_record() {
        let key = Keypair::generate_ed25519();
        assert_eq!(sign(&key, &[]), None);
        assert_eq!(sign(&key, &[address("/ip4/0.0.0.0/tcp/1")]), None);
    }

    #[test]
    fn addresses_that_nobody_may_dial_are_in_no_record() {
        let key = Keypair::generate_ed25519();
        for other in ["/dns4/example.org/tcp/1", "/ip4/0.0.0.0/tcp/1"] {
            let record = PeerRecord::new_interop(&key, vec![address(other)]).unwrap();
            let bytes = record.into_signed_envelope().into_protobuf_encoding();
            assert_eq!(read(&bytes), None, "{other}");
        }
    }
}
