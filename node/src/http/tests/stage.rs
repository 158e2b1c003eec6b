//! A node without driver and peers: one process that was really evaluated, and a ledger with two operators.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::Router;
use serde_bytes::ByteBuf;
use surety_attest::effect::{Executed, Job, Record};
use surety_attest::engine::WasmEngine;
use surety_attest::sample;
use surety_protocol::approval::{self, ClaimBatch};
use surety_protocol::assignment::{Assignment, AssignmentDraft, HashChain};
use surety_protocol::block::Genesis;
use surety_protocol::bls::{SecretKey, aggregate};
use surety_protocol::certificate::Certificate;
use surety_protocol::claim::{Claim, Leaf, SignedClaim, Statement};
use surety_protocol::codec;
use surety_protocol::evidence::{ClaimEquivocation, Evidence, Offence};
use surety_protocol::hashpath::Hashpath;
use surety_protocol::history::{Frontier, History};
use surety_protocol::id::{Address, MessageId, ModuleId, ProcessId};
use surety_protocol::item::{Item, ItemDraft, ItemKey};
use surety_protocol::origin::{Action, Registration};
use surety_protocol::params::Params;
use surety_protocol::profile::Profile;
use surety_protocol::sortition::{self, Draw};
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
use crate::executor::Executor;
use crate::http::{Api, ApiState, router};
use crate::net::{self, NetConfig, NetEvent, identity};
use crate::store::{Batch, MemoryStore};
use crate::view::{ProcessView, View};

pub(super) const CLOCK: u64 = 1_790_000_000_000;

fn profile() -> Profile {
    Profile { stride: 4, ..Profile::v1() }
}

static ENGINE: LazyLock<Arc<WasmEngine>> =
    LazyLock::new(|| Arc::new(WasmEngine::new(profile()).unwrap()));

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
        let (alice, bob) = (Person::new(1), Person::new(2));
        let mut balances = vec![
            (alice.address(), Stake::from_ao(1000)),
            (bob.address(), Stake::from_ao(1000)),
        ];
        balances.sort();
        let genesis = Genesis {
            name: "http".into(),
            params: Params { challenge_window_blocks: 6, k: 2, ..Params::devnet() },
            profiles: vec![profile()],
            proposer: alice.address(),
            proposer_key: *alice.hot.public_key(),
            balances,
        };
        let ledger = Ledger::new(&genesis).unwrap();
        let network = ledger.network();
        let archive = Archive::new(Arc::new(MemoryStore::new()));
        let engine = Arc::clone(&*ENGINE);
        let executor = Arc::new(Executor::new(archive.clone(), engine, network));
        let shutdown = CancellationToken::new();
        let keypair = identity::keypair_of(&mut [7; 32]).unwrap();
        let (net, net_events, _) =
            net::spawn(NetConfig::new(network), keypair, shutdown.clone()).unwrap();
        let start = View { ledger: Arc::new(ledger.clone()), processes: BTreeMap::new() };
        let (view, views) = watch::channel(Arc::new(start));
        let (handle, asked) =
            NodeHandle::without_driver(views, archive.clone(), executor, net);
        let state = ApiState {
            handle: handle.clone(),
            operator: alice.address(),
            item_key: alice.node.address(),
            roles: vec![RoleName::Compute, RoleName::Gateway],
            network,
            profile: profile(),
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
        stage.log(slots);
        stage.evaluate(slots);
        stage.stake();
        stage.show(slots, slots);
        stage
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
        let processes = BTreeMap::from([(self.process_id(), process)]);
        self.view.send_replace(Arc::new(View { ledger: Arc::new(self.ledger.clone()), processes }));
    }

    /// Schedules the process and a message for every further slot; the third fails.
    fn log(&mut self, slots: u64) {
        self.keep(Record::Item(self.module.clone()));
        let mut chain = HashChain::start(&self.process_id());
        for slot in 0..slots {
            let message = (slot > 0).then(|| {
                let action = if slot == 3 { "Fail" } else { "Count" };
                let draft = ItemDraft::default()
                    .to(*self.process_id().as_bytes())
                    .tag("Type", "Message")
                    .tag("Action", action);
                user().sign_item(&draft.carrying(format!("message {slot}"))).unwrap()
            });
            let draft = AssignmentDraft {
                process: self.process_id(),
                epoch: 0,
                slot: Slot(slot),
                hash_chain: chain,
                block_height: 7,
                timestamp: Timestamp(CLOCK + slot),
                message: message.as_ref().map(|it| MessageId::from(it.id())),
                exclude: Vec::new(),
            };
            let assignment = self.alice.node.sign_item(&draft.to_item_draft(None)).unwrap();
            chain = Assignment::from_item(&assignment).unwrap().next_hash_chain();
            let subject = message.unwrap_or_else(|| self.process.clone());
            self.keep(Record::Input {
                process: self.process_id(),
                slot: Slot(slot),
                assignment,
                message: Some(subject.clone()),
            });
            self.messages.push(subject);
        }
    }

    fn evaluate(&self, count: u64) {
        let job = Job::Evaluate {
            process: self.process_id(),
            from: Slot(0),
            count,
            inputs_since_root: 0,
            gas_since_root: 0,
        };
        let Executed::Evaluated { process, leaves } = self.handle.executor.perform(job) else {
            panic!("not evaluated");
        };
        assert_eq!(leaves.len() as u64, count);
        for it in leaves {
            self.keep(Record::Evaluated { process, leaf: it.leaf, head: it.head, parts: it.parts });
        }
    }

    /// Registers and bonds both.
    fn stake(&mut self) {
        let mut items = Vec::new();
        for person in [&self.alice, &self.bob] {
            let registration = Registration {
                key: *person.hot.public_key(),
                possession: person.hot.prove_possession(),
                item_key: person.node.address(),
                peer: ByteBuf::from(b"not a peer id".to_vec()),
            };
            items.push((&person.wallet, Action::Register(Box::new(registration))));
            items.push((&person.wallet, Action::Bond(Stake::from_ao(500))));
        }
        let items = items.into_iter().map(|(key, action)| {
            let draft = action.draft(&self.ledger.network(), Height(100)).unwrap();
            key.sign_item(&draft).unwrap().bytes().to_vec()
        });
        for item in items.collect::<Vec<_>>() {
            self.proposer.submit(&self.ledger, item).unwrap();
        }
        self.pass(3);
        assert_eq!(self.ledger.validators().len(), 2);
    }

    /// Puts an action on the ledger in a block of its own.
    fn act(&mut self, action: &Action) {
        let expires = self.ledger.height().plus(10);
        let draft = action.draft(&self.ledger.network(), expires).unwrap();
        let item = self.alice.node.sign_item(&draft).unwrap().bytes().to_vec();
        self.proposer.submit(&self.ledger, item).unwrap();
        self.pass(1);
    }

    /// Lets blocks pass; none of their items may be refused.
    pub(super) fn pass(&mut self, blocks: u64) {
        for _ in 0..blocks {
            let block = self.proposer.propose(&self.ledger, &self.alice.hot).unwrap();
            let events = self.ledger.apply(&block).unwrap();
            let text = format!("{events:?}");
            assert!(!text.contains("Refused"), "{text}");
            let mut batch = Batch::new();
            write::put_block(&mut batch, &block).unwrap();
            self.archive.write(batch).unwrap();
        }
    }

    /// Alice's claim of the leaves before `size`, the first leaf replaced if it is to be false.
    pub(super) fn claim(&self, size: u64, truly: bool) -> SignedClaim {
        let (mut leaves, mut head) = (Vec::<Leaf>::new(), Default::default());
        for slot in 0..size {
            let (leaf, after) = self.archive.leaf(&self.process_id(), Slot(slot)).unwrap().unwrap();
            leaves.push(leaf);
            head = after;
        }
        if !truly {
            leaves[0].gas += 1;
        }
        let history: History = leaves.iter().map(|leaf| leaf.digest().unwrap()).collect();
        let process = self.process_id();
        let claim = Claim {
            network: self.ledger.network(),
            profile: profile().id().unwrap(),
            module: ModuleId::from(self.module.id()),
            process,
            fork: 0,
            size,
            history_root: history.root(),
            first_new: 0,
            base_root: Frontier::empty().root(),
            hashpath: leaves
                .iter()
                .fold(Hashpath::start(process), |path, leaf| path.extend(leaf.assignment)),
            head_state_root: head,
        };
        let statement =
            Statement::sign(claim, self.alice.address(), &self.alice.hot).unwrap();
        let signed = SignedClaim { statement, frontier: Frontier::empty(), leaves };
        signed.check(self.ledger.network()).unwrap();
        self.keep(Record::Claim(Box::new(signed.clone())));
        signed
    }

    /// A file that proves that Alice signed two leaves for slot 0.
    pub(super) fn equivocation(&mut self) -> Vec<u8> {
        let registration = self.archive.block(Height(1)).unwrap().unwrap().items.remove(0);
        let side = |signed: SignedClaim| {
            let leaves = signed.leaves.iter().map(|leaf| leaf.digest().unwrap());
            let path = leaves.collect::<History>().prove(0, signed.leaves.len() as u64).unwrap();
            let leaf = signed.leaves[0].clone();
            (signed.statement, (leaf, path))
        };
        let (first, first_leaf) = side(self.claim(2, true));
        let (second, second_leaf) = side(self.claim(2, false));
        let offence =
            ClaimEquivocation { registration, first, first_leaf, second, second_leaf };
        let offence = Offence::ClaimEquivocation(Box::new(offence));
        codec::encode(&Evidence::new(self.ledger.network(), &offence).unwrap()).unwrap()
    }

    /// Commits a claim, lets Bob approve it, and records the certificate.
    pub(super) fn certify(&mut self, signed: &SignedClaim) {
        let claim = signed.statement.claim.clone();
        let id = claim.id().unwrap();
        let batch = ClaimBatch { claimant: self.alice.address(), claims: vec![id] };
        self.act(&Action::Claims(batch.root()));
        let committed = self.ledger.height();
        let seeded = committed.plus(self.ledger.params().seed_delay_blocks);
        self.pass(seeded.since(committed));
        let validators = self.ledger.validators_at(seeded).unwrap();
        let beacon = self.ledger.beacon_at(seeded).unwrap();
        let seed = sortition::seed(beacon, &claim.process, claim.first_new);
        let proof = sortition::prove(&self.bob.hot, &seed);
        // Until enough of Bob's tickets have a say in the next block.
        let params = self.ledger.params().clone();
        let draw = Draw::new(params.k, validators.tickets_without(&[self.alice.address()]));
        let held = validators.get(&self.bob.address()).unwrap().tickets;
        let enough = |height: Height| {
            let tranche = height.next().since(seeded) / params.tranche_blocks;
            draw.tickets(&proof, held, tranche) >= draw.needed_at(tranche)
        };
        while !enough(self.ledger.height()) {
            self.pass(1);
        }
        let approved = self.bob.hot.sign(&approval::signing_digest(&id));
        let certificate = Certificate {
            claim,
            claimant: self.alice.address(),
            signature: signed.statement.signature,
            committed,
            inclusion: batch.prove(&id).unwrap(),
            approvers: ByteBuf::from(validators.bitfield(&[self.bob.address()]).unwrap()),
            sortition: vec![proof],
            approvals: aggregate(&[approved]).unwrap(),
        };
        self.act(&Action::Certificate(Box::new(certificate)));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
