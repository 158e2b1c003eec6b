//! What node and worker say to each other.
//!
//! A frame is its length in four bytes, big-endian, then the number of the request and what is said, in CBOR. A request that
//! needs many pages is preceded by them, in pieces, so that no frame grows with a state.

use std::io::{self, Read};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use surety_attest::engine::{EngineError, Environment, Message, Program, Start, StepOutcome};
use surety_attest::state::Snapshot;
use surety_protocol::id::{Digest, ModuleId};
use surety_protocol::profile::Profile;
use surety_protocol::witness::Witness;

/// Bytes of a frame: a witness of all memory and the inputs of a stride, in whose texts a byte can become three, are the largest.
const FRAME_BYTES_MAX: u32 = 1 << 30;
/// Pages in one piece.
const PIECE_PAGES: usize = 4096;

/// Pages with their indices.
pub(super) type Pages = Vec<(u32, ByteBuf)>;

/// A program, its module by the hash of its bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ProgramSaid {
    pub(super) module_id: ModuleId,
    pub(super) module: Digest,
    pub(super) environment: Environment,
    pub(super) memory_limit: u64,
    pub(super) compute_limit: u64,
}

/// An input, with what its text does not say.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MessageSaid {
    message: Message,
    item_bytes: u64,
}

/// A state, whose pages were sent before under a number: so many.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StateSaid {
    pub(super) wasm_pages: u32,
    pub(super) globals: Vec<u64>,
    pub(super) pages: u64,
    pub(super) count: usize,
}

/// Where a re-execution starts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum StartSaid {
    Genesis { clock: u64 },
    Witness { root: Digest, witness: Witness },
}

/// What is to be re-executed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ReexecutionSaid {
    pub(super) profile: Profile,
    pub(super) program: ProgramSaid,
    pub(super) start: StartSaid,
    pub(super) inputs: Vec<MessageSaid>,
    /// The keys under which the last step is traced.
    pub(super) traced: Vec<Digest>,
}

/// What a node asks of a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Request {
    /// The bytes of a module, for what is asked next.
    Module(ByteBuf),
    /// Whether a module is here.
    Knows(Digest),
    /// Pages of a state that is about to be sent, under a number.
    Pages(u64, Pages),
    /// They are not needed after all.
    Forget(u64),
    Check(Profile, Digest),
    Boot(Profile, ProgramSaid, u64),
    Restore(Profile, ProgramSaid, StateSaid),
    Step {
        resident: u64,
        message: MessageSaid,
        /// Of a dry run, the most gas.
        dry: Option<u64>,
    },
    /// A step that is traced under these keys.
    TracedStep {
        resident: u64,
        message: MessageSaid,
        traced: Vec<Digest>,
    },
    /// What changed in a resident since this was asked last.
    Changes(u64),
    Drop(u64),
    Witness(Profile, ProgramSaid, StateSaid, Vec<MessageSaid>),
    Reexecute(ReexecutionSaid),
    Judge(ReexecutionSaid),
}

impl StartSaid {
    pub(super) fn of(start: Start<'_>) -> StartSaid {
        match start {
            Start::Genesis { clock } => StartSaid::Genesis { clock },
            Start::Witness { root, witness } => StartSaid::Witness {
                root: *root,
                witness: witness.clone(),
            },
        }
    }

    pub(super) const fn start(&self) -> Start<'_> {
        match self {
            StartSaid::Genesis { clock } => Start::Genesis { clock: *clock },
            StartSaid::Witness { root, witness } => Start::Witness { root, witness },
        }
    }
}

impl Request {
    /// The resident that it is about.
    pub(super) const fn resident(&self) -> Option<u64> {
        match self {
            Request::Step { resident, .. }
            | Request::TracedStep { resident, .. }
            | Request::Changes(resident) => Some(*resident),
            _ => None,
        }
    }
}

/// What a worker answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Answer {
    Done,
    /// The module is not here: it was never sent, or has made room.
    UnknownModule,
    /// A resident's number.
    Resident(u64),
    Outcome(OutcomeSaid),
    Traced(OutcomeSaid, Vec<Digest>),
    Changes {
        wasm_pages: u32,
        globals: Vec<u64>,
        pages: Pages,
        more: bool,
    },
    Witness(Witness),
    /// The outcomes, the root of the state, and the traces of the last step.
    Reexecuted(Vec<OutcomeSaid>, Digest, Vec<Digest>),
    /// The same, with the root of each result and its gas.
    Judged(Vec<(Digest, u64)>, Digest, Vec<Digest>),
    Failed(EngineError),
}

/// An outcome in JSON, its error apart: so nothing in it is nested deeper than it was in the module's reply, which was read to
/// a depth that CBOR would not follow.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct OutcomeSaid {
    outcome: ByteBuf,
    error: Option<ByteBuf>,
}

impl OutcomeSaid {
    pub(super) fn of(mut outcome: StepOutcome) -> OutcomeSaid {
        let error = outcome.result.error.take();
        let text = |error| ByteBuf::from(serde_json::to_vec(&error).unwrap_or_default());
        OutcomeSaid {
            error: error.map(text),
            outcome: ByteBuf::from(serde_json::to_vec(&outcome).unwrap_or_default()),
        }
    }

    pub(super) fn read(&self) -> Option<StepOutcome> {
        let mut outcome: StepOutcome = serde_json::from_slice(&self.outcome).ok()?;
        if let Some(error) = &self.error {
            outcome.result.error = Some(serde_json::from_slice(error).ok()?);
        }
        Some(outcome)
    }
}

impl MessageSaid {
    pub(super) fn of(message: &Message) -> MessageSaid {
        MessageSaid {
            message: message.clone(),
            item_bytes: message.item_bytes,
        }
    }

    pub(super) fn all(messages: &[Message]) -> Vec<MessageSaid> {
        messages.iter().map(MessageSaid::of).collect()
    }

    pub(super) fn read(self) -> Message {
        Message {
            item_bytes: self.item_bytes,
            ..self.message
        }
    }

    pub(super) fn read_all(said: Vec<MessageSaid>) -> Vec<Message> {
        said.into_iter().map(MessageSaid::read).collect()
    }
}

impl ProgramSaid {
    pub(super) fn of(program: &Program) -> ProgramSaid {
        ProgramSaid {
            module_id: program.module_id,
            module: module_hash(&program.bytes),
            environment: program.environment.clone(),
            memory_limit: program.memory_limit,
            compute_limit: program.compute_limit,
        }
    }
}

pub(super) fn module_hash(bytes: &[u8]) -> Digest {
    Digest::new(*blake3::hash(bytes).as_bytes())
}

/// A state's pages in pieces.
pub(super) fn pieces(snapshot: &Snapshot) -> impl Iterator<Item = Pages> {
    let mut pages = snapshot.pages.iter().peekable();
    std::iter::from_fn(move || {
        pages.peek()?;
        let piece = pages.by_ref().take(PIECE_PAGES);
        Some(
            piece
                .map(|(index, page)| (*index, ByteBuf::from(page.to_vec())))
                .collect(),
        )
    })
}

/// Puts pages into a state whose memory has `count` of them; `None` if they are not pages, or do not ascend from `from` on.
/// Gives where the next ones begin.
pub(super) fn put(snapshot: &mut Snapshot, from: u32, count: u32, pages: &Pages) -> Option<u32> {
    let mut next = from;
    for (index, bytes) in pages {
        if *index < next || *index >= count {
            return None;
        }
        snapshot.put(*index, bytes.as_slice().try_into().ok()?);
        next = index.saturating_add(1);
    }
    Some(next)
}

/// The pages in which two states differ, at most one piece of them from an index on; and whether there are more.
pub(super) fn differences(before: &Snapshot, after: &Snapshot, from: u32) -> (Pages, bool) {
    let mut pages = Pages::new();
    let gone = before.pages.range(from..);
    let here = after.pages.range(from..);
    let indices: std::collections::BTreeSet<u32> =
        gone.chain(here).map(|(index, _)| *index).collect();
    for index in indices {
        let same = match (before.pages.get(&index), after.pages.get(&index)) {
            (Some(before), Some(after)) => Arc::ptr_eq(before, after),
            _ => false,
        };
        if same {
            continue;
        }
        if pages.len() == PIECE_PAGES {
            return (pages, true);
        }
        pages.push((index, ByteBuf::from(after.page(index).to_vec())));
    }
    (pages, false)
}

/// A frame; nothing if it would be larger than one may be.
pub(super) fn frame(number: u64, said: &impl Serialize) -> Option<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_cbor::to_writer(&mut frame, &(number, said)).ok()?;
    let length = u32::try_from(frame.len().checked_sub(4)?).ok()?;
    if length > FRAME_BYTES_MAX {
        return None;
    }
    frame.splice(..4, length.to_be_bytes());
    Some(frame)
}

/// Reads a frame.
pub(super) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<(u64, T)> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > FRAME_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    // As much is taken as comes, whatever the length says.
    let mut frame = Vec::new();
    from.take(length.into()).read_to_end(&mut frame)?;
    serde_cbor::from_slice(&frame).map_err(io::Error::other)
}
