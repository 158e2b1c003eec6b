//! A process and its state: one step at a time, whatever the state was made from.

use std::collections::BTreeSet;
use std::sync::Arc;

use surety_protocol::id::Digest;
use surety_protocol::profile::Profile;

use super::code::Code;
use super::input::json;
use super::stack::on_deep_stack;
use super::step::{self, Allowance, Stop};
use super::trace::{Calls, StepTrace, traces};
use super::vm::{Guest as _, Instance, Moment, Vm};
use super::{Abstain, EngineError, Message, Program, StepOutcome, working_copy};
use crate::memory::Access;
use crate::result::ProcessResult;
use crate::state::Snapshot;

/// Watching begins anew after so many steps. Consecutive messages write nearly the same pages, so that leaving them open
/// spares faults, at the price of comparing them.
const STEPS_PER_WATCH: usize = 8;
/// Inputs that are applied to the instance before its pages are brought into the state. More spare little: consecutive
/// messages write nearly the same pages.
const AHEAD_INPUTS_MAX: usize = 16;
/// Bytes of their texts.
const AHEAD_BYTES_MAX: usize = 1 << 20;
/// Their gas: what it takes at most to apply them again.
const AHEAD_GAS_MAX: u64 = 2_000_000_000;

/// What a step may use (rules EN-4 and EN-5), and the environment's text.
struct Frame {
    allowance: Allowance,
    memory_bytes_max: u64,
    reply_bytes_max: u64,
    environment: Vec<u8>,
}

impl Frame {
    fn new<V: Vm>(
        code: &Code<V>,
        program: &Program,
        profile: &Profile,
    ) -> Result<Self, EngineError> {
        Ok(Self {
            allowance: Allowance {
                gas: program.compute_limit.min(profile.gas_max),
                stack_slots: profile.stack_slots_max,
            },
            memory_bytes_max: code.memory_bytes_max(program, profile)?,
            reply_bytes_max: profile.reply_bytes_max,
            environment: json(&program.environment),
        })
    }
}

/// An input of which an instance is ahead of the state.
struct Applied {
    clock: u64,
    text: Vec<u8>,
    gas: u64,
}

/// A process between two steps.
///
/// The state and the inputs after it are the truth. The instance is only its working copy, ahead of the state by those
/// inputs: what changed is not copied after every step, but when somebody asks for the state, or after a few.
///
/// Whatever may have changed the instance beyond that (a failed step, a dry run) is taken back page by page, or drops it,
/// and the inputs are applied again. So a step that is rolled back leaves nothing behind, whether it grew memory, moved the
/// stack pointer or trapped half-way; and it costs no more than the steps before it did, once, since the state is then
/// brought up to them.
pub(super) struct Execution<V: Vm> {
    code: Arc<Code<V>>,
    frame: Frame,
    state: Snapshot,
    ahead: Vec<Applied>,
    access: Access,
    /// The first page that counts as new (rule LM-3): only for a stretch with a fixed start.
    fresh_from: Option<u32>,
    instance: Option<V::Instance>,
    steps_watched: usize,
    /// Pages that were touched, if they are watched for that.
    pub(super) touched: BTreeSet<u32>,
    /// Pages that changed in the state and were not taken out yet.
    changed: BTreeSet<u32>,
    /// Of the step that is traced, what stands for its calls of the host.
    calls: Option<Digest>,
}

impl<V: Vm> Execution<V> {
    /// A fresh process (rule EN-1).
    pub(super) fn boot(
        code: Arc<Code<V>>,
        program: &Program,
        profile: &Profile,
        clock: u64,
    ) -> Result<Self, EngineError> {
        let frame = Frame::new(&code, program, profile)?;
        let allowance = Allowance {
            gas: profile.gas_max,
            ..frame.allowance
        };
        let moment = Moment::new(clock, &frame.environment);
        let state = on_deep_stack(|| {
            let mut instance = instantiate::<V>(&code, &frame)?;
            step::boot(&mut instance.enter(moment), allowance).map_err(Stop::refusing)?;
            let mut state = Snapshot::default();
            working_copy::absorb(&mut instance, &mut state)?;
            Ok::<_, EngineError>(state)
        })??;
        Ok(Self::of(code, frame, state, Access::Writes, None))
    }

    /// A process in a state that was made elsewhere; `None` if it does not fit the module. Watched for more than writes,
    /// what lies beyond the state's memory counts as new to the end.
    pub(super) fn resume(
        code: Arc<Code<V>>,
        program: &Program,
        profile: &Profile,
        state: Snapshot,
        access: Access,
    ) -> Result<Option<Self>, EngineError> {
        let frame = Frame::new(&code, program, profile)?;
        if !code.fits(&state, frame.memory_bytes_max) {
            return Ok(None);
        }
        let fresh_from = (!matches!(access, Access::Writes)).then(|| state.page_count());
        Ok(Some(Self::of(code, frame, state, access, fresh_from)))
    }

    fn of(
        code: Arc<Code<V>>,
        frame: Frame,
        state: Snapshot,
        access: Access,
        fresh_from: Option<u32>,
    ) -> Self {
        Self {
            code,
            frame,
            state,
            ahead: Vec::new(),
            access,
            fresh_from,
            instance: None,
            steps_watched: 0,
            touched: BTreeSet::new(),
            changed: BTreeSet::new(),
            calls: None,
        }
    }

    /// The state after the last step.
    ///
    /// # Errors
    /// As [`Execution::changes`].
    pub(super) fn state(&mut self) -> Result<&Snapshot, EngineError> {
        Ok(self.changes()?.0)
    }

    /// The state after the last step, and the pages that changed in it since they were last taken out of this set.
    ///
    /// # Errors
    /// Abstains if the last inputs must be applied again and cannot.
    pub(super) fn changes(&mut self) -> Result<(&Snapshot, &mut BTreeSet<u32>), EngineError> {
        if !self.ahead.is_empty() {
            on_deep_stack(|| {
                let mut instance = self.instance()?;
                self.settle(&mut instance)?;
                self.rewatched(instance);
                Ok::<_, EngineError>(())
            })??;
        }
        Ok((&self.state, &mut self.changed))
    }

    /// Applies an input; a dry run has its own most of gas, and leaves the state as it is.
    pub(super) fn step(
        &mut self,
        message: &Message,
        dry: Option<u64>,
    ) -> Result<StepOutcome, EngineError> {
        on_deep_stack(|| self.step_here(message, dry))?
    }

    /// Applies an input and traces the step under these keys (rule TR-1).
    pub(super) fn traced_step(
        &mut self,
        message: &Message,
        keys: &[Digest],
    ) -> Result<(StepOutcome, Vec<Digest>), EngineError> {
        // Only what this step changes is to be told from what the state was before it.
        let before = std::mem::take(self.changes()?.1);
        self.calls = Some(Digest::default());
        let outcome = self.step(message, None);
        let calls = self.calls.take().unwrap_or_default();
        let traced = outcome.and_then(|outcome| {
            let (state, changed) = self.changes()?;
            let changed: Vec<u32> = changed.iter().copied().collect();
            let step = StepTrace {
                state,
                changed: &changed,
                calls,
            };
            Ok((outcome, traces(step, keys)))
        });
        self.changed.extend(before);
        traced
    }

    fn step_here(
        &mut self,
        message: &Message,
        dry: Option<u64>,
    ) -> Result<StepOutcome, EngineError> {
        let mut instance = self.instance()?;
        let keep = dry.is_none();
        let mut allowance = self.frame.allowance;
        allowance.gas = allowance.gas.min(dry.unwrap_or(u64::MAX));
        if !keep {
            self.settle(&mut instance)?;
        }
        let (clock, text) = (message.timestamp, json(message));
        // [EN-9]
        let paid = Profile::input_gas(message.item_bytes);
        let result = match self.call(&mut instance, allowance, clock, &text) {
            Ok((reply, gas)) => ProcessResult::from_reply(&reply, gas.saturating_add(paid)),
            Err(Stop::Failed(why)) => {
                ProcessResult::failed(&why, allowance.gas.saturating_add(paid))
            }
            Err(Stop::Error(error)) => return Err(error),
        };
        let gas = result.gas;
        if keep && result.error.is_none() {
            self.ahead.push(Applied { clock, text, gas });
            if self.is_far_ahead() {
                self.settle(&mut instance)?;
            }
            self.rewatched(instance);
        } else if self.take_back(&mut instance)? {
            self.rewatched(instance);
        }
        Ok(StepOutcome { gas, result })
    }

    /// Calls the module with an input; gives its reply and the gas.
    fn call(
        &mut self,
        instance: &mut V::Instance,
        allowance: Allowance,
        clock: u64,
        text: &[u8],
    ) -> Result<(Vec<u8>, u64), Stop> {
        let frame = &self.frame;
        let mut moment = Moment::new(clock, text);
        if self.calls.is_some() {
            moment = moment.traced();
        }
        let mut guest = instance.enter(moment);
        let texts = [text, &frame.environment];
        let reply = step::step(&mut guest, allowance, texts, frame.reply_bytes_max);
        self.calls = guest.moment().calls.as_ref().map(Calls::digest);
        drop(guest);
        self.steps_watched += 1;
        if matches!(self.access, Access::Touches) {
            self.touched.extend(instance.open_pages());
        }
        reply
    }

    fn is_far_ahead(&self) -> bool {
        let bytes: usize = self.ahead.iter().map(|it| it.text.len()).sum();
        let gas = self.ahead.iter().map(|it| it.gas);
        self.ahead.len() >= AHEAD_INPUTS_MAX
            || bytes >= AHEAD_BYTES_MAX
            || gas.fold(0, u64::saturating_add) >= AHEAD_GAS_MAX
    }

    /// Brings what changed into the state.
    fn settle(&mut self, instance: &mut V::Instance) -> Result<(), Abstain> {
        if !self.ahead.is_empty() {
            self.changed
                .extend(working_copy::absorb(instance, &mut self.state)?);
            self.ahead.clear();
        }
        Ok(())
    }

    /// Keeps the instance for the next step; where it is what the state is, it is watched anew now and then. If that cannot be,
    /// the next step makes another.
    fn rewatched(&mut self, mut instance: V::Instance) {
        let due = self.ahead.is_empty()
            && matches!(self.access, Access::Writes)
            && self.steps_watched >= STEPS_PER_WATCH;
        if due {
            if instance
                .watch(self.state.page_count(), &self.access)
                .is_err()
            {
                return;
            }
            self.steps_watched = 0;
        }
        self.instance = Some(instance);
    }

    /// Takes back from an instance what a step did to it, if that takes no more than to write pages: memory cannot shrink.
    fn take_back(&mut self, instance: &mut V::Instance) -> Result<bool, EngineError> {
        if !matches!(self.access, Access::Writes)
            || !working_copy::take_back(instance, &self.state)?
        {
            return Ok(false);
        }
        self.apply_again(instance)?;
        Ok(true)
    }

    /// Brings an instance that is what the state is as far as the instance before it was, and the state with it.
    fn apply_again(&mut self, instance: &mut V::Instance) -> Result<(), EngineError> {
        let ahead = std::mem::take(&mut self.ahead);
        let applied = ahead.iter().try_for_each(|it| {
            let reply = self.call(instance, self.frame.allowance, it.clock, &it.text);
            match reply {
                Ok(_) => Ok(()),
                Err(Stop::Error(error)) => Err(error),
                // It did not fail when it was applied first.
                Err(Stop::Failed(_)) => Err(Abstain::Engine.into()),
            }
        });
        self.ahead = ahead;
        applied?;
        self.settle(instance)?;
        Ok(())
    }

    /// The instance, as far as the last step.
    fn instance(&mut self) -> Result<V::Instance, EngineError> {
        if let Some(instance) = self.instance.take() {
            return Ok(instance);
        }
        let mut instance = instantiate::<V>(&self.code, &self.frame)?;
        working_copy::fill(&mut instance, &self.state)?;
        let fresh_from = self.fresh_from.unwrap_or_else(|| self.state.page_count());
        instance.watch(fresh_from, &self.access)?;
        self.steps_watched = 0;
        self.apply_again(&mut instance)?;
        Ok(instance)
    }
}

fn instantiate<V: Vm>(code: &Code<V>, frame: &Frame) -> Result<V::Instance, EngineError> {
    V::instantiate(&code.code, frame.memory_bytes_max).map_err(|halt| Stop::from(halt).refusing())
}
