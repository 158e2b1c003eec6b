//! What every input truly gives, computed once by a reference process of the same engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use surety_attest::engine::Engine;
use surety_attest::message;
use surety_attest::state::Snapshot;
use surety_protocol::assignment::Assignment;
use surety_protocol::claim::{Leaf, SignedClaim};
use surety_protocol::execution::Input;
use surety_protocol::id::{AssignmentId, Digest, ItemId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::time::Slot;
use surety_protocol::verified::Authentic;

/// An input and what it truly gives.
#[derive(Debug)]
struct Known {
    leaf: Leaf,
    head: Digest,
    after: Snapshot,
    inputs: u64,
    gas: u64,
}

/// The reference: every item that any node has kept, and the processes that they make.
pub(super) struct Truth {
    engine: Arc<dyn Engine>,
    items: BTreeMap<ItemId, Authentic<Item>>,
    known: BTreeMap<ProcessId, Vec<Known>>,
}

impl std::fmt::Debug for Truth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Truth(..)")
    }
}

impl Truth {
    pub(super) fn new(engine: Arc<dyn Engine>) -> Truth {
        Truth {
            engine,
            items: BTreeMap::new(),
            known: BTreeMap::new(),
        }
    }

    pub(super) fn learn(&mut self, item: &Authentic<Item>) {
        self.items.entry(item.id()).or_insert_with(|| item.clone());
    }

    /// The first slot at which a claim's new leaves, or its head, are false; `before` are the assignments before them.
    pub(super) fn first_lie(
        &mut self,
        before: &[AssignmentId],
        claim: &SignedClaim,
    ) -> Result<Option<Slot>, String> {
        let body = &claim.statement.claim;
        let named = claim.leaves.iter().map(|leaf| leaf.assignment);
        let assignments: Vec<AssignmentId> = before.iter().copied().chain(named).collect();
        let known = self.evaluate(body.process, &assignments)?;
        let mut last = None;
        for (claimed, known) in claim.leaves.iter().zip(known.iter().skip(before.len())) {
            if *claimed != known.leaf {
                return Ok(Some(claimed.slot));
            }
            last = Some(known);
        }
        let lies = last.is_some_and(|known| known.head != body.head_state_root);
        Ok(lies.then(|| Slot(body.size.saturating_sub(1))))
    }

    /// What these inputs of a process give, in order.
    fn evaluate(
        &mut self,
        process: ProcessId,
        assignments: &[AssignmentId],
    ) -> Result<&[Known], String> {
        let mut known = self.known.remove(&process).unwrap_or_default();
        let same = known
            .iter()
            .zip(assignments)
            .take_while(|(it, id)| it.leaf.assignment == **id);
        let shared = same.count();
        if shared < assignments.len() {
            known.truncate(shared);
            for id in assignments.iter().skip(shared) {
                let next = self.step(process, known.last(), *id)?;
                known.push(next);
            }
        }
        Ok(self.known.entry(process).or_insert(known))
    }

    fn item(&self, id: impl Into<ItemId>) -> Result<&Authentic<Item>, String> {
        let id = id.into();
        self.items
            .get(&id)
            .ok_or_else(|| format!("no node ever kept item {id}"))
    }

    fn step(
        &self,
        process: ProcessId,
        before: Option<&Known>,
        assignment: AssignmentId,
    ) -> Result<Known, String> {
        let subject = self.item(process)?;
        let module: ItemId = subject
            .tag("Module")
            .and_then(|it| it.parse().ok())
            .ok_or("no module")?;
        let program = message::program(self.engine.profile(), subject, self.item(module)?);
        let assignment = self.item(assignment)?.clone();
        let read = Assignment::from_item(&assignment).map_err(|it| it.to_string())?;
        let message = read.message.map(|id| self.item(id).cloned()).transpose()?;
        let resident = match before {
            Some(before) => self.engine.restore(&program, &before.after),
            None => self.engine.boot(&program, message::clock(&read)),
        };
        let mut resident = resident.map_err(|it| it.to_string())?;
        let id = AssignmentId::from(assignment.id());
        let input = message::message(
            subject,
            &Input {
                assignment,
                message,
            },
        );
        let outcome = resident
            .step(&input.ok_or("no input")?)
            .map_err(|it| it.to_string())?;
        let head = resident.state_root();
        let (inputs, gas) = before.map_or((0, 0), |it| (it.inputs, it.gas));
        let (inputs, gas) = (inputs.saturating_add(1), gas.saturating_add(outcome.gas));
        let due = read.slot == Slot(0) || self.engine.profile().ends_stride(inputs, gas);
        let leaf = Leaf {
            slot: read.slot,
            assignment: id,
            result_root: outcome.result.root(),
            gas: outcome.gas,
            state_root: due.then_some(head),
        };
        let (inputs, gas) = if due { (0, 0) } else { (inputs, gas) };
        Ok(Known {
            leaf,
            head,
            after: resident.snapshot(),
            inputs,
            gas,
        })
    }
}
