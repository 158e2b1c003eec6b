//! Asking several peers for one thing, without waiting long for any of them.
//!
//! # Rules
//!
//! - `[XC-4]` Who should have a thing is asked first. The next is asked as soon as one has nothing, and also when nobody has
//!   answered for [`PATIENCE`] (hedged requests: Dean and Barroso, The Tail at Scale, 2013), at most [`ASKED_MAX`] at once: a
//!   connection that is dead is noticed only much later. The first that has it ends the asking.

use std::fmt::Debug;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::timeout;

use super::AskError;
use crate::net::PeerId;

/// How long peers may be silent before another is asked too.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// Peers that are asked for one thing at once.
pub(super) const ASKED_MAX: usize = 4;

/// The first answer of these peers that has what is wanted; nothing if none has.
pub(super) async fn first<T, F>(
    wanted: &impl Debug,
    peers: Vec<PeerId>,
    ask: impl Fn(PeerId) -> F,
) -> Option<T>
where
    F: Future<Output = Result<Option<T>, AskError>>,
{
    let mut peers = peers.into_iter();
    let mut asked = FuturesUnordered::new();
    loop {
        if asked.len() < ASKED_MAX
            && let Some(peer) = peers.next()
        {
            let answer = ask(peer);
            asked.push(async move { (peer, answer.await) });
        }
        match timeout(PATIENCE, asked.next()).await {
            Ok(Some((_, Ok(Some(answer))))) => return Some(answer),
            Ok(Some((peer, Err(error)))) => {
                tracing::debug!(%peer, %error, ?wanted, "not fetched");
            }
            // It has nothing, or all are silent.
            Ok(Some((_, Ok(None)))) | Err(_) => {}
            Ok(None) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Mutex;

    use super::*;

    fn peers(count: usize) -> Vec<PeerId> {
        (0..count).map(|_| PeerId::random()).collect()
    }

    #[tokio::test]
    async fn a_silent_peer_delays_an_answer_only_by_the_patience() {
        let peers = peers(3);
        let (silent, empty) = (peers[0], peers[1]);
        let asked = Mutex::new(Vec::new());
        let answer = first(&"it", peers.clone(), |peer| {
            asked.lock().unwrap().push(peer);
            async move {
                match peer {
                    it if it == silent => pending().await,
                    it if it == empty => Ok(None),
                    _ => Ok(Some(peer)),
                }
            }
        });
        assert_eq!(answer.await, Some(peers[2]));
        assert_eq!(asked.into_inner().unwrap(), peers);
    }

    #[tokio::test]
    async fn nobody_else_is_asked_when_the_first_answers() {
        let peers = peers(2);
        let answer = first(&"it", peers.clone(), |peer| async move { Ok(Some(peer)) });
        assert_eq!(answer.await, Some(peers[0]));
    }

    #[tokio::test]
    async fn when_nobody_has_it_the_asking_ends() {
        let answer = first::<(), _>(&"it", peers(9), |_| async { Err(AskError::Nobody) });
        assert_eq!(answer.await, None);
        assert_eq!(
            first::<(), _>(&"it", peers(0), |_| async { Ok(None) }).await,
            None
        );
    }
}
