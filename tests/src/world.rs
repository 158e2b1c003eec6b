//! The world outside of the nodes: who has which keys and how much stake, and what users want.

use std::sync::Arc;

use serde_bytes::ByteBuf;
use surety_node::net::identity::peer_id_of;
use surety_protocol::block::Genesis;
use surety_protocol::bls::SecretKey;
use surety_protocol::id::{Address, NetworkId, ProcessId};
use surety_protocol::item::{Item, ItemDraft, ItemKey};
use surety_protocol::origin::{Action, Registration};
use surety_protocol::params::Params;
use surety_protocol::profile::Profile;
use surety_protocol::profiles::{Activation, Profiles};
use surety_protocol::stake::Stake;
use surety_protocol::time::{Height, Tick};
use surety_protocol::verified::Authentic;

use crate::cast::{Cast, Crowd, Plan, SCHEDULERS, Weakness};
use crate::random::Random;
use crate::table_engine::MODULE;

/// What everybody starts with.
const BALANCE: Stake = Stake::from_ao(1_000);
/// What every operator bonds: ten tickets.
pub const BOND: Stake = Stake::from_ao(100);
/// How often who leaves tries to withdraw.
const WITHDRAWALS: u64 = 4;
/// When users begin: the bonds count by then.
pub const OPENING: Tick = Tick(1_200);
/// Within how many milliseconds users send everything.
const SEASON: u64 = 900;
/// Milliseconds for which a crowd is left alone once all of it has begun.
const SETTLING: u64 = 30_000;

/// Why a world cannot be made: something that never happens to a sound plan.
#[derive(Debug, thiserror::Error)]
#[error("the world cannot be made: {0}")]
pub struct WorldError(pub String);

/// Someone with a wallet, a node's data-item key and a hot key.
pub struct Operator {
    /// Its wallet's address.
    pub address: Address,
    /// The address of its data-item key.
    pub item_key: Address,
    /// The seed of the data-item key, and of the network key.
    pub item_seed: [u8; 32],
    /// Its hot key.
    pub hot_key: Arc<SecretKey>,
    /// The items by which it registers and bonds.
    pub joining: Vec<Authentic<Item>>,
    /// The items by which it unbonds, and withdraws again and again.
    pub leaving: Vec<Authentic<Item>>,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Operator({})", self.address)
    }
}

/// Something that a user sends.
#[derive(Debug, Clone)]
pub struct Wish {
    /// When.
    pub at: Tick,
    /// What.
    pub item: Authentic<Item>,
    /// The node that schedules it.
    pub scheduler: usize,
}

/// The world of one plan.
#[derive(Debug)]
pub struct World {
    /// The genesis.
    pub genesis: Genesis,
    /// Its id.
    pub network: NetworkId,
    /// The operators, one for each node.
    pub operators: Vec<Operator>,
    /// The module of all processes.
    pub module: Authentic<Item>,
    /// The processes.
    pub processes: Vec<ProcessId>,
    /// What users send, the processes first.
    pub wishes: Vec<Wish>,
}

/// The parameters of a simulated network.
pub fn params(plan: &Plan) -> Params {
    match plan.weakness {
        Some(Weakness::FreeExit) => Params {
            unbond_blocks: 1,
            evidence_age_blocks: 0,
            ..Params::devnet()
        },
        // No later tranche ever comes.
        Some(Weakness::Uncovered) => Params {
            tranche_blocks: 1_000_000,
            ..Params::devnet()
        },
        _ => Params::devnet(),
    }
}

/// The height from which the second profile holds: while users send.
const CHANGE: Height = Height(5);

/// The profiles of every simulated network: the strides become shorter while it runs.
fn profiles() -> Result<Profiles, WorldError> {
    let first = Profile::v1();
    let second = Profile {
        stride: 3,
        ..first.clone()
    };
    let mut profiles = Profiles::of(first).map_err(failed)?;
    let (from, profile) = (CHANGE, second);
    profiles.add(Activation { from, profile }).map_err(failed)?;
    Ok(profiles)
}

struct Keys {
    wallet: ItemKey,
    item_seed: [u8; 32],
    hot_key: Arc<SecretKey>,
}

impl World {
    /// The world of a plan.
    ///
    /// # Errors
    /// If a key or an item cannot be made.
    pub fn new(plan: &Plan, cast: &Cast, random: &mut Random) -> Result<World, WorldError> {
        let mut keys = Vec::new();
        for _ in 0..plan.nodes {
            let hot_key = SecretKey::derive_from_seed(&random.bytes()).map_err(failed)?;
            keys.push(Keys {
                wallet: ItemKey::ed25519(&random.bytes()),
                item_seed: random.bytes(),
                hot_key: Arc::new(hot_key),
            });
        }
        let proposer = keys
            .get(cast.proposer)
            .ok_or_else(|| failed("no proposer"))?;
        let mut balances: Vec<_> = (0..)
            .zip(&keys)
            .map(|(node, it)| {
                let balance = BALANCE.0.saturating_mul(cast.shares(node).into());
                (it.wallet.address(), Stake(balance))
            })
            .collect();
        balances.sort();
        let genesis = Genesis {
            name: "simulation".into(),
            params: params(plan),
            profiles: profiles()?,
            proposer: proposer.wallet.address(),
            proposer_key: *proposer.hot_key.public_key(),
            balances,
        };
        let network = genesis.id().map_err(failed)?;
        let operators: Result<Vec<Operator>, WorldError> = (0..)
            .zip(&keys)
            .map(|(node, it)| Operator::new(it, &network, cast.shares(node)))
            .collect();
        let operators = operators?;
        let user = ItemKey::ed25519(&random.bytes());
        let draft = ItemDraft::default().tag("Type", "Module").carrying(MODULE);
        let module = user.sign_item(&draft).map_err(failed)?;
        let mut world = World {
            genesis,
            network,
            operators,
            module,
            processes: Vec::new(),
            wishes: Vec::new(),
        };
        if let Some(crowd) = &plan.crowd {
            world.crowd(crowd, &user, random)?;
            return Ok(world);
        }
        for scheduler in 0..SCHEDULERS {
            world.spawn(OPENING, &user, scheduler, None)?;
        }
        for process in 0..SCHEDULERS {
            world.script(plan, &user, process, random)?;
        }
        Ok(world)
    }

    /// What users want of a crowd (rule CA-6).
    fn crowd(
        &mut self,
        crowd: &Crowd,
        user: &ItemKey,
        random: &mut Random,
    ) -> Result<(), WorldError> {
        for (number, scheduler) in (0..crowd.processes).zip((0..SCHEDULERS).cycle()) {
            let at = OPENING.plus(Crowd::after(number, crowd.spawns));
            self.spawn(at, user, scheduler, Some(random.bytes()))?;
        }
        let begins = settled(crowd);
        for number in 0..crowd.messages.saturating_mul(crowd.seconds) {
            let chosen = random.below(crowd.processes);
            let chosen = usize::try_from(chosen).unwrap_or(0);
            let id = self.processes.get(chosen).ok_or_else(|| failed("nobody"))?;
            let draft = message(id, random);
            self.wishes.push(Wish {
                at: begins.plus(Crowd::after(number, crowd.messages)),
                item: user.sign_item(&draft).map_err(failed)?,
                scheduler: chosen % SCHEDULERS,
            });
        }
        Ok(())
    }

    /// When users want the last.
    pub fn ends(&self) -> Tick {
        self.wishes.iter().map(|it| it.at).max().unwrap_or(OPENING)
    }

    fn spawn(
        &mut self,
        at: Tick,
        user: &ItemKey,
        scheduler: usize,
        anchor: Option<[u8; 32]>,
    ) -> Result<(), WorldError> {
        let key = self
            .operators
            .get(scheduler)
            .ok_or_else(|| failed("no scheduler"))?
            .item_key;
        let draft = ItemDraft::default()
            .tag("Data-Protocol", "ao")
            .tag("Variant", "ao.TN.1")
            .tag("Type", "Process")
            .tag("Module", self.module.id().to_string())
            .tag("Scheduler", key.to_string())
            .tag("Authority", key.to_string());
        let draft = match anchor {
            Some(anchor) => draft.anchored(anchor),
            None => draft,
        };
        let item = user.sign_item(&draft).map_err(failed)?;
        self.processes.push(item.id().into());
        self.wishes.push(Wish {
            at,
            item,
            scheduler,
        });
        Ok(())
    }

    /// What users send to one process: some messages are forwarded to another, some fail.
    fn script(
        &mut self,
        plan: &Plan,
        user: &ItemKey,
        process: usize,
        random: &mut Random,
    ) -> Result<(), WorldError> {
        let id = *self
            .processes
            .get(process)
            .ok_or_else(|| failed("no process"))?;
        for _ in 0..plan.messages {
            let draft = message(&id, random);
            let draft = match random.below(8) {
                0 => draft.tag("Action", "Fail"),
                1 | 2 => {
                    let to = random.pick(&self.processes).copied().unwrap_or_default();
                    draft.tag("Forward-To", to.to_string())
                }
                _ => draft,
            };
            let item = user.sign_item(&draft).map_err(failed)?;
            let at = OPENING.plus(200).plus(random.below(SEASON));
            self.wishes.push(Wish {
                at,
                item,
                scheduler: process,
            });
        }
        Ok(())
    }
}

/// A message of a user to a process.
fn message(process: &ProcessId, random: &mut Random) -> ItemDraft {
    ItemDraft::default()
        .to(*process.as_bytes())
        .anchored(random.bytes())
        .tag("Data-Protocol", "ao")
        .tag("Variant", "ao.TN.1")
        .tag("Type", "Message")
}

/// When users of a crowd begin to send.
pub fn settled(crowd: &Crowd) -> Tick {
    let spawned = Crowd::after(crowd.processes, crowd.spawns);
    OPENING.plus(spawned).plus(SETTLING)
}

impl Operator {
    fn new(keys: &Keys, network: &NetworkId, shares: u64) -> Result<Operator, WorldError> {
        let bond = Stake(BOND.0.saturating_mul(shares.into()));
        let item_key = ItemKey::ed25519(&keys.item_seed).address();
        let address = keys.wallet.address();
        let peer = peer_id_of(&mut keys.item_seed.clone());
        let peer = peer.ok_or_else(|| failed("a seed that makes no key"))?;
        let registration = Registration {
            key: *keys.hot_key.public_key(),
            possession: keys.hot_key.prove_possession(),
            item_key,
            peer: ByteBuf::from(peer.to_bytes()),
        };
        let sign = |action: Action, expires: u64| {
            let draft = action.draft(network, Height(expires)).map_err(failed)?;
            keys.wallet.sign_item(&draft).map_err(failed)
        };
        let joining = vec![
            sign(Action::Register(Box::new(registration)), 100)?,
            sign(Action::Bond(bond), 100)?,
        ];
        // No two items are equal.
        let mut leaving = vec![sign(Action::Unbond(BOND), 1_000)?];
        for withdrawal in 0..WITHDRAWALS {
            leaving.push(sign(Action::Withdraw, 1_000 + withdrawal)?);
        }
        let (item_seed, hot_key) = (keys.item_seed, Arc::clone(&keys.hot_key));
        Ok(Operator {
            address,
            item_key,
            item_seed,
            hot_key,
            joining,
            leaving,
        })
    }
}

fn failed(why: impl std::fmt::Display) -> WorldError {
    WorldError(why.to_string())
}
