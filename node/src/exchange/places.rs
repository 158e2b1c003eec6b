//! Places for what is being got.
//!
//! # Rules
//!
//! - `[XC-7]` What is being got has places by its kind: blocks, logs that begin here, logs that go on, where logs end, claims,
//!   leaves, states, modules, and items that a process wants assigned. No kind takes those of another. Of claims, leaves and states
//!   no claimant's take more than half as many as are free, but one in any case, until there are twice as many. What finds none is
//!   asked for again by who needs it.

use std::collections::{BTreeMap, BTreeSet};

use surety_attest::effect::Want;
use surety_attest::shares::Shares;
use surety_protocol::id::{Address, EvidenceId};
use surety_protocol::time::Slot;

use super::Wanted;

/// What has places of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Blocks,
    /// Logs of which nothing is here: anybody can make up a process.
    NewLog,
    Log,
    Ends,
    Claims,
    Leaves,
    State,
    Module,
    /// Of these any process can want what does not exist.
    Assigned,
}

impl Kind {
    /// The kind of something, and the operator who has claimed it; nothing for evidence, of which there is no more than open
    /// cases, and which has room of its own (rule XC-6).
    const fn of(wanted: &Wanted) -> Option<(Kind, Option<Address>)> {
        Some(match wanted {
            Wanted::Evidence { .. } => return None,
            Wanted::Blocks(_) => (Kind::Blocks, None),
            Wanted::Assigned(_) => (Kind::Assigned, None),
            Wanted::Want(want) => match want {
                Want::Log { from: Slot(0), .. } => (Kind::NewLog, None),
                Want::Log { .. } => (Kind::Log, None),
                Want::Ends { .. } => (Kind::Ends, None),
                Want::Item(_) => (Kind::Module, None),
                Want::Claims { claimant, .. } => (Kind::Claims, Some(*claimant)),
                Want::Leaves { claimant, .. } => (Kind::Leaves, Some(*claimant)),
                Want::State { claimant, .. } => (Kind::State, Some(*claimant)),
            },
        })
    }

    /// How many are got at once.
    const fn places(self) -> usize {
        match self {
            Kind::Blocks => 16,
            Kind::NewLog | Kind::Log | Kind::Leaves | Kind::State => 128,
            Kind::Ends | Kind::Claims | Kind::Module | Kind::Assigned => 64,
        }
    }
}

/// What is being got, each thing once.
#[derive(Debug, Default)]
pub(super) struct Places {
    under_way: BTreeSet<Wanted>,
    taken: BTreeMap<Kind, Shares<Option<Address>>>,
    /// The kinds of which the last that was wanted found no place, as the log says once.
    full: BTreeSet<Kind>,
}

impl Places {
    /// Takes a place; whether there was one, and the thing is not being got already.
    pub(super) fn take(&mut self, wanted: &Wanted) -> bool {
        if self.under_way.contains(wanted) {
            return false;
        }
        match Kind::of(wanted) {
            Some((kind, claimant)) => {
                let taken = self.taken.entry(kind).or_default();
                let room = match claimant {
                    Some(_) => taken.has_room(kind.places(), 1, &claimant),
                    None => taken.all() < kind.places(),
                };
                if !room {
                    if self.full.insert(kind) {
                        tracing::debug!(?kind, ?wanted, "no place to get more");
                    }
                    return false;
                }
                taken.take(claimant);
                self.full.remove(&kind);
            }
            // Whoever announced it.
            None if self.gets_file(wanted) => return false,
            None => {}
        }
        self.under_way.insert(wanted.clone())
    }

    /// Gives the place back.
    pub(super) fn leave(&mut self, wanted: &Wanted) {
        if self.under_way.remove(wanted)
            && let Some((kind, claimant)) = Kind::of(wanted)
            && let Some(taken) = self.taken.get_mut(&kind)
        {
            taken.leave(&claimant);
        }
    }

    /// Whether an evidence file is being got already.
    fn gets_file(&self, wanted: &Wanted) -> bool {
        let file = |it: &Wanted| -> Option<(EvidenceId, u64)> {
            match it {
                Wanted::Evidence { id, bytes, .. } => Some((*id, *bytes)),
                _ => None,
            }
        };
        let wanted = file(wanted);
        self.under_way.iter().any(|it| file(it) == wanted)
    }
}

#[cfg(test)]
mod tests {
    use surety_protocol::id::{Digest, ItemId, ProcessId};
    use surety_protocol::time::Height;

    use super::*;

    fn bytes(number: usize) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        bytes
    }

    fn log(number: usize, from: u64) -> Wanted {
        Wanted::Want(Want::Log {
            process: ProcessId::new(bytes(number)),
            from: Slot(from),
        })
    }

    fn claims(claimant: u8, number: usize) -> Wanted {
        Wanted::Want(Want::Claims {
            root: Digest::new(bytes(number)),
            claimant: Address::new([claimant; 32]),
        })
    }

    /// How many of these find a place.
    fn fill(places: &mut Places, wanted: impl Iterator<Item = Wanted>) -> usize {
        wanted.filter(|it| places.take(it)).count()
    }

    #[test]
    fn no_kind_takes_the_places_of_another() {
        let mut places = Places::default();
        let many = 0..10_000;
        assert_eq!(fill(&mut places, many.clone().map(|it| log(it, 0))), 128);
        assert_eq!(fill(&mut places, many.clone().map(|it| log(it, 5))), 128);
        let item = |it| ItemId::new(bytes(it));
        let assigned = many.clone().map(|it| Wanted::Assigned(item(it)));
        assert_eq!(fill(&mut places, assigned), 64);
        let modules = many.clone().map(|it| Wanted::Want(Want::Item(item(it))));
        assert_eq!(fill(&mut places, modules), 64);
        let blocks = (0..100).map(|it| Wanted::Blocks(Height(it)));
        assert_eq!(fill(&mut places, blocks), 16);
        // Each thing once, and a place that is given back once.
        places.leave(&log(3, 0));
        places.leave(&log(3, 0));
        assert!(!places.take(&log(4, 0)) && places.take(&log(3, 0)));
        assert!(!places.take(&log(9_999, 0)));
    }

    #[test]
    fn of_what_is_claimed_everybody_has_a_place() {
        let mut places = Places::default();
        let of = |claimant| (0..100).map(move |it| claims(claimant, it));
        assert_eq!(fill(&mut places, of(1)), 21);
        for claimant in 2..40 {
            assert!(fill(&mut places, of(claimant)) >= 1, "{claimant}");
        }
        assert_eq!(fill(&mut places, of(1)), 0);
    }

    #[test]
    fn a_file_is_got_once_whoever_announced_it() {
        let mut places = Places::default();
        let file = |challenger, bytes| Wanted::Evidence {
            id: EvidenceId::default(),
            bytes,
            challenger: Address::new([challenger; 32]),
        };
        assert!(places.take(&file(1, 7)));
        assert!(!places.take(&file(1, 7)) && !places.take(&file(2, 7)));
        assert!(places.take(&file(2, 8)));
        places.leave(&file(1, 7));
        assert!(places.take(&file(2, 7)));
    }
}
