//! Getting what the core asks for: from peers, and from this node's own disk.

use std::sync::Arc;

use surety_attest::effect::{Assign, Offer};
use surety_protocol::id::{Address, ProcessId};

use super::act::peer_of;
use super::{Completion, Driver};
use crate::core::{Fetched, Input};
use crate::exchange::Wanted;
use crate::net::PeerId;

impl Driver {
    /// Starts to get something, unless it is being got or there is no place for it now.
    pub(super) fn fetch(&self, wanted: Wanted) {
        if !self.fetcher.begin(&wanted) {
            return;
        }
        let holders = self.holders(&wanted).into_iter();
        let first = holders.filter_map(|operator| peer_of(self.core.ledger(), &operator));
        let first: Vec<PeerId> = first.collect();
        let fetcher = self.fetcher.clone();
        let completions = self.completions.clone();
        let executor = Arc::clone(&self.executor);
        let executions = Arc::clone(&self.executions);
        let ledger = self.core.ledger();
        let profiles = (ledger.profiles_shared(), ledger.height());
        tokio::spawn(async move {
            let fetched = fetcher.get(&wanted, &first).await;
            if let Some(Fetched::Item(item)) = &fetched
                && item.tag("Type") == Some("Module")
            {
                // Compiled when it comes, so that no claim waits for it; a refusal shows when it is executed.
                let item = item.clone();
                let _permit = executions.acquire_owned().await;
                let compiled = tokio::task::spawn_blocking(move || {
                    let (profiles, height) = profiles;
                    let engine = executor.engine(&profiles.at(height).profile);
                    drop(engine.and_then(|it| it.check(item.data())));
                });
                drop(compiled.await);
            }
            if let Some(fetched) = fetched {
                let input = Box::new(Input::Fetched(fetched));
                let _ = completions.send(Completion::Input(input)).await;
            }
            fetcher.end(&wanted);
        });
    }

    /// Finds an item here or elsewhere, to be assigned to a process.
    pub(super) fn find(&self, assign: Assign) {
        let Assign {
            process,
            item,
            exclude,
        } = assign;
        let wanted = Wanted::Assigned(item);
        let (archive, fetcher) = (self.archive.clone(), self.fetcher.clone());
        let completions = self.completions.clone();
        tokio::spawn(async move {
            let here = tokio::task::spawn_blocking(move || archive.item(&item)).await;
            let found = match here {
                Ok(Ok(Some(item))) => Some(item),
                // Being got already, or too much is: the messenger asks again.
                _ if !fetcher.begin(&wanted) => return,
                _ => {
                    let fetched = fetcher.get(&wanted, &[]).await;
                    fetcher.end(&wanted);
                    match fetched {
                        Some(Fetched::Item(item)) => Some(item),
                        _ => None,
                    }
                }
            };
            let Some(found) = found else {
                tracing::warn!(%item, %process, "an item that is to be assigned was not found");
                return;
            };
            let offer = Offer::Assign {
                process,
                item: found,
                exclude,
            };
            let input = Box::new(Input::Deliver(offer));
            let _ = completions.send(Completion::Input(input)).await;
        });
    }

    /// Reads a page of what is to arrive at a process.
    pub(super) fn recall(&self, process: ProcessId, after: Vec<u8>) {
        let (archive, completions) = (self.archive.clone(), self.completions.clone());
        tokio::spawn(async move {
            let read = tokio::task::spawn_blocking(move || archive.outbox(process, &after)).await;
            match read {
                Ok(Ok(recalled)) => {
                    let input = Box::new(Input::Recalled(recalled));
                    // The driver may have stopped.
                    let _ = completions.send(Completion::Input(input)).await;
                }
                Ok(Err(error)) => tracing::error!(%error, %process, "the outbox was not read"),
                Err(error) => tracing::error!(%error, %process, "reading the outbox ended"),
            }
        });
    }

    /// The operators that should have something.
    fn holders(&self, wanted: &Wanted) -> Vec<Address> {
        match wanted {
            Wanted::Want(want) => self.core.holders(want),
            Wanted::Evidence { challenger, .. } => vec![*challenger],
            Wanted::Blocks(_) => vec![self.core.ledger().proposer()],
            Wanted::Assigned(_) => Vec::new(),
        }
    }
}
