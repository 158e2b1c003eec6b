//! Coming to the state of a process after so many inputs: from what is kept, and by replay (rule XE-1).

use std::collections::BTreeSet;
use std::sync::Arc;

use surety_attest::message;
use surety_attest::state::Snapshot;
use surety_protocol::assignment::Assignment;
use surety_protocol::id::{Digest, ProcessId};
use surety_protocol::profiles::{Profiles, Stride};
use surety_protocol::time::{Height, Slot};

use super::residents::Held;
use super::setting::Setting;
use super::{Executor, Failure};
use crate::archive::Series;

/// A state of a process that a claim rests on, or lies within.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    /// After so many inputs.
    pub(super) size: u64,
    /// Its root.
    pub(super) root: Digest,
    /// Inputs before the claim.
    pub(super) base: u64,
}

impl Executor {
    /// The process in the state after `size` inputs, from the nearest snapshot (rule XE-1).
    pub(super) fn held_at(
        &self,
        profiles: &Profiles,
        setting: Arc<Setting>,
        process: &ProcessId,
        size: u64,
    ) -> Result<Held, Failure> {
        let before = self
            .archive
            .state_before(Series::Evaluated, process, size)?;
        self.replayed(profiles, setting, process, before, size)
    }

    /// The process from a state that ends a stride, or from its boot, brought to the state after `size` inputs.
    pub(super) fn replayed(
        &self,
        profiles: &Profiles,
        setting: Arc<Setting>,
        process: &ProcessId,
        before: Option<(u64, Snapshot)>,
        size: u64,
    ) -> Result<Held, Failure> {
        let mut held = match before {
            Some(before) => self.restored(profiles, setting, process, before)?,
            None => self.boot(profiles, setting, process)?,
        };
        while held.size < size {
            self.apply(profiles, &mut held, process, &[])?;
        }
        Ok(held)
    }

    fn restored(
        &self,
        profiles: &Profiles,
        setting: Arc<Setting>,
        process: &ProcessId,
        (size, snapshot): (u64, Snapshot),
    ) -> Result<Held, Failure> {
        self.metrics.wakes.inc();
        // What comes next may show another profile yet.
        let last = self.assignment(process, Slot(size.saturating_sub(1)))?;
        let holding = profiles.at(Height(last.block_height));
        let engine = self.engines.of(&holding.profile)?;
        Ok(Held {
            size,
            history: None,
            profile: holding.id,
            stride: Stride::default(),
            resident: engine.restore(&setting.program(&holding.profile), &snapshot)?,
            pages: snapshot.pages.len(),
            setting,
        })
    }

    pub(super) fn boot(
        &self,
        profiles: &Profiles,
        setting: Arc<Setting>,
        process: &ProcessId,
    ) -> Result<Held, Failure> {
        let first = self.assignment(process, Slot(0))?;
        let holding = profiles.at(Height(first.block_height));
        let engine = self.engines.of(&holding.profile)?;
        let program = setting.program(&holding.profile);
        let mut resident = engine.boot(&program, message::clock(&first))?;
        Ok(Held {
            size: 0,
            history: None,
            profile: holding.id,
            stride: Stride::default(),
            pages: resident.snapshot()?.pages.len(),
            resident,
            setting,
        })
    }

    /// The state with a root that a process has after some inputs, where a stride ends: as it is kept, or by replay of at most
    /// `inputs_max` inputs from an earlier one (rule SK-4); nothing if that is too far, or gives another state.
    pub(super) fn state_at(
        &self,
        profiles: &Profiles,
        setting: &Arc<Setting>,
        process: &ProcessId,
        target: Target,
        inputs_max: u64,
    ) -> Result<Option<Snapshot>, Failure> {
        if let Some(snapshot) = self.archive.state(&target.root)? {
            return Ok(Some(snapshot));
        }
        let mut places = BTreeSet::new();
        // What is kept at the place itself has another root; what is kept behind the claim's base may have been executed under
        // other profiles than the claim's.
        for most in [target.size.saturating_sub(1), target.base] {
            for series in [Series::Evaluated, Series::Checked] {
                let found = self
                    .archive
                    .place_before(series, process, most.min(target.size))?;
                places.extend(found.filter(|(at, _)| target.size - at <= inputs_max));
            }
        }
        let kept = places.into_iter().rev().map(Some);
        let starts = kept.chain((target.size <= inputs_max).then_some(None));
        for start in starts {
            let before = match start {
                None => None,
                Some((at, root)) => match self.archive.state(&root)? {
                    // It was thinned out meanwhile.
                    None => continue,
                    Some(snapshot) => Some((at, snapshot)),
                },
            };
            let held = self.replayed(profiles, Arc::clone(setting), process, before, target.size);
            let mut held = match held {
                // Not all inputs are here.
                Err(Failure::Missing(_)) => continue,
                held => held?,
            };
            if held.resident.state_root()? == target.root {
                return Ok(Some(held.resident.snapshot()?));
            }
        }
        Ok(None)
    }

    fn assignment(&self, process: &ProcessId, slot: Slot) -> Result<Assignment, Failure> {
        let input = self.input(process, slot)?;
        Assignment::from_item(&input.assignment).map_err(|_| Failure::Input(slot))
    }
}
