//! Catching up: logs that are longer elsewhere, and modules and claims that are not here.
//!
//! # Rules
//!
//! - `[CO-10]` A claim or a certificate about more slots than this node has, or a slot beyond its next by a scheduler with stake, means that it missed
//!   some. They are asked for at once and again with every block, until they are here or nobody had them for
//!   [`PATIENCE_BLOCKS`]: first those of which the ledger speaks, then those of each operator in turn, with another one first each
//!   time. There is room for 4,096 of which the ledger speaks, and for as many of operators; of this nobody's take more than half
//!   as much as is free, but 16 in any case, until there are twice as many. What finds none waits until somebody speaks of it
//!   again. A process of which nothing is here may be an invention: of those only the first 16 of an operator are asked for at
//!   once, and who says again that one is longer renews nothing.
//! - `[CO-15]` Whoever was away when a log grew for the last time hears nothing more of it. So every operator with stake, or
//!   that has lost it by a lie, is asked where the logs end that it schedules: [`ENDS_AT_ONCE`] with each block, whoever has not
//!   said so since the start, or not for [`ENDS_BLOCKS`], or for [`PATIENCE_BLOCKS`] if there was no room for all that it said. It
//!   is believed of its own logs; of processes that are not known here a few are asked for.
//! - `[CO-11]` A module of a log that is not here is asked for again with every block, another one first each time.
//! - `[CO-14]` The claims behind a digest on the ledger that are not here [`GOSSIP_BLOCKS`] later are asked for with every
//!   block, of each claimant the oldest few, for [`CLAIM_BLOCKS`]: the oldest of each before the next of any, and with another
//!   claimant first each time. Gossip reaches neither who was away nor, again, who has heard it.
//! - `[CO-12]` A message for a process that is not known here waits until its log comes; of too many the oldest is dropped.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use surety_attest::effect::{Offer, Want};
use surety_protocol::facts::BlockFacts;
use surety_protocol::id::{Address, ItemId, ModuleId, ProcessId};
use surety_protocol::machine::Outbox;
use surety_protocol::time::{Slot, Tick};

use super::longer::PATIENCE_BLOCKS;
use super::{Core, Effect};
use crate::turns::in_turn;

/// Modules that are asked for at once.
const LACKING_MAX: usize = 1024;
/// Blocks after which an operator is asked again where its logs end.
const ENDS_BLOCKS: u64 = 600;
/// Operators that are asked so with one block.
const ENDS_AT_ONCE: usize = 16;
/// Processes that are not known here and asked for after one answer.
const UNKNOWN_MAX: usize = 64;
/// Logs in one answer about where they end.
pub const ENDS_MAX: usize = 4096;
/// Blocks within which gossip has arrived.
const GOSSIP_BLOCKS: u64 = 2;
/// Blocks after which claims that nobody had are left: no verifier waits longer.
pub(super) const CLAIM_BLOCKS: u64 = surety_attest::verify::PATIENCE_BLOCKS;
/// Digests of one claimant whose claims are asked for at once: a node that was away finds one for every block.
const DIGESTS_ASKED: u32 = 8;

/// Messages that wait for a log.
const HELD_MAX: usize = 4096;

impl Core {
    /// Keeps a message for a process that is not known here (rule CO-12).
    pub(super) fn hold(&mut self, offer: Offer) {
        let Some(process) = offer.process() else {
            return;
        };
        let item = offer.item().id();
        if self
            .held
            .iter()
            .any(|(to, it)| *to == process && it.item().id() == item)
        {
            return;
        }
        self.held.push_back((process, offer));
        while self.held.len() > HELD_MAX {
            self.held.pop_front();
        }
    }

    /// A log has begun: what waited for it goes on its way.
    pub(super) fn began(&mut self, now: Tick, process: ProcessId, out: &mut Outbox<Effect>) {
        let (ready, held): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|(to, _)| *to == process);
        self.held = held;
        for (_, offer) in ready {
            self.deliver(now, offer, out);
        }
    }

    /// The ledger, or an operator, stands for this many slots of a process (rule CO-10).
    pub(super) fn heard_of(
        &mut self,
        process: ProcessId,
        size: u64,
        by: Option<Address>,
        out: &mut Outbox<Effect>,
    ) {
        let (here, now) = (self.slots_here(&process), self.shared.height);
        if here >= size || !self.follows(&process) {
            return;
        }
        if self.longer.hear(process, here, size, by, now) {
            let from = Slot(here);
            out.push(Effect::Fetch(Want::Log { process, from }));
        }
    }

    /// A slot came that is not the next: whoever signed it may send no more after it. What a scheduler without stake signs is
    /// asked for once.
    pub(super) fn missed_before(
        &mut self,
        process: ProcessId,
        size: u64,
        out: &mut Outbox<Effect>,
    ) {
        let scheduler = self.shared.logs.get(&process).map(|it| it.scheduler);
        match scheduler.filter(|it| self.ledger.acts_for_stake(it)) {
            Some(scheduler) => {
                let operator = self.ledger.operator_of_item_key(&scheduler);
                self.heard_of(process, size, Some(operator.unwrap_or(scheduler)), out);
            }
            None => {
                let from = Slot(self.slots_here(&process));
                out.push(Effect::Fetch(Want::Log { process, from }));
            }
        }
    }

    /// The logs that are longer elsewhere, and how many slots they have here.
    pub(super) fn shorter(&self) -> BTreeMap<ProcessId, u64> {
        let longer = self.longer.iter();
        let here = longer.map(|(process, size)| (*process, self.slots_here(process), size));
        let shorter = here.filter(|(_, here, size)| here < size);
        shorter.map(|(process, here, _)| (process, here)).collect()
    }

    /// Of logs that were shorter those that have grown, and still are, are asked for on.
    pub(super) fn go_on(&self, before: &BTreeMap<ProcessId, u64>, out: &mut Outbox<Effect>) {
        for (process, here) in self.shorter() {
            if before.get(&process).is_some_and(|before| *before < here) {
                let from = Slot(here);
                out.push(Effect::Fetch(Want::Log { process, from }));
            }
        }
    }

    /// Asks operators where the logs end that they schedule (rule CO-15).
    fn ask_ends(&mut self, out: &mut Outbox<Effect>) {
        let height = self.shared.height;
        let validators = self.ledger.validators();
        let fallen = self.ledger.operators().filter(|(_, it)| it.tombstoned);
        let with_stake = validators.iter().map(|it| it.operator);
        let all: BTreeSet<Address> = with_stake.chain(fallen.map(|(it, _)| *it)).collect();
        self.told.retain(|it, _| all.contains(it));
        let due = |it: &Address| {
            let told = self.told.get(it);
            *it != self.shared.operator
                && told.is_none_or(|told| height.since(*told) >= ENDS_BLOCKS)
        };
        let all = all.into_iter();
        let (before, after): (Vec<_>, Vec<_>) = all.filter(due).partition(|it| *it <= self.asked);
        let turn: Vec<_> = after.into_iter().chain(before).take(ENDS_AT_ONCE).collect();
        for operator in turn {
            self.asked = operator;
            out.push(Effect::Fetch(Want::Ends { operator }));
        }
    }

    /// An operator said where the logs end that it schedules.
    pub(super) fn told_ends(
        &mut self,
        operator: Address,
        ends: &[(ProcessId, u64)],
        out: &mut Outbox<Effect>,
    ) {
        let Some(registered) = self.ledger.operator(&operator) else {
            return;
        };
        let key = registered.registration.item_key;
        let (mut unknown, mut left) = (0, false);
        for (process, size) in ends {
            match self.shared.logs.get(process) {
                Some(log) if log.scheduler == key => {}
                Some(_) => continue,
                None if unknown < UNKNOWN_MAX => unknown += 1,
                None => {
                    left = true;
                    continue;
                }
            }
            self.heard_of(*process, *size, Some(operator), out);
            left |= self.slots_here(process) < *size && !self.longer.has(process);
        }
        // Room for what is left is when others are here.
        let soon = ENDS_BLOCKS.saturating_sub(PATIENCE_BLOCKS);
        let ago = if left { soon } else { 0 };
        self.told.insert(operator, self.shared.height.minus(ago));
    }

    /// Where the logs of this node's own scheduler end, of the processes after one, [`ENDS_MAX`] at most.
    pub fn ends(&self, after: Option<ProcessId>) -> Vec<(ProcessId, u64)> {
        let logs = self.shared.logs.after(after);
        let ours = logs.filter(|(_, log)| log.scheduler == self.shared.item_key);
        ours.map(|(process, log)| (*process, log.size))
            .take(ENDS_MAX)
            .collect()
    }

    /// A log came whose module is not here (rule CO-11).
    pub(super) fn lacks(&mut self, module: ModuleId, out: &mut Outbox<Effect>) {
        if self.lacking.len() < LACKING_MAX {
            self.lacking.insert(module);
        }
        out.push(Effect::Fetch(Want::Item(ItemId::from(module))));
    }

    /// Asks again for what did not come.
    pub(super) fn catch_up(&mut self, out: &mut Outbox<Effect>) {
        let height = self.shared.height;
        let logs = &self.shared.logs;
        let here = |process: &ProcessId| logs.get(process).map_or(0, |log| log.size);
        self.longer.forget(height, here);
        for process in self.longer.in_turn(height) {
            let from = Slot(here(&process));
            out.push(Effect::Fetch(Want::Log { process, from }));
        }
        let modules = &self.shared.modules;
        self.lacking.retain(|module| !modules.contains(module));
        for module in in_turn(height, self.lacking.iter().map(|it| (*it, *it))) {
            out.push(Effect::Fetch(Want::Item(ItemId::from(module))));
        }
        self.claims_behind_digests(out);
        if self.follows_all() {
            self.ask_ends(out);
        }
        self.leave_logs();
    }

    /// Digests have come onto the ledger.
    pub(super) fn committed(&mut self, facts: &BlockFacts) {
        for (claimant, root) in &facts.committed {
            self.committed.insert((*claimant, facts.height), *root);
        }
    }

    /// Asks for claims that gossip did not bring (rule CO-14).
    fn claims_behind_digests(&mut self, out: &mut Outbox<Effect>) {
        let (height, claims) = (self.shared.height, &self.shared.claims);
        self.committed.retain(|(claimant, at), root| {
            height.since(*at) <= CLAIM_BLOCKS && claims.lacks(root, claimant)
        });
        let due = self.committed.iter();
        let due = due.filter(|((_, at), _)| height.since(*at) >= GOSSIP_BLOCKS);
        let mut asked = (Address::default(), 0);
        let few = due.filter(|((claimant, _), _)| {
            let before: u32 = if asked.0 == *claimant { asked.1 } else { 0 };
            asked = (*claimant, before.saturating_add(1));
            before < DIGESTS_ASKED
        });
        let few = few.map(|((claimant, _), root)| (*claimant, (*claimant, *root)));
        for (claimant, root) in in_turn(height, few) {
            out.push(Effect::Fetch(Want::Claims { root, claimant }));
        }
    }

    pub(super) fn slots_here(&self, process: &ProcessId) -> u64 {
        self.shared.logs.get(process).map_or(0, |log| log.size)
    }
}
