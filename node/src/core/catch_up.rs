//! Catching up: logs that are longer elsewhere, and modules that are not here.
//!
//! # Rules
//!
//! - `[CO-10]` A claim or a certificate about more slots than this node has means that it missed some. They are asked for at
//!   once and again with every block, until they are here or nobody had them for [`PATIENCE_BLOCKS`].
//! - `[CO-11]` A module of a log that is not here is asked for again with every block.

use surety_attest::effect::Want;
use surety_protocol::id::{ItemId, ModuleId, ProcessId};
use surety_protocol::machine::Outbox;
use surety_protocol::time::Slot;

use super::{Core, Effect};

/// Logs that are asked for at once.
const LONGER_MAX: usize = 4096;
/// Modules that are asked for at once.
const LACKING_MAX: usize = 1024;
/// Blocks after which a log that nobody had is left: a lie may have spoken of it.
const PATIENCE_BLOCKS: u64 = 60;

impl Core {
    /// Somebody stands for this many slots of a process (rule CO-10).
    pub(super) fn heard_of(&mut self, process: ProcessId, size: u64, out: &mut Outbox<Effect>) {
        let here = self.slots_here(&process);
        if here >= size {
            return;
        }
        let known = self.longer.get(&process).map_or(0, |(size, _)| *size);
        if known < size && (known > 0 || self.longer.len() < LONGER_MAX) {
            self.longer.insert(process, (size, self.shared.height));
        }
        out.push(Effect::Fetch(Want::Log {
            process,
            from: Slot(here),
        }));
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
        self.longer.retain(|process, (size, since)| {
            logs.get(process).map_or(0, |log| log.size) < *size
                && height.since(*since) < PATIENCE_BLOCKS
        });
        for process in self.longer.keys() {
            let from = Slot(self.slots_here(process));
            out.push(Effect::Fetch(Want::Log {
                process: *process,
                from,
            }));
        }
        let modules = &self.shared.modules;
        self.lacking.retain(|module| !modules.contains(module));
        for module in &self.lacking {
            out.push(Effect::Fetch(Want::Item(ItemId::from(*module))));
        }
    }

    fn slots_here(&self, process: &ProcessId) -> u64 {
        self.shared.logs.get(process).map_or(0, |log| log.size)
    }
}
