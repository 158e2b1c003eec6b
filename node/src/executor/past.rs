//! The state of a process after any of its inputs, made for whoever asks, and what a message would do there. It is made beside what
//! the node evaluates, and nothing of it is kept.
//!
//! # Rules
//!
//! - `[XE-7]` A state that is asked for is that after exactly the input that is meant. What is replayed for it are 256 inputs at
//!   most, which took no more gas than a stride may hold; a state that would take more is refused.

use surety_attest::engine::{Message, StepOutcome};
use surety_attest::state::Snapshot;
use surety_protocol::id::ProcessId;
use surety_protocol::profiles::Profiles;
use surety_protocol::time::{Height, Slot};

use super::residents::Held;
use super::{Executor, Failure};
use crate::archive::Series;

/// Inputs that are replayed: as many as the longest stride of any profile has (rule PR-6).
const INPUTS_MAX: u64 = if cfg!(test) { 8 } else { 256 };
/// A dry run takes one part in so many of the gas that an input may take: it is to tell what processes say, which is cheap, and
/// nobody pays for it.
const GAS_SHARE: u64 = 10;

impl Executor {
    /// The state after so many inputs, of those that are evaluated.
    ///
    /// # Errors
    /// Why it cannot be had here (rule XE-7).
    pub fn state_after(
        &self,
        profiles: &Profiles,
        process: &ProcessId,
        size: u64,
    ) -> Result<Snapshot, Failure> {
        let before = self.kept_before(profiles, process, size)?;
        match before {
            Some((at, kept)) if at == size => Ok(kept),
            before => Ok(self
                .at(profiles, process, before, size)?
                .resident
                .snapshot()?),
        }
    }

    /// What a message would give on that state, with a tenth of the gas that an input may take.
    ///
    /// # Errors
    /// Why it cannot be evaluated here.
    pub fn dry_run(
        &self,
        profiles: &Profiles,
        process: &ProcessId,
        size: u64,
        message: &Message,
    ) -> Result<StepOutcome, Failure> {
        let before = self.kept_before(profiles, process, size)?;
        let mut held = self.at(profiles, process, before, size)?;
        let height = held.stride.height(Height(message.block_height));
        let holding = profiles.at(height);
        self.carry(&mut held, holding)?;
        let gas_max = holding.profile.gas_max / GAS_SHARE;
        Ok(held.resident.dry_run(message, gas_max)?)
    }

    fn at(
        &self,
        profiles: &Profiles,
        process: &ProcessId,
        before: Option<(u64, Snapshot)>,
        size: u64,
    ) -> Result<Held, Failure> {
        self.replayed(profiles, self.setting(process)?, process, before, size)
    }

    /// The last state up to a size that is kept, if what comes after it may be replayed; nothing if that is all.
    fn kept_before(
        &self,
        profiles: &Profiles,
        process: &ProcessId,
        size: u64,
    ) -> Result<Option<(u64, Snapshot)>, Failure> {
        let near = self
            .archive
            .place_before(Series::Evaluated, process, size)?;
        let kept = near.map_or(0, |(at, _)| at);
        let far = Failure::TooFar { size, kept };
        if size.saturating_sub(kept) > INPUTS_MAX {
            return Err(far);
        }
        let mut gas = 0_u64;
        for slot in (kept..size).map(Slot) {
            let evaluated = self.archive.evaluated(process, slot)?;
            let (leaf, _, _) = evaluated.ok_or(Failure::Missing("the result of an input"))?;
            gas = gas.saturating_add(leaf.gas);
        }
        // Any place within a stride is reached from where it begins (rule PR-2).
        let most = profiles
            .iter()
            .map(|it| it.profile.stride_gas_bound())
            .max();
        if gas > most.unwrap_or(0) {
            return Err(far);
        }
        let Some((at, root)) = near else {
            return Ok(None);
        };
        // It may have been thinned out meanwhile.
        let kept = self.archive.state(&root)?.ok_or(far)?;
        Ok(Some((at, kept)))
    }
}
