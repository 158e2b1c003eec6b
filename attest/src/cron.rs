//! What a process is told by the clock: its timers, and when each is due.
//!
//! A compute unit of AO makes these messages up between two others. Here the scheduler assigns them, so that everybody evaluates
//! the same ones; the rules of when are AO's.
//!
//! # Rules
//!
//! - `[CR-1]` A tag `Cron-Interval` of a process is a timer: `<n>-<unit>`, where the unit is `block` or one of time, of a second at
//!   least (fractions of one are cut off). The tags `Cron-Tag-<name>` after it, up to the next timer, are its messages'. One that
//!   cannot be read is none, nor are its tags.
//!   Numbers have no leading zeros, and a process has at most [`TIMERS_MAX`] timers: the first.
//! - `[CR-2]` A timer's name is `<i>-<n>-<unit>`, where `i` counts the `Cron-Interval` tags from 0.
//! - `[CR-3]` The origin is height and second of the process' own assignment. A timer of blocks is due at every height, one of
//!   time at every second, that is a multiple of its interval from the origin; never at the origin.
//! - `[CR-4]` Ticks are assigned in the order of time, and before what is assigned later. At one moment the timers of blocks come
//!   first, in their order, then those of time, the shorter intervals first. The moment of a block is when its tick is assigned.
//! - `[CR-5]` Each tick has one assignment, which names its timer. A log in which one is missing, comes twice or is not due is not
//!   continued.

use surety_protocol::assignment::Assignment;
use surety_protocol::item::Item;
use surety_protocol::time::{Height, Timestamp};

/// Milliseconds of each unit of time.
const UNITS: &[(&str, u64)] = &[
    ("ms", 1),
    ("msec", 1),
    ("msecs", 1),
    ("millisecond", 1),
    ("milliseconds", 1),
    ("s", SECOND),
    ("sec", SECOND),
    ("secs", SECOND),
    ("second", SECOND),
    ("seconds", SECOND),
    ("m", 60 * SECOND),
    ("min", 60 * SECOND),
    ("mins", 60 * SECOND),
    ("minute", 60 * SECOND),
    ("minutes", 60 * SECOND),
    ("h", HOUR),
    ("hr", HOUR),
    ("hrs", HOUR),
    ("hour", HOUR),
    ("hours", HOUR),
    ("d", 24 * HOUR),
    ("day", 24 * HOUR),
    ("days", 24 * HOUR),
    ("w", 168 * HOUR),
    ("week", 168 * HOUR),
    ("weeks", 168 * HOUR),
    // As the library counts that AO reads them with: 365.25 days.
    ("y", 8766 * HOUR),
    ("yr", 8766 * HOUR),
    ("yrs", 8766 * HOUR),
    ("year", 8766 * HOUR),
    ("years", 8766 * HOUR),
];
/// Timers of one process.
pub const TIMERS_MAX: usize = 16;
const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;

/// A timer of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// Its name (rule CR-2).
    pub name: String,
    /// The tags of its messages.
    pub tags: Vec<(String, String)>,
    every: Every,
}

/// An interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Every {
    Blocks(u64),
    Seconds(u64),
}

/// The timers that a process asks for, in their order (rules CR-1 and CR-2).
pub fn timers(process: &Item) -> Vec<Timer> {
    let mut timers: Vec<Timer> = Vec::new();
    let (mut count, mut readable) = (0_usize, false);
    for (name, value) in process.tags() {
        if name == "Cron-Interval" {
            let every = interval(value).filter(|_| timers.len() < TIMERS_MAX);
            readable = every.is_some();
            timers.extend(every.map(|every| Timer {
                name: format!("{count}-{value}"),
                tags: Vec::new(),
                every,
            }));
            count = count.saturating_add(1);
        } else if let Some(tag) = name.strip_prefix("Cron-Tag-").filter(|_| readable)
            && let Some(timer) = timers.last_mut()
        {
            timer.tags.push((tag.to_owned(), value.to_owned()));
        }
    }
    timers
}

fn interval(text: &str) -> Option<Every> {
    let (digits, unit) = text.split_once('-')?;
    let number: u64 = digits.parse().ok()?;
    // One spelling, so that names are short.
    Some(()).filter(|()| number.to_string() == digits)?;
    let unit = unit.to_ascii_lowercase();
    let every = match unit.as_str() {
        "block" | "blocks" => Every::Blocks(number),
        _ => {
            let (_, length) = UNITS.iter().find(|(name, _)| *name == unit)?;
            Every::Seconds(number.checked_mul(*length)? / SECOND)
        }
    };
    match every {
        Every::Blocks(0) | Every::Seconds(0) => None,
        every => Some(every),
    }
}

/// A tick that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// The timer's name.
    pub timer: String,
    /// What its assignment says of the time.
    pub timestamp: Timestamp,
    /// What its assignment says of the height.
    pub height: Height,
}

/// How far the ticks of a log have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The next height, and the next of the timers at it.
    block: (u64, usize),
    /// The next second, and the next of the timers at it.
    second: (u64, usize),
    /// The height and the time that the last assignment named.
    height: u64,
    time: u64,
}

/// The timers of a log.
#[derive(Debug, Clone)]
pub struct Clockwork {
    /// Name and interval of those of blocks, in their order.
    blocks: Vec<(String, u64)>,
    /// Name and interval of those of time, the shorter first.
    seconds: Vec<(String, u64)>,
    origin: (u64, u64),
    position: Position,
}

impl Clockwork {
    /// The timers of a process, from its own assignment on; nothing if it has none.
    pub fn start(process: &Item, first: &Assignment) -> Option<Clockwork> {
        let (mut blocks, mut seconds) = (Vec::new(), Vec::new());
        for timer in timers(process) {
            match timer.every {
                Every::Blocks(every) => blocks.push((timer.name, every)),
                Every::Seconds(every) => seconds.push((timer.name, every)),
            }
        }
        seconds.sort_by_key(|(_, every)| *every);
        let origin = (first.block_height, first.timestamp.0 / SECOND);
        let some = !blocks.is_empty() || !seconds.is_empty();
        some.then_some(Clockwork {
            blocks,
            seconds,
            origin,
            position: Position {
                block: (origin.0.saturating_add(1), 0),
                second: (origin.1.saturating_add(1), 0),
                height: origin.0,
                time: first.timestamp.0,
            },
        })
    }

    /// How far it has come.
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Goes back.
    pub const fn rewind(&mut self, position: Position) {
        self.position = position;
    }

    /// The tick that comes before anything that is assigned at this time and height (rule CR-4).
    pub fn due(&self, time: Timestamp, height: Height) -> Option<Tick> {
        let block = next(&self.blocks, self.origin.0, self.position.block);
        let block = block.filter(|(at, _, _)| *at <= height.0);
        let second = next(&self.seconds, self.origin.1, self.position.second);
        let second = second.filter(|(at, _, _)| {
            let moment = at.checked_mul(SECOND);
            moment.is_some_and(|it| it <= time.0)
        });
        // The moment of a block that has begun is that of its first tick.
        let moment = |at: u64| match at == self.position.height {
            true => self.position.time,
            false => time.0,
        };
        let (timer, timestamp, height) = match (block, second) {
            (None, None) => return None,
            (None, Some((at, _, timer))) => (timer, at.saturating_mul(SECOND), height.0),
            (Some((block, _, _)), Some((at, _, timer)))
                if at.saturating_mul(SECOND) < moment(block) =>
            {
                // A block whose ticks are still to come is not named before them.
                (timer, at.saturating_mul(SECOND), self.position.height)
            }
            (Some((at, _, timer)), _) => (timer, moment(at), at),
        };
        Some(Tick {
            timer: timer.to_owned(),
            timestamp: Timestamp(timestamp),
            height: Height(height),
        })
    }

    /// Whether an assignment is the next of the log as far as timers go (rule CR-5).
    pub fn admits(&self, next: &Assignment) -> bool {
        let due = self.due(next.timestamp, Height(next.block_height));
        match (&next.timer, due) {
            (None, None) => true,
            (Some(timer), Some(due)) => {
                *timer == due.timer
                    && next.timestamp == due.timestamp
                    && Height(next.block_height) == due.height
            }
            _ => false,
        }
    }

    /// Goes on past what is assigned: a tick, or anything else.
    pub fn pass(&mut self, timer: Option<&str>, time: Timestamp, height: Height) {
        let (height, time) = (height.0, time.0);
        let at = |list: &[(String, u64)]| {
            let name = timer?;
            list.iter().position(|(timer, _)| timer == name)
        };
        let position = &mut self.position;
        position.height = position.height.max(height);
        position.time = position.time.max(time);
        if let Some(order) = at(&self.blocks) {
            position.block = position.block.max((height, order.saturating_add(1)));
            // What is due at this very moment is still to come.
            position.second = position.second.max((time.div_ceil(SECOND), 0));
        } else if let Some(order) = at(&self.seconds) {
            position.second = position
                .second
                .max((time / SECOND, order.saturating_add(1)));
        } else {
            position.block = position.block.max((height.saturating_add(1), 0));
            position.second = position.second.max(((time / SECOND).saturating_add(1), 0));
        }
    }
}

/// The next multiple of an interval from a place on: where, and which timer.
fn next(
    timers: &[(String, u64)],
    origin: u64,
    (from, order): (u64, usize),
) -> Option<(u64, usize, &str)> {
    let due = timers.iter().enumerate().filter_map(|(at, (name, every))| {
        // Who was at this place already waits for the next one.
        let from = if at < order {
            from.checked_add(1)?
        } else {
            from
        };
        let past = from.checked_sub(origin)?.max(1);
        let multiple = past.div_ceil(*every).checked_mul(*every)?;
        Some((origin.checked_add(multiple)?, at, name.as_str()))
    });
    due.min_by_key(|(place, at, _)| (*place, *at))
}

#[cfg(test)]
mod tests;
