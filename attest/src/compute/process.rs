//! One process of a compute unit: its history as evaluated here, and where its claims stand.

use surety_protocol::claim::{Claim, Leaf};
use surety_protocol::hashpath::Hashpath;
use surety_protocol::history::History;
use surety_protocol::id::{Digest, ModuleId, NetworkId, ProcessId};
use surety_protocol::machine::Outbox;
use surety_protocol::merkle;
use surety_protocol::profiles::{Ruling, Stride};
use surety_protocol::time::{Height, Slot, Tick};

use crate::effect::{Effect, Job};

/// Inputs of one job.
const JOB_INPUTS: u64 = 16;

/// How a process stands after a leaf.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// The root of the state, where a stride ends or a job ended: claims end at such leaves only (rule CU-7).
    pub(super) state: Option<Digest>,
    /// When it was evaluated.
    pub(super) at: Tick,
    pub(super) hashpath: Hashpath,
    /// The profile under which the leaf was evaluated.
    pub(super) ruling: Ruling,
    /// The inputs since the last state root.
    pub(super) stride: Stride,
}

/// One process as this compute unit keeps up with it.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) module: ModuleId,
    pub(super) history: History,
    pub(super) leaves: Vec<Leaf>,
    /// What is after each leaf.
    pub(super) heads: Vec<Head>,
    pub(super) hashpath: Hashpath,
    pub(super) log_size: u64,
    pub(super) executing: bool,
    /// What is being executed is of a branch of the log that was given up.
    pub(super) stale: bool,
    pub(super) retry_at: Tick,
    pub(super) stride: Stride,
    /// Leaves below this are claimed.
    pub(super) cut: u64,
    /// The height since which claims wait, of which nothing was certified.
    pub(super) waits_since: Height,
    /// A fault to play, for the demonstration that it is caught: the next claim ends with this slot.
    pub(super) force_cut: Option<Slot>,
    pub(super) certified: u64,
    pub(super) certified_root: Digest,
    pub(super) signing: bool,
}

impl Process {
    pub(super) fn new(process: ProcessId, module: ModuleId) -> Process {
        Process {
            module,
            history: History::new(),
            leaves: Vec::new(),
            heads: Vec::new(),
            hashpath: Hashpath::start(process),
            log_size: 0,
            executing: false,
            stale: false,
            retry_at: Tick(0),
            stride: Stride::default(),
            cut: 0,
            waits_since: Height(0),
            force_cut: None,
            certified: 0,
            certified_root: merkle::root(&[]),
            signing: false,
        }
    }

    pub(super) fn append(&mut self, at: Tick, leaf: Leaf, state: Option<Digest>, ruling: Ruling) {
        let Ok(digest) = leaf.digest() else { return };
        self.history.append(digest);
        self.hashpath = self.hashpath.extend(leaf.assignment);
        self.stride
            .follow(ruling.height, leaf.gas, leaf.state_root.is_some());
        self.heads.push(Head {
            state,
            at,
            hashpath: self.hashpath,
            ruling,
            stride: self.stride,
        });
        self.leaves.push(leaf);
    }

    /// Takes back all but the first `size` leaves, and of these what comes after the last at which a claim can end.
    ///
    /// A scheduler that breaks its log's chain has this done as often as it likes, so nothing that stays is done again.
    pub(super) fn rewind(&mut self, process: ProcessId, size: u64) {
        let size = self.headed(size);
        let keep = usize::try_from(size).unwrap_or(usize::MAX);
        self.history.truncate(size);
        self.leaves.truncate(keep);
        self.heads.truncate(keep);
        (self.hashpath, self.stride) = self.heads.last().map_or_else(
            || (Hashpath::start(process), Stride::default()),
            |it| (it.hashpath, it.stride),
        );
        // A claim that is being signed does not hold up those after it.
        self.signing = false;
        if self.cut <= size {
            return;
        }
        // [CU-4] Where a claim ended within what was given up, only a certified end is safe to go on from.
        let ours = self.history.root_at(self.certified) == Some(self.certified_root);
        self.cut = if ours { self.certified } else { 0 };
    }

    /// Asks for the next inputs to be evaluated (rule CU-1).
    pub(super) fn evaluate(&mut self, now: Tick, process: ProcessId, out: &mut Outbox<Effect>) {
        if self.executing || now < self.retry_at {
            return;
        }
        // What was left of a job cannot be claimed.
        if self.headed(self.history.size()) < self.history.size() {
            self.rewind(process, self.history.size());
        }
        let size = self.history.size();
        let mut end = self.log_size.min(size.saturating_add(JOB_INPUTS));
        if let Some(slot) = self.force_cut.filter(|slot| slot.0 >= size) {
            end = end.min(slot.next().0);
        }
        if size >= end {
            return;
        }
        self.executing = true;
        out.push(Effect::Execute(Job::Evaluate {
            process,
            from: Slot(size),
            count: end.saturating_sub(size),
            stride: self.stride,
        }));
    }

    /// Whether neither time nor a block can move it on: all of its log is evaluated, claimed and certified.
    pub(super) fn rests(&self) -> bool {
        let size = self.history.size();
        let done = self.log_size <= size && self.cut == size && self.certified == size;
        done && !self.executing && !self.signing && self.force_cut.is_none()
    }

    /// What is after the first `size` leaves.
    pub(super) fn head(&self, size: u64) -> Option<&Head> {
        self.heads.get(usize::try_from(size.checked_sub(1)?).ok()?)
    }

    /// The most leaves, at most `size`, after which a claim can end; 0 if there are none such.
    pub(super) fn headed(&self, size: u64) -> u64 {
        last(&self.heads, size, |it| it.state.is_some())
    }

    /// Where the next claim ends that has at most the first `size` leaves (rules CU-2 and CU-7).
    pub(super) fn end(&self, size: u64) -> u64 {
        let root = last(&self.leaves, size, |it| it.state_root.is_some());
        if root > self.cut {
            return root;
        }
        self.headed(size)
    }

    /// The end, at most at `size`, of the unclaimed leaves that are of one profile (rule CL-7).
    pub(super) fn same_profile(&self, size: u64) -> u64 {
        let mut end = self.cut;
        let first = self.head(end.saturating_add(1)).map(|it| it.ruling.profile);
        while end < size && self.head(end.saturating_add(1)).map(|it| it.ruling.profile) == first {
            end = end.saturating_add(1);
        }
        end
    }

    pub(super) fn claim(
        &self,
        network: NetworkId,
        process: ProcessId,
        size: u64,
    ) -> Option<(Claim, Vec<Leaf>)> {
        let new = usize::try_from(self.cut).ok()?..usize::try_from(size).ok()?;
        let leaves = self.leaves.get(new)?.to_vec();
        let Head {
            state,
            hashpath,
            ruling,
            ..
        } = *self.head(size)?;
        let claim = Claim {
            network,
            profile: ruling.profile,
            height: ruling.height,
            module: self.module,
            process,
            fork: 0,
            size,
            history_root: self.history.root_at(size)?,
            first_new: self.cut,
            base_root: self.history.root_at(self.cut)?,
            hashpath,
            head_state_root: state?,
        };
        Some((claim, leaves))
    }
}

/// How many there are up to the last of the first `size` that is so.
fn last<T>(of: &[T], size: u64, so: impl Fn(&T) -> bool) -> u64 {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let first = of.get(..size).unwrap_or(of);
    let place = first.iter().rposition(so);
    place.map_or(0, |place| {
        u64::try_from(place).unwrap_or(u64::MAX).saturating_add(1)
    })
}
