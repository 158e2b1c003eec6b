//! Which logs a node asks for.
//!
//! Whoever evaluates, pushes, indexes or audits follows every log. Whoever only verifies has no use for one before it has drawn a
//! claim of its process: so it can begin with an empty disk, however many processes there are.
//!
//! # Rules
//!
//! - `[CO-17]` A node that only verifies asks for no log and no module but those of a claim that it has drawn, of its claimants
//!   first; for [`DRAWN_BLOCKS`]. What it hears of other logs from their start on it keeps; what it could not append it passes on
//!   if an operator with stake has signed it; so nobody is blamed for passing on what an operator with stake signed and no log
//!   goes on with.

use std::collections::BTreeSet;

use surety_attest::log::assigns;
use surety_protocol::assignment::Assignment;
use surety_protocol::claim::Statement;
use surety_protocol::id::{Address, ModuleId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::time::Height;
use surety_protocol::verified::Authentic;

use super::catch_up::CLAIM_BLOCKS;
use super::{Core, Effect};
use crate::net::Acceptance;

/// Blocks for which a log is followed after a claim of its process was drawn: no verifier waits longer.
const DRAWN_BLOCKS: u64 = CLAIM_BLOCKS;

/// Claimants of one process that are remembered.
const CLAIMANTS_MAX: usize = 4;

/// What was drawn of a process whose log may not be here.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    /// Who claims something of it, the last first.
    claimants: Vec<Address>,
    module: ModuleId,
    at: Height,
}

impl Core {
    /// Whether the log of a process is to be here.
    pub fn follows(&self, process: &ProcessId) -> bool {
        self.follows_all() || self.drawn.contains_key(process)
    }

    /// Whether some role needs every log.
    pub(super) fn follows_all(&self) -> bool {
        self.roles.is_empty() || self.roles.iter().any(|it| it.follows_all())
    }

    /// A claim is to be executed: what that takes is asked for.
    pub(super) fn drew(&mut self, statement: &Statement, out: &mut Outbox<Effect>) {
        if self.follows_all() {
            return;
        }
        let (process, size) = (statement.claim.process, statement.claim.size);
        let drawn = self.drawn.entry(process).or_default();
        drawn.at = self.shared.height;
        drawn.module = statement.claim.module;
        drawn.claimants.retain(|it| *it != statement.claimant);
        drawn.claimants.insert(0, statement.claimant);
        drawn.claimants.truncate(CLAIMANTS_MAX);
        self.heard_of(process, size, Some(statement.claimant), out);
        let module = self.shared.logs.get(&process).map(|it| it.module);
        if let Some(module) = module.filter(|it| !self.shared.modules.contains(it)) {
            self.lacks(module, out);
        }
    }

    /// Who claims what was drawn of a process.
    pub(super) fn claimants_of(&self, process: &ProcessId) -> &[Address] {
        self.drawn.get(process).map_or(&[], |it| &it.claimants)
    }

    /// Who claims what was drawn of the processes of a module.
    pub(super) fn claimants_of_module(&self, module: &ModuleId) -> Vec<Address> {
        let drawn = self.drawn.values().filter(|it| it.module == *module);
        let all: BTreeSet<Address> = drawn.flat_map(|it| it.claimants.iter().copied()).collect();
        all.into_iter().take(CLAIMANTS_MAX).collect()
    }

    /// Forgets what nobody waits for any more.
    pub(super) fn leave_logs(&mut self) {
        let height = self.shared.height;
        self.drawn
            .retain(|_, it| height.since(it.at) <= DRAWN_BLOCKS);
    }

    /// What a slot is worth to others that this node cannot judge: an operator with stake answers for what it signs, and whoever
    /// passes it on could not know better.
    pub(super) fn passed_on(
        &self,
        assignment: &Assignment,
        message: Option<&Authentic<Item>>,
    ) -> Acceptance {
        if !assigns(assignment, message.map(|it| it.id())) {
            return Acceptance::Reject;
        }
        let log = self.shared.logs.get(&assignment.process);
        let its = log.is_none_or(|it| it.scheduler == assignment.signer);
        let answers = self.ledger.acts_for_stake(&assignment.signer);
        // [LO-5]
        match its && answers && Height(assignment.block_height) <= self.ledger.horizon() {
            true => Acceptance::Accept,
            false => Acceptance::Ignore,
        }
    }

    /// What a slot is worth that does not continue its log: who only verifies could not see that, if somebody with stake signed it.
    pub(super) fn unfit(&self, signer: &Address, assigns: bool) -> Acceptance {
        match assigns && self.ledger.acts_for_stake(signer) {
            true => Acceptance::Ignore,
            false => Acceptance::Reject,
        }
    }
}
