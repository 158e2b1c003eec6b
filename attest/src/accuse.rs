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

    /// This was challenged before the node was started again.
    pub(crate) fn remember(&mut self, challenge: &Challenge) {
        if let Some(kind) = OffenceKind::from_number(challenge.kind) {
            let (process, slot) = (challenge.process, challenge.slot);
            self.0.insert((challenge.offender, kind, process, slot));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_challenged_before_a_restart_is_not_challenged_again() {
        let offence = (
            Address::new([1; 32]),
            OffenceKind::DoubleAssignment,
            ProcessId::new([2; 32]),
            Slot(3),
        );
        let file: Arc<[u8]> = Arc::from(&b"a file"[..]);
        let mut out = Outbox::default();
        Accuser::new().challenge(offence, None, Arc::clone(&file), &mut out);
        let made = out.drain().into_iter().find_map(|it| match it {
            Effect::Submit(Action::Challenge { challenge, .. }) => Some(challenge),
            _ => None,
        });
        let mut again = Accuser::new();
        again.remember(&made.unwrap());
        again.challenge(offence, None, Arc::clone(&file), &mut out);
        assert!(out.drain().is_empty());
        let (offender, kind, process, _) = offence;
        again.challenge((offender, kind, process, Slot(4)), None, file, &mut out);
        assert!(!out.drain().is_empty());
    }
}
