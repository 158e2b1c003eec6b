//! A listener that bounds open connections, closes those on which nothing moves, and gives way to who comes (rules HT-2, HT-8).

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Connections open at once.
pub(super) const CONNECTIONS_MAX: usize = 1024;
/// How long nothing may move on a connection: longer than the longest request, and than the pauses of a stream.
const IDLE: Duration = Duration::from_secs(75);

/// The listener.
pub(super) struct Bounded {
    listener: TcpListener,
    open: Arc<Semaphore>,
    doors: Arc<Doors>,
}

impl Bounded {
    pub(super) fn new(listener: TcpListener) -> Bounded {
        Bounded {
            listener,
            open: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            doors: Arc::new(Doors {
                start: Instant::now(),
                open: Mutex::default(),
                next: AtomicU64::new(0),
            }),
        }
    }
}

/// All connections that are open.
struct Doors {
    start: Instant,
    open: Mutex<BTreeMap<u64, Arc<Door>>>,
    next: AtomicU64,
}

impl Doors {
    fn open(self: &Arc<Doors>) -> (u64, Arc<Door>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let door = Arc::new(Door {
            moved: AtomicU64::new(self.now()),
            requests: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        });
        lock(&self.open).insert(number, Arc::clone(&door));
        (number, door)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Closes the connection without a request under way on which nothing has moved for the longest time (rule HT-8).
    fn give_way(&self) {
        let open = lock(&self.open);
        let idle = open.iter().filter(|(_, it)| {
            it.requests.load(Ordering::Relaxed) == 0 && !it.closed.load(Ordering::Relaxed)
        });
        let longest = idle.min_by_key(|(number, it)| (it.moved.load(Ordering::Relaxed), **number));
        if let Some((_, door)) = longest {
            door.closed.store(true, Ordering::Release);
            door.waker.wake();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Door {
    /// Milliseconds since the listener began.
    moved: AtomicU64,
    /// Requests under way.
    requests: AtomicUsize,
    closed: AtomicBool,
    waker: AtomicWaker,
}

/// The connection that a request came by.
#[derive(Debug, Clone)]
pub(super) struct Visitor(Arc<Door>);

impl Connected<IncomingStream<'_, Bounded>> for Visitor {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Visitor {
        Visitor(Arc::clone(&stream.io().door))
    }
}

impl Visitor {
    /// While this lives a request is under way.
    pub(super) fn request(&self) -> UnderWay {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(&self.0))
    }
}

/// A request under way on a connection.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Door>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let permit = match Arc::clone(&self.open).try_acquire_owned() {
            Ok(permit) => Some(permit),
            // The semaphore is never closed.
            Err(_) => {
                self.doors.give_way();
                Arc::clone(&self.open).acquire_owned().await.ok()
            }
        };
        // Answers are small and awaited; a socket that refuses is merely slower.
        let _ = stream.set_nodelay(true);
        let (number, door) = self.doors.open();
        let connection = Connection {
            stream,
            timer: Box::pin(sleep(IDLE)),
            moved: Instant::now(),
            number,
            door,
            doors: Arc::clone(&self.doors),
            _permit: permit,
        };
        (connection, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection.
pub(super) struct Connection {
    stream: TcpStream,
    timer: Pin<Box<Sleep>>,
    moved: Instant,
    number: u64,
    door: Arc<Door>,
    doors: Arc<Doors>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        lock(&self.doors.open).remove(&self.number);
    }
}

impl Connection {
    /// Notes that something moved, or asks whether nothing has for too long.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.moved = Instant::now();
            self.door.moved.store(self.doors.now(), Ordering::Relaxed);
            return polled;
        }
        self.door.waker.register(cx.waker());
        if self.door.closed.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let rest = IDLE.saturating_sub(self.moved.elapsed());
            if rest.is_zero() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            let next = Instant::now().checked_add(rest).unwrap_or(self.moved);
            self.timer.as_mut().reset(next);
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.watch(cx, polled)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
