//! The profiles of a network, and which of them an input executes under.
//!
//! Blocks of the ledger and slots of a process have no order of their own. What orders them is in the log: every
//! assignment is stamped with a block height, and the scheduler signed that. So the log alone decides what runs, and an
//! auditor who holds nothing but the inputs of one stretch sees the same profile as everybody else.
//!
//! # Rules
//!
//! - `[PR-3]` A network has at most [`PROFILES_MAX`] profiles, each holding from a height on: the first from 0, every later
//!   one from a greater height than the one before. Version, memory and module size never shrink, so that what ran goes on.
//! - `[PR-4]` An input's stamp is the `Block-Height` of its assignment. All inputs of a stride execute under one profile: the
//!   one that holds at the stamp of the first of them. So a change takes effect where the next stride begins.
//! - `[PR-5]` The profile that holds at a height is the last that holds from that height or before. Profiles are only ever
//!   added, and at heights that no input can be stamped with yet, so it never changes.

use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::codec::{self, CodecError, Wire};
use crate::hash::{Domain, digest};
use crate::id::ProfileId;
use crate::profile::Profile;
use crate::time::{Height, Slot};

/// Profiles that one network may have: nodes execute all of them, for as long as logs are replayed from slot 0.
pub const PROFILES_MAX: usize = 16;

/// A profile and the height from which it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Activation {
    /// The first height.
    pub from: Height,
    /// The profile.
    pub profile: Profile,
}

impl Wire for Activation {
    const KIND: u8 = 53;
    const BYTES_MAX: usize = 256;
}

/// Why profiles are not those of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotProfiles {
    /// None, or more than [`PROFILES_MAX`].
    #[error("a network has one to sixteen profiles")]
    Count,
    /// Not from 0 on and ascending.
    #[error("profiles hold from height 0 on, each from a greater height than the one before")]
    Height,
    /// Without bounds (rule PR-6).
    #[error("the numbers of a profile are out of bounds")]
    Unbounded,
    /// Less version, memory or module size than before.
    #[error("a later profile has no lower version and no less memory or module size")]
    Shrinks,
}

/// One of a network's profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The first height.
    pub from: Height,
    /// The profile.
    pub profile: Profile,
    /// Its id, which names all before it too (rule PR-1).
    pub id: ProfileId,
}

/// The profiles of a network, in order (rule PR-3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Activation>", into = "Vec<Activation>")]
pub struct Profiles {
    first: Holding,
    later: Vec<Holding>,
}

impl Profiles {
    /// One profile, from the genesis on.
    ///
    /// # Errors
    /// If it is not bounded.
    pub fn of(profile: Profile) -> Result<Profiles, NotProfiles> {
        let from = Height(0);
        Profiles::try_from(vec![Activation { from, profile }])
    }

    /// Adds a profile.
    ///
    /// # Errors
    /// The part of rule PR-3 that it breaks.
    pub fn add(&mut self, next: Activation) -> Result<(), NotProfiles> {
        let last = self.last();
        if self.later.len() >= PROFILES_MAX - 1 {
            return Err(NotProfiles::Count);
        }
        if next.from <= last.from {
            return Err(NotProfiles::Height);
        }
        if !next.profile.bounded() {
            return Err(NotProfiles::Unbounded);
        }
        if next.profile.version < last.profile.version
            || next.profile.memory_bytes_max < last.profile.memory_bytes_max
            || next.profile.module_bytes_max < last.profile.module_bytes_max
        {
            return Err(NotProfiles::Shrinks);
        }
        let id = next
            .id_after(&last.id)
            .map_err(|_| NotProfiles::Unbounded)?;
        self.later.push(Holding {
            from: next.from,
            profile: next.profile,
            id,
        });
        Ok(())
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Holding> {
        std::iter::once(&self.first).chain(&self.later)
    }

    /// The last.
    pub fn last(&self) -> &Holding {
        self.later.last().unwrap_or(&self.first)
    }

    /// The profile that holds at a height (rule PR-5).
    pub fn at(&self, height: Height) -> &Holding {
        self.later
            .iter()
            .rfind(|it| it.from <= height)
            .unwrap_or(&self.first)
    }

    /// The profiles up to the one with this id, if it is one of them.
    pub fn until(&self, id: &ProfileId) -> Option<Profiles> {
        let place = self.iter().position(|it| it.id == *id)?;
        Some(Profiles {
            first: self.first.clone(),
            later: self.later.get(..place)?.to_vec(),
        })
    }

    /// Whether a profile is one of them.
    pub fn contain(&self, profile: &Profile) -> bool {
        self.iter().any(|it| it.profile == *profile)
    }
}

impl Activation {
    fn id_after(&self, before: &ProfileId) -> Result<ProfileId, CodecError> {
        let parts: [&[u8]; 3] = [
            before.as_bytes(),
            &self.from.0.to_be_bytes(),
            &codec::encode(&self.profile)?,
        ];
        Ok(digest(Domain::PROFILE, &parts).into())
    }
}

impl TryFrom<Vec<Activation>> for Profiles {
    type Error = NotProfiles;

    fn try_from(all: Vec<Activation>) -> Result<Profiles, NotProfiles> {
        let mut all = all.into_iter();
        let first = all.next().ok_or(NotProfiles::Count)?;
        if first.from != Height(0) {
            return Err(NotProfiles::Height);
        }
        if !first.profile.bounded() {
            return Err(NotProfiles::Unbounded);
        }
        let id = first.profile.id().map_err(|_| NotProfiles::Unbounded)?;
        let mut profiles = Profiles {
            first: Holding {
                from: first.from,
                profile: first.profile,
                id,
            },
            later: Vec::new(),
        };
        all.try_for_each(|next| profiles.add(next))?;
        Ok(profiles)
    }
}

impl From<Profiles> for Vec<Activation> {
    fn from(profiles: Profiles) -> Vec<Activation> {
        std::iter::once(profiles.first)
            .chain(profiles.later)
            .map(|Holding { from, profile, .. }| Activation { from, profile })
            .collect()
    }
}

/// Under which profile an input was executed, and the stamp that decided it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Ruling {
    /// The profile.
    pub profile: ProfileId,
    /// The stamp of the first input of its stride.
    pub height: Height,
}

/// The inputs since the last state root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stride {
    /// The stamp of the first of them.
    begun: Option<Height>,
    inputs: u64,
    gas: u64,
}

impl Stride {
    /// How many there are.
    pub const fn inputs(&self) -> u64 {
        self.inputs
    }

    /// The stamp that decides the profile of the next input, which has this stamp itself (rule PR-4).
    pub fn height(&self, stamp: Height) -> Height {
        self.begun.unwrap_or(stamp)
    }

    /// Counts an input with this stamp; whether a state root is due after it (rule PR-2). The process' own, at slot 0, is a
    /// stride for itself.
    pub fn advance(&mut self, profiles: &Profiles, slot: Slot, stamp: Height, gas: u64) -> bool {
        let height = self.height(stamp);
        let profile = &profiles.at(height).profile;
        let (inputs, gas) = (self.inputs.saturating_add(1), self.gas.saturating_add(gas));
        let ends = slot == Slot(0) || profile.ends_stride(inputs, gas);
        self.count(height, gas, inputs, ends);
        ends
    }

    /// Counts an input of which is known what it took and whether a state root stands after it.
    pub fn follow(&mut self, height: Height, gas: u64, ends: bool) {
        let (inputs, gas) = (self.inputs.saturating_add(1), self.gas.saturating_add(gas));
        self.count(height, gas, inputs, ends);
    }

    fn count(&mut self, height: Height, gas: u64, inputs: u64, ends: bool) {
        *self = match ends {
            true => Stride::default(),
            false => Stride {
                begun: Some(height),
                inputs,
                gas,
            },
        };
    }
}

#[cfg(test)]
mod tests;
