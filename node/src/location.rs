//! Where the clients of a scheduler find it: the `Scheduler-Location` that its key signs.
//!
//! # Rules
//!
//! - `[SL-1]` A node that schedules and is a gateway has a location of its own among its items, which names its URL with `/su`.
//!   It signs another one when the URL has changed; the last counts.

use surety_attest::effect::Record;
use surety_protocol::item::{ItemDraft, ItemError, ItemKey};

use crate::archive::{Archive, ArchiveError, Search, SearchError, write};
use crate::driver::wall;
use crate::store::Batch;

/// Milliseconds for which a client may keep what it read.
const TIME_TO_LIVE: u64 = 3_600_000;

/// Why there is no location.
#[derive(Debug, thiserror::Error)]
pub enum LocationError {
    /// The archive failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It could not be searched.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The URL cannot be a tag.
    #[error("the location cannot be signed: {0}")]
    Item(#[from] ItemError),
}

/// Signs where this scheduler is, unless the last location says so already (rule SL-1).
pub(crate) fn publish(archive: &Archive, key: &ItemKey, url: &str) -> Result<(), LocationError> {
    let url = format!("{}/su", url.trim_end_matches('/'));
    let tag = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
    let last = Search {
        owners: Some(vec![key.address()]),
        tags: vec![tag("Type", "Scheduler-Location")],
        backward: true,
        limit: 1,
        ..Search::default()
    };
    if let Some((_, id)) = archive.search(&last)?.first()
        && let Some(item) = archive.item(id)?
        && item.tag("Url") == Some(url.as_str())
    {
        return Ok(());
    }
    let draft = ItemDraft::default()
        .tag("Data-Protocol", "ao")
        .tag("Variant", "ao.TN.1")
        .tag("Type", "Scheduler-Location")
        .tag("Url", url.as_str())
        .tag("Time-To-Live", TIME_TO_LIVE.to_string())
        // A URL that comes back is a location of its own.
        .tag("Timestamp", wall().0.to_string());
    let mut batch = Batch::new();
    write::put(&mut batch, Record::Item(key.sign_item(&draft)?))?;
    Ok(archive.write(batch)?)
}
