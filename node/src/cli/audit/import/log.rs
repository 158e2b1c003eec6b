//! Items in any order become logs (rules IM-1, IM-2).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use surety_protocol::assignment::{Assignment, HashChain};
use surety_protocol::bundle;
use surety_protocol::execution::Input;
use surety_protocol::id::{Address, ItemId, ProcessId};
use surety_protocol::item::{Item, ItemError, ItemView};
use surety_protocol::time::Slot;
use surety_protocol::verified::Authentic;

use crate::cli::audit::chain::Chain;

/// Why items are no log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsound {
    /// An item is malformed, or not signed by its owner.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// One signer assigned a slot twice.
    #[error(
        "slot {slot} of process {process} is assigned by {one} and, by the same signer, by {other}"
    )]
    Twice {
        process: ProcessId,
        slot: Slot,
        one: ItemId,
        other: ItemId,
    },
    /// An assignment does not continue the log.
    #[error(
        "the log that {signer} signed of process {process} is broken at slot {slot}: {what} does not fit"
    )]
    Broken {
        process: ProcessId,
        signer: Address,
        slot: Slot,
        what: &'static str,
    },
}

/// Assignments by slot, read and as they were signed.
type Slots = BTreeMap<Slot, (Assignment, Authentic<Item>)>;

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Logs {
    items: BTreeMap<ItemId, Authentic<Item>>,
    /// By process and signer.
    slots: BTreeMap<(ProcessId, Address), Slots>,
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
        let mut open = match bundle::parse(bytes) {
            Ok(items) => items.iter().map(ItemView::to_item).collect(),
            Err(_) => vec![Item::parse(bytes)?],
        };
        while let Some(item) = open.pop() {
            let item = item.authenticate()?;
            // What has a type is somebody's message, and what it carries is nobody's log.
            if item.tag("Type").is_none() && bundle::carries(&item.view()) {
                let carried = bundle::parse(item.data())?;
                open.extend(carried.iter().map(ItemView::to_item));
            }
            self.take(item)?;
        }
        Ok(())
    }

    fn take(&mut self, item: Authentic<Item>) -> Result<(), Unsound> {
        // Anybody may send a process what says of itself that it is an assignment.
        let read = Assignment::from_authentic(&item);
        if let Some(assignment) = read.ok().map(Authentic::into_inner) {
            let (process, slot) = (assignment.process, assignment.slot);
            let log = (process, assignment.signer);
            let slots = self.slots.entry(log).or_default();
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

    /// The log that each signer has of each process, or that this one has (rule IM-2).
    pub(super) fn checked(
        &self,
        signer: Option<Address>,
    ) -> impl Iterator<Item = Result<Log, Unsound>> {
        let wanted = move |by: &Address| signer.is_none_or(|it| it == *by);
        let logs = self.slots.iter().filter(move |((_, by), _)| wanted(by));
        logs.filter_map(|((process, signer), slots)| {
            let first = slots.first_key_value()?.0;
            let chain = Chain::before(*first, *process, *signer);
            Some(self.log(*process, slots, chain, *signer))
        })
    }

    fn log(
        &self,
        id: ProcessId,
        slots: &Slots,
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
                signer,
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
