//! Own requests that are under way: who waits for which answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::net::{CommandError, ExchangeError, NetHandle, PeerId, Protocol};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The network stopped.
    #[error(transparent)]
    Net(#[from] CommandError),
    /// The peer did not answer.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// Nobody is left to ask.
    #[error("no peer answered")]
    Nobody,
}

type Answer = Result<Vec<u8>, ExchangeError>;

/// Asks peers and gives each answer to who asked.
#[derive(Clone)]
pub struct Requests {
    net: NetHandle,
    next: Arc<AtomicU64>,
    waiting: Arc<Mutex<BTreeMap<u64, oneshot::Sender<Answer>>>>,
}

impl std::fmt::Debug for Requests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Requests(..)")
    }
}

impl Requests {
    /// Requests over a network.
    pub fn new(net: NetHandle) -> Requests {
        Requests {
            net,
            next: Arc::new(AtomicU64::new(1)),
            waiting: Arc::default(),
        }
    }

    /// The network.
    pub const fn net(&self) -> &NetHandle {
        &self.net
    }

    /// Asks a peer; the network layer ends every request within its time limit.
    ///
    /// # Errors
    /// If the peer does not answer or the network stopped.
    pub async fn ask(
        &self,
        peer: PeerId,
        protocol: Protocol,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, AskError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, sender);
        if let Err(error) = self.net.request(id, peer, protocol, data).await {
            self.waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&id);
            return Err(error.into());
        }
        Ok(receiver.await.map_err(|_| CommandError::Stopped)??)
    }

    /// An answer came.
    pub fn answered(&self, id: u64, answer: Answer) {
        let waiting = self
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
        if let Some(sender) = waiting {
            // Whoever asked may have stopped waiting.
            let _ = sender.send(answer);
        }
    }
}
