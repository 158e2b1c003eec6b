//! A whole node: configuration, keys, store, network, core, driver and HTTP, put together and run until told to stop.
//!
//! # Rules
//!
//! - `[NO-1]` A node is ready when it listens, answers HTTP and has read back what it knew; it says so once.
//! - `[NO-2]` The store, the key files and the network id must belong together: a directory of another network is refused.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use surety_attest::engine::EngineError;
use surety_attest::sample;
use surety_attest::verify::Lottery;
use surety_protocol::block::Genesis;
use surety_protocol::bls::{BlsError, SecretKey};
use surety_protocol::codec::{self, CodecError};
use surety_protocol::id::{Address, Digest, NetworkId};
use surety_protocol::time::Height;
use surety_slashing::ledger::BlockError;
use tokio_util::sync::CancellationToken;

use crate::archive::{Archive, ArchiveError, remembers};
use crate::config::{NodeConfig, RoleName};
use crate::core::{Core, Identity, RestoreError};
use crate::driver::{self, DriverError, Parts};
use crate::engines::Engines;
use crate::executor::Executor;
use crate::fault::{Fault, NotAFault};
use crate::http::{self, Allowance, ApiState, Token, TokenError};
use crate::key::{ItemKeyKind, KeyDirectory, KeyError, KeyKind, Password, item_key, read_bounded};
use crate::location::{self, LocationError};
use crate::metrics::Metrics;
use crate::net::{self, NetConfig, NetError, identity};
use crate::role::{self, Audit, Setting};
use crate::signer::Signer;
use crate::store::{Batch, Column, CrashingStore, RocksStore, Store, StoreError};
use crate::worker::Worker;

/// Bytes of a genesis file.
const GENESIS_MAX: usize = 1 << 20;

/// Why a node does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The configuration lacks something.
    #[error("{0}")]
    Config(&'static str),
    /// A fault that does not exist.
    #[error(transparent)]
    Fault(#[from] NotAFault),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The file of the token of HTTP cannot be used.
    #[error("http_token_file: {0}")]
    Token(#[from] TokenError),
    /// A BLS key cannot be used.
    #[error(transparent)]
    Bls(#[from] BlsError),
    /// The genesis file is not one.
    #[error("the genesis file: {0}")]
    Genesis(#[from] CodecError),
    /// The genesis contradicts itself.
    #[error("the genesis: {0}")]
    Ledger(#[from] BlockError),
    /// The directory belongs to another network (rule NO-2).
    #[error("the node's directory belongs to network {0}")]
    OtherNetwork(NetworkId),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The archive cannot be used.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Where the scheduler is cannot be said.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// What the node knew cannot be read back.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The engine does not run on this machine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The network does not start.
    #[error(transparent)]
    Net(#[from] NetError),
    /// HTTP cannot be served.
    #[error("HTTP on {address}: {error}")]
    Http {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// The node stopped by itself.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The machine gives no randomness.
    #[error("no randomness: {0}")]
    Random(#[from] getrandom::Error),
    /// A task of the node panicked.
    #[error("a task of the node ended unexpectedly")]
    Task,
}

/// What a running node is, for whoever started it.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Where it answers HTTP.
    pub http: SocketAddr,
    /// Where it listens for peers, each with its peer id.
    pub listen: Vec<String>,
    /// Its peer id.
    pub peer: String,
    /// The network.
    pub network: NetworkId,
    /// For whom it works.
    pub operator: Address,
}

/// The keys of a node's directory.
struct Keys {
    hot: Arc<SecretKey>,
    item: surety_protocol::item::ItemKey,
    network: libp2p::identity::Keypair,
}

/// Reads a genesis file.
///
/// # Errors
/// If it cannot be read or is not canonical.
pub fn read_genesis(path: &Path) -> Result<Genesis, NodeError> {
    let bytes = read_bounded(path, GENESIS_MAX)?;
    Ok(codec::decode(&bytes)?)
}

/// One of the workers of a node: this program, started anew (rule WK-1).
fn worker(config: &NodeConfig, name: &str) -> Worker {
    // None runs what another has compiled.
    let artefacts = config.dir.join("artefacts").join(name);
    let args: Vec<OsString> = vec![
        "worker".into(),
        "--artefacts".into(),
        artefacts.into(),
        "--process-mib".into(),
        config.process_mib.to_string().into(),
        "--log".into(),
        config.log.clone().into(),
        "--log-format".into(),
        config.log_format.to_string().into(),
    ];
    let memory_bytes = config.worker_mib.saturating_mul(1 << 20);
    // The file that this process runs, even if another has its name by now.
    Worker::new("/proc/self/exe".into(), args, memory_bytes)
}

/// Runs a node until `shutdown` is cancelled (rule NO-1).
///
/// # Errors
/// Why it does not start, or stopped by itself.
pub async fn run(
    config: NodeConfig,
    password: Password,
    shutdown: CancellationToken,
    ready: impl FnOnce(Ready),
) -> Result<(), NodeError> {
    let genesis = read_genesis(&config.genesis_file())?;
    let network = genesis.id()?;
    let operator = config
        .operator
        .ok_or(NodeError::Config("the setting operator is missing"))?;
    let plays = |role| config.roles.contains(&role);
    if plays(RoleName::Auditor) && plays(RoleName::Verifier) {
        return Err(NodeError::Config(
            "an auditor looks at every claim, so it does not verify too: give each a directory of its own",
        ));
    }
    let faults: Vec<Fault> = config
        .faults
        .iter()
        .map(|it| it.parse())
        .collect::<Result<_, _>>()?;
    let token = config.http_token_file.as_deref();
    let token = token.map(Token::read).transpose()?;
    let (dir, kind) = (config.dir.join("keys"), config.item_key);
    let keys = tokio::task::spawn_blocking(move || open_keys(&dir, kind, &password))
        .await
        .map_err(|_| NodeError::Task)??;
    let store = RocksStore::open(&config.dir.join("db"))?;
    let store: Arc<dyn Store> = match faults.iter().find_map(Fault::crash) {
        Some((batch, after)) => Arc::new(CrashingStore::new(store, remembers, batch, after)),
        None => Arc::new(store),
    };
    belongs(store.as_ref(), network)?;
    let archive = Archive::new(store);
    let archive =
        tokio::task::block_in_place(|| match config.roles.contains(&RoleName::Gateway) {
            true => archive.indexed(),
            false => archive.unindexed(),
        })?;
    // What was to be removed from it when the node ended last.
    tokio::task::block_in_place(|| archive.sweep())?;
    let metrics = Arc::new(Metrics::new());
    let (evaluating, judging) = (worker(&config, "evaluating"), worker(&config, "judging"));
    let engines = Engines::in_workers(evaluating, judging);
    let executor = Executor::new(archive.clone(), engines, network);
    let resident_bytes = config.resident_mib.saturating_mul(1 << 20);
    let executor = executor
        .bounded(resident_bytes, Arc::clone(&metrics))
        .committing(faults.clone());
    let executor = Arc::new(executor);
    // A machine that cannot execute at all says so at once.
    let engine = executor.engine(&genesis.profiles.at(Height(0)).profile)?;
    tokio::task::block_in_place(|| engine.check(sample::WASM))?;
    let setting = Setting {
        operator,
        item_key: keys.item.address(),
        network,
        params: genesis.params.clone(),
        lottery: Lottery::new(Arc::clone(&keys.hot)),
        faults: faults.clone(),
        audit: Audit {
            processes: config.audit_processes.clone(),
            inputs: config.audit_inputs,
        },
    };
    let roles = config
        .roles
        .iter()
        .map(|name| role::build(*name, &setting))
        .collect();
    let identity = Identity {
        operator,
        item_key: setting.item_key,
        proposer_key: Some(Arc::clone(&keys.hot)),
    };
    let mut core = Core::new(&genesis, identity, roles)?;
    let first = tokio::task::block_in_place(|| core.restore(&archive))?;

    let net_config = NetConfig {
        listen: config.listen.clone(),
        external: config.external.clone(),
        bootstrap: config.bootstrap.clone(),
        ..NetConfig::new(network)
    };
    let (net, net_events, net_task) = net::spawn(net_config, keys.network, shutdown.clone())?;
    // Nothing else sets it.
    let _ = metrics.traffic.set(net.traffic());
    let failed = |error| NodeError::Http {
        address: config.http,
        error,
    };
    let listener = http::bind(config.http).map_err(failed)?;
    let http = listener.local_addr().map_err(failed)?;
    if config.roles.contains(&RoleName::Scheduler) {
        let url = config.public_url.clone();
        let url = url.unwrap_or_else(|| format!("http://{http}"));
        tokio::task::block_in_place(|| location::publish(&archive, &keys.item, &url))?;
    }

    let mut check_seed = [0; 32];
    getrandom::fill(&mut check_seed)?;
    let signer = Signer::new(operator, network, keys.hot, keys.item, faults);
    let parts = Parts {
        core,
        first,
        archive,
        executor,
        signer,
        net: net.clone(),
        net_events,
        metrics,
        check_seed: Digest::new(check_seed),
    };
    let (handle, driver) = driver::spawn(parts, shutdown.clone());
    let following = config.roles.contains(&RoleName::Gateway).then(|| {
        let following = location::follow(handle.clone(), setting.item_key, shutdown.clone());
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            // [DR-3] The store failed.
            following.await.inspect_err(|_| shutdown.cancel())
        })
    });
    let state = ApiState {
        handle,
        operator,
        item_key: setting.item_key,
        roles: config.roles.clone(),
        network,
        allowance: Allowance {
            rate: NonZeroU32::new(config.http_rate),
            proxied: config.http_proxy,
        },
        token,
    };
    let serving = tokio::spawn(http::serve(listener, state, shutdown.clone()));
    let peer = net.local_peer_id();
    // [NO-1]
    net.listening(config.listen.len())
        .await
        .map_err(|_| NodeError::Task)?;
    ready(Ready {
        http,
        listen: net
            .listen_addresses()
            .iter()
            .map(|it| format!("{it}/p2p/{peer}"))
            .collect(),
        peer: peer.to_string(),
        network,
        operator,
    });
    let stopped = driver.await.map_err(|_| NodeError::Task)?;
    // Whether it was told to stop or stopped by itself, everything else ends with it.
    shutdown.cancel();
    let _ = serving.await;
    let _ = net_task.await;
    if let Some(following) = following {
        following.await.map_err(|_| NodeError::Task)??;
    }
    Ok(stopped?)
}

fn open_keys(dir: &Path, kind: ItemKeyKind, password: &Password) -> Result<Keys, NodeError> {
    let keys = KeyDirectory::open(dir)?;
    let hot = keys.load(KeyKind::Bls, password)?;
    let hot: &[u8; 32] = hot
        .expose()
        .try_into()
        .map_err(|_| NodeError::Config("the BLS key has not 32 bytes"))?;
    let hot = Arc::new(SecretKey::from_bytes(hot)?);
    let kind = kind.into();
    let item = item_key(kind, &keys.load(kind, password)?)?;
    let seed = keys.load(KeyKind::Network, password)?;
    let mut seed: [u8; 32] = seed
        .expose()
        .try_into()
        .map_err(|_| NodeError::Config("the network key has not 32 bytes"))?;
    let network =
        identity::keypair_of(&mut seed).ok_or(NodeError::Config("the network key is not a key"))?;
    Ok(Keys { hot, item, network })
}

/// Marks a new store with its network, and refuses one of another (rule NO-2).
fn belongs(store: &dyn Store, network: NetworkId) -> Result<(), NodeError> {
    const KEY: &[u8] = b"network";
    match store.get(Column::Meta, KEY)? {
        Some(bytes) => match NetworkId::try_from(bytes.as_slice()) {
            Ok(found) if found == network => Ok(()),
            Ok(found) => Err(NodeError::OtherNetwork(found)),
            Err(_) => Err(NodeError::Config(
                "the store does not say which network it is of",
            )),
        },
        None => {
            let mut batch = Batch::new();
            batch.put(Column::Meta, KEY, *network.as_bytes());
            Ok(store.write(batch)?)
        }
    }
}
