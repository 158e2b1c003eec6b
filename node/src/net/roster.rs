//! How nodes tell one another of further peers.
//!
//! # Rules
//!
//! - `[N-9]` The answer to `get-peers` (a request that is empty, or names a peer that is sought) is a list of at most 32
//!   addresses, each a length of two bytes, big-endian, and a multiaddr that ends with `/p2p/<peer>`. Connected peers are
//!   named, by the addresses that they announced themselves; first the one that is sought, by its record if it is not connected.
//! - `[N-10]` An address is `ip4` or `ip6` with `tcp`, or with `udp` and `quic-v1`. Unspecified addresses are never
//!   dialled, and loopback addresses only if the peer that named them is itself on loopback.

use std::collections::BTreeMap;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::limits;

/// Peers and where they listen.
pub(crate) type Addresses = BTreeMap<PeerId, Vec<Multiaddr>>;

/// Splits an address into the peer and the rest, if it names a peer.
pub(crate) fn split(address: &Multiaddr) -> Option<(PeerId, Multiaddr)> {
    let mut rest = address.clone();
    match rest.pop() {
        Some(Protocol::P2p(peer)) => Some((peer, rest)),
        _ => None,
    }
}

/// Whether an address without its peer may be dialled (rule N-10).
pub(crate) fn dialable(address: &Multiaddr, from_loopback: bool) -> bool {
    let mut parts = address.iter();
    let host = match parts.next() {
        Some(Protocol::Ip4(ip)) => !ip.is_unspecified() && (from_loopback || !ip.is_loopback()),
        Some(Protocol::Ip6(ip)) => !ip.is_unspecified() && (from_loopback || !ip.is_loopback()),
        _ => false,
    };
    let transport = match (parts.next(), parts.next()) {
        (Some(Protocol::Tcp(port)), None) => port != 0,
        (Some(Protocol::Udp(port)), Some(Protocol::QuicV1)) => port != 0,
        _ => false,
    };
    host && transport && parts.next().is_none()
}

/// Whether an address is on the same machine.
pub(crate) fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

/// The answer for a peer: the one that it seeks, then others, starting after its own id, so that different peers hear of
/// different ones.
pub(crate) fn encode(
    known: &Addresses,
    sought: Option<PeerId>,
    asker: PeerId,
    asker_on_loopback: bool,
) -> Vec<u8> {
    let first = sought.and_then(|it| known.get_key_value(&it));
    let after = known.range(asker..);
    let before = known.range(..asker);
    let others = after.chain(before);
    let others = others.filter(|(peer, _)| **peer != asker && Some(**peer) != sought);
    let mut bytes = Vec::new();
    let mut named = 0;
    for (peer, addresses) in first.into_iter().chain(others) {
        for address in addresses.iter().filter(|a| dialable(a, asker_on_loopback)) {
            let address = address.clone().with(Protocol::P2p(*peer)).to_vec();
            let Ok(length) = u16::try_from(address.len()) else {
                continue;
            };
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&address);
            named += 1;
            if named == limits::PEERS_NAMED {
                return bytes;
            }
        }
    }
    bytes
}

/// Reads an answer; `None` if it is not one. Addresses that may not be dialled are left out.
pub(crate) fn decode(mut bytes: &[u8], from_loopback: bool) -> Option<Addresses> {
    let mut peers = Addresses::new();
    let mut named = 0;
    while !bytes.is_empty() {
        named += 1;
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        if named > limits::PEERS_NAMED || length > rest.len() {
            return None;
        }
        let (address, rest) = rest.split_at(length);
        bytes = rest;
        let (peer, address) = split(&Multiaddr::try_from(address.to_vec()).ok()?)?;
        if dialable(&address, from_loopback) {
            peers.entry(peer).or_default().push(address);
        }
    }
    Some(peers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_plain_reachable_addresses_are_dialled() {
        for good in ["/ip4/10.0.0.1/tcp/1", "/ip6/::2/udp/1/quic-v1"] {
            assert!(dialable(&address(good), false), "{good}");
        }
        for bad in [
            "/ip4/0.0.0.0/tcp/1",
            "/ip4/10.0.0.1/tcp/0",
            "/ip4/10.0.0.1/udp/1",
            "/ip4/10.0.0.1/tcp/1/ws",
            "/dns4/example.org/tcp/1",
            "/unix/socket",
        ] {
            assert!(!dialable(&address(bad), true), "{bad}");
        }
        assert!(!dialable(&address("/ip4/127.0.0.1/tcp/1"), false));
        assert!(dialable(&address("/ip4/127.0.0.1/tcp/1"), true));
    }

    #[test]
    fn everybody_but_the_asker_is_named() {
        let mut known = Addresses::new();
        let peers: Vec<PeerId> = (0..3).map(|_| PeerId::random()).collect();
        for peer in &peers {
            known.insert(
                *peer,
                vec![
                    address("/ip4/10.0.0.1/tcp/1"),
                    address("/ip4/127.0.0.1/tcp/1"),
                ],
            );
        }
        let answer = decode(&encode(&known, None, peers[0], true), true).unwrap();
        assert_eq!(answer.len(), 2);
        assert!(!answer.contains_key(&peers[0]));
        assert!(answer.values().all(|addresses| addresses.len() == 2));
        // From afar, loopback addresses are neither told nor believed.
        let told = decode(&encode(&known, None, peers[0], false), true).unwrap();
        assert!(
            told.values()
                .all(|addresses| *addresses == [address("/ip4/10.0.0.1/tcp/1")])
        );
        let believed = decode(&encode(&known, None, peers[0], true), false).unwrap();
        assert_eq!(believed, told);
    }

    #[test]
    fn what_is_not_a_list_is_refused() {
        let mut known = Addresses::new();
        for _ in 0..limits::PEERS_NAMED + 5 {
            known.insert(PeerId::random(), vec![address("/ip4/10.0.0.1/tcp/1")]);
        }
        let bytes = encode(&known, None, PeerId::random(), false);
        assert!(bytes.len() < limits::RESPONSE_PEERS_MAX);
        assert_eq!(decode(&bytes, false).unwrap().len(), limits::PEERS_NAMED);
        // Whoever is sought is named among however many.
        for sought in known.keys() {
            let bytes = encode(&known, Some(*sought), PeerId::random(), false);
            let named = decode(&bytes, false).unwrap();
            assert!(named.contains_key(sought) && named.len() == limits::PEERS_NAMED);
        }
        assert_eq!(decode(&bytes[..bytes.len() - 1], false), None);
        assert_eq!(decode(&[bytes.as_slice(), &[0]].concat(), false), None);
        // One more than allowed, and an address that names nobody.
        let one = bytes.len() / limits::PEERS_NAMED;
        assert_eq!(
            decode(&[&bytes[..one], bytes.as_slice()].concat(), false),
            None
        );
        assert_eq!(decode(&[0, 1, 255], false), None);
        assert_eq!(decode(&[], false), Some(Addresses::new()));
    }
}
