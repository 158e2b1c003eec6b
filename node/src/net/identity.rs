//! The key that names a node to its peers.

use libp2p::PeerId;
use libp2p::identity::Keypair;
use zeroize::Zeroize as _;

/// The network key of a 32-byte seed. The caller's seed is wiped: the key pair alone holds it from then on.
///
/// `None` cannot happen with 32 bytes; the type of the underlying constructor allows it.
pub fn keypair_of(seed: &mut [u8; 32]) -> Option<Keypair> {
    // The constructor wipes what it reads, but not when it fails.
    let keypair = Keypair::ed25519_from_bytes(&mut seed[..]).ok();
    seed.zeroize();
    keypair
}

/// The peer id of a 32-byte seed; the caller's seed is wiped.
pub fn peer_id_of(seed: &mut [u8; 32]) -> Option<PeerId> {
    keypair_of(seed).map(|keypair| keypair.public().to_peer_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_names_one_peer_and_is_wiped() {
        let mut seed = [7; 32];
        let peer = peer_id_of(&mut seed).unwrap();
        assert_eq!(seed, [0; 32]);
        assert_eq!(peer_id_of(&mut [7; 32]), Some(peer));
        assert_ne!(peer_id_of(&mut [8; 32]), Some(peer));
        // An ed25519 peer id is the identity multihash of the encoded key.
        assert!(peer.to_base58().starts_with("12D3Koo"));
    }
}
