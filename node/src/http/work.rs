//! Where handlers' work is done: on threads that may block, heavy work a few pieces at a time, and waiting without asking
//! again and again (rules HT-2, HT-6).

use std::sync::Arc;
use std::time::Duration;

use surety_attest::effect::Offer;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::Api;
use super::arrival::aside;
use super::problem::Problem;
use crate::archive::Archive;
use crate::driver::Accepted;
use crate::view::View;

/// How long a heavy request waits for its turn.
const TURN: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 10_000 });
/// How long a request may wait for something to happen.
pub(crate) const WAIT_MAX: u64 = 30;

impl Api {
    /// The latest snapshot of the node.
    pub(crate) fn now(&self) -> Arc<View> {
        self.node.handle.now()
    }

    /// Reads the archive.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Archive) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let archive = self.node.handle.archive.clone();
        let done = tokio::task::spawn_blocking(move || work(&archive)).await;
        done.map_err(|error| Problem::internal(&error))?
    }

    /// Reads or proves much when it is its turn. It keeps its place until it is done, even if nobody waits for it any more.
    pub(crate) async fn heavy<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Archive) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.in_turn(&self.heavy, work).await
    }

    /// Executes when it is its turn, in the same way: nobody who has something executed keeps others from proofs.
    pub(crate) async fn execute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Archive) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.in_turn(&self.executions, work).await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        places: &Arc<Semaphore>,
        work: impl FnOnce(&Archive) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = Arc::clone(places).acquire_owned();
        let busy = || Problem::busy("too much heavy work is under way");
        let permit = tokio::time::timeout(TURN, turn).await.map_err(|_| busy())?;
        let permit = permit.map_err(|_| busy())?;
        self.read(move |archive| {
            let _permit = permit;
            work(archive)
        })
        .await
    }

    /// Offers something to the driver, and waits for what becomes of it.
    pub(crate) async fn offer(&self, offer: Offer) -> Result<Accepted, Problem> {
        Ok(aside(self.node.handle.offer(offer)).await?)
    }

    /// Looks at every new snapshot until `look` finds what it wants, at most so long.
    pub(crate) async fn until<T, F>(
        &self,
        wait: Duration,
        mut look: impl FnMut(Arc<View>) -> F,
    ) -> Result<Option<T>, Problem>
    where
        F: Future<Output = Result<Option<T>, Problem>>,
    {
        let mut views = self.node.handle.view.clone();
        let deadline = Instant::now().checked_add(wait);
        loop {
            let view = Arc::clone(&views.borrow_and_update());
            let found = look(view).await?;
            let Some(deadline) = deadline.filter(|_| found.is_none() && !wait.is_zero()) else {
                return Ok(found);
            };
            let changed = aside(async {
                tokio::select! {
                    changed = timeout_at(deadline, views.changed()) => matches!(changed, Ok(Ok(()))),
                    () = self.shutdown.cancelled() => false,
                }
            });
            // Late, or the node has stopped.
            if !changed.await {
                return Ok(None);
            }
        }
    }
}

/// How long a request wants to wait.
pub(crate) fn waiting(seconds: Option<u64>) -> Result<Duration, Problem> {
    match seconds.unwrap_or(0) {
        seconds @ 0..=WAIT_MAX => Ok(Duration::from_secs(seconds)),
        _ => {
            let detail = format!("a request waits for at most {WAIT_MAX} seconds");
            Err(Problem::malformed("wait-out-of-range", detail))
        }
    }
}
