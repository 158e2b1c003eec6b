//! Items in any order become logs (rules IM-1, IM-2).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use surety_protocol::assignment::{Assignment, HashChain};
use surety_protocol::bundle;
use surety_protocol::execution::Input;
use surety_protocol::id::{Address, ItemId, ProcessId};
use surety_protocol::item::{Item, ItemError};
use surety_protocol::time::Slot;
use surety_protocol::verified::Authentic;

use crate::cli::audit::chain::Chain;

/// Why items are no log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsound {
    /// An item is malformed, or not signed by its owner.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// An item says that it is an assignment.
    #[error("item {0} is an assignment that cannot be read: {1}")]
    Assignment(ItemId, String),
    /// One slot was assigned twice.
    #[error("slot {slot} of process {process} is assigned by {one} and by {other}")]
    Twice {
        process: ProcessId,
        slot: Slot,
        one: ItemId,
        other: ItemId,
    },
    /// An assignment does not continue the log.
    #[error("the log of process {process} is broken at slot {slot}: {what} does not fit")]
    Broken {
        process: ProcessId,
        slot: Slot,
        what: &'static str,
    },
}

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Logs {
    items: BTreeMap<ItemId, Authentic<Item>>,
    slots: BTreeMap<ProcessId, BTreeMap<Slot, (Assignment, Authentic<Item>)>>,
}

/// The log of one process.
pub(super) struct Log {
    id: ProcessId,
    signer: Address,
    first: Slot,
    size: u64,
    next: Option<HashChain>,
    process: Option<Authentic<Item>>,
    /// The slots whose messages are there, up to the first that is not.
    whole: Vec<Input>,
    /// How many messages are not there.
    lacking: u64,
}

impl Logs {
    /// Reads a file (rule IM-1).
    ///
    /// # Errors
    /// What is wrong with its bytes.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), Unsound> {
        // A bundle may look like the head of an item, but no item like a bundle: that has the ids of what is in it.
        if let Ok(items) = bundle::flatten(bytes) {
            return self.bundled(&items);
        }
        let item = Item::parse(bytes)?.authenticate()?;
        if bundle::carries(&item.view()) {
            self.bundled(&bundle::flatten(item.data())?)?;
        }
        self.take(item)
    }

    fn bundled(&mut self, items: &[bundle::Nested<'_>]) -> Result<(), Unsound> {
        for nested in items {
            let item = Item::parse(nested.item.bytes())?.authenticate()?;
            self.take(item)?;
        }
        Ok(())
    }

    fn take(&mut self, item: Authentic<Item>) -> Result<(), Unsound> {
        if item.tag("Type") == Some("Assignment") {
            let assignment = Assignment::from_authentic(&item)
                .map_err(|why| Unsound::Assignment(item.id(), why.to_string()))?
                .into_inner();
            let (process, slot) = (assignment.process, assignment.slot);
            let slots = self.slots.entry(process).or_default();
            let (_, known) = slots
                .entry(slot)
                .or_insert_with(|| (assignment, item.clone()));
            if known.id() != item.id() {
                return Err(Unsound::Twice {
                    process,
                    slot,
                    one: known.id(),
                    other: item.id(),
                });
            }
        }
        self.items.insert(item.id(), item);
        Ok(())
    }

    /// The log of every process of which there is an assignment (rule IM-2).
    pub(super) fn checked(&self) -> impl Iterator<Item = Result<Log, Unsound>> {
        self.slots.iter().filter_map(|(process, slots)| {
            let (first, (assignment, _)) = slots.first_key_value()?;
            let chain = Chain::before(*first, *process, assignment.signer);
            Some(self.log(*process, slots, chain, assignment.signer))
        })
    }

    fn log(
        &self,
        id: ProcessId,
        slots: &BTreeMap<Slot, (Assignment, Authentic<Item>)>,
        mut chain: Chain,
        signer: Address,
    ) -> Result<Log, Unsound> {
        let first = chain.slot();
        let mut log = Log {
            id,
            signer,
            first,
            size: 0,
            next: None,
            process: self.items.get(&id.into()).cloned(),
            whole: Vec::new(),
            lacking: 0,
        };
        for (assignment, item) in slots.values() {
            let slot = chain.slot();
            chain.take(assignment).map_err(|what| Unsound::Broken {
                process: id,
                slot,
                what,
            })?;
            log.size = log.size.saturating_add(1);
            // The process is the input of its slot 0, and at hand.
            let named = assignment.message.filter(|_| slot > Slot(0));
            let message = named.map(|it| self.items.get(&it.into()).cloned());
            match message {
                Some(None) => log.lacking = log.lacking.saturating_add(1),
                message if log.lacking == 0 => log.whole.push(Input {
                    assignment: item.clone(),
                    message: message.flatten(),
                }),
                _ => {}
            }
        }
        log.next = chain.next().copied();
        Ok(log)
    }
}

impl Log {
    /// The process, if the log begins with it.
    pub(super) fn process(&self) -> Option<&Item> {
        let process = self.process.as_deref();
        process.filter(|_| self.first == Slot(0))
    }

    /// What can be evaluated, from the first slot on.
    pub(super) fn whole(&self) -> &[Input] {
        &self.whole
    }

    pub(super) fn told(&self) -> Value {
        let named = self.process.as_ref().and_then(|it| it.tag("Scheduler"));
        let signer = self.signer.to_string();
        json!({
            "process": self.id,
            "first": self.first,
            "slots": self.size,
            "signer": signer,
            "named_by_process": named.map(|it| it == signer),
            "missing_messages": self.lacking,
            "next_hash_chain": self.next,
        })
    }
}
