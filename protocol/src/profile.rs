//! Execution profiles: everything, besides its inputs, that gives an execution its meaning.
//!
//! # Rules
//!
//! - `[PR-1]` The id of a network's first profile is `digest(PROFILE, [canonical encoding])`, that of each later one
//!   `digest(PROFILE, [id of the one before, height from which it holds, canonical encoding])`. Its `version` names the
//!   rules that are not numbers: the cost of instructions, the host functions, the commitment to a state.
//! - `[PR-2]` A stride ends with its `stride`-th input, or with the input that brings the gas since the last state root to
//!   `stride_gas_max`, whichever comes first; so a stride holds less than `stride_gas_max + gas_max` of gas.
//! - `[PR-6]` Every number is at least 1 and bounded: stack and memory by those of profile 1, the others by
//!   [`FACTOR_MAX`] times those.
//! - `[PR-7]` All that evidence about a stride can need fits an evidence file, whatever the stride does: a module, a process, all of
//!   its memory and all its inputs. So there is no claim that could be false and not be refuted.

use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::codec::{self, CodecError, Wire};
use crate::evidence::EVIDENCE_BYTES_MAX;
use crate::hash::{Domain, digest};
use crate::id::ProfileId;
use crate::limits::ITEM_BYTES_MAX;
use crate::witness::{PAGE_BYTES, packed_bytes_max};

/// How much more than the first profile another may let an execution take.
const FACTOR_MAX: u64 = 16;
/// The version that this program executes.
const VERSION: u32 = 1;
/// Gas of a byte of an input's items (rule EN-9).
const GAS_PER_ITEM_BYTE: u64 = 128;
/// Bytes of an input's items at most: an assignment and a message.
const INPUT_BYTES_MAX: u64 = 2 * ITEM_BYTES_MAX as u64;
/// Bytes in an evidence file that grow neither with memory nor with items: leaves, paths, profiles, signatures.
const EVIDENCE_FRAME: u64 = 1 << 20;

/// The numbers of one profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Profile {
    /// The rules that are not numbers.
    pub version: u32,
    /// Gas of one input, and of a module's boot.
    pub gas_max: u64,
    /// Inputs from one state root to the next.
    pub stride: u64,
    /// Gas since the last state root after which the next one is due.
    pub stride_gas_max: u64,
    /// Slots of the stack (rule GA-5).
    pub stack_slots_max: u32,
    /// Bytes of linear memory.
    pub memory_bytes_max: u64,
    /// Bytes of a module.
    pub module_bytes_max: u64,
    /// Bytes of a module's reply, without the final zero.
    pub reply_bytes_max: u64,
}

impl Wire for Profile {
    const KIND: u8 = 52;
    const BYTES_MAX: usize = 256;
}

impl Profile {
    /// The first profile.
    pub const fn v1() -> Self {
        Self {
            version: VERSION,
            // One to three seconds of one core; an ordinary AOS message takes five million.
            gas_max: 9_000_000_000,
            // Consecutive AOS messages touch nearly the same pages, so sixteen share one
            // commitment.
            stride: 16,
            stride_gas_max: 2_000_000_000,
            // More than AOS needs for coroutines nested as deep as Lua lets them, the host's share included; natively a slot
            // takes about ten bytes.
            stack_slots_max: 262_144,
            // What a witness can hold.
            memory_bytes_max: 256 << 20,
            // AOS has 0.8 MB, AOS with SQLite 3.2 MB.
            module_bytes_max: 8 << 20,
            reply_bytes_max: 8 << 20,
        }
    }

    /// Its id as a network's first profile (rule PR-1).
    ///
    /// # Errors
    /// Never: eight numbers fit the limit.
    pub fn id(&self) -> Result<ProfileId, CodecError> {
        Ok(digest(Domain::PROFILE, &[&codec::encode(self)?]).into())
    }

    /// Whether this program knows the rules that are not numbers.
    pub const fn executable(&self) -> bool {
        self.version == VERSION
    }

    /// Gas of an input for the bytes of its items (rule EN-9).
    pub const fn input_gas(bytes: u64) -> u64 {
        bytes.saturating_mul(GAS_PER_ITEM_BYTE)
    }

    /// Gas that a stride holds less than (rule PR-2).
    pub const fn stride_gas_bound(&self) -> u64 {
        let last = self
            .gas_max
            .saturating_add(Profile::input_gas(INPUT_BYTES_MAX));
        self.stride_gas_max.saturating_add(last)
    }

    /// Bytes of an evidence file about a stride at most (rule PR-7).
    fn evidence_bytes(&self) -> u64 {
        let memory_bytes = usize::try_from(self.memory_bytes_max).unwrap_or(usize::MAX);
        let witness = packed_bytes_max(memory_bytes.div_ceil(PAGE_BYTES));
        // The process, the registration, and whatever is around a module.
        let items = 3 * ITEM_BYTES_MAX as u64;
        // All but the last are paid for before a root is due.
        let inputs = self.stride_gas_max / GAS_PER_ITEM_BYTE;
        [
            witness as u64,
            self.module_bytes_max,
            items,
            inputs,
            INPUT_BYTES_MAX,
        ]
        .into_iter()
        .fold(EVIDENCE_FRAME, u64::saturating_add)
    }

    /// Whether an execution under it is bounded (rule PR-6), and a lie about it can be proven (rule PR-7).
    pub fn bounded(&self) -> bool {
        let v1 = Profile::v1();
        let within = |number: u64, most: u64| (1..=most).contains(&number);
        let factor = |number: u64, usual: u64| within(number, usual.saturating_mul(FACTOR_MAX));
        factor(self.gas_max, v1.gas_max)
            && factor(self.stride, v1.stride)
            && factor(self.stride_gas_max, v1.stride_gas_max)
            && within(self.stack_slots_max.into(), v1.stack_slots_max.into())
            && within(self.memory_bytes_max, v1.memory_bytes_max)
            && factor(self.module_bytes_max, v1.module_bytes_max)
            && factor(self.reply_bytes_max, v1.reply_bytes_max)
            && self.evidence_bytes() <= EVIDENCE_BYTES_MAX as u64
    }

    /// Whether a state root is due after an input (rule PR-2): `inputs` and `gas` count from the last root, this input included.
    pub const fn ends_stride(&self, inputs: u64, gas: u64) -> bool {
        inputs >= self.stride || gas >= self.stride_gas_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_part_of_the_id() {
        let v1 = Profile::v1();
        let others = [
            Profile {
                version: 2,
                ..v1.clone()
            },
            Profile {
                gas_max: 1,
                ..v1.clone()
            },
            Profile {
                stride: 1,
                ..v1.clone()
            },
            Profile {
                stride_gas_max: 1,
                ..v1.clone()
            },
            Profile {
                stack_slots_max: 1,
                ..v1.clone()
            },
            Profile {
                memory_bytes_max: 1,
                ..v1.clone()
            },
            Profile {
                module_bytes_max: 1,
                ..v1.clone()
            },
            Profile {
                reply_bytes_max: 1,
                ..v1.clone()
            },
        ];
        for other in others {
            assert_ne!(v1.id().unwrap(), other.id().unwrap());
        }
    }

    #[test]
    fn a_stride_ends_by_count_or_by_gas() {
        let v1 = Profile::v1();
        assert!(!v1.ends_stride(15, 1));
        assert!(v1.ends_stride(16, 1));
        assert!(!v1.ends_stride(1, v1.stride_gas_max - 1));
        assert!(v1.ends_stride(1, v1.stride_gas_max));
    }

    #[test]
    fn what_could_not_be_proven_is_no_profile() {
        let v1 = Profile::v1();
        assert!(v1.bounded());
        let larger = [
            Profile {
                memory_bytes_max: v1.memory_bytes_max + 1,
                ..v1.clone()
            },
            Profile {
                module_bytes_max: v1.module_bytes_max * 8,
                ..v1.clone()
            },
            Profile {
                stride_gas_max: v1.stride_gas_max * 8,
                ..v1.clone()
            },
        ];
        for profile in larger {
            assert!(!profile.bounded(), "{profile:?}");
        }
        // Less memory leaves room for more of something else.
        let other = Profile {
            memory_bytes_max: v1.memory_bytes_max / 2,
            module_bytes_max: v1.module_bytes_max * 8,
            ..v1
        };
        assert!(other.bounded());
    }
}
