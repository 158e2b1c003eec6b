//! From evidence to a challenge on the ledger.
//!
//! # Rules
//!
//! - `[VE-8]` An offence is challenged once. Evidence that signatures alone prove travels with the challenge; whoever judges a
//!   false claim asks for the file.

use std::collections::BTreeSet;
use std::sync::Arc;

use surety_protocol::evidence::{Evidence, OffenceKind};
use surety_protocol::id::{Address, ClaimId, ProcessId};
use surety_protocol::machine::Outbox;
use surety_protocol::origin::{Action, Challenge};
use surety_protocol::time::Slot;

use crate::effect::{Effect, Event, Record};

/// Who did what, in which process, at which slot.
pub(crate) type Offence = (Address, OffenceKind, ProcessId, Slot);

/// What was challenged.
#[derive(Debug, Default)]
pub(crate) struct Accuser(BTreeSet<Offence>);

impl Accuser {
    pub(crate) const fn new() -> Accuser {
        Accuser(BTreeSet::new())
    }

    /// Whether somebody was accused of something of this kind.
    pub(crate) fn has_accused(&self, offender: &Address, kind: OffenceKind) -> bool {
        self.0.iter().any(|it| (&it.0, it.1) == (offender, kind))
    }

    /// Challenges an offence; a false claim is named.
    pub(crate) fn challenge(
        &mut self,
        offence: Offence,
        claim: Option<ClaimId>,
        bytes: Arc<[u8]>,
        out: &mut Outbox<Effect>,
    ) {
        if !self.0.insert(offence) {
            return;
        }
        let (offender, kind, process, slot) = offence;
        let challenge = Challenge {
            evidence: Evidence::id_of(&bytes),
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            kind: kind.number(),
            offender,
            process,
            slot,
            claim,
        };
        let id = challenge.evidence;
        // Whoever has to execute asks for the file.
        let evidence = (!kind.executes()).then(|| bytes.to_vec());
        out.push(Effect::Persist(Record::Evidence { id, bytes }));
        out.push(Effect::Notify(Event::Accused {
            evidence: id,
            offender,
        }));
        out.push(Effect::Submit(Action::Challenge {
            challenge,
            evidence,
        }));
    }
}
