//! What a guest may still spend (rule GA-1).

use wasmtime::{AsContextMut, Global, Instance, Val};

use crate::engine::Abstain;
use crate::engine::meter::{GAS, STACK};

/// The two globals that the rewritten module counts with.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Meters {
    gas: Global,
    stack: Global,
}

impl Meters {
    pub(super) fn of(instance: &Instance, mut store: impl AsContextMut) -> Result<Self, Abstain> {
        let mut global = |name| {
            let found = instance.get_global(&mut store, name);
            found.ok_or(Abstain::Engine)
        };
        Ok(Self {
            gas: global(GAS)?,
            stack: global(STACK)?,
        })
    }

    /// Gas that is left; below zero if it was not enough.
    pub(in crate::engine) fn gas(&self, store: impl AsContextMut) -> i64 {
        self.gas.get(store).i64().unwrap_or(-1)
    }

    pub(in crate::engine) fn set_gas(
        &self,
        store: impl AsContextMut,
        gas: i64,
    ) -> wasmtime::Result<()> {
        self.gas.set(store, Val::I64(gas))
    }

    /// Stack slots that are left; below zero if they were not enough.
    pub(in crate::engine) fn stack(&self, store: impl AsContextMut) -> i32 {
        self.stack.get(store).i32().unwrap_or(-1)
    }

    pub(in crate::engine) fn set_stack(
        &self,
        store: impl AsContextMut,
        slots: i32,
    ) -> wasmtime::Result<()> {
        self.stack.set(store, Val::I32(slots))
    }
}
