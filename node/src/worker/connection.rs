//! The node's end: a worker process, started when it is needed, and the requests that it has not answered yet.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use surety_attest::engine::{Abstain, EngineError};
use tracing::warn;

use super::DEADLINE;
use super::wire::{self, Answer, Request};

/// How long a worker may not read what it is told.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is looked how much memory a worker takes.
const WATCH_EVERY: Duration = Duration::from_millis(200);
/// Bytes of the unit in which the kernel tells it.
const PAGE_BYTES: u64 = 4096;

/// A worker, started again when it has ended.
#[derive(Debug)]
pub struct Worker {
    program: PathBuf,
    args: Vec<OsString>,
    memory_bytes: u64,
    deadline: Duration,
    running: Mutex<Option<Arc<Connection>>>,
}

impl Worker {
    /// A worker that is this program, started with these arguments, and may take so many bytes of memory.
    pub const fn new(program: PathBuf, args: Vec<OsString>, memory_bytes: u64) -> Worker {
        Worker {
            program,
            args,
            memory_bytes,
            deadline: DEADLINE,
            running: Mutex::new(None),
        }
    }

    /// The same, which may take another time for one request.
    #[must_use]
    pub fn within(self, deadline: Duration) -> Worker {
        Worker { deadline, ..self }
    }

    /// The process id of the worker, while it runs.
    pub fn process(&self) -> Option<u32> {
        let running = lock(&self.running);
        let connection = running.as_ref().filter(|it| !it.ended())?;
        Some(connection.process)
    }

    /// The connection to the worker that runs; starts one if there is none (rule WK-2).
    pub(super) fn connection(&self) -> Result<Arc<Connection>, EngineError> {
        let mut running = lock(&self.running);
        if let Some(connection) = running.as_ref().filter(|it| !it.ended()) {
            return Ok(Arc::clone(connection));
        }
        let connection =
            Connection::start(&self.program, &self.args, self.deadline).map_err(|error| {
                warn!(%error, "a worker does not start");
                EngineError::from(Abstain::Worker)
            })?;
        let (watched, bytes) = (Arc::downgrade(&connection), self.memory_bytes);
        let watching = std::thread::Builder::new().spawn(move || watch(&watched, bytes));
        watching.map_err(|_| Abstain::Memory)?;
        *running = Some(Arc::clone(&connection));
        Ok(connection)
    }
}

/// Requests that wait, by their numbers.
type Waiting = BTreeMap<u64, SyncSender<Answer>>;

/// A connection to one worker process.
#[derive(Debug)]
pub(super) struct Connection {
    process: u32,
    /// For writing, a frame at a time.
    socket: Mutex<UnixStream>,
    /// The same, for ending it while somebody writes.
    ending: UnixStream,
    numbers: AtomicU64,
    deadline: Duration,
    /// Nothing once the worker has ended.
    waiting: Arc<Mutex<Option<Waiting>>>,
}

impl Connection {
    fn start(program: &Path, args: &[OsString], deadline: Duration) -> io::Result<Arc<Connection>> {
        let (ours, theirs) = UnixStream::pair()?;
        let (reading, ending) = (ours.try_clone()?, ours.try_clone()?);
        ours.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let child = Command::new(program)
            .arg0("surety")
            .args(args)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .spawn()?;
        let connection = Connection {
            process: child.id(),
            socket: Mutex::new(ours),
            ending,
            numbers: AtomicU64::new(1),
            deadline,
            waiting: Arc::new(Mutex::new(Some(BTreeMap::new()))),
        };
        let waiting = Arc::clone(&connection.waiting);
        std::thread::Builder::new()
            .name("worker".into())
            .spawn(move || read(reading, &waiting, child))?;
        Ok(Arc::new(connection))
    }

    /// Whether the worker is gone.
    pub(super) fn ended(&self) -> bool {
        lock(&self.waiting).is_none()
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// What the worker says, or an abstention (rule WK-2).
    pub(super) fn ask(&self, request: &Request) -> Result<Answer, EngineError> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let frame = wire::frame(number, request).ok_or(Abstain::TooLarge)?;
        let (sender, answer) = sync_channel(1);
        match &mut *lock(&self.waiting) {
            Some(waiting) => drop(waiting.insert(number, sender)),
            None => return Err(Abstain::Worker.into()),
        }
        if lock(&self.socket).write_all(&frame).is_err() {
            self.end();
        }
        match answer.recv_timeout(self.deadline) {
            Ok(Answer::Failed(error)) => Err(error),
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => {
                warn!("a worker takes too long and is ended");
                self.end();
                Err(Abstain::Worker.into())
            }
            Err(RecvTimeoutError::Disconnected) => Err(Abstain::Worker.into()),
        }
    }

    /// Says something that nobody waits for.
    pub(super) fn tell(&self, request: &Request) {
        let frame = wire::frame(0, request).unwrap_or_default();
        if !self.ended() && lock(&self.socket).write_all(&frame).is_err() {
            self.end();
        }
    }

    /// Ends it: nobody waits any longer, and who reads finds the end of the socket and sees to the process.
    pub(super) fn end(&self) {
        lock(&self.waiting).take();
        let _ = self.ending.shutdown(Shutdown::Both);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end();
    }
}

/// Ends a worker that takes more memory than it may. What a limit of the kernel bounds is what was asked for, which for
/// memories of WebAssembly is many times what is used.
fn watch(connection: &Weak<Connection>, bytes_max: u64) {
    while let Some(connection) = connection.upgrade().filter(|it| !it.ended()) {
        let path = format!("/proc/{}/statm", connection.process);
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let pages = text.split(' ').nth(1).and_then(|it| it.parse().ok());
        let bytes = pages.map_or(0, |pages: u64| pages.saturating_mul(PAGE_BYTES));
        if bytes > bytes_max {
            warn!(
                bytes,
                bytes_max, "a worker takes too much memory and is ended"
            );
            connection.end();
        }
        drop(connection);
        std::thread::sleep(WATCH_EVERY);
    }
}

/// Hands out answers until the worker ends.
fn read(mut socket: UnixStream, waiting: &Mutex<Option<Waiting>>, mut child: Child) {
    while let Ok((number, answer)) = wire::receive(&mut socket) {
        let waits = match &mut *lock(waiting) {
            Some(waiting) => waiting.remove(&number),
            None => break,
        };
        if let Some(waits) = waits {
            let _ = waits.send(answer);
        }
    }
    lock(waiting).take();
    let _ = child.kill();
    let _ = child.wait();
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
