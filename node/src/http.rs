//! HTTP: one listener for people, programs and AO's clients.
//!
//! `/v1` is the node's own interface; `/gateway`, `/su`, `/cu` and `/mu` are as much of AO's legacynet as its clients need to
//! send items and read results.
//!
//! # Rules
//!
//! - `[HT-1]` A handler reads a snapshot of the node and its archive, or offers an item to the driver. It changes nothing
//!   itself, but that a module or an evidence file which passed its check is stored. What is refused leaves nothing behind.
//! - `[HT-2]` Connections, requests under way, bodies, time, heavy work, streams and pages are bounded. What is beyond a
//!   bound is refused with a code that says so, at once or when it has waited for its turn for some seconds; nothing queues without
//!   end.
//! - `[HT-3]` An error is `application/problem+json` with a stable code in kebab case; on `/su`, `/cu` and `/mu` it is AO's
//!   `{"error"}`.
//! - `[HT-4]` All routes stand in one table: the router, the page at `/` and the check of `specs/openapi.json` come from it.
//! - `[HT-5]` Ids are 43 characters of base64url, amounts decimal text, names in snake case. A list is `{"items", "next"}`;
//!   `next` is the `from` of the page after it, or null. A page may be shorter than its limit where entries are large.
//! - `[HT-6]` What blocks (store, signatures, execution) runs on threads that may block.
//! - `[HT-7]` No origin but the node's own may read answers in a browser: there are no CORS headers.
//! - `[HT-8]` Who comes when all connections are taken is let in: of those without a request under way one is closed, of the client
//!   that has most, on which nothing has moved for the longest time, and one on which a request waits for something after the
//!   others. So who opens many and says nothing is in nobody's way. A request is under way from when its body is here until its
//!   answer begins, but for as long as it waits.
//! - `[HT-9]` Bodies that come and answers that go, of more than 64 KiB each, take room, of which there is 256 MiB. Who needs more
//!   than is left gets it from slow connections, on which less than 64 KiB moved in the last two to four seconds, or less than a
//!   64th of what they take: they are closed, unless a request on them waits; and if there are none, from the client that takes
//!   most, if that is more than it would take itself. Eight requests of one client wait for room, for at most ten seconds.
//! - `[HT-10]` A client sends `http_rate` requests a second, and twice as many at once; what is more is refused with 429. A client
//!   is an address, or a network of 64 bits of IPv6. Clients on this machine are not counted: a proxy is told to name those that
//!   it serves, and the node to believe it (`http_proxy`); those that it does not name are one.
//! - `[HT-11]` No route changes what a node is told: roles, keys, peers and settings are the configuration's. What a node takes from
//!   anybody is an input of a process, which its scheduler wants, or an action on the ledger, which its signer answers for; but a
//!   module (`POST /v1/items`) and an evidence file (`POST /v1/evidence`) it keeps for nothing. If a file with a token is named
//!   (`http_token_file`), these need it as `Authorization: Bearer`; else they are refused with 401. AO's routes never do.

mod ao;
mod arrival;
mod attested;
mod chain;
mod claims;
mod clients;
mod doors;
mod dry_run;
mod events;
mod evidence;
mod gateway;
mod guard;
mod items;
mod listener;
mod node;
mod problem;
mod processes;
mod request;
mod results;
mod stake;
mod token;
mod trace;
mod work;

use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use surety_protocol::id::{Address, NetworkId};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use crate::config::RoleName;
use crate::driver::NodeHandle;
use claims::KnownClaims;
pub use clients::Allowance;
use clients::Clients;
use gateway::Queries;
pub use listener::bind;
pub use token::{Token, TokenError, TokenText, read_token};

/// The description of all routes.
pub const OPENAPI: &str = include_str!("../../specs/openapi.json");

/// Requests under way at once; what comes beyond is refused (rule HT-2).
const REQUESTS_MAX: usize = 256;
/// Heavy pieces of work at once: as many cores as a node may spare for strangers.
const HEAVY_MAX: usize = 2;
/// Executions at once that strangers ask for.
const EXECUTIONS_MAX: usize = 2;
/// Evidence files that are handed in at once; each may be large.
const UPLOADS_MAX: usize = 2;
/// Streams of events at once.
const STREAMS_MAX: usize = 64;
/// How long requests that are under way when the node stops may still take.
const GRACE: Duration = Duration::from_secs(3);

/// What HTTP needs of a node.
#[derive(Debug, Clone)]
pub struct ApiState {
    /// The running node.
    pub handle: NodeHandle,
    /// For whom it works.
    pub operator: Address,
    /// Its data-item key.
    pub item_key: Address,
    /// What it does.
    pub roles: Vec<RoleName>,
    /// The network.
    pub network: NetworkId,
    /// What each client is allowed.
    pub allowance: Allowance,
    /// What those have who may make it keep modules and evidence; without one, everybody may.
    pub token: Option<Token>,
}

/// What the handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Api(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    node: ApiState,
    claims: KnownClaims,
    clients: Clients,
    under_way: Arc<Semaphore>,
    heavy: Arc<Semaphore>,
    executions: Arc<Semaphore>,
    uploads: Semaphore,
    streams: Arc<Semaphore>,
    queries: Queries,
    shutdown: CancellationToken,
}

impl Deref for Api {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Api {
    fn new(node: ApiState, shutdown: CancellationToken) -> Api {
        Api(Arc::new(Shared {
            clients: Clients::new(node.allowance),
            node,
            claims: KnownClaims::default(),
            under_way: Arc::new(Semaphore::new(REQUESTS_MAX)),
            heavy: Arc::new(Semaphore::new(HEAVY_MAX)),
            executions: Arc::new(Semaphore::new(EXECUTIONS_MAX)),
            uploads: Semaphore::new(UPLOADS_MAX),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            queries: Queries::default(),
            shutdown,
        }))
    }
}

macro_rules! routes {
    ($($method:ident $path:literal => $handler:path;)*) => {
        /// Every route: method and path (rule HT-4).
        pub const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        fn routed() -> Router<Api> {
            let router = Router::new();
            $(
                let router = router.route($path, axum::routing::$method($handler));
                // [HL-7]
                let router = match ao::UNITS.contains(&$path) {
                    true => router.route(concat!($path, "/"), axum::routing::$method($handler)),
                    false => router,
                };
            )*
            router
        }
    };
}

routes! {
    get "/" => node::root;
    get "/health/live" => node::live;
    get "/health/ready" => node::ready;
    get "/metrics" => node::metrics;
    get "/v1/openapi.json" => node::openapi;
    get "/v1/node" => node::about;
    get "/v1/peers" => node::peers;
    get "/v1/events" => events::stream;
    post "/v1/items" => items::post;
    get "/v1/items/{id}" => items::get;
    get "/v1/processes" => processes::list;
    get "/v1/processes/{process}" => processes::get;
    get "/v1/processes/{process}/slots" => processes::slots;
    get "/v1/processes/{process}/slots/{slot}" => processes::slot;
    get "/v1/processes/{process}/slots/{slot}/result" => results::get;
    get "/v1/processes/{process}/slots/{slot}/attested" => attested::get;
    get "/v1/processes/{process}/slots/{slot}/trace" => trace::get;
    get "/v1/processes/{process}/messages/{message}" => processes::message;
    get "/v1/processes/{process}/results" => results::list;
    get "/v1/processes/{process}/claims" => claims::list;
    post "/v1/processes/{process}/dry-run" => dry_run::post;
    get "/v1/claims/{claim}" => claims::get;
    get "/v1/operators" => stake::operators;
    get "/v1/operators/{operator}" => stake::operator;
    get "/v1/accounts/{address}" => stake::account;
    get "/v1/ledger" => chain::about;
    get "/v1/ledger/params" => chain::params;
    get "/v1/ledger/profiles" => chain::profiles;
    get "/v1/ledger/blocks/{height}" => chain::block;
    get "/v1/ledger/checkpoint" => chain::checkpoint;
    get "/v1/certificates" => stake::certificates;
    get "/v1/cases" => stake::cases;
    get "/v1/slashings" => stake::slashings;
    get "/v1/evidence" => evidence::list;
    post "/v1/evidence" => evidence::post;
    get "/v1/evidence/{evidence}" => evidence::get;
    post "/gateway/graphql" => gateway::query;
    get "/gateway/info" => gateway::info;
    get "/gateway/{id}" => gateway::data;
    get "/gateway/raw/{id}" => gateway::data;
    get "/gateway/tx/{id}" => gateway::tx;
    post "/su" => ao::scheduler::post;
    get "/su" => ao::log::about;
    get "/su/health" => ao::log::health;
    get "/su/metrics" => node::metrics;
    get "/su/timestamp" => ao::log::timestamp;
    get "/su/processes/{process}" => ao::log::process;
    get "/su/{id}" => ao::log::get;
    get "/su/{id}/latest" => ao::log::latest;
    post "/mu" => ao::messenger::post;
    get "/mu" => ao::messenger::about;
    get "/mu/metrics" => node::metrics;
    post "/mu/monitor/{process}" => ao::messenger::monitor;
    delete "/mu/monitor/{process}" => ao::messenger::monitor;
    post "/mu/push/{message}/{number}" => ao::messenger::push;
    get "/cu" => ao::compute::about;
    get "/cu/metrics" => node::metrics;
    get "/cu/result/{message}" => ao::compute::result;
    get "/cu/results/{process}" => ao::compute::results;
    get "/cu/cron/{process}" => ao::compute::cron;
    get "/cu/state/{process}" => ao::state::get;
    post "/cu/dry-run" => ao::dry_run::post;
}

/// All routes with what guards them, outermost last.
fn router(api: Api) -> Router {
    routed()
        .fallback(problem::unknown_route)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(from_fn_with_state(api.clone(), guard::limit))
        .layer(from_fn(ao::words))
        .layer(from_fn_with_state(api.clone(), guard::count))
        .layer(from_fn(guard::harden))
        .with_state(api)
}

/// Answers HTTP on a listener until `shutdown` is cancelled.
///
/// # Errors
/// If the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    node: ApiState,
    shutdown: CancellationToken,
) -> Result<(), io::Error> {
    let api = Api::new(node, shutdown.clone());
    let service = router(api).into_make_service_with_connect_info::<doors::Visitor>();
    let serving = axum::serve(listener::Bounded::new(listener), service)
        .with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let late = async {
        shutdown.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = serving.into_future() => ended,
        () = late => Ok(()),
    }
}

#[cfg(test)]
mod tests;
