//! Requests and responses: bytes with a length, one stream per exchange.
//!
//! # Rules
//!
//! - `[N-3]` A request is a length of four bytes, big-endian, and that many bytes. A response is one byte, 0 for an
//!   answer, which follows in the same form, or 1 for a refusal, which ends it. A stream closed before that byte
//!   is a refusal too.
//! - `[N-4]` Each protocol has its own limits. A length above the limit is refused before anything is allocated; below
//!   it, memory grows with what arrives and not with what is announced.
//! - `[N-5]` An exchange that is not complete after 20 seconds fails.

use std::io;

use futures::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::StreamProtocol;
use libp2p::request_response::{Codec, OutboundFailure};

use super::limits;
use super::topic::Protocol;

/// Why the bytes of the other side are not a request or an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It announces more than the protocol allows.
    #[error("announces {announced} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes announced.
        announced: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The first byte of a response is neither 0 nor 1.
    #[error("unknown status {0}")]
    Status(u8),
    /// The other side does not answer.
    #[error("refused")]
    Refused,
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// The peer answered that it will not, or cannot.
    #[error("refused by the peer")]
    Refused,
    /// The peer's bytes are not a response; it was penalised.
    #[error("not a response: {0}")]
    Malformed(FrameError),
    /// No complete answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection or the stream broke.
    #[error("disconnected")]
    Disconnected,
    /// The peer is not connected.
    #[error("not connected")]
    NotConnected,
    /// The peer does not speak the protocol, or it is not one for the owner.
    #[error("not supported by the peer")]
    Unsupported,
    /// Too many requests of our own are under way.
    #[error("too many requests under way")]
    Busy,
    /// The request itself is larger than its protocol allows.
    #[error("a request of {bytes} bytes, more than the limit of {limit}")]
    RequestTooLarge {
        /// Bytes of the request.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

impl From<OutboundFailure> for ExchangeError {
    fn from(failure: OutboundFailure) -> Self {
        match failure {
            OutboundFailure::DialFailure => ExchangeError::NotConnected,
            OutboundFailure::Timeout => ExchangeError::Timeout,
            OutboundFailure::UnsupportedProtocols => ExchangeError::Unsupported,
            OutboundFailure::ConnectionClosed | OutboundFailure::Io(_) => {
                ExchangeError::Disconnected
            }
        }
    }
}

/// A request or a response as it came. What breaks the rules is a value and not an I/O error, because
/// the latter would never be reported to whoever judges the sender.
pub(crate) type Frame = Result<Vec<u8>, FrameError>;

/// Reads and writes the frames of one protocol.
#[derive(Debug, Clone)]
pub(crate) struct ByteCodec {
    request_max: usize,
    response_max: usize,
}

const ANSWER: u8 = 0;
const REFUSAL: u8 = 1;

impl ByteCodec {
    pub(crate) const fn new(protocol: Protocol) -> Self {
        Self {
            request_max: protocol.request_max(),
            response_max: protocol.response_max(),
        }
    }
}

impl Codec for ByteCodec {
    type Protocol = StreamProtocol;
    type Request = Frame;
    type Response = Frame;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Frame>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_frame(io, self.request_max).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Frame>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut status = [0];
        if io.read(&mut status).await? == 0 {
            return Ok(Err(FrameError::Refused));
        }
        match status {
            [ANSWER] => read_frame(io, self.response_max).await,
            [REFUSAL] => Ok(Err(FrameError::Refused)),
            [other] => Ok(Err(FrameError::Status(other))),
        }
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        request: Frame,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        match request {
            Ok(bytes) => write_frame(io, &bytes).await,
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidInput, error)),
        }
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        response: Frame,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        match response {
            Ok(bytes) => {
                io.write_all(&[ANSWER]).await?;
                write_frame(io, &bytes).await
            }
            Err(_) => io.write_all(&[REFUSAL]).await,
        }
    }
}

async fn read_frame<T>(io: &mut T, limit: usize) -> io::Result<Frame>
where
    T: AsyncRead + Unpin + Send,
{
    let mut head = [0; 4];
    io.read_exact(&mut head).await?;
    let length = u32::from_be_bytes(head);
    let announced = usize::try_from(length).unwrap_or(usize::MAX);
    if announced > limit {
        return Ok(Err(FrameError::TooLarge { announced, limit }));
    }
    let mut bytes = Vec::with_capacity(announced.min(limits::FRAME_RESERVE));
    io.take(u64::from(length)).read_to_end(&mut bytes).await?;
    if bytes.len() < announced {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Ok(bytes))
}

async fn write_frame<T>(io: &mut T, bytes: &[u8]) -> io::Result<()>
where
    T: AsyncWrite + Unpin + Send,
{
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    io.write_all(&length.to_be_bytes()).await?;
    io.write_all(bytes).await?;
    io.flush().await
}

#[cfg(test)]
mod tests;
