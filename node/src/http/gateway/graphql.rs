//! Arweave's GraphQL over the index of items (rule GW-3).

use std::fmt;
use std::str::FromStr;

use async_graphql::{
    Context, EmptyMutation, EmptySubscription, Enum, Error, ID, InputObject, Object, Request,
    Schema, SimpleObject,
};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use surety_protocol::id::{Address, ItemId};
use surety_protocol::time::Height;

use super::block::{self, Block, BlockConnection, BlockFilter};
use super::transaction::{Transaction, assigned, failed};
use super::{extent, serves};
use crate::archive::{Archive, Search, SearchError};
use crate::http::Api;
use crate::http::items::missing;
use crate::http::problem::Problem;
use crate::http::request::Document;

/// Edges of a page, unless the client says.
const PAGE: i32 = 10;
/// Edges of a page at most.
const PAGE_MAX: i32 = 1000;
/// Items that a page looks at to find those of a range of blocks.
const LOOKED_MAX: usize = 2000;
/// Bytes of them.
const LOOKED_BYTES: usize = 64 << 20;
/// So many of them are searched for together.
const LOOKED_AT_ONCE: usize = if cfg!(test) { 2 } else { 250 };
/// Bytes of items that a page reads.
const PAGE_BYTES: usize = 16 << 20;
/// Ids, owners, recipients or values that one clause may name.
const NAMED_MAX: usize = 1000;
/// How deep a query may nest.
const DEPTH_MAX: usize = 12;
/// Fields of a query, where a list counts for many.
const COMPLEXITY_MAX: usize = 500;
/// What a list counts for, besides its fields.
const LIST: usize = 100;

/// The schema with its bounds, without the node that answers.
pub(in crate::http) struct Queries(Schema<Query, EmptyMutation, EmptySubscription>);

impl Default for Queries {
    fn default() -> Queries {
        let schema = Schema::build(Query, EmptyMutation, EmptySubscription)
            .limit_depth(DEPTH_MAX)
            .limit_complexity(COMPLEXITY_MAX);
        Queries(schema.finish())
    }
}

impl fmt::Debug for Queries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queries(..)")
    }
}

/// `POST /gateway/graphql` with `{query, variables, operationName}`: the answer of Arweave's GraphQL, errors included.
pub(in crate::http) async fn query(
    State(api): State<Api>,
    Document(mut request): Document<Request>,
) -> Result<Response, Problem> {
    serves(&api)?;
    // What no GraphQL is at all is said in its answer.
    if let Ok(document) = request.parsed_query() {
        extent::check(document)?;
    }
    let answer = api.queries.0.execute(request.data(api.clone())).await;
    Ok(Json(answer).into_response())
}

/// What can be asked.
pub(super) struct Query;

/// A tag to search for.
#[derive(InputObject)]
struct TagFilter {
    name: String,
    values: Vec<String>,
    #[graphql(default)]
    op: TagOperator,
}

/// How a tag is compared.
#[derive(Enum, Clone, Copy, PartialEq, Eq, Default)]
enum TagOperator {
    #[default]
    Eq,
}

/// The order of a list.
#[derive(Enum, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum SortOrder {
    HeightAsc,
    #[default]
    HeightDesc,
}

/// A page of transactions.
#[derive(SimpleObject)]
struct TransactionConnection {
    page_info: PageInfo,
    edges: Vec<TransactionEdge>,
}

/// Whether there is more.
#[derive(SimpleObject)]
pub(super) struct PageInfo {
    pub(super) has_next_page: bool,
}

/// A transaction in a page.
#[derive(SimpleObject)]
struct TransactionEdge {
    cursor: String,
    node: Transaction,
}

/// What a clause names, of what can be read at all; an empty list is no clause.
fn clause<T: FromStr>(given: Option<Vec<impl AsRef<str>>>) -> Result<Option<Vec<T>>, Error> {
    let Some(given) = given.filter(|it| !it.is_empty()) else {
        return Ok(None);
    };
    if given.len() > NAMED_MAX {
        return Err(Error::new(format!("a clause names at most {NAMED_MAX}")));
    }
    Ok(Some(
        given
            .iter()
            .filter_map(|it| it.as_ref().parse().ok())
            .collect(),
    ))
}

/// What a search finds in a range of blocks.
fn within(
    archive: &Archive,
    mut search: Search,
    range: &BlockFilter,
) -> Result<Vec<(u64, ItemId)>, Problem> {
    let (wanted, mut fitting, mut bytes) = (search.limit, Vec::new(), 0_usize);
    search.limit = LOOKED_AT_ONCE;
    for _ in 0..LOOKED_MAX / LOOKED_AT_ONCE {
        let found = archive.search(&search)?;
        let more = found.len() >= LOOKED_AT_ONCE;
        for (place, id) in found {
            search.after = Some(place);
            let item = archive.item(&id)?.ok_or_else(missing)?;
            bytes = bytes.saturating_add(item.bytes().len());
            if bytes > LOOKED_BYTES {
                return Err(SearchError::TooBroad.into());
            }
            let assigned = assigned(archive, &item)?;
            if assigned.is_some_and(|it| range.contains(it.block_height)) {
                fitting.push((place, id));
            }
            if fitting.len() >= wanted {
                return Ok(fitting);
            }
        }
        if !more {
            return Ok(fitting);
        }
    }
    Err(SearchError::TooBroad.into())
}

/// The page of what a search has found, which is one more than there may be in it if there is more.
fn page(
    archive: &Archive,
    mut found: Vec<(u64, ItemId)>,
    limit: usize,
) -> Result<TransactionConnection, Problem> {
    let mut has_next_page = found.len() > limit;
    found.truncate(limit);
    let (mut edges, mut bytes) = (Vec::new(), 0_usize);
    for (place, id) in found {
        if bytes >= PAGE_BYTES {
            has_next_page = true;
            break;
        }
        let item = archive.item(&id)?.ok_or_else(missing)?;
        bytes = bytes.saturating_add(item.bytes().len());
        edges.push(TransactionEdge {
            cursor: place.to_string(),
            node: Transaction(item.into_inner()),
        });
    }
    Ok(TransactionConnection {
        page_info: PageInfo { has_next_page },
        edges,
    })
}

fn page_size(first: i32) -> usize {
    usize::try_from(first.clamp(0, PAGE_MAX)).unwrap_or(0)
}

/// Where a page begins, if not at the start.
fn cursor(after: Option<String>) -> Result<Option<u64>, Error> {
    let after = after.filter(|it| !it.is_empty());
    let after = after.map(|it| it.parse()).transpose();
    after.map_err(|_| Error::new("the cursor is malformed"))
}

#[Object]
impl Query {
    /// A data item by its id.
    #[graphql(complexity = "LIST / 10 + child_complexity")]
    async fn transaction(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> Result<Option<Transaction>, Error> {
        let api = context.data::<Api>()?;
        let Ok(id) = id.parse::<ItemId>() else {
            return Ok(None);
        };
        let found = api.read(move |archive| Ok(archive.item(&id)?)).await;
        Ok(found
            .map_err(failed)?
            .map(|it| Transaction(it.into_inner())))
    }

    /// Data items that fit everything given, the last that came first unless `sort` says otherwise.
    #[graphql(complexity = "LIST + child_complexity")]
    #[allow(
        clippy::too_many_arguments,
        reason = "these are the arguments that Arweave's clients send"
    )]
    async fn transactions(
        &self,
        context: &Context<'_>,
        ids: Option<Vec<ID>>,
        owners: Option<Vec<String>>,
        recipients: Option<Vec<String>>,
        tags: Option<Vec<TagFilter>>,
        block: Option<BlockFilter>,
        #[graphql(default_with = "PAGE")] first: i32,
        after: Option<String>,
        #[graphql(default)] sort: SortOrder,
    ) -> Result<TransactionConnection, Error> {
        let api = context.data::<Api>()?;
        let limit = page_size(first);
        let recipients: Option<Vec<Address>> = clause(recipients)?;
        let tags = tags.unwrap_or_default();
        if tags.iter().map(|it| it.values.len()).sum::<usize>() > NAMED_MAX {
            return Err(Error::new(format!("tags have at most {NAMED_MAX} values")));
        }
        let search = Search {
            ids: clause(ids)?,
            owners: clause(owners)?,
            recipients: recipients.map(|it| it.iter().map(|it| *it.as_bytes()).collect()),
            tags: tags.into_iter().map(|it| (it.name, it.values)).collect(),
            after: cursor(after)?,
            backward: sort == SortOrder::HeightDesc,
            limit: limit.saturating_add(1),
        };
        // A client that gives neither end asks for everything.
        let range = block.filter(|it| !it.is_open());
        let found = match range {
            None => {
                api.read(move |archive| page(archive, archive.search(&search)?, limit))
                    .await
            }
            // Every item that is looked at is read.
            Some(range) => {
                api.heavy(move |archive| page(archive, within(archive, search, &range)?, limit))
                    .await
            }
        };
        found.map_err(failed)
    }

    /// A block of the ledger by its height; the last one without.
    async fn block(
        &self,
        context: &Context<'_>,
        height: Option<u64>,
    ) -> Result<Option<Block>, Error> {
        let api = context.data::<Api>()?;
        let height = height.map_or_else(|| api.now().ledger.height(), Height);
        Block::at(api, height, None).await
    }

    /// Blocks of the ledger, the last first unless `sort` says otherwise.
    #[graphql(complexity = "LIST + child_complexity")]
    async fn blocks(
        &self,
        context: &Context<'_>,
        height: Option<BlockFilter>,
        #[graphql(default_with = "PAGE")] first: i32,
        after: Option<String>,
        #[graphql(default)] sort: SortOrder,
    ) -> Result<BlockConnection, Error> {
        let api = context.data::<Api>()?;
        let fits = height.unwrap_or_default();
        block::page(api, &fits, page_size(first), cursor(after)?, sort).await
    }
}
