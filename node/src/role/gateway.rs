//! The gateway role: serves data items, modules and results over HTTP. It has nothing to decide, so its machine is
//! empty; being in the set of roles is what opens its routes.

use surety_attest::effect::Effect;
use surety_protocol::machine::Outbox;
use surety_protocol::time::Tick;
use surety_slashing::ledger::Ledger;

use super::Role;
use crate::archive::{Archive, ArchiveError};
use crate::config::RoleName;
use crate::core::{Shared, Signal};

pub(super) struct GatewayRole;

impl Role for GatewayRole {
    fn name(&self) -> RoleName {
        RoleName::Gateway
    }

    fn restore(
        &mut self,
        _archive: &Archive,
        _ledger: &Ledger,
        _shared: &mut Shared,
        _out: &mut Outbox<Effect>,
    ) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn on(
        &mut self,
        _now: Tick,
        _signal: &Signal<'_>,
        _shared: &mut Shared,
        _out: &mut Outbox<Effect>,
    ) {
    }
}
