//! A listener that bounds open connections, closes those on which nothing moves, and gives way to who comes (rules HT-2, HT-8).

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::doors::{CONNECTIONS_MAX, Doors, Opened, Visitor};

/// Connections that are kept free, so that who comes need not wait until another has closed.
const SPARE: usize = 64;
/// How long nothing may move on a connection: longer than the longest request, and than the pauses of a stream.
const IDLE: Duration = Duration::from_secs(75);

/// Connections that have come and were not accepted yet: a burst of them shall not cost others seconds, until they try again.
const BACKLOG: u32 = 4096;

/// Listens at an address.
///
/// # Errors
/// The address cannot be had.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A node that starts again takes its port back at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

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
            doors: Doors::new(),
        }
    }
}

impl Connected<IncomingStream<'_, Bounded>> for Visitor {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Visitor {
        stream.io().opened.visitor()
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        if self.open.available_permits() <= SPARE / 2 {
            self.doors.give_way(SPARE);
        }
        // The semaphore is never closed.
        let permit = Arc::clone(&self.open).acquire_owned().await.ok();
        // Answers are small and awaited; a socket that refuses is merely slower.
        let _ = stream.set_nodelay(true);
        let opened = self.doors.open(address.ip());
        let connection = Connection {
            stream,
            timer: Box::pin(sleep(IDLE)),
            closed: Box::pin(opened.visitor().closed().cancelled_owned()),
            opened,
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
    opened: Opened,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// Asks whether nothing has moved for too long, or the connection has to give way.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.closed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(io::ErrorKind::ConnectionAborted.into());
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let rest = IDLE.saturating_sub(self.opened.idle());
            if rest.is_zero() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            let next = Instant::now().checked_add(rest);
            self.timer.as_mut().reset(next.unwrap_or_else(Instant::now));
        }
    }

    /// Notes that something was written, or asks whether the connection ends.
    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = &polled {
            self.opened.moved(*written.as_ref().unwrap_or(&0));
            return polled;
        }
        self.poll_end(cx).map(Err)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buf) {
            let bytes = buf.filled().len().saturating_sub(before);
            self.opened.moved(bytes);
            return Poll::Ready(read);
        }
        self.poll_end(cx).map(Err)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(cx, polled)
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
