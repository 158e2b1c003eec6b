//! A process without a network: everything that it is made of, in an archive, and its log as a scheduler signs it.

use surety_attest::effect::{EvaluatedLeaf, Executed, Job, Record};
use surety_node::archive::{Archive, write};
use surety_node::executor::Executor;
use surety_node::store::Batch;
use surety_protocol::assignment::{Assignment, AssignmentDraft, HashChain};
use surety_protocol::claim::Leaf;
use surety_protocol::hashpath::Hashpath;
use surety_protocol::id::{ItemId, ProcessId};
use surety_protocol::item::{Item, ItemDraft, ItemKey};
use surety_protocol::profiles::{Profiles, Ruling, Stride};
use surety_protocol::time::{Height, Slot, Timestamp};
use surety_protocol::verified::Authentic;

/// Why something could not be done.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;

/// The process.
pub struct LoneProcess {
    /// Where everything is kept.
    pub archive: Archive,
    /// Its id.
    pub process: ProcessId,
    /// Its module's item.
    pub module: ItemId,
    scheduler: ItemKey,
    user: ItemKey,
    chain: HashChain,
    hashpath: Hashpath,
    stamp: fn(Slot) -> Height,
    slot: Slot,
}

impl std::fmt::Debug for LoneProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LoneProcess({})", self.process)
    }
}

impl LoneProcess {
    /// A process of a module, whose slots are stamped with these heights. Two of one archive have two names.
    ///
    /// # Errors
    /// If the archive fails.
    pub fn new(
        archive: Archive,
        name: &str,
        stamp: fn(Slot) -> Height,
        module: &[u8],
    ) -> Result<LoneProcess, Failed> {
        let (scheduler, user) = (ItemKey::ed25519(&[3; 32]), ItemKey::ed25519(&[4; 32]));
        let module = user.sign_item(
            &ItemDraft::default()
                .tag("Data-Protocol", "ao")
                .tag("Type", "Module")
                .tag("Module-Format", "wasm32-unknown-emscripten4")
                .carrying(module),
        )?;
        let process = user.sign_item(
            &ItemDraft::default()
                .tag("Data-Protocol", "ao")
                .tag("Type", "Process")
                .tag("Name", name)
                .tag("Module", module.id().to_string())
                .tag("Scheduler", scheduler.address().to_string())
                .carrying("1984"),
        )?;
        let id = ProcessId::from(process.id());
        let mut it = LoneProcess {
            archive,
            scheduler,
            user,
            process: id,
            module: module.id(),
            chain: HashChain::start(&id),
            hashpath: Hashpath::start(id),
            stamp,
            slot: Slot(0),
        };
        it.put(Record::Item(module))?;
        it.assign(None, process)?;
        Ok(it)
    }

    /// Slots of its log.
    pub const fn size(&self) -> u64 {
        self.slot.0
    }

    /// Makes something durable as a node does.
    ///
    /// # Errors
    /// If the archive fails.
    pub fn put(&self, record: Record) -> Result<(), Failed> {
        let mut batch = Batch::new();
        write::put(&mut batch, record)?;
        Ok(self.archive.write(batch)?)
    }

    /// A user's message gets the next slot.
    ///
    /// # Errors
    /// If the archive fails.
    pub fn message(&mut self, draft: ItemDraft) -> Result<(), Failed> {
        let mut anchor = [b'0'; 32];
        for (place, digit) in anchor
            .iter_mut()
            .rev()
            .zip(self.slot.to_string().bytes().rev())
        {
            *place = digit;
        }
        let draft = draft
            .to(*self.process.as_bytes())
            .anchored(anchor)
            .tag("Data-Protocol", "ao")
            .tag("Type", "Message");
        let item = self.user.sign_item(&draft)?;
        self.assign(Some(item.id()), item)
    }

    fn assign(&mut self, message: Option<ItemId>, subject: Authentic<Item>) -> Result<(), Failed> {
        let draft = AssignmentDraft {
            process: self.process,
            epoch: 0,
            slot: self.slot,
            hash_chain: self.chain,
            block_height: (self.stamp)(self.slot).0,
            timestamp: Timestamp(1_700_000_000_000 + self.slot.0),
            message: message.map(Into::into),
            exclude: Vec::new(),
            timer: None,
        };
        let item = self.scheduler.sign_item(&draft.to_item_draft(None))?;
        let assignment = Assignment::from_item(&item)?;
        self.put(Record::Input {
            process: self.process,
            slot: self.slot,
            assignment: item,
            message: Some(subject),
        })?;
        self.chain = assignment.next_hash_chain();
        self.hashpath = self.hashpath.extend(assignment.id);
        self.put(Record::Hashpath {
            process: self.process,
            size: self.slot.next().0,
            hashpath: self.hashpath,
        })?;
        self.slot = self.slot.next();
        Ok(())
    }

    /// Evaluates the whole log as a compute unit does, so many inputs at once.
    ///
    /// # Errors
    /// If anything of it is not evaluated.
    pub fn evaluate(
        &self,
        executor: &Executor,
        profiles: &Profiles,
        count: u64,
    ) -> Result<Vec<EvaluatedLeaf>, Failed> {
        let mut evaluated = Vec::new();
        let mut stride = Stride::default();
        while let Some(from) = u64::try_from(evaluated.len())
            .ok()
            .filter(|it| *it < self.size())
        {
            let leaves = self.job(executor, profiles, Slot(from), count, stride)?;
            for it in &leaves {
                follow(&mut stride, &it.leaf, it.ruling);
            }
            evaluated.extend(leaves);
        }
        Ok(evaluated)
    }

    /// Evaluates some inputs.
    ///
    /// # Errors
    /// If they are not evaluated.
    pub fn job(
        &self,
        executor: &Executor,
        profiles: &Profiles,
        from: Slot,
        count: u64,
        stride: Stride,
    ) -> Result<Vec<EvaluatedLeaf>, Failed> {
        let job = Job::Evaluate {
            process: self.process,
            from,
            count: count.min(self.size().saturating_sub(from.0)),
            stride,
        };
        match executor.perform(job, profiles) {
            Executed::Evaluated { leaves, .. } => Ok(leaves),
            other => Err(format!("not evaluated: {other:?}").into()),
        }
    }
}

/// Where a stride stands after this leaf.
pub fn follow(stride: &mut Stride, leaf: &Leaf, ruling: Ruling) {
    stride.follow(ruling.height, leaf.gas, leaf.state_root.is_some());
}
