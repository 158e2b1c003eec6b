//! A process and its state: one step at a time, whatever the state was made from.

use std::collections::BTreeSet;
use std::sync::Arc;

use surety_protocol::profile::Profile;

use super::compiled::Compiled;
use super::input::json;
use super::live::{Allowance, Live, Stop};
use super::stack::on_deep_stack;
use super::{EngineError, Message, ModuleRefused, Program, StepOutcome};
use crate::memory::Access;
use crate::result::ProcessResult;
use crate::state::Snapshot;

/// What a step may use (rules EN-4 and EN-5), and the environment's text.
struct Frame {
    allowance: Allowance,
    memory_bytes_max: u64,
    reply_bytes_max: u64,
    environment: Vec<u8>,
}

impl Frame {
    fn new(compiled: &Compiled, program: &Program, profile: &Profile) -> Result<Self, EngineError> {
        Ok(Self {
            allowance: Allowance {
                gas: program.compute_limit.min(profile.gas_max),
                stack_slots: profile.stack_slots_max,
            },
            memory_bytes_max: compiled.memory_bytes_max(program, profile)?,
            reply_bytes_max: profile.reply_bytes_max,
            environment: json(&program.environment),
        })
    }
}

/// A process between two steps.
///
/// The state is the truth. The instance is only its working copy: whatever may have changed it
/// without the state (a failed step, a dry run, an abstention) drops it, and the next step makes
/// one anew. So a step that is rolled back leaves nothing behind, whether it grew memory, moved the
/// stack pointer or trapped half-way.
pub(super) struct Execution {
    compiled: Arc<Compiled>,
    frame: Frame,
    state: Snapshot,
    access: Access,
    /// The first page that counts as new (rule LM-3): only for a stretch with a fixed start.
    fresh_from: Option<u32>,
    live: Option<Live>,
    /// Pages that were touched, if they are watched for that.
    pub(super) touched: BTreeSet<u32>,
    /// Pages that changed and whose change was not asked for yet.
    pub(super) changed: BTreeSet<u32>,
}

impl Execution {
    /// A fresh process (rule EN-1).
    pub(super) fn boot(
        compiled: Arc<Compiled>,
        program: &Program,
        profile: &Profile,
        clock: u64,
    ) -> Result<Self, EngineError> {
        let frame = Frame::new(&compiled, program, profile)?;
        let mut state = Snapshot::default();
        on_deep_stack(|| {
            let mut live =
                Live::new(&compiled, frame.memory_bytes_max).map_err(|stop| match stop {
                    Stop::Failed(why) => ModuleRefused::Boot(why).into(),
                    Stop::Error(error) => error,
                })?;
            let allowance = Allowance {
                gas: profile.gas_max,
                ..frame.allowance
            };
            live.boot(clock, allowance)?;
            live.absorb(&mut state).map(drop)
        })?;
        Ok(Self::of(compiled, frame, state, Access::Writes, None))
    }

    /// A process in a state that was made elsewhere; `None` if it does not fit the module. Watched
    /// for more than writes, what lies beyond the state's memory counts as new to the end.
    pub(super) fn resume(
        compiled: Arc<Compiled>,
        program: &Program,
        profile: &Profile,
        state: Snapshot,
        access: Access,
    ) -> Result<Option<Self>, EngineError> {
        let frame = Frame::new(&compiled, program, profile)?;
        if !compiled.fits(&state, frame.memory_bytes_max) {
            return Ok(None);
        }
        let fresh_from = (!matches!(access, Access::Writes)).then(|| state.page_count());
        Ok(Some(Self::of(compiled, frame, state, access, fresh_from)))
    }

    fn of(
        compiled: Arc<Compiled>,
        frame: Frame,
        state: Snapshot,
        access: Access,
        fresh_from: Option<u32>,
    ) -> Self {
        let (touched, changed) = (BTreeSet::new(), BTreeSet::new());
        Self {
            compiled,
            frame,
            state,
            access,
            fresh_from,
            live: None,
            touched,
            changed,
        }
    }

    /// The state after the last step.
    pub(super) const fn state(&self) -> &Snapshot {
        &self.state
    }

    /// Applies an input; without `keep` the state stays as it is.
    pub(super) fn step(
        &mut self,
        message: &Message,
        keep: bool,
    ) -> Result<StepOutcome, EngineError> {
        on_deep_stack(|| self.step_here(message, keep))
    }

    fn step_here(&mut self, message: &Message, keep: bool) -> Result<StepOutcome, EngineError> {
        let mut live = match self.live.take() {
            Some(live) => live,
            None => self.revive()?,
        };
        let (frame, text) = (&self.frame, json(message));
        let texts = [text.as_slice(), &frame.environment];
        let reply = live.step(
            message.timestamp,
            frame.allowance,
            texts,
            frame.reply_bytes_max,
        );
        if matches!(self.access, Access::Touches) {
            self.touched.extend(live.open_pages());
        }
        let result = match reply {
            Ok((reply, gas)) => ProcessResult::from_reply(&reply, gas),
            Err(Stop::Failed(why)) => ProcessResult::failed(&why, frame.allowance.gas),
            Err(Stop::Error(error)) => return Err(error),
        };
        if keep && result.error.is_none() {
            self.changed.extend(live.absorb(&mut self.state)?);
            if matches!(self.access, Access::Writes) {
                live.rewatch(self.state.page_count())?;
            }
            self.live = Some(live);
        }
        Ok(StepOutcome {
            gas: result.gas,
            result,
        })
    }

    /// An instance in the state of now.
    fn revive(&self) -> Result<Live, EngineError> {
        let mut live = match Live::new(&self.compiled, self.frame.memory_bytes_max) {
            Ok(live) => live,
            Err(Stop::Failed(why)) => return Err(ModuleRefused::Boot(why).into()),
            Err(Stop::Error(error)) => return Err(error),
        };
        let fresh_from = self.fresh_from.unwrap_or_else(|| self.state.page_count());
        live.load(&self.state, &self.access, fresh_from)?;
        Ok(live)
    }
}
