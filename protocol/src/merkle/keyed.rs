//! A Merkle tree over a map: a change costs a few hashes, however many other keys there are, and a copy costs nothing.
//!
//! # Rules
//!
//! - `[M-6]` A key has a *place*, a digest of it. A leaf is a digest that was made under a domain of its own and commits to its key.
//! - `[M-7]` The root over one leaf is the leaf. Over more it is `fork(bit, l, r) = digest(MERKLE_FORK, [bit, l, r])`: `bit`, one byte,
//!   is the first (the most significant bit of a place is bit 0) in which their places differ, `l` the root over those that have a 0
//!   there, `r` over the others. Over none it is `digest(MERKLE_FORK, [])`. So a map has one tree, in whatever order it came to be.
//! - `[M-8]` A proof holds bit and other side of every fork on the way, from the top down; it is refused unless the bits ascend
//!   strictly.

use std::sync::Arc;

use serde::Deserialize;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use super::MerkleError;
use crate::hash::{Domain, digest};
use crate::id::Digest;

/// The tree. Copies share what is equal in them.
#[derive(Clone, Default)]
pub struct KeyedTree(Option<Arc<Node>>);

enum Node {
    Leaf {
        place: Digest,
        leaf: Digest,
    },
    Fork {
        bit: u8,
        root: Digest,
        left: Arc<Node>,
        right: Arc<Node>,
    },
}

impl std::fmt::Debug for KeyedTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyedTree({})", self.root())
    }
}

/// The way from one leaf to the root (rule M-8).
///
/// Decoding refuses forks that are not in order, and so does [`KeyedProof::root_from`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize)]
#[serde(try_from = "KeyedProofFields")]
pub struct KeyedProof {
    /// The bit of each fork and the root of its other side, from the top down.
    pub forks: Vec<(u8, Digest)>,
}

#[derive(Deserialize_tuple)]
struct KeyedProofFields {
    forks: Vec<(u8, Digest)>,
}

impl TryFrom<KeyedProofFields> for KeyedProof {
    type Error = MerkleError;

    fn try_from(fields: KeyedProofFields) -> Result<Self, MerkleError> {
        let proof = Self {
            forks: fields.forks,
        };
        match proof.ascends() {
            true => Ok(proof),
            false => Err(MerkleError::Forks),
        }
    }
}

impl KeyedProof {
    fn ascends(&self) -> bool {
        self.forks
            .is_sorted_by(|(above, _), (below, _)| above < below)
    }

    /// The root of the tree in which `leaf` stands at this place, or `None` if the proof is malformed.
    pub fn root_from(&self, place: &Digest, leaf: &Digest) -> Option<Digest> {
        let upwards = self.forks.iter().rev();
        self.ascends().then(|| {
            upwards.fold(*leaf, |below, (bit, side)| match is_right(place, *bit) {
                true => fork(*bit, side, &below),
                false => fork(*bit, &below, side),
            })
        })
    }

    /// Whether `leaf` stands at this place of the tree with this root.
    pub fn verify(&self, place: &Digest, leaf: &Digest, root: &Digest) -> bool {
        self.root_from(place, leaf)
            .is_some_and(|found| found == *root)
    }
}

impl KeyedTree {
    /// The root (rule M-7).
    pub fn root(&self) -> Digest {
        self.0
            .as_ref()
            .map_or_else(|| digest(Domain::MERKLE_FORK, &[]), |it| it.root())
    }

    /// Puts a leaf at a place, for the one that is there if there is one.
    pub fn insert(&mut self, place: Digest, leaf: Digest) {
        let new = Arc::new(Node::Leaf { place, leaf });
        self.0 = Some(match &self.0 {
            None => new,
            Some(top) => {
                let differs = first_difference(&place, top.closest(&place));
                grow(top, differs, &place, new)
            }
        });
    }

    /// Removes what is at a place, if anything is.
    pub fn remove(&mut self, place: &Digest) {
        if let Some(top) = &self.0 {
            self.0 = shrink(top, place);
        }
    }

    /// Proves what is at a place; `None` if nothing is.
    pub fn prove(&self, place: &Digest) -> Option<KeyedProof> {
        let mut node = self.0.as_ref()?;
        let mut forks = Vec::new();
        loop {
            match node.as_ref() {
                Node::Leaf { place: here, .. } => {
                    return (here == place).then_some(KeyedProof { forks });
                }
                Node::Fork {
                    bit, left, right, ..
                } => {
                    let (on, side) = match is_right(place, *bit) {
                        true => (right, left),
                        false => (left, right),
                    };
                    forks.push((*bit, side.root()));
                    node = on;
                }
            }
        }
    }
}

impl Node {
    const fn root(&self) -> Digest {
        match self {
            Node::Leaf { leaf, .. } => *leaf,
            Node::Fork { root, .. } => *root,
        }
    }

    fn fork(bit: u8, left: Arc<Node>, right: Arc<Node>) -> Arc<Node> {
        let root = fork(bit, &left.root(), &right.root());
        Arc::new(Node::Fork {
            bit,
            root,
            left,
            right,
        })
    }

    /// The place of a leaf below this node that has in common with `place` whatever any of them has.
    fn closest(&self, place: &Digest) -> &Digest {
        let mut node = self;
        loop {
            match node {
                Node::Leaf { place, .. } => return place,
                Node::Fork {
                    bit, left, right, ..
                } => {
                    node = match is_right(place, *bit) {
                        true => right,
                        false => left,
                    };
                }
            }
        }
    }
}

/// The node with a leaf more, whose place differs from the closest one below the node in a bit, or in none.
fn grow(node: &Arc<Node>, differs: Option<u8>, place: &Digest, new: Arc<Node>) -> Arc<Node> {
    match (node.as_ref(), differs) {
        (
            Node::Fork {
                bit, left, right, ..
            },
            _,
        ) if differs.is_none_or(|it| *bit < it) => match is_right(place, *bit) {
            true => Node::fork(*bit, Arc::clone(left), grow(right, differs, place, new)),
            false => Node::fork(*bit, grow(left, differs, place, new), Arc::clone(right)),
        },
        (_, None) => new,
        (_, Some(bit)) => match is_right(place, bit) {
            true => Node::fork(bit, Arc::clone(node), new),
            false => Node::fork(bit, new, Arc::clone(node)),
        },
    }
}

/// The node without the leaf at a place; nothing if that is all there was.
fn shrink(node: &Arc<Node>, place: &Digest) -> Option<Arc<Node>> {
    match node.as_ref() {
        Node::Leaf { place: here, .. } => (here != place).then(|| Arc::clone(node)),
        Node::Fork {
            bit, left, right, ..
        } => Some(match is_right(place, *bit) {
            true => match shrink(right, place) {
                Some(right) => Node::fork(*bit, Arc::clone(left), right),
                None => Arc::clone(left),
            },
            false => match shrink(left, place) {
                Some(left) => Node::fork(*bit, left, Arc::clone(right)),
                None => Arc::clone(right),
            },
        }),
    }
}

fn fork(bit: u8, left: &Digest, right: &Digest) -> Digest {
    digest(
        Domain::MERKLE_FORK,
        &[&[bit], left.as_bytes(), right.as_bytes()],
    )
}

fn is_right(place: &Digest, bit: u8) -> bool {
    let byte = place.as_bytes().get(usize::from(bit / 8)).copied();
    byte.is_some_and(|it| it & (0x80 >> (bit % 8)) != 0)
}

fn first_difference(one: &Digest, other: &Digest) -> Option<u8> {
    (0..=u8::MAX).find(|bit| is_right(one, *bit) != is_right(other, *bit))
}

#[cfg(test)]
mod tests;
