//! Room for bodies that come and answers that go: who gets it, and who gives way (rule HT-9).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, interval, timeout};

use super::{Door, Doors, Visitor, by_client, lock, pace};

/// Bytes on their way that take no room: so many on every connection are less than all the room there is.
pub(crate) const SMALL: usize = 64 << 10;
/// KiB of all that is larger.
const ROOM_KIB: u32 = if cfg!(test) { 16 << 10 } else { 256 << 10 };
/// How long who needs room waits for it.
const TURN: Duration = Duration::from_secs(10);
/// How long who needs room waits for what moves, until the client that takes most gives way.
const PATIENCE: Duration = Duration::from_millis(pace::WINDOW);
/// How many of one client wait for room; more are refused.
const QUEUED_MAX: u32 = 8;
/// How often who waits for room looks for the slow.
const AGAIN: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 500 });

/// The room.
pub(super) struct Room {
    /// In KiB.
    free: Arc<Semaphore>,
    /// How many requests of a client wait for it.
    queues: Mutex<BTreeMap<IpAddr, u32>>,
}

impl Default for Room {
    fn default() -> Room {
        Room {
            free: Arc::new(Semaphore::new(ROOM_KIB as usize)),
            queues: Mutex::default(),
        }
    }
}

/// A place among those of a client that wait for room, until this is dropped.
struct Queued<'a>(&'a Room, IpAddr);

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

impl Room {
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

impl Doors {
    /// Closes connections until there will be as much room as a client needs: slow ones, and if none is then the slowest of the
    /// client that takes most, if that is more than the one who needs it would (rule HT-9).
    fn make_room(&self, client: IpAddr, kib: u32, waited: Duration) {
        let now = self.now();
        let open = lock(&self.open);
        let free = u32::try_from(self.room.free.available_permits()).unwrap_or(u32::MAX);
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
            .filter(|(bytes, it)| *bytes < pace::least(it.held()))
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

impl Visitor {
    /// Room for so many bytes on their way, for which slow connections give way (rule HT-9). None if there is none in time.
    pub(crate) async fn hold(&self, bytes: usize) -> Option<Held> {
        let kib = u32::try_from(bytes.div_ceil(1024)).ok()?;
        if kib > ROOM_KIB {
            return None;
        }
        let client = self.door.client();
        let _waits = self.doors.room.queue(client)?;
        let mut room = Box::pin(Arc::clone(&self.doors.room.free).acquire_many_owned(kib));
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
        lock(&self.door.pace).note(self.doors.now(), pace::least(kib));
        let door = Arc::clone(&self.door);
        Some(Held {
            door,
            kib,
            _permit: permit,
        })
    }
}

/// Room for bytes on their way.
pub(crate) struct Held {
    door: Arc<Door>,
    kib: u32,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.door.held.fetch_sub(self.kib, Ordering::Relaxed);
    }
}
