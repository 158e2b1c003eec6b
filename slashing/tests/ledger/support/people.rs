//! Operators whose keys come from a number.

use serde_bytes::ByteBuf;
use surety_protocol::bls::SecretKey;
use surety_protocol::id::Address;
use surety_protocol::item::ItemKey;
use surety_protocol::origin::Registration;

/// Somebody with a wallet, a node's data-item key and a hot key.
pub(crate) struct Person {
    pub(crate) wallet: ItemKey,
    pub(crate) node: ItemKey,
    pub(crate) key: SecretKey,
}

impl Person {
    pub(crate) fn new(number: u8) -> Person {
        Person {
            wallet: ItemKey::ed25519(&[number; 32]),
            node: ItemKey::ed25519(&[number | 0x80; 32]),
            key: SecretKey::derive_from_seed(&[number; 32]).unwrap(),
        }
    }

    pub(crate) fn address(&self) -> Address {
        self.wallet.address()
    }

    pub(crate) fn registration(&self) -> Registration {
        Registration {
            key: *self.key.public_key(),
            possession: self.key.prove_possession(),
            item_key: self.node.address(),
            peer: ByteBuf::from(self.address().as_bytes().to_vec()),
        }
    }
}
