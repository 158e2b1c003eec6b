//! Virtual time: what is to happen, in the order in which it happens.

use std::collections::BTreeMap;

use surety_protocol::time::Tick;

/// Events by their time; of equal times the one that was planned first comes first.
#[derive(Debug)]
pub struct Agenda<E> {
    now: Tick,
    planned: u64,
    events: BTreeMap<(Tick, u64), E>,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Agenda {
            now: Tick(0),
            planned: 0,
            events: BTreeMap::new(),
        }
    }
}

impl<E> Agenda<E> {
    /// The time of the last event taken.
    pub const fn now(&self) -> Tick {
        self.now
    }

    /// Plans an event so many milliseconds from now.
    pub fn after(&mut self, delay: u64, event: E) {
        self.at(self.now.plus(delay), event);
    }

    /// Plans an event; what lies in the past happens next.
    pub fn at(&mut self, time: Tick, event: E) {
        self.planned = self.planned.saturating_add(1);
        self.events
            .insert((time.max(self.now), self.planned), event);
    }

    /// Takes the next event; time jumps to it.
    pub fn take(&mut self) -> Option<E> {
        let ((time, _), event) = self.events.pop_first()?;
        self.now = time;
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_time_and_then_the_order_of_planning() {
        let mut agenda = Agenda::default();
        agenda.at(Tick(5), "b");
        agenda.at(Tick(5), "c");
        agenda.at(Tick(3), "a");
        assert_eq!(agenda.take(), Some("a"));
        agenda.after(2, "d");
        agenda.at(Tick(0), "late");
        let rest: Vec<_> = std::iter::from_fn(|| agenda.take()).collect();
        assert_eq!(rest, ["late", "b", "c", "d"]);
        assert_eq!(agenda.now(), Tick(5));
    }
}
