//! Many processes of one module in the archive of one node.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use surety_attest::effect::{Executed, Job, Record};
use surety_node::archive::{Archive, write};
use surety_node::executor::Executor;
use surety_node::store::{Batch, Column, Direction, Entry, RocksStore, Store, StoreError};
use surety_protocol::assignment::{Assignment, AssignmentDraft, HashChain};
use surety_protocol::id::{ItemId, ProcessId};
use surety_protocol::item::{Item, ItemDraft, ItemKey};
use surety_protocol::profile::Profile;
use surety_protocol::profiles::{Profiles, Stride};
use surety_protocol::time::{Slot, Timestamp};
use surety_protocol::verified::Authentic;

/// RocksDB, counting the bytes that it is given.
pub(crate) struct Counting {
    path: PathBuf,
    store: RocksStore,
    written: AtomicU64,
}

impl Counting {
    pub(crate) fn open(path: &Path) -> Counting {
        Counting {
            path: path.to_owned(),
            store: RocksStore::open(path).expect("a database"),
            written: AtomicU64::new(0),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of keys and values of states so far.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

impl Store for Counting {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(column, key)
    }

    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        let of_states = batch
            .ops()
            .iter()
            .filter(|(column, ..)| [Column::Pages, Column::Snapshots].contains(column));
        let bytes: usize = of_states
            .map(|(_, key, value)| key.len() + value.as_ref().map_or(0, Vec::len))
            .sum();
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
        self.store.write(batch)
    }

    fn scan(
        &self,
        column: Column,
        from: &[u8],
        prefix: &[u8],
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Entry>, StoreError> {
        self.store.scan(column, from, prefix, limit, direction)
    }
}

/// A process, and how far it is.
#[derive(Clone, Copy)]
pub(crate) struct Citizen {
    pub(crate) id: ProcessId,
    chain: HashChain,
    scheduled: u64,
    evaluated: u64,
    stride: Stride,
}

/// The archive, the executor, and who signs.
pub(crate) struct Town {
    pub(crate) archive: Archive,
    pub(crate) executor: Executor,
    profiles: Profiles,
    scheduler: ItemKey,
    user: ItemKey,
    module: ItemId,
}

impl Town {
    pub(crate) fn new(archive: Archive, executor: Executor, module: &[u8]) -> Town {
        let user = ItemKey::ed25519(&[4; 32]);
        let module = user
            .sign_item(
                &ItemDraft::default()
                    .tag("Data-Protocol", "ao")
                    .tag("Type", "Module")
                    .carrying(module),
            )
            .expect("a module");
        let town = Town {
            archive,
            executor,
            profiles: Profiles::of(Profile::v1()).expect("a profile"),
            scheduler: ItemKey::ed25519(&[3; 32]),
            user,
            module: module.id(),
        };
        let mut batch = Batch::new();
        write::put(&mut batch, Record::Item(module)).expect("it is encoded");
        town.archive.write(batch).expect("it is written");
        town
    }

    /// Spawns processes, to which nothing was sent yet.
    pub(crate) fn spawn(&self, count: usize, from: usize) -> Vec<Citizen> {
        let mut batch = Batch::new();
        let spawned = (from..from + count).map(|number| {
            let item = self
                .user
                .sign_item(
                    &ItemDraft::default()
                        .anchored(anchor(number as u64))
                        .tag("Data-Protocol", "ao")
                        .tag("Type", "Process")
                        .tag("Module", self.module.to_string())
                        .tag("Scheduler", self.scheduler.address().to_string())
                        .carrying("1984"),
                )
                .expect("a process");
            let id = ProcessId::from(item.id());
            let mut citizen = Citizen {
                id,
                chain: HashChain::start(&id),
                scheduled: 0,
                evaluated: 0,
                stride: Stride::default(),
            };
            self.assign(&mut batch, &mut citizen, None, item);
            citizen
        });
        let spawned = spawned.collect();
        self.archive.write(batch).expect("it is written");
        spawned
    }

    /// Sends so many messages to each process.
    pub(crate) fn send(&self, citizens: &mut [Citizen], count: u64, draft: &ItemDraft) {
        for citizen in citizens {
            let mut batch = Batch::new();
            for _ in 0..count {
                let item = self
                    .user
                    .sign_item(
                        &draft
                            .clone()
                            .to(*citizen.id.as_bytes())
                            .anchored(anchor(citizen.scheduled))
                            .tag("Data-Protocol", "ao")
                            .tag("Type", "Message"),
                    )
                    .expect("a message");
                let id = item.id();
                self.assign(&mut batch, citizen, Some(id), item);
            }
            self.archive.write(batch).expect("it is written");
        }
    }

    fn assign(
        &self,
        batch: &mut Batch,
        citizen: &mut Citizen,
        message: Option<ItemId>,
        subject: Authentic<Item>,
    ) {
        let slot = Slot(citizen.scheduled);
        let draft = AssignmentDraft {
            process: citizen.id,
            epoch: 0,
            slot,
            hash_chain: citizen.chain,
            block_height: 1,
            timestamp: Timestamp(1_700_000_000_000 + slot.0),
            message: message.map(Into::into),
            exclude: Vec::new(),
            timer: None,
        };
        let item = self
            .scheduler
            .sign_item(&draft.to_item_draft(None))
            .expect("an assignment");
        let assignment = Assignment::from_item(&item).expect("an assignment");
        let record = Record::Input {
            process: citizen.id,
            slot,
            assignment: item,
            message: Some(subject),
        };
        write::put(batch, record).expect("it is encoded");
        citizen.chain = assignment.next_hash_chain();
        citizen.scheduled += 1;
    }

    /// Evaluates up to so many of a process' inputs in one job; how many it was.
    pub(crate) fn evaluate(&self, citizen: &mut Citizen, count: u64) -> u64 {
        let count = count.min(citizen.scheduled - citizen.evaluated);
        let job = Job::Evaluate {
            process: citizen.id,
            from: Slot(citizen.evaluated),
            count,
            stride: citizen.stride,
        };
        let done = self.executor.perform(job, &self.profiles);
        let Executed::Evaluated { leaves, .. } = done else {
            panic!("not evaluated: {done:?}");
        };
        for leaf in &leaves {
            citizen.evaluated += 1;
            let ends = leaf.leaf.state_root.is_some();
            citizen
                .stride
                .follow(leaf.ruling.height, leaf.leaf.gas, ends);
        }
        leaves.len() as u64
    }

    /// Evaluates all that was sent, each process in order, jobs of so many inputs in turns, on all cores; how many it was.
    pub(crate) fn evaluate_all(&self, citizens: &mut [Citizen], job: u64) -> u64 {
        let waiting = Mutex::new(
            citizens
                .iter_mut()
                .collect::<std::collections::VecDeque<_>>(),
        );
        let evaluated = AtomicU64::new(0);
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..cores {
                scope.spawn(|| {
                    loop {
                        let next = waiting.lock().expect("no panic").pop_front();
                        let Some(citizen) = next else {
                            break;
                        };
                        evaluated.fetch_add(self.evaluate(citizen, job), Ordering::Relaxed);
                        if citizen.evaluated < citizen.scheduled {
                            waiting.lock().expect("no panic").push_back(citizen);
                        }
                    }
                });
            }
        });
        evaluated.into_inner()
    }
}

/// The archive of a directory.
pub(crate) fn archive(store: &Arc<Counting>) -> Archive {
    Archive::new(Arc::<Counting>::clone(store))
}

fn anchor(number: u64) -> [u8; 32] {
    let text = format!("{number:032}");
    text.as_bytes().try_into().expect("32 digits")
}
