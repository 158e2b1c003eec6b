//! The connections that are open, what each of them takes, and which give way to others (rules HT-8, HT-9).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::clients::network;

/// Connections open at once.
pub(super) const CONNECTIONS_MAX: usize = 1024;
/// Bytes on their way that take no room: so many on every connection are less than all the room there is.
pub(super) const SMALL: usize = 64 << 10;
/// KiB of bodies that come and answers that go, beyond the small ones (rule HT-9).
const ROOM_KIB: u32 = if cfg!(test) { 16 << 10 } else { 256 << 10 };
/// How long who needs room waits for it.
const TURN: Duration = Duration::from_secs(10);
/// How long who needs room waits for what moves, until the client that takes most gives way.
const PATIENCE: Duration = Duration::from_millis(WINDOW);
/// How many of one client wait for room; more are refused.
const QUEUED_MAX: u32 = 8;
/// How often who waits for room looks for the slow.
const AGAIN: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 500 });
/// Milliseconds of a window in which movement is counted.
const WINDOW: u64 = if cfg!(test) { 200 } else { 2_000 };
/// A connection on which fewer bytes, or fewer than a 64th of what it holds, moved in this window and the one before is slow.
const PACE_MIN: u64 = 64 << 10;

/// All connections that are open.
pub(super) struct Doors {
    start: Instant,
    open: Mutex<BTreeMap<u64, Arc<Door>>>,
    next: AtomicU64,
    room: Arc<Semaphore>,
    /// How many requests of a client wait for room.
    queues: Mutex<BTreeMap<IpAddr, u32>>,
}

impl Doors {
    pub(super) fn new() -> Arc<Doors> {
        Arc::new(Doors {
            start: Instant::now(),
            open: Mutex::default(),
            next: AtomicU64::new(0),
            room: Arc::new(Semaphore::new(ROOM_KIB as usize)),
            queues: Mutex::default(),
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

    /// Closes connections until there will be as much room as a client needs: slow ones, and if none is then the slowest of the
    /// client that takes most, if that is more than the one who needs it would (rule HT-9).
    fn make_room(&self, client: IpAddr, kib: u32, waited: Duration) {
        let now = self.now();
        let open = lock(&self.open);
        let free = u32::try_from(self.room.available_permits()).unwrap_or(u32::MAX);
        let closing = open.values().filter(|it| it.closed.is_cancelled());
        let returning = closing.fold(free, |sum, it| sum.saturating_add(it.held()));
        let needed = kib.saturating_sub(returning);
        if needed == 0 {
            return;
        }
        let stay = || open.values().filter(|it| !it.closed.is_cancelled());
        let mut holding: Vec<(u64, &Door)> = stay()
            .filter(|it| it.may_close() && it.held() > 0 && !it.waits())
            .map(|it| (lock(&it.pace).bytes(now), it.as_ref()))
            .collect();
        holding.sort_by_key(|(bytes, _)| *bytes);
        let mut found = 0_u32;
        for (_, door) in holding
            .iter()
            .filter(|(bytes, it)| *bytes < it.least_pace())
        {
            if found >= needed {
                return;
            }
            door.closed.cancel();
            found = found.saturating_add(door.held());
        }
        // What moves is soon gone.
        if found > 0 || waited < PATIENCE {
            return;
        }
        let held = by_client(stay().map(|it| (it.client(), it.held())));
        let own = held.get(&client).copied().unwrap_or(0);
        let most = held.into_iter().max_by_key(|(_, held)| *held);
        let Some((most, _)) = most.filter(|(_, held)| *held > own.saturating_add(kib)) else {
            return;
        };
        if let Some((_, door)) = holding.iter().find(|(_, it)| it.client() == most) {
            door.closed.cancel();
        }
    }
}

/// A place among those of a client that wait for room, until this is dropped.
struct Queued<'a>(&'a Doors, IpAddr);

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let mut queues = lock(&self.0.queues);
        let left = queues.get(&self.1).map_or(0, |it| it.saturating_sub(1));
        if left > 0 {
            queues.insert(self.1, left);
        } else {
            queues.remove(&self.1);
        }
    }
}

impl Doors {
    /// A place in the queue for room, if the client has one left.
    fn queue(&self, client: IpAddr) -> Option<Queued<'_>> {
        let mut queues = lock(&self.queues);
        let waiting = queues.entry(client).or_default();
        if *waiting >= QUEUED_MAX {
            return None;
        }
        *waiting = waiting.saturating_add(1);
        Some(Queued(self, client))
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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

    /// Bytes that must have moved lately, if it is not slow: who holds much has to move much.
    fn least_pace(&self) -> u64 {
        PACE_MIN.max(u64::from(self.held()).saturating_mul(1024 / 64))
    }
}

/// How much moves on a connection.
struct Pace {
    /// When something last moved, in milliseconds since the listener began.
    moved: u64,
    window: u64,
    bytes: u64,
    before: u64,
}

impl Pace {
    fn new(now: u64) -> Pace {
        Pace {
            moved: now,
            window: now / WINDOW,
            bytes: 0,
            before: 0,
        }
    }

    fn turn(&mut self, now: u64) {
        let window = now / WINDOW;
        if window != self.window {
            let follows = window == self.window.saturating_add(1);
            self.before = if follows { self.bytes } else { 0 };
            (self.window, self.bytes) = (window, 0);
        }
    }

    fn note(&mut self, now: u64, bytes: u64) {
        self.turn(now);
        self.moved = now;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// What moved lately.
    fn bytes(&mut self, now: u64) -> u64 {
        self.turn(now);
        self.bytes.saturating_add(self.before)
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

    /// Room for so many bytes on their way, for which slow connections give way (rule HT-9). None if there is none in time.
    pub(super) async fn hold(&self, bytes: usize) -> Option<Held> {
        let kib = u32::try_from(bytes.div_ceil(1024)).ok()?;
        if kib > ROOM_KIB {
            return None;
        }
        let client = self.door.client();
        let _waits = self.doors.queue(client)?;
        let mut room = Box::pin(Arc::clone(&self.doors.room).acquire_many_owned(kib));
        let mut again = interval(AGAIN);
        let start = Instant::now();
        let waited = timeout(TURN, async {
            loop {
                tokio::select! {
                    biased;
                    permit = &mut room => return permit.ok(),
                    _ = again.tick() => self.doors.make_room(client, kib, start.elapsed()),
                }
            }
        });
        let permit = waited.await.ok()??;
        self.door.held.fetch_add(kib, Ordering::Relaxed);
        // Nothing of it could move yet.
        lock(&self.door.pace).note(self.doors.now(), PACE_MIN);
        let door = Arc::clone(&self.door);
        Some(Held {
            door,
            kib,
            _permit: permit,
        })
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

/// Room for bytes on their way.
pub(super) struct Held {
    door: Arc<Door>,
    kib: u32,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.door.held.fetch_sub(self.kib, Ordering::Relaxed);
    }
}
