//! A process that lives in a worker, and its pages as of the last state root (rule WK-4).

use std::sync::Arc;

use surety_attest::engine::{Abstain, EngineError, Message, Resident, StepOutcome};
use surety_attest::state::{PageTree, Snapshot, page_hashes, state_root};
use surety_protocol::id::Digest;
use surety_protocol::witness::GLOBALS_MAX;

use super::connection::Connection;
use super::wire::{self, Answer, MessageSaid, Request};

/// Where the next changed pages begin, and whether there are more.
struct Piece {
    next: u32,
    more: bool,
}

/// A resident of a worker.
#[derive(Debug)]
pub(super) struct WorkerResident {
    connection: Arc<Connection>,
    number: u64,
    snapshot: Snapshot,
    /// How large its memory can be.
    wasm_pages_max: u32,
    /// From when it is first asked for.
    tree: Option<PageTree>,
    /// Whether the worker is further than the snapshot.
    ahead: bool,
}

impl WorkerResident {
    /// The resident that an answer names; its state is this one or what the worker says has changed since.
    pub(super) fn of(
        connection: Arc<Connection>,
        answer: &Answer,
        snapshot: Snapshot,
        wasm_pages_max: u32,
    ) -> Result<WorkerResident, EngineError> {
        let Answer::Resident(number) = answer else {
            return Err(Abstain::Worker.into());
        };
        Ok(WorkerResident {
            connection,
            number: *number,
            ahead: snapshot == Snapshot::default(),
            snapshot,
            wasm_pages_max,
            tree: None,
        })
    }

    fn apply(&self, message: &Message, dry: Option<u64>) -> Result<StepOutcome, EngineError> {
        let request = Request::Step {
            resident: self.number,
            message: MessageSaid::of(message),
            dry,
        };
        match self.connection.ask(&request)? {
            Answer::Outcome(outcome) => Ok(outcome.read().ok_or(Abstain::Worker)?),
            _ => Err(Abstain::Worker.into()),
        }
    }

    /// Brings the snapshot, and the tree if there is one, up to the worker's state.
    fn catch_up(&mut self) -> Result<(), EngineError> {
        let mut from = 0;
        while self.ahead {
            match self.take_piece(from)? {
                Some(Piece { next, more }) => (from, self.ahead) = (next, more),
                None => {
                    // It is not itself any more; nor is this state anything.
                    self.connection.end();
                    return Err(Abstain::Worker.into());
                }
            }
        }
        Ok(())
    }

    /// Takes the next changed pages, from an index on; `None` if they are not what was asked for (rule WK-3).
    fn take_piece(&mut self, from: u32) -> Result<Option<Piece>, EngineError> {
        let answer = self.connection.ask(&Request::Changes(self.number))?;
        let Answer::Changes {
            wasm_pages,
            globals,
            pages,
            more,
        } = answer
        else {
            return Ok(None);
        };
        let grown = (self.snapshot.wasm_pages..=self.wasm_pages_max).contains(&wasm_pages);
        if !grown || globals.len() > GLOBALS_MAX || (more && pages.is_empty()) {
            return Ok(None);
        }
        (self.snapshot.wasm_pages, self.snapshot.globals) = (wasm_pages, globals);
        let count = self.snapshot.page_count();
        let Some(next) = wire::put(&mut self.snapshot, from, count, &pages) else {
            return Ok(None);
        };
        if let Some(tree) = &mut self.tree {
            let changed = pages.iter().map(|(index, _)| *index);
            tree.update(page_hashes(
                changed.map(|index| (index, self.snapshot.page(index))),
            ));
        }
        Ok(Some(Piece { next, more }))
    }

    fn tree(&mut self) -> Result<&PageTree, EngineError> {
        self.catch_up()?;
        let snapshot = &self.snapshot;
        Ok(self.tree.get_or_insert_with(|| snapshot.tree()))
    }
}

impl Resident for WorkerResident {
    fn is_lost(&self) -> bool {
        self.connection.ended()
    }

    fn step(&mut self, message: &Message) -> Result<StepOutcome, EngineError> {
        self.ahead = true;
        self.apply(message, None)
    }

    fn traced_step(
        &mut self,
        message: &Message,
        traced: &[Digest],
    ) -> Result<(StepOutcome, Vec<Digest>), EngineError> {
        self.ahead = true;
        let request = Request::TracedStep {
            resident: self.number,
            message: MessageSaid::of(message),
            traced: traced.to_vec(),
        };
        match self.connection.ask(&request)? {
            Answer::Traced(outcome, traces) if traces.len() == traced.len() => {
                Ok((outcome.read().ok_or(Abstain::Worker)?, traces))
            }
            _ => Err(Abstain::Worker.into()),
        }
    }

    fn dry_run(&mut self, message: &Message, gas_max: u64) -> Result<StepOutcome, EngineError> {
        self.apply(message, Some(gas_max))
    }

    fn state_root(&mut self) -> Result<Digest, EngineError> {
        let top = self.tree()?.top();
        let state = &self.snapshot;
        Ok(state_root(state.wasm_pages, &top, &state.globals))
    }

    fn snapshot(&mut self) -> Result<Snapshot, EngineError> {
        self.catch_up()?;
        Ok(self.snapshot.clone())
    }

    fn page_tree(&mut self) -> Result<PageTree, EngineError> {
        Ok(self.tree()?.clone())
    }
}

impl Drop for WorkerResident {
    fn drop(&mut self) {
        self.connection.tell(&Request::Drop(self.number));
    }
}
