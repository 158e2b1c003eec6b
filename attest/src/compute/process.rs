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
    pub(super) state: Digest,
    pub(super) hashpath: Hashpath,
    /// The profile under which the leaf was evaluated.
    pub(super) ruling: Ruling,
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
    pub(super) cut_at: Height,
    /// When the oldest unclaimed leaf came.
    pub(super) unclaimed_since: Option<Tick>,
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
            cut_at: Height(0),
            unclaimed_since: None,
            certified: 0,
            certified_root: merkle::root(&[]),
            signing: false,
        }
    }

    pub(super) fn append(&mut self, leaf: Leaf, state: Digest, ruling: Ruling) {
        let Ok(digest) = leaf.digest() else { return };
        self.history.append(digest);
        self.hashpath = self.hashpath.extend(leaf.assignment);
        self.heads.push(Head {
            state,
            hashpath: self.hashpath,
            ruling,
        });
        self.stride
            .follow(ruling.height, leaf.gas, leaf.state_root.is_some());
        self.leaves.push(leaf);
    }

    /// Starts over and takes back what stays valid.
    pub(super) fn rewind(&mut self, process: ProcessId, size: u64) {
        let keep = usize::try_from(size).unwrap_or(usize::MAX);
        let leaves: Vec<Leaf> = self.leaves.iter().take(keep).cloned().collect();
        let heads = std::mem::take(&mut self.heads);
        let fresh = Process::new(process, self.module);
        let old = std::mem::replace(self, fresh);
        self.log_size = old.log_size;
        self.executing = old.executing;
        self.stale = old.stale;
        self.certified = old.certified;
        self.certified_root = old.certified_root;
        for (leaf, head) in leaves.into_iter().zip(heads) {
            self.append(leaf, head.state, head.ruling);
        }
        // [CU-4] Where a claim ended within what was given up, only a certified end is safe to go on from.
        let safe = if self.history.root_at(old.certified) == Some(old.certified_root) {
            old.certified
        } else {
            0
        };
        self.cut = if old.cut <= size { old.cut } else { safe };
        self.unclaimed_since = (self.history.size() > self.cut).then_some(Tick(0));
    }

    /// Asks for the next inputs to be evaluated (rule CU-1).
    pub(super) fn evaluate(&mut self, now: Tick, process: ProcessId, out: &mut Outbox<Effect>) {
        let size = self.history.size();
        if self.executing || size >= self.log_size || now < self.retry_at {
            return;
        }
        self.executing = true;
        out.push(Effect::Execute(Job::Evaluate {
            process,
            from: Slot(size),
            count: self.log_size.saturating_sub(size).min(JOB_INPUTS),
            stride: self.stride,
        }));
    }

    /// What is after the first `size` leaves.
    pub(super) fn head(&self, size: u64) -> Option<&Head> {
        self.heads.get(usize::try_from(size.checked_sub(1)?).ok()?)
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
            head_state_root: state,
        };
        Some((claim, leaves))
    }
}
