//! A witness as it travels: its pages packed.
//!
//! # Rules
//!
//! - `[W-4]` Which pages a witness holds is told by a map of bits, the lowest of its first byte for page 0; its last byte is
//!   not zero. The pages, zeros spelled out, follow one another in pieces of [`PIECE_PAGES`], the last of what is left, each
//!   compressed as a block of LZ4. There is more than one way to compress; what is said is the same.

use serde_bytes::ByteBuf;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use super::{PAGE_BYTES, PAGES, PagesFault, WITNESS_PAGES_MAX, Witness, WitnessPage};
use crate::codec::Wire;
use crate::id::Digest;

/// Pages in one piece.
const PIECE_PAGES: usize = 64;
/// Pages that one byte of the map tells of.
const PER_BYTE: usize = 8;

/// A [`Witness`], packed (rule W-4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct PackedWitness {
    /// The size of memory, in WebAssembly pages of 64 KiB.
    pub wasm_pages: u32,
    /// The mutable globals (rule W-3).
    pub globals: Vec<u64>,
    /// The map of the touched pages.
    pub touched: ByteBuf,
    /// Those pages, in compressed pieces.
    pub pieces: Vec<ByteBuf>,
    /// The siblings of a multiproof over the tree of pages.
    pub siblings: Vec<Digest>,
}

impl Wire for PackedWitness {
    const KIND: u8 = 50;
    const VERSION: u8 = 2;
    const BYTES_MAX: usize = packed_bytes_max(WITNESS_PAGES_MAX);
}

/// Bytes of a packed witness of so many pages at most: none of them can be compressed, and every other page of memory is
/// touched, so that each has a sibling.
pub const fn packed_bytes_max(pages: usize) -> usize {
    let bytes = pages * PAGE_BYTES;
    // What LZ4 adds to what it cannot compress, in each piece.
    let compressed = bytes + bytes / 255 + (pages / PIECE_PAGES + 1) * 32;
    let siblings = pages * 34;
    compressed + siblings + PAGES as usize / PER_BYTE + (64 << 10)
}

impl PackedWitness {
    /// Packs a witness.
    ///
    /// # Errors
    /// The first rule that the witness breaks.
    pub fn of(witness: &Witness) -> Result<PackedWitness, PagesFault> {
        witness.check()?;
        let last = witness.pages.last();
        let mut touched = vec![0; last.map_or(0, |page| page.index as usize / PER_BYTE + 1)];
        for page in &witness.pages {
            if let Some(byte) = touched.get_mut(page.index as usize / PER_BYTE) {
                *byte |= 1 << (page.index as usize % PER_BYTE);
            }
        }
        let pieces = witness.pages.chunks(PIECE_PAGES).map(|pages| {
            let mut plain = Vec::with_capacity(pages.len() * PAGE_BYTES);
            for page in pages {
                let end = plain.len() + PAGE_BYTES;
                plain.extend_from_slice(&page.bytes);
                plain.resize(end, 0);
            }
            ByteBuf::from(lz4_flex::block::compress(&plain))
        });
        Ok(PackedWitness {
            wasm_pages: witness.wasm_pages,
            globals: witness.globals.clone(),
            touched: ByteBuf::from(touched),
            pieces: pieces.collect(),
            siblings: witness.siblings.clone(),
        })
    }

    /// The witness that was packed.
    ///
    /// # Errors
    /// The first rule that it breaks. A piece takes no more memory than the pages that it is for.
    pub fn unpack(&self) -> Result<Witness, PagesFault> {
        let indices = self.indices()?;
        if self.pieces.len() != indices.len().div_ceil(PIECE_PAGES) {
            return Err(PagesFault::Packed);
        }
        let mut pages = Vec::with_capacity(indices.len());
        let mut plain = vec![0; PIECE_PAGES * PAGE_BYTES];
        for (indices, piece) in indices.chunks(PIECE_PAGES).zip(&self.pieces) {
            let place = plain
                .get_mut(..indices.len() * PAGE_BYTES)
                .ok_or(PagesFault::Packed)?;
            let bytes = lz4_flex::block::decompress_into(piece, place);
            if bytes.ok() != Some(place.len()) {
                return Err(PagesFault::Packed);
            }
            for (index, bytes) in indices.iter().zip(place.chunks_exact(PAGE_BYTES)) {
                let zero = bytes.iter().all(|byte| *byte == 0);
                pages.push(WitnessPage {
                    index: *index,
                    bytes: ByteBuf::from(if zero { &[] } else { bytes }),
                });
            }
        }
        let witness = Witness {
            wasm_pages: self.wasm_pages,
            globals: self.globals.clone(),
            pages,
            siblings: self.siblings.clone(),
        };
        witness.check()?;
        Ok(witness)
    }

    /// How many pages it says that it holds.
    pub fn page_count(&self) -> u64 {
        let bits = |byte: &u8| u64::from(byte.count_ones());
        self.touched.iter().map(bits).sum()
    }

    /// The touched pages.
    fn indices(&self) -> Result<Vec<u32>, PagesFault> {
        let count = usize::try_from(self.page_count()).unwrap_or(usize::MAX);
        if self.touched.last() == Some(&0) || count > WITNESS_PAGES_MAX {
            return Err(PagesFault::Packed);
        }
        let mut indices = Vec::with_capacity(count);
        for (first, byte) in (0_u32..).step_by(PER_BYTE).zip(self.touched.iter()) {
            indices.extend(
                (0..8)
                    .filter(|bit| byte >> bit & 1 == 1)
                    .map(|bit| first + bit),
            );
        }
        Ok(indices)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{decode, encode};

    fn witness(indices: impl IntoIterator<Item = u32>, fill: impl Fn(u32) -> Vec<u8>) -> Witness {
        let page = |index| WitnessPage {
            index,
            bytes: ByteBuf::from(fill(index)),
        };
        Witness {
            wasm_pages: 7,
            globals: vec![u64::MAX, 0],
            pages: indices.into_iter().map(page).collect(),
            siblings: vec![Digest::new([7; 32])],
        }
    }

    /// What nothing compresses.
    fn noise(index: u32) -> Vec<u8> {
        let mut state = u64::from(index) + 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        (0..PAGE_BYTES / 8).flat_map(|_| next()).collect()
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(
            indices in proptest::collection::btree_set(0..PAGES, 0..200),
            zeros in 1_u32..5,
        ) {
            let fill = |index: u32| match index % zeros {
                0 => Vec::new(),
                _ => vec![index as u8 | 1; PAGE_BYTES],
            };
            let whole = witness(indices, fill);
            let packed = PackedWitness::of(&whole).unwrap();
            let travelled: PackedWitness = decode(&encode(&packed).unwrap()).unwrap();
            prop_assert_eq!(travelled.unpack(), Ok(whole));
        }

        #[test]
        fn another_map_is_of_other_pages(at in 0_usize..1000, bit in 0_u8..8) {
            let whole = witness((0..70).map(|it| it * 3), noise);
            let mut packed = PackedWitness::of(&whole).unwrap();
            let at = at % packed.touched.len();
            packed.touched[at] ^= 1_u8 << bit;
            prop_assert_ne!(packed.unpack(), Ok(whole));
        }
    }

    #[test]
    fn the_largest_witness_is_within_its_limit() {
        let largest = witness((0..).step_by(2).take(WITNESS_PAGES_MAX), noise);
        let siblings = vec![Digest::new([7; 32]); WITNESS_PAGES_MAX];
        let largest = Witness {
            siblings,
            ..largest
        };
        let packed = PackedWitness::of(&largest).unwrap();
        let bytes = encode(&packed).unwrap();
        assert!(bytes.len() > WITNESS_PAGES_MAX * PAGE_BYTES);
        assert_eq!(
            decode::<PackedWitness>(&bytes).unwrap().unpack(),
            Ok(largest)
        );
    }

    #[test]
    fn pieces_hold_what_the_map_says_and_no_more() {
        let packed = PackedWitness::of(&witness(0..65, noise)).unwrap();
        let refused = |change: fn(&mut PackedWitness)| {
            let mut other = packed.clone();
            change(&mut other);
            assert_eq!(other.unpack(), Err(PagesFault::Packed));
        };
        refused(|it| it.touched.push(0));
        refused(|it| it.touched.push(1));
        refused(|it| it.touched.truncate(8));
        refused(|it| drop(it.pieces.pop()));
        refused(|it| it.pieces.push(ByteBuf::new()));
        refused(|it| it.pieces.swap(0, 1));
        refused(|it| it.pieces[1].clear());
        refused(|it| it.pieces[1].push(0));
        // A block that says a hundred times what its place holds.
        refused(|it| {
            it.pieces[1] = ByteBuf::from(lz4_flex::block::compress(&[0; 100 * PAGE_BYTES]))
        });
        refused(|it| it.touched = ByteBuf::from(vec![0xff; WITNESS_PAGES_MAX / 8 + 1]));
    }
}
