//! Hashes of pages and of the nodes above them (rules ST-1 and ST-2), many at a time.
//!
//! They are BLAKE3 in key derivation mode, nothing else: a test compares each with the library's own. But the library hashes
//! one input at a time, and a page has four chunks only, where a processor hashes sixteen in the same time. So the layer
//! below is used here, in which it says itself what is hashed beside what.

use std::sync::LazyLock;

use blake3::IncrementCounter;
use blake3::hazmat::hash_derive_key_context;
use blake3::platform::Platform;
use surety_protocol::id::Digest;
use surety_protocol::witness::PAGE_BYTES;

use super::Page;

/// The context of page hashes (rule ST-1).
pub const PAGE_CONTEXT: &str = "SURETY/v1/memory-page";
/// The context of the hashes of nodes (rule ST-2).
pub const NODE_CONTEXT: &str = "SURETY/v1/memory-node";

/// Pages that are hashed at a time.
const BATCH: usize = 64;
const CHUNK_BYTES: usize = 1024;
const CHUNKS: usize = PAGE_BYTES / CHUNK_BYTES;

// What BLAKE3 says of a block (its specification, table 3).
const CHUNK_START: u8 = 1;
const CHUNK_END: u8 = 2;
const PARENT: u8 = 4;
const ROOT: u8 = 8;
const DERIVE_KEY_MATERIAL: u8 = 64;

/// BLAKE3 under the key of a context.
struct Hashing {
    platform: Platform,
    key: [u32; 8],
}

static OF_PAGES: LazyLock<Hashing> = LazyLock::new(|| Hashing::under(PAGE_CONTEXT));
static OF_NODES: LazyLock<Hashing> = LazyLock::new(|| Hashing::under(NODE_CONTEXT));

impl Hashing {
    fn under(context: &str) -> Self {
        let key = hash_derive_key_context(context);
        let mut words = [0; 8];
        for (word, bytes) in words.iter_mut().zip(key.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Self {
            platform: Platform::detect(),
            key: words,
        }
    }

    /// Hashes inputs beside each other, each of them chunk number `counter` or, with the flag, a parent.
    fn each<const N: usize>(
        &self,
        inputs: &[&[u8; N]],
        counter: u64,
        [all, first, last]: [u8; 3],
        out: &mut [[u8; 32]],
    ) {
        self.platform.hash_many(
            inputs,
            &self.key,
            counter,
            IncrementCounter::No,
            DERIVE_KEY_MATERIAL | all,
            first,
            last,
            out.as_flattened_mut(),
        );
    }
}

/// The hash of one page (rule ST-1).
pub fn page_hash(page: &Page) -> Digest {
    let mut hash = [[0; 32]];
    hash_batch(&[page], &mut hash);
    let [hash] = hash;
    Digest::new(hash)
}

/// The hashes of pages, with their indices.
pub fn page_hashes<'a>(pages: impl IntoIterator<Item = (u32, &'a Page)>) -> Vec<(u32, Digest)> {
    let (indices, pages): (Vec<u32>, Vec<&Page>) = pages.into_iter().unzip();
    let mut hashes = vec![[0; 32]; pages.len()];
    for (pages, hashes) in pages.chunks(BATCH).zip(hashes.chunks_mut(BATCH)) {
        hash_batch(pages, hashes);
    }
    let hashes = hashes.into_iter().map(Digest::new);
    indices.into_iter().zip(hashes).collect()
}

/// The four chunks of each page, two parents over them, and the parent over these.
fn hash_batch(pages: &[&Page], hashes: &mut [[u8; 32]]) {
    let mut chunks = [[[0; 32]; BATCH]; CHUNKS];
    for (number, row) in (0_u64..).zip(&mut chunks) {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let chunks = pages
            .iter()
            .filter_map(|page| page.as_chunks::<CHUNK_BYTES>().0.get(at));
        let inputs: Vec<&[u8; CHUNK_BYTES]> = chunks.collect();
        OF_PAGES.each(&inputs, number, [0, CHUNK_START, CHUNK_END], row);
    }
    let [first, second, third, fourth] = &chunks;
    let (mut left, mut right) = ([[0; 32]; BATCH], [[0; 32]; BATCH]);
    let count = pages.len();
    parents(count, first, second, PARENT, &mut left);
    parents(count, third, fourth, PARENT, &mut right);
    parents(count, &left, &right, PARENT | ROOT, hashes);
}

fn parents(
    count: usize,
    left: &[[u8; 32]],
    right: &[[u8; 32]],
    flags: u8,
    hashes: &mut [[u8; 32]],
) {
    let pairs: Vec<[u8; 64]> = left
        .iter()
        .zip(right)
        .take(count)
        .map(|(left, right)| joined(left, right))
        .collect();
    let inputs: Vec<&[u8; 64]> = pairs.iter().collect();
    OF_PAGES.each(&inputs, 0, [flags, 0, 0], hashes);
}

/// The hash of a node over two others (rule ST-2).
pub(super) fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut hash = [[0; 32]];
    node_hashes(&[pair(left, right)], &mut hash);
    let [hash] = hash;
    Digest::new(hash)
}

/// The same of several.
pub(super) fn node_hashes(pairs: &[[u8; 64]], hashes: &mut [[u8; 32]]) {
    let inputs: Vec<&[u8; 64]> = pairs.iter().collect();
    OF_NODES.each(&inputs, 0, [0, CHUNK_START, CHUNK_END | ROOT], hashes);
}

/// What the hash of a node is over.
pub(super) fn pair(left: &Digest, right: &Digest) -> [u8; 64] {
    joined(left.as_bytes(), right.as_bytes())
}

fn joined(left: &[u8; 32], right: &[u8; 32]) -> [u8; 64] {
    let mut pair = [0; 64];
    let (start, end) = pair.split_at_mut(32);
    start.copy_from_slice(left);
    end.copy_from_slice(right);
    pair
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(seed: u64) -> Page {
        let mut page = [0; PAGE_BYTES];
        blake3::Hasher::new()
            .update(&seed.to_be_bytes())
            .finalize_xof()
            .fill(&mut page);
        page
    }

    proptest! {
        #[test]
        fn they_are_the_hashes_of_the_library(seed: u64, count in 0_usize..200) {
            let pages: Vec<Page> = (0..).map(|it| page(seed ^ it)).take(count).collect();
            let given = page_hashes((7..).zip(&pages));
            prop_assert_eq!(given.len(), count);
            for ((index, hash), (place, page)) in given.iter().zip((7..).zip(&pages)) {
                let own = blake3::derive_key(PAGE_CONTEXT, page);
                prop_assert_eq!((*index, *hash), (place, Digest::new(own)));
                prop_assert_eq!(page_hash(page), *hash);
            }
            let pairs: Vec<[u8; 64]> = pages.iter().map(|it| *it.first_chunk().unwrap()).collect();
            let mut hashes = vec![[0; 32]; count];
            node_hashes(&pairs, &mut hashes);
            for (hash, pair) in hashes.iter().zip(&pairs) {
                prop_assert_eq!(*hash, blake3::derive_key(NODE_CONTEXT, pair));
                let (left, right) = pair.split_at(32);
                let half = |half: &[u8]| Digest::new(half.try_into().unwrap());
                prop_assert_eq!(node_hash(&half(left), &half(right)), Digest::new(*hash));
            }
        }
    }
}
