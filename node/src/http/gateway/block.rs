//! Blocks of the ledger as Arweave's GraphQL shows them.

use async_graphql::{Error, ID, InputObject, SimpleObject};
use surety_protocol::block::Block as LedgerBlock;
use surety_protocol::time::{Height, Timestamp};

use super::graphql::{PageInfo, SortOrder};
use super::transaction::failed;
use crate::http::Api;
use crate::http::problem::Problem;

/// Blocks of a page at most; they are read whole.
const PAGE_MAX: usize = 100;
/// Bytes of items that a page reads.
const PAGE_BYTES: usize = 16 << 20;

/// A block of the ledger.
#[derive(SimpleObject)]
pub(super) struct Block {
    id: ID,
    /// Seconds since 1970; of a block that is asked for by itself, which has no clock, nothing.
    timestamp: Option<u64>,
    height: u64,
    previous: ID,
}

/// A page of blocks.
#[derive(SimpleObject)]
pub(super) struct BlockConnection {
    page_info: PageInfo,
    edges: Vec<BlockEdge>,
}

/// A block in a page.
#[derive(SimpleObject)]
struct BlockEdge {
    cursor: String,
    node: Block,
}

/// Heights, both ends included.
#[derive(InputObject, Default)]
pub(super) struct BlockFilter {
    min: Option<u64>,
    max: Option<u64>,
}

impl BlockFilter {
    /// Whether it has no end.
    pub(super) fn is_open(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }

    /// Whether a height is one of them.
    pub(super) fn contains(&self, height: u64) -> bool {
        self.min.is_none_or(|it| it <= height) && self.max.is_none_or(|it| height <= it)
    }
}

impl Block {
    fn new(block: &LedgerBlock, time: Option<Timestamp>) -> Result<Block, Problem> {
        let header = &block.commit.header;
        let id = header.id().map_err(|error| Problem::internal(&error))?;
        Ok(Block {
            id: id.to_string().into(),
            timestamp: time.map(|it| it.0 / 1000),
            height: header.height.0,
            previous: header.parent.to_string().into(),
        })
    }

    /// A block of the ledger, with the time of what was assigned at its height.
    pub(super) async fn at(
        api: &Api,
        height: Height,
        time: Option<Timestamp>,
    ) -> Result<Option<Block>, Error> {
        let found = api.read(move |archive| {
            let block = archive.block(height)?;
            block.map(|it| Block::new(&it, time)).transpose()
        });
        found.await.map_err(failed)
    }
}

/// A page of the blocks that fit, from beyond `after`, which is a height.
pub(super) async fn page(
    api: &Api,
    fits: &BlockFilter,
    first: usize,
    after: Option<u64>,
    sort: SortOrder,
) -> Result<BlockConnection, Error> {
    let mut low = fits.min.unwrap_or(0);
    let last = api.now().ledger.height().0;
    let mut end = fits.max.unwrap_or(last).min(last).saturating_add(1);
    match (sort, after) {
        (SortOrder::HeightAsc, Some(after)) => low = low.max(after.saturating_add(1)),
        (SortOrder::HeightDesc, Some(after)) => end = end.min(after),
        (_, None) => {}
    }
    let read = api.read(move |archive| {
        let mut connection = BlockConnection {
            page_info: PageInfo {
                has_next_page: false,
            },
            edges: Vec::new(),
        };
        let heights: Box<dyn Iterator<Item = u64>> = match sort {
            SortOrder::HeightAsc => Box::new(low..end),
            SortOrder::HeightDesc => Box::new((low..end).rev()),
        };
        let mut bytes = 0_usize;
        for height in heights {
            if connection.edges.len() >= first.min(PAGE_MAX) || bytes >= PAGE_BYTES {
                connection.page_info.has_next_page = true;
                break;
            }
            // The genesis has no block.
            let Some(block) = archive.block(Height(height))? else {
                continue;
            };
            let read = block.items.iter().map(|it| it.len()).sum::<usize>();
            bytes = bytes.saturating_add(read);
            connection.edges.push(BlockEdge {
                cursor: height.to_string(),
                node: Block::new(&block, None)?,
            });
        }
        Ok(connection)
    });
    read.await.map_err(failed)
}
