//! Blocks of the ledger, and the genesis.
//!
//! # Rules
//!
//! - `[BK-1]` A header commits to its parent, to the items and to the ledger's state *after* them.
//! - `[BK-2]` `beacon_h = digest(beacon_{h-1}, s)` with `s` the proposer's unique signature over `beacon_{h-1}` and `h`:
//!   the proposer can withhold a block, but not choose its randomness.
//! - `[BK-3]` A network's id is the digest of its genesis.

use serde_bytes::ByteBuf;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::bls::{PublicKey, SecretKey, Signature, SignedDigest};
use crate::codec::{self, CodecError, Wire};
use crate::hash::{Domain, digest};
use crate::id::{Address, BlockId, Digest, NetworkId};
use crate::merkle;
use crate::params::Params;
use crate::profiles::Profiles;
use crate::stake::Stake;
use crate::time::Height;

/// Bytes of items in one block: one with an accusation of the largest kind has room for others, and the block can be gossiped.
pub const BLOCK_BYTES_MAX: usize = 3 << 20;

/// Who starts with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Genesis {
    /// A name for people; two networks with one name still have two ids.
    pub name: String,
    /// The parameters.
    pub params: Params,
    /// The profiles, each with the height from which it holds.
    pub profiles: Profiles,
    /// The operator whose node orders the blocks.
    pub proposer: Address,
    /// Its hot key.
    pub proposer_key: PublicKey,
    /// Balances at height 0, by address, ascending.
    pub balances: Vec<(Address, Stake)>,
}

impl Wire for Genesis {
    const KIND: u8 = 30;
    const BYTES_MAX: usize = 1 << 20;
}

impl Genesis {
    /// The network's id (rule BK-3).
    ///
    /// # Errors
    /// If the genesis exceeds its limit.
    pub fn id(&self) -> Result<NetworkId, CodecError> {
        Ok(digest(Domain::GENESIS, &[&codec::encode(self)?]).into())
    }
}

/// The header of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Header {
    /// The network.
    pub network: NetworkId,
    /// The block's height.
    pub height: Height,
    /// The block before.
    pub parent: BlockId,
    /// The root of the items.
    pub items_root: Digest,
    /// The root of the ledger's state after the block.
    pub state_root: Digest,
    /// The proposer's unique signature (rule BK-2).
    pub beacon: Signature,
    /// The proposer.
    pub proposer: Address,
}

impl Wire for Header {
    const KIND: u8 = 31;
    const BYTES_MAX: usize = 1024;
}

impl Header {
    /// The block's id.
    ///
    /// # Errors
    /// Never for a header that fits its own limit, which every header does.
    pub fn id(&self) -> Result<BlockId, CodecError> {
        Ok(digest(Domain::BLOCK, &[&codec::encode(self)?]).into())
    }
}

/// A header with its commit: what a light client believes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Commit {
    /// The header.
    pub header: Header,
    /// The proposer's signature over the block's id.
    pub signature: Signature,
}

impl Wire for Commit {
    const KIND: u8 = 32;
    const BYTES_MAX: usize = 2048;
}

impl Commit {
    /// Signs a header.
    ///
    /// # Errors
    /// As [`Header::id`].
    pub fn sign(header: Header, key: &SecretKey) -> Result<Commit, CodecError> {
        let signature = key.sign(&signing_digest(&header.id()?));
        Ok(Commit { header, signature })
    }

    /// What the proposer's `key` is said to have signed.
    ///
    /// # Errors
    /// As [`Header::id`].
    pub fn signed(&self, key: &PublicKey) -> Result<SignedDigest, CodecError> {
        Ok(SignedDigest {
            key: *key,
            digest: signing_digest(&self.header.id()?),
            signature: self.signature,
        })
    }

    /// Whether the proposer's `key` signed this.
    pub fn signed_by(&self, key: &PublicKey) -> bool {
        self.signed(key).is_ok_and(|it| it.holds())
    }
}

/// A block with its items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Block {
    /// Header and commit.
    pub commit: Commit,
    /// The data items, in order.
    pub items: Vec<ByteBuf>,
}

impl Wire for Block {
    const KIND: u8 = 33;
    const BYTES_MAX: usize = BLOCK_BYTES_MAX + 64 * 1024;
}

fn signing_digest(id: &BlockId) -> Digest {
    digest(Domain::BLOCK_SIGNATURE, &[id.as_bytes()])
}

/// The root of a block's items.
pub fn items_root<'a>(items: impl Iterator<Item = &'a [u8]>) -> Digest {
    let leaves: Vec<Digest> = items
        .map(|item| digest(Domain::BLOCK_ITEMS, &[item]))
        .collect();
    merkle::root(&leaves)
}

/// What the proposer of a height signs for the randomness.
pub fn beacon_digest(before: &Digest, height: Height) -> Digest {
    digest(
        Domain::BEACON_SIGNATURE,
        &[before.as_bytes(), &height.0.to_be_bytes()],
    )
}

/// The randomness after a block (rule BK-2).
pub fn next_beacon(before: &Digest, signature: &Signature) -> Digest {
    digest(Domain::BEACON, &[before.as_bytes(), signature.as_bytes()])
}

/// What a client trusts to begin with: a block it was told by somebody it believes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Checkpoint {
    /// The network.
    pub network: NetworkId,
    /// The height of the block.
    pub height: Height,
    /// The block.
    pub block: BlockId,
    /// Who orders blocks.
    pub proposer: Address,
    /// With which key.
    pub proposer_key: PublicKey,
}

impl Wire for Checkpoint {
    const KIND: u8 = 34;
    const BYTES_MAX: usize = 512;
}
