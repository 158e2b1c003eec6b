//! What every input truly gives, computed once by a reference process of the same engines.

use std::collections::BTreeMap;
use surety_attest::message;
use surety_attest::state::Snapshot;
use surety_node::engines::Engines;
use surety_protocol::assignment::Assignment;
use surety_protocol::claim::{Leaf, SignedClaim};
use surety_protocol::execution::Input;
use surety_protocol::id::{AssignmentId, Digest, ItemId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::profiles::{Profiles, Ruling, Stride};
use surety_protocol::time::{Height, Slot};
use surety_protocol::verified::Authentic;

use crate::table_engine;

/// An input and what it truly gives.
#[derive(Debug)]
struct Known {
    leaf: Leaf,
    head: Digest,
    after: Snapshot,
    ruling: Ruling,
    stride: Stride,
}

/// The reference: every item that any node has kept, and the processes that they make.
pub(super) struct Truth {
    profiles: Profiles,
    engines: Engines,
    items: BTreeMap<ItemId, Authentic<Item>>,
    known: BTreeMap<ProcessId, Vec<Known>>,
}

impl std::fmt::Debug for Truth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Truth(..)")
    }
}

impl Truth {
    pub(super) fn new(profiles: Profiles) -> Truth {
        Truth {
            profiles,
            engines: table_engine::engines(),
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
            if *claimed != known.leaf || known.ruling.profile != body.profile {
                return Ok(Some(claimed.slot));
            }
            last = Some(known);
        }
        let lies = last.is_some_and(|known| {
            known.head != body.head_state_root || known.ruling.height != body.height
        });
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
        let assignment = self.item(assignment)?.clone();
        let read = Assignment::from_item(&assignment).map_err(|it| it.to_string())?;
        let message = read.message.map(|id| self.item(id).cloned()).transpose()?;
        let mut stride = before.map(|it| it.stride).unwrap_or_default();
        let stamp = Height(read.block_height);
        let height = stride.height(stamp);
        let holding = self.profiles.at(height);
        let program = message::program(&holding.profile, subject, self.item(module)?);
        let engine = self.engines.of(&holding.profile);
        let engine = engine.map_err(|it| it.to_string())?;
        let resident = match before {
            Some(before) => engine.restore(&program, &before.after),
            None => engine.boot(&program, message::clock(&read)),
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
        let head = resident.state_root().map_err(|it| it.to_string())?;
        let due = stride.advance(&self.profiles, read.slot, stamp, outcome.gas);
        let leaf = Leaf {
            slot: read.slot,
            assignment: id,
            result_root: outcome.result.root(),
            gas: outcome.gas,
            state_root: due.then_some(head),
        };
        Ok(Known {
            leaf,
            head,
            after: resident.snapshot().map_err(|it| it.to_string())?,
            ruling: Ruling {
                profile: holding.id,
                height,
            },
            stride,
        })
    }
}
