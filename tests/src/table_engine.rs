//! An engine without wasm: its processes are tables of a few pages whose bytes are hash chains over their inputs.
//!
//! It stands in for the real engine where thousands of steps must cost nothing, and keeps all of its promises: what a step
//! gives depends on module, state and input only, a failed step leaves no trace, and a stretch re-executes from its witness
//! alone or not at all.
//!
//! # Rules
//!
//! - `[TE-1]` Memory is one WebAssembly page. Page 0 chains all inputs; an input reads one and writes one of the pages 1 to 7,
//!   drawn from its own content and from page 0. The one global counts inputs.
//! - `[TE-2]` Gas is drawn too, and so large that strides end by gas more often than by number.
//! - `[TE-3]` The output is the count. `Forward-To` sends the count to that process; `Action: Fail` is an error.

mod witness;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;
use surety_attest::engine::{
    Engine, EngineError, Message, Program, Reexecution, Resident, Start, StepOutcome, StepTrace,
    WitnessFault, traces,
};
use surety_attest::result::ProcessResult;
use surety_attest::state::{Page, PageTree, Snapshot, page_hash, state_root};
use surety_node::engines::Engines;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::Digest;
use surety_protocol::profile::Profile;
use surety_protocol::witness::{PAGE_BYTES, Witness};

/// Pages that inputs draw from, besides page 0.
const DRAWN: u32 = 7;
/// A fifth of the most gas that an input takes.
const GAS: u64 = 120_000_000;

/// The engine of table processes.
#[derive(Debug)]
pub struct TableEngine {
    profile: Profile,
}

impl TableEngine {
    /// An engine for one profile.
    pub const fn new(profile: Profile) -> TableEngine {
        TableEngine { profile }
    }
}

/// A table process.
#[derive(Debug)]
struct Table {
    state: Snapshot,
    /// Pages that may be touched; all if there is no list.
    known: Option<BTreeSet<u32>>,
    touched: BTreeSet<u32>,
    tree: PageTree,
    changed: BTreeSet<u32>,
}

impl Table {
    fn boot(program: &Program, clock: u64) -> Table {
        let mut state = Snapshot {
            wasm_pages: 1,
            globals: vec![0],
            ..Snapshot::default()
        };
        let process = program.environment.process.id.as_bytes();
        let seed = digest(
            Domain::OBJECT,
            &[&program.bytes, process, &clock.to_be_bytes()],
        );
        state.put(0, &fill(&seed));
        Table::of(state, None)
    }

    fn of(state: Snapshot, known: Option<BTreeSet<u32>>) -> Table {
        let tree = state.tree();
        Table {
            state,
            known,
            touched: BTreeSet::new(),
            tree,
            changed: BTreeSet::new(),
        }
    }

    fn read(&mut self, index: u32) -> Result<Page, EngineError> {
        if self
            .known
            .as_ref()
            .is_some_and(|known| !known.contains(&index))
        {
            return Err(WitnessFault::MissingPage.into());
        }
        self.touched.insert(index);
        Ok(*self.state.page(index))
    }

    fn write(&mut self, index: u32, page: &Page) {
        if self.state.put(index, page) {
            self.changed.insert(index);
        }
    }

    /// Applies an input (rules TE-1 to TE-3).
    fn apply(&mut self, message: &Message, keep: bool) -> Result<StepOutcome, EngineError> {
        let text = serde_json::to_vec(message).unwrap_or_default();
        let chain = self.read(0)?;
        let drawn = digest(Domain::OBJECT, &[&chain, &text]);
        let [a, b, c, ..] = *drawn.as_bytes();
        let [source, target] = [a, b].map(|it| 1 + u32::from(it) % DRAWN);
        let (from, into) = (self.read(source)?, self.read(target)?);
        let gas = GAS.saturating_mul(1 + u64::from(c) % 5);
        let tag = |name: &str| {
            message
                .tags
                .iter()
                .find(|(it, _)| it == name)
                .map(|(_, value)| value.as_str())
        };
        if tag("Action") == Some("Fail") {
            let result = ProcessResult::failed("failed as asked", gas);
            return Ok(StepOutcome { result, gas });
        }
        let count = self
            .state
            .globals
            .first()
            .map_or(1, |it| it.saturating_add(1));
        if keep {
            self.state.globals = vec![count];
            self.write(0, &fill(&drawn));
            self.write(
                target,
                &fill(&digest(Domain::OBJECT, &[drawn.as_bytes(), &from, &into])),
            );
        }
        let forwarded = tag("Forward-To").map(|to| {
            let tags = json!([{ "name": "Action", "value": "Forwarded" }]);
            let anchor = format!("{count:032}");
            json!({ "Target": to, "Anchor": anchor, "Data": count.to_string(), "Tags": tags })
        });
        let result = ProcessResult {
            output: json!({ "data": count.to_string() }),
            messages: forwarded.into_iter().collect(),
            spawns: Vec::new(),
            assignments: Vec::new(),
            error: None,
            gas,
        };
        Ok(StepOutcome { result, gas })
    }

    fn run(
        &mut self,
        inputs: &[Message],
        traced: &[Digest],
    ) -> Result<(Vec<StepOutcome>, Vec<Digest>), EngineError> {
        let mut steps = Vec::new();
        let mut traces = Vec::new();
        for message in inputs {
            let (step, of_it) = self.traced_step(message, traced)?;
            steps.push(step);
            traces = of_it;
        }
        Ok((steps, traces))
    }
}

fn fill(with: &Digest) -> Page {
    let mut page = [0; PAGE_BYTES];
    for chunk in page.chunks_mut(32) {
        chunk.copy_from_slice(with.as_bytes());
    }
    page
}

impl Resident for Table {
    fn step(&mut self, message: &Message) -> Result<StepOutcome, EngineError> {
        self.apply(message, true)
    }

    /// There are no calls of a host: the gas of the step stands for them.
    fn traced_step(
        &mut self,
        message: &Message,
        traced: &[Digest],
    ) -> Result<(StepOutcome, Vec<Digest>), EngineError> {
        let before = std::mem::take(&mut self.changed);
        let outcome = self.apply(message, true);
        let changed: Vec<u32> = self.changed.iter().copied().collect();
        self.changed.extend(before);
        let outcome = outcome?;
        let step = StepTrace {
            state: &self.state,
            changed: &changed,
            calls: digest(Domain::OBJECT, &[&outcome.gas.to_be_bytes()]),
        };
        Ok((outcome, traces(step, traced)))
    }

    fn dry_run(&mut self, message: &Message, _gas_max: u64) -> Result<StepOutcome, EngineError> {
        self.apply(message, false)
    }

    fn state_root(&mut self) -> Result<Digest, EngineError> {
        let changed = std::mem::take(&mut self.changed);
        let state = &self.state;
        self.tree.update(
            changed
                .iter()
                .map(|index| (*index, page_hash(state.page(*index)))),
        );
        let pages_root = self.tree.top();
        Ok(state_root(state.wasm_pages, &pages_root, &state.globals))
    }

    fn snapshot(&mut self) -> Result<Snapshot, EngineError> {
        Ok(self.state.clone())
    }
}

impl Engine for TableEngine {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn check(&self, _module: &[u8]) -> Result<(), EngineError> {
        Ok(())
    }

    fn boot(&self, program: &Program, clock: u64) -> Result<Box<dyn Resident>, EngineError> {
        Ok(Box::new(Table::boot(program, clock)))
    }

    fn restore(
        &self,
        _program: &Program,
        snapshot: &Snapshot,
    ) -> Result<Box<dyn Resident>, EngineError> {
        Ok(Box::new(Table::of(snapshot.clone(), None)))
    }

    fn witness(
        &self,
        _program: &Program,
        start: &Snapshot,
        inputs: &[Message],
    ) -> Result<Witness, EngineError> {
        witness::make(start, inputs)
    }

    fn reexecute(
        &self,
        program: &Program,
        start: Start<'_>,
        inputs: &[Message],
        traced: &[Digest],
    ) -> Result<Reexecution, EngineError> {
        match start {
            Start::Genesis { clock } => {
                let mut table = Table::boot(program, clock);
                let (steps, traces) = table.run(inputs, traced)?;
                Ok(Reexecution {
                    steps,
                    state_root: table.state_root()?,
                    traces,
                })
            }
            Start::Witness { root, witness } => witness::reexecute(root, witness, inputs, traced),
        }
    }
}

/// The bytes of the module of all table processes.
pub const MODULE: &[u8] = b"table";

/// Engines of tables, one for each profile.
pub fn engines() -> Engines {
    Engines::new(|profile| Ok(Arc::new(TableEngine::new(profile))))
}

#[cfg(test)]
mod tests;
