//! The logs that are longer elsewhere, as far as somebody says so (rule CO-10).

use std::collections::BTreeMap;

use surety_attest::shares::Shares;
use surety_protocol::id::{Address, ProcessId};
use surety_protocol::time::Height;

use crate::turns::in_turn;

/// Logs that are longer as the ledger says, and as many as operators do.
const LONGER_MAX: usize = 4096;
/// Of the second, what each operator has in any case, and what is asked for before a block comes.
const FEW: usize = 16;
/// Blocks after which a log that nobody had is left: a lie may have spoken of it.
pub(super) const PATIENCE_BLOCKS: u64 = 60;

/// A log that is longer.
#[derive(Debug)]
struct Said {
    size: u64,
    /// Who says so, if the ledger does not.
    by: Option<Address>,
    since: Height,
}

/// Logs that are longer elsewhere.
#[derive(Debug, Default)]
pub(super) struct Longer {
    logs: BTreeMap<ProcessId, Said>,
    /// How many of them each operator has spoken of.
    shares: Shares<Address>,
}

impl Longer {
    /// The ledger, or an operator, says that a log has more slots than are here; whether it is to be asked for at once.
    pub(super) fn hear(
        &mut self,
        process: ProcessId,
        here: u64,
        size: u64,
        by: Option<Address>,
        now: Height,
    ) -> bool {
        // What is here is no invention.
        let certain = by.is_none() || here > 0;
        let room = match &by {
            None => self.logs.len().saturating_sub(self.shares.all()) < LONGER_MAX,
            Some(by) => self.shares.has_room(LONGER_MAX, FEW, by),
        };
        if let Some(said) = self.logs.get_mut(&process) {
            // What the ledger says is nobody's share any more.
            let before = said.by.take_if(|_| by.is_none() && room);
            // Words alone renew nothing.
            if before.is_some() || (said.size < size && certain) {
                said.since = now;
            }
            said.size = said.size.max(size);
            if let Some(before) = before {
                self.shares.leave(&before);
            }
            return certain;
        }
        if !room {
            return certain;
        }
        let few = by.is_none_or(|it| self.shares.of(&it) < FEW);
        if let Some(by) = by {
            self.shares.take(by);
        }
        let since = now;
        self.logs.insert(process, Said { size, by, since });
        certain || few
    }

    /// Forgets those that are here, and those that nobody had.
    pub(super) fn forget(&mut self, now: Height, here: impl Fn(&ProcessId) -> u64) {
        let gone = self.logs.extract_if(.., |process, said| {
            here(process) >= said.size || now.since(said.since) >= PATIENCE_BLOCKS
        });
        for by in gone.filter_map(|(_, said)| said.by) {
            self.shares.leave(&by);
        }
    }

    /// Whether it has room for what was said of a log.
    pub(super) fn has(&self, process: &ProcessId) -> bool {
        self.logs.contains_key(process)
    }

    /// All of them, and how many slots they have.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&ProcessId, u64)> {
        self.logs.iter().map(|(process, said)| (process, said.size))
    }

    /// All of them in the order in which they are asked for: those of the ledger, then each operator's in turn.
    pub(super) fn in_turn(&self, now: Height) -> Vec<ProcessId> {
        let logs = self.logs.iter();
        let (certified, said): (Vec<_>, Vec<_>) = logs.partition(|(_, said)| said.by.is_none());
        let certified = certified.into_iter();
        let mut all = in_turn(now, certified.map(|(process, _)| (*process, *process)));
        let said = said.into_iter();
        all.extend(in_turn(
            now,
            said.map(|(process, said)| (said.by, *process)),
        ));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Height = Height(100);

    fn operator(number: u8) -> Address {
        Address::new([number; 32])
    }

    /// Those of one operator, or of the ledger, have a first byte of their own.
    fn process(by: u8, number: usize) -> ProcessId {
        let mut bytes = [by; 32];
        bytes[1..9].copy_from_slice(&number.to_be_bytes());
        ProcessId::new(bytes)
    }

    /// Somebody speaks of so many that nobody has; how many of them are asked for at once.
    fn invent(longer: &mut Longer, by: u8, count: usize, now: Height) -> usize {
        let mut hear = |it| longer.hear(process(by, it), 0, 5, Some(operator(by)), now);
        (0..count).filter(|it| hear(*it)).count()
    }

    fn of(longer: &Longer, by: u8) -> usize {
        longer.shares.of(&operator(by))
    }

    #[test]
    fn what_one_invents_takes_nobody_elses_room() {
        let mut longer = Longer::default();
        assert_eq!(invent(&mut longer, 1, 10_000, NOW), FEW);
        assert_eq!(of(&longer, 1), 1365);
        for by in 2..60 {
            assert_eq!(invent(&mut longer, by, 10_000, NOW), FEW);
            assert!(of(&longer, by) >= FEW, "{by}");
        }
        assert!(longer.logs.len() <= 2 * LONGER_MAX);
        // What the ledger says has room of its own.
        let asked = |it: &usize| longer.hear(process(0, *it), 0, 5, None, NOW);
        assert_eq!((0..5_000).filter(asked).count(), 5_000);
        let of_ledger = longer.logs.values().filter(|it| it.by.is_none());
        assert_eq!(of_ledger.count(), LONGER_MAX);
    }

    #[test]
    fn who_repeats_a_log_that_nobody_has_renews_nothing() {
        let mut longer = Longer::default();
        let mut size = 5;
        let mut hear = |longer: &mut Longer, here, by, now| {
            size += 1;
            longer.hear(process(1, 0), here, size, by, now)
        };
        let end = NOW.plus(PATIENCE_BLOCKS);
        assert!(hear(&mut longer, 0, Some(operator(1)), NOW));
        assert!(!hear(&mut longer, 0, Some(operator(2)), NOW.next()));
        longer.forget(end.minus(1), |_| 0);
        assert_eq!(longer.iter().collect::<Vec<_>>(), [(&process(1, 0), 7)]);
        longer.forget(end, |_| 0);
        assert_eq!((longer.logs.len(), longer.shares.all()), (0, 0));
        // Nor does the ledger's word go with those of others, nor a log that is here.
        hear(&mut longer, 0, Some(operator(1)), NOW);
        assert!(hear(&mut longer, 0, None, NOW.next()));
        assert_eq!(longer.shares.all(), 0);
        longer.forget(end, |_| 0);
        assert!(hear(&mut longer, 1, Some(operator(1)), end));
        longer.forget(end.plus(PATIENCE_BLOCKS - 1), |_| 1);
        assert_eq!(longer.logs.len(), 1);
        longer.forget(end, |_| size);
        assert_eq!(longer.logs.len(), 0);
    }

    #[test]
    fn the_ledgers_come_first_and_then_the_first_of_everybody() {
        let mut longer = Longer::default();
        invent(&mut longer, 1, 100, NOW);
        invent(&mut longer, 2, 1, NOW);
        longer.hear(process(9, 0), 0, 5, None, NOW);
        for now in [NOW, NOW.next()] {
            let all = longer.in_turn(now);
            assert_eq!((all.len(), all[0]), (102, process(9, 0)));
            assert!(all[1..3].contains(&process(2, 0)));
        }
        assert_ne!(longer.in_turn(NOW), longer.in_turn(NOW.next()));
    }
}
