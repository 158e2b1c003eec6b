//! A node without driver and peers: one process that was really evaluated, and a ledger with two operators.

mod ledger;

use std::sync::{Arc, LazyLock};

use axum::Router;
use imbl::OrdMap;
use surety_attest::effect::{Executed, Job, Record};
use surety_attest::engine::{Engine, EngineError, WasmEngine};
use surety_attest::sample;
use surety_protocol::assignment::{AssignmentDraft, HashChain};
use surety_protocol::block::Genesis;
use surety_protocol::bls::SecretKey;
use surety_protocol::id::{Address, MessageId, ProcessId};
use surety_protocol::item::{Item, ItemDraft, ItemKey};
use surety_protocol::params::Params;
use surety_protocol::profile::Profile;
use surety_protocol::profiles::{Profiles, Stride};
use surety_protocol::stake::Stake;
use surety_protocol::time::{Height, Slot, Timestamp};
use surety_protocol::verified::Authentic;
use surety_slashing::ledger::Ledger;
use surety_slashing::order::Proposer;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::archive::{Archive, write};
use crate::config::RoleName;
use crate::driver::{Command, NodeHandle};
use crate::engines::Engines;
use crate::executor::Executor;
use crate::http::{Allowance, Api, ApiState, Token, router};
use crate::net::{self, NetConfig, NetEvent, identity};
use crate::store::{Batch, MemoryStore};
use crate::view::{ProcessView, View};

pub(super) const CLOCK: u64 = 1_790_000_000_000;

fn profile() -> Profile {
    Profile {
        stride: 4,
        ..Profile::v1()
    }
}

fn profiles() -> Profiles {
    Profiles::of(profile()).unwrap()
}

/// The height that every input is stamped with.
const STAMP: Height = Height(7);

static ENGINE: LazyLock<Arc<WasmEngine>> =
    LazyLock::new(|| Arc::new(WasmEngine::new(profile()).unwrap()));

fn engine(_: Profile) -> Result<Arc<dyn Engine>, EngineError> {
    let engine: Arc<WasmEngine> = Arc::clone(&ENGINE);
    Ok(engine)
}

/// An operator with its keys.
pub(super) struct Person {
    wallet: ItemKey,
    pub(super) node: ItemKey,
    hot: SecretKey,
}

impl Person {
    fn new(number: u8) -> Person {
        Person {
            wallet: ItemKey::ed25519(&[number; 32]),
            node: ItemKey::ed25519(&[number | 0x80; 32]),
            hot: SecretKey::derive_from_seed(&[number; 32]).unwrap(),
        }
    }

    pub(super) fn address(&self) -> Address {
        self.wallet.address()
    }
}

pub(super) struct Stage {
    api: Api,
    pub(super) handle: NodeHandle,
    pub(super) archive: Archive,
    pub(super) view: watch::Sender<Arc<View>>,
    pub(super) asked: mpsc::Receiver<Command>,
    pub(super) ledger: Ledger,
    proposer: Proposer,
    /// Computes, schedules and orders blocks.
    pub(super) alice: Person,
    /// Verifies.
    pub(super) bob: Person,
    pub(super) module: Authentic<Item>,
    pub(super) process: Authentic<Item>,
    pub(super) messages: Vec<Authentic<Item>>,
    pub(super) shutdown: CancellationToken,
    /// The network stops with its owner.
    _net_events: mpsc::Receiver<NetEvent>,
}

pub(super) fn user() -> ItemKey {
    ItemKey::ed25519(&[0x71; 32])
}

pub(super) fn module_of(bytes: &[u8]) -> Authentic<Item> {
    let draft = ItemDraft::default()
        .tag("Data-Protocol", "ao")
        .tag("Type", "Module")
        .tag("Content-Type", "application/wasm")
        .carrying(bytes);
    user().sign_item(&draft).unwrap()
}

impl Stage {
    /// A gateway that follows a process of this many slots, all evaluated; both operators are active.
    pub(super) async fn new(slots: u64) -> Stage {
        Stage::at(slots, |slot| CLOCK + slot).await
    }

    /// The same with other timestamps.
    pub(super) async fn at(slots: u64, clock: fn(u64) -> u64) -> Stage {
        let (alice, bob) = (Person::new(1), Person::new(2));
        let mut balances = vec![
            (alice.address(), Stake::from_ao(1000)),
            (bob.address(), Stake::from_ao(1000)),
        ];
        balances.sort();
        let genesis = Genesis {
            name: "http".into(),
            params: Params {
                challenge_window_blocks: 6,
                k: 2,
                ..Params::devnet()
            },
            profiles: profiles(),
            proposer: alice.address(),
            proposer_key: *alice.hot.public_key(),
            balances,
        };
        let ledger = Ledger::new(&genesis).unwrap();
        let network = ledger.network();
        let archive = Archive::new(Arc::new(MemoryStore::new()))
            .indexed()
            .unwrap();
        let executor = Arc::new(Executor::new(
            archive.clone(),
            Engines::new(engine),
            network,
        ));
        let shutdown = CancellationToken::new();
        let keypair = identity::keypair_of(&mut [7; 32]).unwrap();
        let (net, net_events, _) =
            net::spawn(NetConfig::new(network), keypair, shutdown.clone()).unwrap();
        let start = View {
            ledger: Arc::new(ledger.clone()),
            processes: OrdMap::new(),
        };
        let (view, views) = watch::channel(Arc::new(start));
        let (handle, asked) = NodeHandle::without_driver(views, archive.clone(), executor, net);
        let state = ApiState {
            handle: handle.clone(),
            operator: alice.address(),
            item_key: alice.node.address(),
            roles: vec![RoleName::Compute, RoleName::Gateway],
            network,
            allowance: Allowance::default(),
            token: None,
        };
        let module = module_of(sample::WASM);
        let process = ItemDraft::default()
            .tag("Type", "Process")
            .tag("Module", module.id().to_string())
            .tag("Scheduler", alice.node.address().to_string());
        let process = user().sign_item(&process).unwrap();
        let mut stage = Stage {
            api: Api::new(state, shutdown.clone()),
            handle,
            archive,
            view,
            asked,
            ledger,
            proposer: Proposer::default(),
            alice,
            bob,
            module,
            process,
            messages: Vec::new(),
            shutdown,
            _net_events: net_events,
        };
        stage.log(slots, clock);
        stage.evaluate(slots);
        stage.stake();
        stage.show(slots, slots);
        stage
    }

    /// The same, where some things need a token.
    pub(super) fn with_token(mut self, token: Token) -> Stage {
        let state = ApiState {
            token: Some(token),
            ..self.api.node.clone()
        };
        self.api = Api::new(state, self.shutdown.clone());
        self
    }

    pub(super) fn router(&self) -> Router {
        router(self.api.clone())
    }

    pub(super) fn api(&self) -> &Api {
        &self.api
    }

    pub(super) fn process_id(&self) -> ProcessId {
        self.process.id().into()
    }

    pub(super) fn keep(&self, record: Record) {
        let mut batch = Batch::new();
        write::put(&mut batch, record).unwrap();
        self.archive.write(batch).unwrap();
    }

    /// Shows the ledger and the process as they are now.
    pub(super) fn show(&self, slots: u64, evaluated: u64) {
        let process = ProcessView {
            module: self.module.id().into(),
            scheduler: self.alice.node.address(),
            slots,
            evaluated,
        };
        let processes = OrdMap::unit(self.process_id(), process);
        self.view.send_replace(Arc::new(View {
            ledger: Arc::new(self.ledger.clone()),
            processes,
        }));
    }

    /// Shows another process, with a log of these messages.
    pub(super) fn adopt(&mut self, process: &Authentic<Item>, messages: &[&Authentic<Item>]) {
        let id = ProcessId::from(process.id());
        let mut chain = HashChain::start(&id);
        let all = std::iter::once(process).chain(messages.iter().copied());
        for (slot, item) in (0..).zip(all) {
            chain = self.assign(id, slot, chain, CLOCK, item);
        }
        let view = ProcessView {
            module: self.module.id().into(),
            scheduler: self.alice.node.address(),
            slots: 1 + messages.len() as u64,
            evaluated: 0,
        };
        self.view.send_modify(|shown| {
            let mut processes = shown.processes.clone();
            processes.insert(id, view);
            *shown = Arc::new(View {
                ledger: Arc::clone(&shown.ledger),
                processes,
            });
        });
    }

    /// Keeps a slot of a log; gives the chain after it.
    fn assign(
        &self,
        process: ProcessId,
        slot: u64,
        hash_chain: HashChain,
        clock: u64,
        item: &Authentic<Item>,
    ) -> HashChain {
        let draft = AssignmentDraft {
            process,
            epoch: 0,
            slot: Slot(slot),
            hash_chain,
            block_height: STAMP.0,
            timestamp: Timestamp(clock),
            message: (slot > 0).then(|| MessageId::from(item.id())),
            exclude: Vec::new(),
            timer: None,
        };
        let assignment = self
            .alice
            .node
            .sign_item(&draft.to_item_draft(None))
            .unwrap();
        let next = hash_chain.next(&assignment.id().into());
        self.keep(Record::Input {
            process,
            slot: Slot(slot),
            assignment,
            message: Some(item.clone()),
        });
        next
    }

    /// Schedules the process and a message for every further slot; the third fails.
    fn log(&mut self, slots: u64, clock: fn(u64) -> u64) {
        self.keep(Record::Item(self.module.clone()));
        let mut chain = HashChain::start(&self.process_id());
        for slot in 0..slots {
            let message = (slot > 0).then(|| {
                let action = if slot == 3 { "Fail" } else { "Count" };
                let draft = ItemDraft::default()
                    .to(*self.process_id().as_bytes())
                    .tag("Type", "Message")
                    .tag("Action", action);
                user()
                    .sign_item(&draft.carrying(format!("message {slot}")))
                    .unwrap()
            });
            let subject = message.unwrap_or_else(|| self.process.clone());
            chain = self.assign(self.process_id(), slot, chain, clock(slot), &subject);
            self.messages.push(subject);
        }
    }

    fn evaluate(&self, count: u64) {
        let mut stride = Stride::default();
        for from in 0..count {
            // One at a time, so that a claim can end anywhere.
            let job = Job::Evaluate {
                process: self.process_id(),
                from: Slot(from),
                count: 1,
                stride,
            };
            let done = self.handle.executor.perform(job, &profiles());
            let Executed::Evaluated { process, leaves } = done else {
                panic!("not evaluated");
            };
            for it in leaves {
                stride.follow(it.ruling.height, it.leaf.gas, it.leaf.state_root.is_some());
                self.keep(Record::Evaluated {
                    process,
                    leaf: it.leaf,
                    frontier: None,
                    head: it.head,
                    ruling: it.ruling,
                    parts: it.parts,
                });
            }
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
