//! One simulated node: the real core, archive, executor and signer on a disk that outlives them.
//!
//! # Rules
//!
//! - `[SN-1]` A crash drops everything but the disk. What the node had asked for and not got is void: answers carry the life
//!   for which they are.
//! - `[SN-2]` A start is the real one: a core at the genesis, restored from the archive, and its first effects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use surety_attest::verify::Lottery;
use surety_node::archive::Archive;
use surety_node::config::RoleName;
use surety_node::core::{Core, Effect, Identity, RestoreError};
use surety_node::executor::Executor;
use surety_node::fault::Fault;
use surety_node::net::{Subnets, Topic};
use surety_node::role::{self, Audit, Setting};
use surety_node::signer::Signer;
use surety_node::store::{Column, StoreError};
use surety_protocol::id::{Address, ClaimId, Digest};
use surety_protocol::item::ItemKey;
use surety_protocol::time::{Height, Tick};

use crate::disk::Disk;
use crate::network::Wanted;
use crate::table_engine;
use crate::world::{Operator, World};

/// Milliseconds for which a node remembers what it has seen of gossip.
const SEEN_TICKS: u64 = 60_000;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its archive cannot be trusted.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The genesis is not sound.
    #[error(transparent)]
    Genesis(#[from] surety_slashing::ledger::BlockError),
    /// The profile cannot be named.
    #[error(transparent)]
    Codec(#[from] surety_protocol::codec::CodecError),
    /// The disk failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a running node has in memory.
#[derive(Debug)]
pub struct Running {
    /// The core.
    pub core: Core,
    /// Executes.
    pub executor: Executor,
    /// Signs.
    pub signer: Signer,
    /// When it started: its own clock counts from there.
    pub started: Tick,
}

/// Gossip that the core has to judge.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Where.
    pub topic: Topic,
    /// What.
    pub data: Arc<[u8]>,
    /// Its id.
    pub id: Digest,
    /// Who passed it on.
    pub from: usize,
    /// Who said it first.
    pub origin: usize,
}

/// A node.
#[derive(Debug)]
pub struct Node {
    /// Its roles.
    pub roles: Vec<RoleName>,
    /// What it commits.
    pub faults: Vec<Fault>,
    /// What outlives a crash.
    pub disk: Arc<Disk>,
    /// The disk, as the node reads and writes it.
    pub archive: Archive,
    /// How many times it started.
    pub life: u64,
    /// What a crash takes.
    pub running: Option<Running>,
    /// How many more effects it performs before it crashes.
    pub doom: Option<u64>,
    /// The subnets whose gossip it hears.
    pub carried: Subnets,
    /// What it is getting.
    pub under_way: BTreeSet<Wanted>,
    /// Whom it has heard approve what, if it is hasty.
    pub hasty: BTreeSet<(ClaimId, Height, Address)>,
    heard: BTreeMap<u64, Heard>,
    tokens: u64,
    seen: BTreeMap<Digest, Tick>,
}

impl Node {
    /// A node that has not started.
    pub fn new(roles: Vec<RoleName>, faults: Vec<Fault>, disk: Arc<Disk>) -> Node {
        Node {
            roles,
            faults,
            archive: Archive::new(Arc::<Disk>::clone(&disk)),
            disk,
            life: 0,
            running: None,
            doom: None,
            carried: Subnets::ALL,
            under_way: BTreeSet::new(),
            hasty: BTreeSet::new(),
            heard: BTreeMap::new(),
            tokens: 0,
            seen: BTreeMap::new(),
        }
    }

    /// Starts (rule SN-2); gives what the node asks for first.
    ///
    /// # Errors
    /// If the archive is damaged.
    pub fn start(
        &mut self,
        world: &World,
        operator: &Operator,
        now: Tick,
    ) -> Result<Vec<Effect>, StartError> {
        let setting = Setting {
            operator: operator.address,
            item_key: operator.item_key,
            network: world.network,
            params: world.genesis.params.clone(),
            lottery: Lottery::new(Arc::clone(&operator.hot_key)),
            faults: self.faults.clone(),
            audit: Audit::default(),
        };
        let roles = self
            .roles
            .iter()
            .map(|name| role::build(*name, &setting))
            .collect();
        let identity = Identity {
            operator: operator.address,
            item_key: operator.item_key,
            proposer_key: Some(Arc::clone(&operator.hot_key)),
        };
        let mut core = Core::new(&world.genesis, identity, roles)?;
        let effects = core.restore(&self.archive)?;
        let executor = Executor::new(self.archive.clone(), table_engine::engines(), world.network)
            .committing(self.faults.clone());
        let signer = Signer::new(
            operator.address,
            world.network,
            Arc::clone(&operator.hot_key),
            ItemKey::ed25519(&operator.item_seed),
            self.faults.clone(),
        );
        self.life = self.life.saturating_add(1);
        self.running = Some(Running {
            core,
            executor,
            signer,
            started: now,
        });
        Ok(effects)
    }

    /// Crashes (rule SN-1).
    ///
    /// # Errors
    /// If the disk fails.
    pub fn crash(&mut self) -> Result<(), StoreError> {
        self.running = None;
        self.doom = None;
        self.carried = Subnets::ALL;
        self.under_way.clear();
        self.heard.clear();
        self.seen.clear();
        self.disk.fail()
    }

    /// Loses what it signed, evaluated and reserved.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn forget(&self) -> Result<(), StoreError> {
        for column in [
            Column::Guard,
            Column::Meta,
            Column::Assignments,
            Column::Leaves,
        ] {
            self.disk.wipe(column)?;
        }
        Ok(())
    }

    /// Whether it hears a topic.
    pub fn carries(&self, topic: Topic) -> bool {
        topic.subnet().is_none_or(|it| self.carried.contains(it))
    }

    /// Whether a content is new to this node, which from now on has seen it.
    pub fn sees(&mut self, id: Digest, now: Tick) -> bool {
        let known = self.seen.get(&id);
        let new = known.is_none_or(|at| now.since(*at) > SEEN_TICKS);
        if new {
            self.seen.insert(id, now);
        }
        new
    }

    /// Keeps what was heard until the core has judged it; gives the token.
    pub fn hears(&mut self, heard: Heard) -> u64 {
        self.tokens = self.tokens.saturating_add(1);
        self.heard.insert(self.tokens, heard);
        self.tokens
    }

    /// What was judged.
    pub fn judged(&mut self, token: u64) -> Option<Heard> {
        self.heard.remove(&token)
    }
}
