//! Where clients find a scheduler: the `Scheduler-Location` that its key signs.
//!
//! # Rules
//!
//! - `[SL-1]` A node that schedules has a location of its own, which names its URL with `/su`. It signs another one when the
//!   URL has changed; the last counts.
//! - `[SL-2]` A gateway keeps the locations of the schedulers whose processes it follows: it asks each for it when it has none,
//!   and again after the time for which it may be kept; another peer, if it does not answer. Only one that the scheduler's key has signed later replaces another.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use surety_protocol::id::Address;
use surety_protocol::item::{Item, ItemDraft, ItemError, ItemKey};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::archive::{Archive, ArchiveError, write};
use crate::driver::{NodeHandle, peer_of, wall};
use crate::store::Batch;

/// For how long a client or a gateway may keep what it read.
const TIME_TO_LIVE: Duration = Duration::from_secs(3600);
/// Bytes that a location has at most.
const BYTES_MAX: usize = 4096;
/// How often a gateway looks whether there are schedulers to be asked.
const LOOK: Duration = Duration::from_secs(1);
/// After how long one that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(10);

/// Why there is no location.
#[derive(Debug, thiserror::Error)]
pub enum LocationError {
    /// The archive failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The URL cannot be a tag.
    #[error("the location cannot be signed: {0}")]
    Item(#[from] ItemError),
}

/// Signs where this scheduler is, unless the last location says so already (rule SL-1).
pub(crate) fn publish(archive: &Archive, key: &ItemKey, url: &str) -> Result<(), LocationError> {
    let url = format!("{}/su", url.trim_end_matches('/'));
    let last = archive.location(&key.address())?;
    if last.as_ref().and_then(|it| it.tag("Url")) == Some(url.as_str()) {
        return Ok(());
    }
    // Whatever the clock says, the last counts.
    let after = last.map_or(0, |it| signed_at(&it).saturating_add(1));
    let draft = ItemDraft::default()
        .tag("Data-Protocol", "ao")
        .tag("Variant", "ao.TN.1")
        .tag("Type", "Scheduler-Location")
        .tag("Url", url.as_str())
        .tag("Time-To-Live", TIME_TO_LIVE.as_millis().to_string())
        // A URL that comes back is a location of its own.
        .tag("Timestamp", wall().0.max(after).to_string());
    let item = key.sign_item(&draft)?;
    Ok(keep(archive, &item)?)
}

/// Keeps the locations of others (rule SL-2), until the node stops or its store fails.
pub(crate) async fn follow(
    node: NodeHandle,
    own: Address,
    shutdown: CancellationToken,
) -> Result<(), ArchiveError> {
    // When each is asked again.
    let mut due: BTreeMap<Address, Instant> = BTreeMap::new();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = looks.tick() => {}
        }
        let view = node.now();
        let schedulers = view.processes.values().map(|it| it.scheduler);
        let others: BTreeSet<Address> = schedulers.filter(|it| *it != own).collect();
        due.retain(|it, _| others.contains(it));
        for scheduler in others {
            if due.get(&scheduler).is_some_and(|at| *at > Instant::now()) {
                continue;
            }
            let found = ask(&node, &scheduler).await?;
            let wait = if found { TIME_TO_LIVE } else { AGAIN };
            due.insert(scheduler, Instant::now() + wait);
        }
    }
}

/// Asks a scheduler where it is; whether it said so.
async fn ask(node: &NodeHandle, scheduler: &Address) -> Result<bool, ArchiveError> {
    let ledger = &node.now().ledger;
    let operator = ledger.operator_of_item_key(scheduler);
    let peer = operator.and_then(|it| peer_of(ledger, &it));
    let Some(item) = node.fetcher.location(peer, *scheduler).await else {
        return Ok(false);
    };
    tokio::task::block_in_place(|| take(&node.archive, &item))?;
    Ok(true)
}

/// Keeps a location unless one that was signed no earlier is here.
fn take(archive: &Archive, item: &Item) -> Result<(), ArchiveError> {
    match archive.location(&item.owner_address())? {
        Some(last) if signed_at(&last) >= signed_at(item) => Ok(()),
        _ => keep(archive, item),
    }
}

/// Whether an item says where the scheduler with this key is.
pub(crate) fn is_of(item: &Item, scheduler: &Address) -> bool {
    item.owner_address() == *scheduler
        && item.tag("Type") == Some("Scheduler-Location")
        && item.tag("Url").is_some()
        && item.bytes().len() <= BYTES_MAX
}

/// Milliseconds since 1970; what names no time is older than anything.
fn signed_at(location: &Item) -> u64 {
    let time = location.tag("Timestamp").map(str::parse);
    time.and_then(Result::ok).unwrap_or(0)
}

fn keep(archive: &Archive, item: &Item) -> Result<(), ArchiveError> {
    let mut batch = Batch::new();
    write::location(&mut batch, item);
    archive.write(batch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;
    use std::sync::Arc;

    fn draft(timestamp: &str) -> ItemDraft {
        ItemDraft::default()
            .tag("Type", "Scheduler-Location")
            .tag("Url", format!("http://at-{timestamp}"))
            .tag("Timestamp", timestamp)
    }

    fn location(key: &ItemKey, timestamp: &str) -> Item {
        key.sign_item(&draft(timestamp)).unwrap().into_inner()
    }

    #[test]
    fn only_a_later_location_replaces_another() {
        let archive = Archive::new(Arc::new(MemoryStore::default()));
        let key = ItemKey::ed25519(&[1; 32]);
        let mut there = Vec::new();
        for timestamp in ["x", "5", "9", "7", "9", "x", "10"] {
            take(&archive, &location(&key, timestamp)).unwrap();
            let kept = archive.location(&key.address()).unwrap().unwrap();
            there.push(kept.tag("Timestamp").unwrap().to_owned());
        }
        assert_eq!(there, ["x", "5", "9", "9", "9", "9", "10"]);
        let another = ItemKey::ed25519(&[2; 32]);
        assert!(archive.location(&another.address()).unwrap().is_none());
        // A clock that went back does not make this node's own an earlier one.
        take(&archive, &location(&key, &(u64::MAX - 1).to_string())).unwrap();
        publish(&archive, &key, "http://here").unwrap();
        let kept = archive.location(&key.address()).unwrap().unwrap();
        assert_eq!(kept.tag("Url"), Some("http://here/su"));
        assert_eq!(signed_at(&kept), u64::MAX);
    }

    #[test]
    fn a_location_is_of_the_key_that_signed_it() {
        let (key, another) = (ItemKey::ed25519(&[1; 32]), ItemKey::ed25519(&[2; 32]));
        assert!(is_of(&location(&key, "1"), &key.address()));
        assert!(!is_of(&location(&key, "1"), &another.address()));
        let message = key.sign_item(&ItemDraft::default().tag("Url", "http://here"));
        assert!(!is_of(&message.unwrap(), &key.address()));
        let large = key.sign_item(&draft("1").carrying([0; BYTES_MAX]));
        assert!(!is_of(&large.unwrap(), &key.address()));
    }
}
