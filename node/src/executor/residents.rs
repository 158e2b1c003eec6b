//! Processes that are kept in memory between jobs, and their bound (rule XE-4).

use std::collections::BTreeMap;
use std::sync::Arc;

use surety_attest::engine::Resident;
use surety_protocol::id::{Digest, ProcessId, ProfileId};
use surety_protocol::profiles::Stride;
use surety_protocol::witness::PAGE_BYTES;

use super::setting::Setting;
use crate::archive::Series;

/// What a process takes beside its pages: instance, tree, mappings, its items.
const PROCESS_BYTES: u64 = 256 << 10;

/// A resident process and how many inputs it has seen, after which history.
pub(super) struct Held {
    pub(super) setting: Arc<Setting>,
    pub(super) size: u64,
    pub(super) history: Option<Digest>,
    /// Under which profile it runs, and what has come since the last state root.
    pub(super) profile: ProfileId,
    pub(super) stride: Stride,
    pub(super) resident: Box<dyn Resident>,
    /// Pages that are not zero, as of the last state root.
    pub(super) pages: usize,
}

impl Held {
    /// Each page is there three times: in the guest's memory, as the worker's state of before, and here. The module counts as
    /// if no other process had it.
    fn bytes(&self) -> u64 {
        let pages = self.pages.saturating_mul(3 * PAGE_BYTES);
        let bytes = pages.saturating_add(self.setting.module.bytes().len());
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        bytes.saturating_add(PROCESS_BYTES)
    }
}

type Owner = (u8, ProcessId);

const fn owner(series: Series, process: &ProcessId) -> Owner {
    (series as u8, *process)
}

/// The residents, of which the longest unused go when they are too many.
pub(super) struct Residents {
    bytes_max: u64,
    bytes: u64,
    used: u64,
    held: BTreeMap<Owner, (u64, Held)>,
    by_use: BTreeMap<u64, Owner>,
}

impl Residents {
    pub(super) const fn new(bytes_max: u64) -> Residents {
        Residents {
            bytes_max,
            bytes: 0,
            used: 0,
            held: BTreeMap::new(),
            by_use: BTreeMap::new(),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.held.len()
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes a process out, to be used; whoever does puts it back.
    pub(super) fn take(&mut self, series: Series, process: &ProcessId) -> Option<Held> {
        self.remove(&owner(series, process))
    }

    /// Takes those out that are gone with their worker.
    pub(super) fn take_lost(&mut self) -> Vec<Held> {
        let lost = self
            .held
            .iter()
            .filter(|(_, (_, it))| it.resident.is_lost());
        let lost: Vec<Owner> = lost.map(|(owner, _)| *owner).collect();
        lost.iter().filter_map(|owner| self.remove(owner)).collect()
    }

    /// Puts a process in, gives those that have to go for it. The last used stays, however large it is.
    pub(super) fn put(&mut self, series: Series, process: &ProcessId, held: Held) -> Vec<Held> {
        let owner = owner(series, process);
        let mut gone: Vec<Held> = self.remove(&owner).into_iter().collect();
        self.used = self.used.wrapping_add(1);
        self.bytes = self.bytes.saturating_add(held.bytes());
        self.held.insert(owner, (self.used, held));
        self.by_use.insert(self.used, owner);
        while self.bytes > self.bytes_max && self.held.len() > 1 {
            let Some((_, oldest)) = self.by_use.first_key_value() else {
                break;
            };
            let oldest = *oldest;
            gone.extend(self.remove(&oldest));
        }
        gone
    }

    fn remove(&mut self, owner: &Owner) -> Option<Held> {
        let (used, held) = self.held.remove(owner)?;
        self.by_use.remove(&used);
        self.bytes = self.bytes.saturating_sub(held.bytes());
        Some(held)
    }
}
