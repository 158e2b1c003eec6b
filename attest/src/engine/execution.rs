//! A process and its state: one step at a time, whatever the state was made from.

use std::collections::BTreeSet;
use std::sync::Arc;

use surety_protocol::profile::Profile;
use surety_protocol::witness::PAGE_BYTES;

use super::code::Code;
use super::input::json;
use super::stack::on_deep_stack;
use super::step::{self, Allowance, Stop};
use super::vm::{Instance, Moment, Vm, WASM_PAGE_BYTES};
use super::{Abstain, EngineError, Message, Program, StepOutcome};
use crate::memory::Access;
use crate::result::ProcessResult;
use crate::state::{Page, Snapshot};

/// Watching begins anew after so many steps. Consecutive messages write nearly the same pages, so that leaving them open
/// spares faults, at the price of comparing them.
const STEPS_PER_WATCH: u32 = 8;

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

/// A process between two steps.
///
/// The state is the truth. The instance is only its working copy: whatever may have changed it without the state (a
/// failed step, a dry run) is taken back page by page, or drops it, and the next step makes one anew. So a step that is
/// rolled back leaves nothing behind, whether it grew memory, moved the stack pointer or trapped half-way.
pub(super) struct Execution<V: Vm> {
    code: Arc<Code<V>>,
    frame: Frame,
    state: Snapshot,
    access: Access,
    /// The first page that counts as new (rule LM-3): only for a stretch with a fixed start.
    fresh_from: Option<u32>,
    instance: Option<V::Instance>,
    steps_watched: u32,
    /// Pages that were touched, if they are watched for that.
    pub(super) touched: BTreeSet<u32>,
    /// Pages that changed and whose change was not asked for yet.
    pub(super) changed: BTreeSet<u32>,
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
            absorb(&mut instance, &mut state)?;
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
            access,
            fresh_from,
            instance: None,
            steps_watched: 0,
            touched: BTreeSet::new(),
            changed: BTreeSet::new(),
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
        on_deep_stack(|| self.step_here(message, keep))?
    }

    fn step_here(&mut self, message: &Message, keep: bool) -> Result<StepOutcome, EngineError> {
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.revive()?,
        };
        let (frame, text) = (&self.frame, json(message));
        let reply = step::step(
            &mut instance.enter(Moment::new(message.timestamp, &text)),
            frame.allowance,
            [&text, &frame.environment],
            frame.reply_bytes_max,
        );
        if matches!(self.access, Access::Touches) {
            self.touched.extend(instance.open_pages());
        }
        let result = match reply {
            Ok((reply, gas)) => ProcessResult::from_reply(&reply, gas),
            Err(Stop::Failed(why)) => ProcessResult::failed(&why, frame.allowance.gas),
            Err(Stop::Error(error)) => return Err(error),
        };
        if keep && result.error.is_none() {
            self.changed.extend(absorb(&mut instance, &mut self.state)?);
            self.rewatch(&mut instance)?;
            self.instance = Some(instance);
        } else if matches!(self.access, Access::Writes) && take_back(&mut instance, &self.state)? {
            // Else what this step opened would be taken back after every later one.
            self.rewatch(&mut instance)?;
            self.instance = Some(instance);
        }
        Ok(StepOutcome {
            gas: result.gas,
            result,
        })
    }

    /// Begins to watch writes anew now and then.
    fn rewatch(&mut self, instance: &mut V::Instance) -> Result<(), Abstain> {
        self.steps_watched += 1;
        if !matches!(self.access, Access::Writes) || self.steps_watched < STEPS_PER_WATCH {
            return Ok(());
        }
        self.steps_watched = 0;
        instance.watch(self.state.page_count(), &self.access)
    }

    /// An instance in the state of now.
    fn revive(&mut self) -> Result<V::Instance, EngineError> {
        let mut instance = instantiate::<V>(&self.code, &self.frame)?;
        instance.clear(self.state.wasm_pages)?;
        let memory = instance.memory_mut();
        for (index, page) in &self.state.pages {
            *page_mut(memory, *index).ok_or(Abstain::Engine)? = **page;
        }
        instance.set_globals(&self.state.globals)?;
        let fresh_from = self.fresh_from.unwrap_or_else(|| self.state.page_count());
        instance.watch(fresh_from, &self.access)?;
        self.steps_watched = 0;
        Ok(instance)
    }
}

fn instantiate<V: Vm>(code: &Code<V>, frame: &Frame) -> Result<V::Instance, EngineError> {
    V::instantiate(&code.code, frame.memory_bytes_max).map_err(|halt| Stop::from(halt).refusing())
}

/// Brings what changed into the state; gives the indices of the changed pages, ascending.
fn absorb(instance: &mut impl Instance, state: &mut Snapshot) -> Result<Vec<u32>, Abstain> {
    let mut changed = instance.open_pages();
    let memory = instance.memory();
    let wasm_pages = memory.len() as u64 / WASM_PAGE_BYTES;
    state.wasm_pages = u32::try_from(wasm_pages).map_err(|_| Abstain::Engine)?;
    let (pages, _) = memory.as_chunks::<PAGE_BYTES>();
    changed.retain(|index| {
        let page = pages.get(*index as usize);
        page.is_some_and(|page| state.put(*index, page))
    });
    state.globals = instance.globals();
    Ok(changed)
}

/// Makes an instance what the state is, if that takes no more than to write pages; memory cannot shrink.
fn take_back(instance: &mut impl Instance, state: &Snapshot) -> Result<bool, Abstain> {
    if instance.memory().len() as u64 != u64::from(state.wasm_pages) * WASM_PAGE_BYTES {
        return Ok(false);
    }
    let open = instance.open_pages();
    let memory = instance.memory_mut();
    for index in open {
        *page_mut(memory, index).ok_or(Abstain::Engine)? = *state.page(index);
    }
    instance.set_globals(&state.globals)?;
    Ok(true)
}

fn page_mut(memory: &mut [u8], index: u32) -> Option<&mut Page> {
    memory
        .as_chunks_mut::<PAGE_BYTES>()
        .0
        .get_mut(index as usize)
}
