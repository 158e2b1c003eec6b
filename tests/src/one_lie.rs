//! One process, one lie, no network: an AO process runs, one input of it is claimed falsely, and a file proves it.

use std::sync::Arc;

use serde_bytes::ByteBuf;
use surety_attest::claims::Lead;
use surety_attest::effect::{EvaluatedLeaf, Executed, Finding, Job, Traced};
use surety_node::archive::{Archive, write};
use surety_node::engines::Engines;
use surety_node::executor::Executor;
use surety_node::store::{Batch, MemoryStore};
use surety_protocol::bls::SecretKey;
use surety_protocol::claim::{Claim, Leaf, SignedClaim, Statement};
use surety_protocol::hash::{Domain, digest};
use surety_protocol::hashpath::Hashpath;
use surety_protocol::history::History;
use surety_protocol::id::{Address, AssignmentId, NetworkId, ProcessId};
use surety_protocol::item::{Item, ItemDraft, ItemKey};
use surety_protocol::origin::{Action, Registration};
use surety_protocol::profile::Profile;
use surety_protocol::profiles::Profiles;
use surety_protocol::time::{Height, Slot};
use surety_protocol::verified::Authentic;

use crate::lone_process::{Failed, LoneProcess};

/// A module, as text, whose strides are as hard to prove as can be: at its first input it fills all the memory that it gets with
/// noise, and at each later one it touches every page.
pub const ALL_OF_MEMORY: &str = include_str!("one_lie/all_of_memory.wat");

/// What is claimed falsely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Falsehood {
    /// The result of the slot.
    Result,
    /// Its gas.
    Gas,
    /// Its state root, or the head's where the slot has none.
    State,
    /// Its profile: everything is as the network's first profile has it, and the claim says that it still holds.
    Profile,
    /// Nothing: an honest claim, accused all the same.
    Nothing,
}

/// A process that ran, and the file that accuses who claimed about it.
#[derive(Debug)]
pub struct Lie {
    /// The evidence file.
    pub evidence: Vec<u8>,
    /// The operator that signed.
    pub offender: Address,
    /// The process.
    pub process: ProcessId,
    /// The slot that it is about.
    pub slot: Slot,
    /// What a verifier of the network finds about the claim.
    pub found: Finding,
    /// Why it says nothing of the claim where the leaf before it names an input that is not the log's.
    pub misled: Option<String>,
}

/// Runs a module for `messages` messages and lies at `slot`.
///
/// # Errors
/// If the module does not run.
pub fn tell(
    module: &[u8],
    messages: &[ItemDraft],
    slot: Slot,
    falsehood: Falsehood,
) -> Result<Lie, Failed> {
    let profiles = Profiles::of(Profile::v1())?;
    tell_under(&profiles, |_| Height(1), module, messages, slot, falsehood)
}

/// The same in a network with these profiles, where slots are stamped with these heights.
///
/// # Errors
/// If the module does not run.
pub fn tell_under(
    profiles: &Profiles,
    stamp: fn(Slot) -> Height,
    module: &[u8],
    messages: &[ItemDraft],
    slot: Slot,
    falsehood: Falsehood,
) -> Result<Lie, Failed> {
    let network = NetworkId::from(digest(Domain::OBJECT, &[b"one lie"]));
    let operator = ItemKey::ed25519(&[1; 32]);
    let hot = SecretKey::from_bytes(&[2; 32])?;
    let keys = keys(&operator, &hot);
    let registration = register(&network, &operator, keys.clone())?;
    let archive = Archive::new(Arc::new(MemoryStore::new()));
    let executor = Executor::new(archive.clone(), Engines::wasm(), network);
    let mut stage = LoneProcess::new(archive, "one", stamp, module)?;
    let mut batch = Batch::new();
    write::put_registration(&mut batch, &operator.address(), &keys, registration.bytes());
    stage.archive.write(batch)?;
    for draft in messages {
        stage.message(draft.clone())?;
    }
    let believed = match falsehood {
        Falsehood::Profile => profiles.until(&profiles.at(Height(0)).id),
        _ => None,
    };
    // One input at once, so that a claim can end anywhere.
    let evaluated = stage.evaluate(&executor, believed.as_ref().unwrap_or(profiles), 1)?;
    let (claim, history) =
        stage.claim(network, &evaluated, slot, falsehood, profiles.last().from)?;
    let frontier = frontier(&history, claim.first_new)?;
    let new = history
        .get(usize::try_from(claim.first_new)?..)
        .unwrap_or_default()
        .to_vec();
    let statement = Statement::sign(claim, operator.address(), &hot)?;
    let signed = SignedClaim {
        statement,
        frontier,
        leaves: new,
    };
    signed.check(network)?;
    let first_new = usize::try_from(signed.statement.claim.first_new)?;
    let before = history.get(..first_new).unwrap_or_default();
    let start = before.iter().rposition(|leaf| leaf.state_root.is_some());
    let start = start.unwrap_or(0);
    let lead = Lead {
        frontier: self::frontier(&history, u64::try_from(start)?)?,
        leaves: before.get(start..).unwrap_or_default().to_vec(),
    };
    let check = |lead: Lead| {
        let check = Job::Check {
            claim: Box::new(signed.clone()),
            committed: Height(0),
            lead,
            traced: Traced {
                slot,
                keys: Vec::new(),
            },
        };
        executor.perform(check, profiles)
    };
    // Before the check that leaves a resident behind.
    let mut strange = lead.clone();
    let leaf = strange.leaves.iter_mut().skip(1).last();
    let named = leaf.map(|leaf| leaf.assignment = AssignmentId::new([7; 32]));
    let misled = match named.map(|()| check(strange)) {
        Some(Executed::Abstained { reason, .. }) => Some(reason),
        Some(other) => return Err(format!("not seen: {other:?}").into()),
        None => None,
    };
    let found = match check(lead.clone()) {
        Executed::Checked { finding, .. } => finding,
        other => return Err(format!("not checked: {other:?}").into()),
    };
    let job = Job::Accuse {
        claim: Box::new(signed),
        lead,
        slot,
    };
    let accused = executor.perform(job, profiles);
    match accused {
        Executed::Accused { evidence, .. } => Ok(Lie {
            evidence: evidence.to_vec(),
            offender: operator.address(),
            process: stage.process,
            slot,
            found,
            misled,
        }),
        other => Err(format!("no evidence: {other:?}").into()),
    }
}

fn keys(operator: &ItemKey, hot: &SecretKey) -> Registration {
    Registration {
        key: *hot.public_key(),
        possession: hot.prove_possession(),
        item_key: operator.address(),
        peer: ByteBuf::new(),
    }
}

fn register(
    network: &NetworkId,
    operator: &ItemKey,
    keys: Registration,
) -> Result<Authentic<Item>, Failed> {
    let action = Action::Register(Box::new(keys));
    Ok(operator.sign_item(&action.draft(network, Height(100))?)?)
}

fn frontier(history: &[Leaf], size: u64) -> Result<surety_protocol::history::Frontier, Failed> {
    let mut digests = History::new();
    for leaf in history {
        digests.append(leaf.digest()?);
    }
    digests
        .frontier_at(size)
        .ok_or_else(|| "a frontier beyond the history".into())
}

impl LoneProcess {
    /// A claim that ends with the slot, false there, and the leaves that it commits to.
    fn claim(
        &self,
        network: NetworkId,
        evaluated: &[EvaluatedLeaf],
        slot: Slot,
        falsehood: Falsehood,
        until: Height,
    ) -> Result<(Claim, Vec<Leaf>), Failed> {
        let size = slot.next().0;
        let evaluated = evaluated
            .get(..usize::try_from(size)?)
            .ok_or("the slot is beyond the log")?;
        let EvaluatedLeaf {
            mut head, ruling, ..
        } = *evaluated.last().ok_or("no slots")?;
        let mut history: Vec<Leaf> = evaluated.iter().map(|it| it.leaf.clone()).collect();
        let last = history.last_mut().ok_or("no slots")?;
        let other = digest(Domain::OBJECT, &[b"false"]);
        match falsehood {
            Falsehood::Result => last.result_root = other,
            Falsehood::Gas => last.gas = last.gas.saturating_add(1),
            Falsehood::State => {
                head = Some(other);
                last.state_root = last.state_root.map(|_| other);
            }
            Falsehood::Profile | Falsehood::Nothing => {}
        }
        // At most twenty new leaves, all of one profile.
        let mut first_new = size.saturating_sub(20);
        for (place, it) in (1..).zip(evaluated) {
            if it.ruling.profile != ruling.profile {
                first_new = first_new.max(place);
            }
        }
        let mut digests = History::new();
        let mut hashpath = Hashpath::start(self.process);
        for leaf in &history {
            digests.append(leaf.digest()?);
            hashpath = hashpath.extend(leaf.assignment);
        }
        let claim = Claim {
            network,
            profile: ruling.profile,
            // Of what names another profile than holds there, nobody takes notice.
            height: match falsehood {
                Falsehood::Profile => ruling.height.min(until.minus(1)),
                _ => ruling.height,
            },
            module: self.module.into(),
            process: self.process,
            fork: 0,
            size,
            history_root: digests.root(),
            first_new,
            base_root: digests
                .root_at(first_new)
                .ok_or("a base beyond the history")?,
            hashpath,
            head_state_root: head.ok_or("no root")?,
        };
        Ok((claim, history))
    }
}

/// A hundred messages for a process of a module: Lua for AOS, plain ones for the sample.
pub fn hundred(aos: bool) -> Vec<ItemDraft> {
    (0..100)
        .map(|index| {
            if aos {
                ItemDraft::default()
                    .tag("Action", "Eval")
                    .carrying(format!("Sum = (Sum or 0) + {index}; return Sum"))
            } else {
                ItemDraft::default()
                    .tag("Action", "Count")
                    .carrying(format!("message {index}"))
            }
        })
        .collect()
}
