//! The items that processes are made of, each module once.

use std::collections::BTreeMap;
use std::sync::Arc;

use surety_attest::engine::Program;
use surety_attest::message;
use surety_protocol::id::{ItemId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::profile::Profile;
use surety_protocol::verified::Authentic;

use super::{Executor, Failure, lock};

/// Modules kept, of some megabytes at most.
const MODULES_MAX: usize = 64;

/// The items that a process is made of.
pub(super) struct Setting {
    pub(super) process: Authentic<Item>,
    pub(super) module: Authentic<Item>,
    bytes: Arc<[u8]>,
}

impl Setting {
    /// What is run under a profile.
    pub(super) fn program(&self, profile: &Profile) -> Program {
        let program = message::program(profile, &self.process, &self.module);
        Program {
            bytes: Arc::clone(&self.bytes),
            ..program
        }
    }
}

/// Module items by their ids, and their bytes as the engine takes them: all processes of a module share them.
pub(super) type Modules = BTreeMap<ItemId, (Authentic<Item>, Arc<[u8]>)>;

impl Executor {
    pub(super) fn setting(&self, process: &ProcessId) -> Result<Arc<Setting>, Failure> {
        let process = self
            .archive
            .item(&(*process).into())?
            .ok_or(Failure::Missing("process"))?;
        let module: ItemId = process
            .tag("Module")
            .and_then(|it| it.parse().ok())
            .ok_or(Failure::Missing("module"))?;
        let (module, bytes) = self.module(module)?;
        Ok(Arc::new(Setting {
            process,
            module,
            bytes,
        }))
    }

    fn module(&self, id: ItemId) -> Result<(Authentic<Item>, Arc<[u8]>), Failure> {
        if let Some((item, bytes)) = lock(&self.modules).get(&id) {
            return Ok((item.clone(), Arc::clone(bytes)));
        }
        let item = self.archive.item(&id)?.ok_or(Failure::Missing("module"))?;
        let bytes: Arc<[u8]> = Arc::from(item.data());
        let mut modules = lock(&self.modules);
        while modules.len() >= MODULES_MAX {
            modules.pop_first();
        }
        modules.insert(id, (item.clone(), Arc::clone(&bytes)));
        Ok((item, bytes))
    }
}
