//! Evidence files made by hand, and an executor that knows what is true.

use serde_bytes::ByteBuf;
use surety_protocol::assignment::Assignment;
use surety_protocol::claim::{Leaf, Statement};
use surety_protocol::codec;
use surety_protocol::evidence::{Evidence, FalseClaim, InputBytes, Offence, OffenceKind, Stretch};
use surety_protocol::execution::{Execution, ExecutionRequest, Step};
use surety_protocol::id::{ClaimId, EvidenceId, NetworkId, ProcessId};
use surety_protocol::origin::{Action, Challenge};
use surety_protocol::time::Slot;
use surety_protocol::witness::PackedWitness;

use super::process::history;
use super::{Person, Process, World, profiles};

/// An evidence file and what announces it.
pub(crate) struct Accusation {
    pub(crate) bytes: Vec<u8>,
    pub(crate) challenge: Challenge,
}

impl Accusation {
    /// What says the same in other bytes, so many.
    pub(crate) fn under(&self, id: u8, bytes: u64) -> Accusation {
        Accusation {
            bytes: self.bytes.clone(),
            challenge: Challenge {
                evidence: EvidenceId::new([id; 32]),
                bytes,
                ..self.challenge.clone()
            },
        }
    }
}

/// An accusation that proves nothing, with so many bytes of evidence.
pub(crate) fn groundless(offender: &Person, bytes: usize) -> Action {
    let challenge = Challenge {
        evidence: EvidenceId::default(),
        bytes: 1,
        kind: OffenceKind::ClaimEquivocation.number(),
        offender: offender.address(),
        process: ProcessId::default(),
        slot: Slot(1),
        claim: None,
    };
    Action::Challenge {
        challenge,
        evidence: Some(vec![0; bytes]),
    }
}

/// Wraps an offence and announces it.
pub(crate) fn announce(
    network: NetworkId,
    offence: &Offence,
    offender: &Person,
    (process, slot): (ProcessId, Slot),
    claim: Option<ClaimId>,
) -> Accusation {
    let kind = match offence {
        Offence::FalseClaim(_) => OffenceKind::FalseClaim,
        Offence::DoubleAssignment(_) => OffenceKind::DoubleAssignment,
        Offence::ClaimEquivocation(_) => OffenceKind::ClaimEquivocation,
        Offence::FalseTrace(_) => OffenceKind::FalseTrace,
    };
    let bytes = codec::encode(&Evidence::new(network, offence).unwrap()).unwrap();
    let challenge = Challenge {
        evidence: Evidence::id_of(&bytes),
        bytes: bytes.len() as u64,
        kind: kind.number(),
        offender: offender.address(),
        process,
        slot,
        claim,
    };
    Accusation { bytes, challenge }
}

/// Accuses the signer of a statement of a lie at a slot; the stretch starts at the last state root before it.
pub(crate) fn accusation(
    world: &World,
    process: &Process,
    offender: &Person,
    statement: &Statement,
    claimed: &[Leaf],
    slot: u64,
) -> FalseClaim {
    let end = usize::try_from(slot).unwrap();
    let start = claimed[..end]
        .iter()
        .rposition(|leaf| leaf.state_root.is_some());
    let leaves = claimed[start.unwrap_or(0)..=end].to_vec();
    let indices: Vec<u64> = leaves.iter().map(|leaf| leaf.slot.0).collect();
    let witness = start.map(|_| PackedWitness {
        wasm_pages: 1,
        globals: vec![1],
        touched: ByteBuf::new(),
        pieces: Vec::new(),
        siblings: Vec::new(),
    });
    let executed = leaves.iter().skip(usize::from(witness.is_some()));
    let inputs = executed.map(|leaf| {
        let (assignment, message) = &process.inputs[usize::try_from(leaf.slot.0).unwrap()];
        InputBytes {
            assignment: ByteBuf::from(assignment.bytes()),
            message: message
                .as_ref()
                .map(|message| ByteBuf::from(message.bytes())),
        }
    });
    let stretch = Stretch {
        profiles: profiles(),
        module: ByteBuf::from(process.module.bytes()),
        process: ByteBuf::from(process.process.bytes()),
        witness,
        path: history(claimed)
            .prove_many(&indices, statement.claim.size)
            .unwrap(),
        inputs: inputs.collect(),
        leaves,
    };
    FalseClaim {
        registration: ByteBuf::from(world.registrations[&offender.address()].clone()),
        statement: statement.clone(),
        stretch,
    }
}

/// What an honest executor answers.
pub(crate) fn honest(request: &ExecutionRequest) -> Execution {
    let slots: Vec<u64> = request
        .inputs
        .iter()
        .map(|input| Assignment::from_item(&input.assignment).unwrap().slot.0)
        .collect();
    let steps = slots.iter().map(|slot| Step {
        result_root: Process::result_root(*slot),
        gas: Process::gas(*slot),
    });
    Execution::Done {
        steps: steps.collect(),
        state_root: Process::state_root(*slots.last().unwrap()),
        traces: request
            .traced
            .iter()
            .map(|key| Process::trace(*slots.last().unwrap(), key))
            .collect(),
    }
}
