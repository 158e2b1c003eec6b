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

/// Bytes of the modules kept beside the largest: those of AOS have 0.8 MB, that with SQLite 3.2.
const MODULES_BYTES: usize = 64 << 20;

/// The items that a process is made of.
pub(super) struct Setting {
    pub(super) process: Authentic<Item>,
    pub(super) module: Authentic<Item>,
}

impl Setting {
    /// What is run under a profile.
    pub(super) fn program(&self, profile: &Profile) -> Program {
        message::program(profile, &self.process, &self.module)
    }
}

/// Module items by their ids, of which those longest unused go: all processes of a module share its bytes.
#[derive(Default)]
pub(super) struct Modules {
    used: u64,
    kept: BTreeMap<ItemId, (u64, Authentic<Item>)>,
}

impl Modules {
    fn get(&mut self, id: &ItemId) -> Option<Authentic<Item>> {
        self.used = self.used.wrapping_add(1);
        let (used, item) = self.kept.get_mut(id)?;
        *used = self.used;
        Some(item.clone())
    }

    fn put(&mut self, item: &Authentic<Item>) {
        let bytes = |kept: &BTreeMap<ItemId, (u64, Authentic<Item>)>| {
            kept.values()
                .map(|(_, item)| item.bytes().len())
                .sum::<usize>()
        };
        while bytes(&self.kept) > MODULES_BYTES {
            let oldest = self.kept.iter().min_by_key(|(_, (used, _))| *used);
            let Some(oldest) = oldest.map(|(id, _)| *id) else {
                break;
            };
            self.kept.remove(&oldest);
        }
        self.kept.insert(item.id(), (self.used, item.clone()));
    }
}

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
        let module = self.module(&module)?;
        Ok(Arc::new(Setting { process, module }))
    }

    fn module(&self, id: &ItemId) -> Result<Authentic<Item>, Failure> {
        if let Some(item) = lock(&self.modules).get(id) {
            return Ok(item);
        }
        let item = self.archive.item(id)?.ok_or(Failure::Missing("module"))?;
        lock(&self.modules).put(&item);
        Ok(item)
    }
}
