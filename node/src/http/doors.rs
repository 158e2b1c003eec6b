//! The connections that are open, and which give way to others (rules HT-8, HT-9).

mod pace;
mod room;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::clients::network;
use pace::Pace;
use room::Room;
pub(super) use room::{Held, SMALL};

/// Connections open at once.
pub(super) const CONNECTIONS_MAX: usize = 1024;

/// All connections that are open.
pub(super) struct Doors {
    start: Instant,
    open: Mutex<BTreeMap<u64, Arc<Door>>>,
    next: AtomicU64,
    room: Room,
}

impl Doors {
    pub(super) fn new() -> Arc<Doors> {
        Arc::new(Doors {
            start: Instant::now(),
            open: Mutex::default(),
            next: AtomicU64::new(0),
            room: Room::default(),
        })
    }

    /// A connection from somewhere.
    pub(super) fn open(self: &Arc<Doors>, end: IpAddr) -> Opened {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let door = Arc::new(Door {
            end,
            client: Mutex::new(network(end)),
            pace: Mutex::new(Pace::new(self.now())),
            under_way: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            held: AtomicU32::new(0),
            closed: CancellationToken::new(),
        });
        lock(&self.open).insert(number, Arc::clone(&door));
        let doors = Arc::clone(self);
        Opened {
            number,
            visitor: Visitor { door, doors },
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Closes connections until `spare` more may come than are open or closing: of the client that has most the ones on which
    /// nothing has moved for the longest time, those on which a request waits after the others (rule HT-8).
    pub(super) fn give_way(&self, spare: usize) {
        let open = lock(&self.open);
        let stay = open.values().filter(|it| !it.closed.is_cancelled()).count();
        let surplus = stay.saturating_sub(CONNECTIONS_MAX.saturating_sub(spare));
        if surplus == 0 {
            return;
        }
        let connections = by_client(open.values().map(|it| (it.client(), 1)));
        let mut idle: Vec<_> = open
            .values()
            .filter(|it| it.may_close())
            .map(|it| {
                let most = Reverse(connections.get(&it.client()).copied());
                ((most, it.waits(), lock(&it.pace).moved), it)
            })
            .collect();
        idle.sort_by_key(|(key, _)| *key);
        for (_, door) in idle.into_iter().take(surplus) {
            door.closed.cancel();
        }
    }
}

/// Adds up what connections have, by client.
fn by_client(each: impl Iterator<Item = (IpAddr, u32)>) -> BTreeMap<IpAddr, u32> {
    let mut all = BTreeMap::<IpAddr, u32>::new();
    for (client, one) in each {
        let sum = all.entry(client).or_default();
        *sum = sum.saturating_add(one);
    }
    all
}

/// Locks; what is guarded is whole whatever panicked.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of one connection.
struct Door {
    end: IpAddr,
    /// Who asks: the other end, or whom a proxy there named last.
    client: Mutex<IpAddr>,
    pace: Mutex<Pace>,
    /// Requests under way.
    under_way: AtomicUsize,
    /// Requests that wait for something.
    waiting: AtomicUsize,
    /// KiB on their way.
    held: AtomicU32,
    /// Whether it gives way.
    closed: CancellationToken,
}

impl Door {
    fn may_close(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) == 0 && !self.closed.is_cancelled()
    }

    fn held(&self) -> u32 {
        self.held.load(Ordering::Relaxed)
    }

    fn client(&self) -> IpAddr {
        *lock(&self.client)
    }

    fn waits(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

/// An open connection, as the listener has it; it is forgotten when this is dropped.
pub(super) struct Opened {
    number: u64,
    visitor: Visitor,
}

impl Drop for Opened {
    fn drop(&mut self) {
        lock(&self.visitor.doors.open).remove(&self.number);
    }
}

impl Opened {
    pub(super) fn visitor(&self) -> Visitor {
        self.visitor.clone()
    }

    /// Notes that so many bytes moved.
    pub(super) fn moved(&self, bytes: usize) {
        let now = self.visitor.doors.now();
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        lock(&self.visitor.door.pace).note(now, bytes);
    }

    /// How long nothing has moved.
    pub(super) fn idle(&self) -> Duration {
        let moved = lock(&self.visitor.door.pace).moved;
        Duration::from_millis(self.visitor.doors.now().saturating_sub(moved))
    }
}

/// The connection that a request came by.
#[derive(Clone)]
pub(super) struct Visitor {
    door: Arc<Door>,
    doors: Arc<Doors>,
}

impl Visitor {
    /// The other end.
    pub(super) fn end(&self) -> IpAddr {
        self.door.end
    }

    /// Who asked last.
    pub(super) fn client(&self) -> IpAddr {
        self.door.client()
    }

    /// Somebody asks by this connection.
    pub(super) fn asks(&self, client: IpAddr) {
        *lock(&self.door.client) = client;
    }

    /// Cancelled when the connection has to give way.
    pub(super) fn closed(&self) -> CancellationToken {
        self.door.closed.clone()
    }

    /// While this lives a request is under way.
    pub(super) fn under_way(&self) -> Counted {
        Counted::one(&self.door, |it| &it.under_way)
    }

    /// While this lives a request waits for something.
    pub(super) fn waiting(&self) -> Counted {
        Counted::one(&self.door, |it| &it.waiting)
    }
}

/// A request on a connection, counted until this is dropped.
pub(super) struct Counted {
    door: Arc<Door>,
    count: fn(&Door) -> &AtomicUsize,
}

impl Counted {
    fn one(door: &Arc<Door>, count: fn(&Door) -> &AtomicUsize) -> Counted {
        count(door).fetch_add(1, Ordering::Relaxed);
        let door = Arc::clone(door);
        Counted { door, count }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.count)(&self.door).fetch_sub(1, Ordering::Relaxed);
    }
}
