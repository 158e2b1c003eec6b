//! A process with its signed log, and what its inputs truly give, by decree.

use surety_protocol::assignment::{Assignment, AssignmentDraft, HashChain};
use surety_protocol::claim::Leaf;
use surety_protocol::history::History;
use surety_protocol::id::{AssignmentId, Digest, MessageId, ModuleId, ProcessId};
use surety_protocol::item::{Item, ItemDraft, ItemKey};
use surety_protocol::profile::Profile;
use surety_protocol::profiles::Profiles;
use surety_protocol::time::{Height, Slot, Timestamp};
use surety_protocol::verified::Authentic;

use super::named;

/// State roots at slot 0 and every fourth input after.
pub(crate) fn profile() -> Profile {
    Profile {
        stride: 4,
        stride_gas_max: 1_000,
        ..Profile::v1()
    }
}

/// From the genesis on.
pub(crate) fn profiles() -> Profiles {
    Profiles::of(profile()).unwrap()
}

/// The height that every input is stamped with.
pub(crate) const STAMP: Height = Height(7);

pub(crate) struct Process {
    pub(crate) module: Authentic<Item>,
    pub(crate) process: Authentic<Item>,
    pub(crate) inputs: Vec<(Authentic<Item>, Option<Authentic<Item>>)>,
}

impl Process {
    /// A process whose scheduler assigned this many slots.
    pub(crate) fn new(scheduler: &ItemKey, name: &str, slots: u64) -> Process {
        let owner = ItemKey::ed25519(&[0x71; 32]);
        let module = ItemDraft::default()
            .tag("Type", "Module")
            .tag("Name", name)
            .carrying(b"\0asm\x01\0\0\0".to_vec());
        let module = owner.sign_item(&module).unwrap();
        let process = ItemDraft::default()
            .tag("Type", "Process")
            .tag("Module", ModuleId::from(module.id()).to_string())
            .tag("Scheduler", scheduler.address().to_string());
        let process = owner.sign_item(&process).unwrap();
        let mut it = Process {
            module,
            process,
            inputs: Vec::new(),
        };
        for slot in 0..slots {
            let message = (slot > 0).then(|| {
                let draft = ItemDraft::default().to(*it.id().as_bytes());
                owner
                    .sign_item(&draft.carrying(format!("message {slot}")))
                    .unwrap()
            });
            let id = message
                .as_ref()
                .map(|message| MessageId::from(message.id()));
            let item = scheduler.sign_item(&it.draft(Slot(slot), id)).unwrap();
            it.inputs.push((item, message));
        }
        it
    }

    /// The assignment of a slot that continues the log before it.
    pub(crate) fn draft(&self, slot: Slot, message: Option<MessageId>) -> ItemDraft {
        let before = usize::try_from(slot.0).unwrap();
        let last = before.checked_sub(1).and_then(|last| self.inputs.get(last));
        let hash_chain = match last {
            Some((item, _)) => Assignment::from_item(item).unwrap().next_hash_chain(),
            None => HashChain::start(&self.id()),
        };
        let draft = AssignmentDraft {
            process: self.id(),
            epoch: 0,
            slot,
            hash_chain,
            block_height: STAMP.0,
            timestamp: Timestamp(1_700_000_000_000 + slot.0),
            message,
            exclude: Vec::new(),
            timer: None,
        };
        draft.to_item_draft(None)
    }

    pub(crate) fn id(&self) -> ProcessId {
        ProcessId::from(self.process.id())
    }

    pub(crate) fn module_id(&self) -> ModuleId {
        ModuleId::from(self.module.id())
    }

    pub(crate) fn assignment(&self, slot: u64) -> AssignmentId {
        AssignmentId::from(self.inputs[usize::try_from(slot).unwrap()].0.id())
    }

    /// The true leaves of the slots before `size`.
    pub(crate) fn leaves(&self, size: u64) -> Vec<Leaf> {
        (0..size)
            .map(|slot| Leaf {
                slot: Slot(slot),
                assignment: self.assignment(slot),
                result_root: Process::result_root(slot),
                gas: Process::gas(slot),
                state_root: slot.is_multiple_of(4).then(|| Process::state_root(slot)),
            })
            .collect()
    }

    pub(crate) fn result_root(slot: u64) -> Digest {
        named(&format!("result {slot}"))
    }

    pub(crate) fn state_root(slot: u64) -> Digest {
        named(&format!("state {slot}"))
    }

    pub(crate) const fn gas(slot: u64) -> u64 {
        10 + slot
    }

    /// What the step of a slot left behind, under a key.
    pub(crate) fn trace(slot: u64, key: &Digest) -> Digest {
        named(&format!("trace of {slot} under {key}"))
    }
}

pub(crate) fn history(leaves: &[Leaf]) -> History {
    leaves.iter().map(|leaf| leaf.digest().unwrap()).collect()
}

pub(crate) fn leaves_root(leaves: &[Leaf]) -> Digest {
    history(leaves).root()
}
