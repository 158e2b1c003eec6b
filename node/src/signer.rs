//! Makes signatures: the only holder of an operator's hot keys.
//!
//! # Rules
//!
//! - `[SG-1]` What is signed about processes, claims and cases was cleared by the guard: the types allow nothing else.
//! - `[SG-2]` Signatures of Ed25519, secp256k1 and BLS are deterministic, so signing again after a crash gives the same bytes. RSA's
//!   have a random salt; but nobody sees a signature before it is durable, so whatever a crash lost was never shown, and what is
//!   signed in its place says the same about the same slot.

use std::sync::{Arc, OnceLock};

use serde_bytes::ByteBuf;
use surety_protocol::approval;
use surety_protocol::assignment::{Assignment, AssignmentDraft};
use surety_protocol::bls::SecretKey;
use surety_protocol::bundle;
use surety_protocol::claim::{Claim, Leaf, SignedClaim, Statement};
use surety_protocol::codec::{self, CodecError};
use surety_protocol::history::Frontier;
use surety_protocol::id::{Address, ItemId, NetworkId, ProcessId};
use surety_protocol::item::{Item, ItemError, ItemKey};
use surety_protocol::origin::{Action, Verdict};
use surety_protocol::time::{Slot, Timestamp};
use surety_protocol::trace;
use surety_protocol::verified::Authentic;

use crate::archive::Archive;
use crate::core::{Signed, Signing};
use crate::fault::Fault;
use crate::net::{Subnet, Topic};

/// Why something was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// It cannot be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The item cannot be made, for example because a process asked for a tag that items do not have.
    #[error(transparent)]
    Item(#[from] ItemError),
}

/// What came of signing.
#[derive(Debug)]
pub struct Made {
    /// What was asked for.
    pub signed: Signed,
    /// What a fault adds: something to gossip after the honest thing.
    pub forged: Option<(Topic, Vec<u8>)>,
}

/// The hot keys of a node.
pub struct Signer {
    operator: Address,
    network: NetworkId,
    hot_key: Arc<SecretKey>,
    item_key: ItemKey,
    faults: Vec<Fault>,
    /// The first process that was scheduled in this node's life.
    scheduled: OnceLock<ProcessId>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.operator)
    }
}

impl Signer {
    /// A signer.
    pub const fn new(
        operator: Address,
        network: NetworkId,
        hot_key: Arc<SecretKey>,
        item_key: ItemKey,
        faults: Vec<Fault>,
    ) -> Signer {
        Signer {
            operator,
            network,
            hot_key,
            item_key,
            faults,
            scheduled: OnceLock::new(),
        }
    }

    /// The address of the data-item key.
    pub fn item_address(&self) -> Address {
        self.item_key.address()
    }

    /// Signs (rule SG-1); `first` is the process on which faults of a compute unit are committed (rule FA-1).
    ///
    /// # Errors
    /// If the thing cannot be encoded.
    pub fn sign(
        &self,
        signing: Signing,
        archive: &Archive,
        first: Option<ProcessId>,
    ) -> Result<Made, SignError> {
        let mut forged = None;
        let signed = match signing {
            Signing::Assignments(cleared) => {
                let mut items = Vec::new();
                cleared.into_inner().sign(|draft| {
                    if draft.slot == Slot(0) {
                        // Only the first is kept.
                        let _ = self.scheduled.set(draft.process);
                    }
                    if let Some(double) = self.double(&draft, archive) {
                        let subnet = Subnet::of(&draft.process);
                        forged = Some((Topic::Assignments(subnet), double));
                    }
                    let item = self.item_key.sign_item(&draft.to_item_draft(None))?;
                    let chain = draft.hash_chain.next(&item.id().into());
                    items.push(item);
                    Ok::<_, SignError>(chain)
                })?;
                Signed::Assignments(items)
            }
            Signing::Claim {
                claim,
                frontier,
                leaves,
            } => {
                let claim = claim.into_inner();
                let mut signed = self.claim(claim.clone(), &frontier, leaves.clone())?;
                let faulty = first == Some(claim.process);
                for fault in self.faults.iter().filter(|_| faulty) {
                    // [FA-2]
                    let Some((claim, leaves)) = fault.falsified(&claim, &frontier, &leaves) else {
                        continue;
                    };
                    tracing::warn!(%fault, process = %claim.process, "signing a false claim");
                    let lie = self.claim(claim, &frontier, leaves)?;
                    match fault {
                        Fault::Equivocate(_) => {
                            forged = Some((Topic::Claims, codec::encode(&lie)?));
                        }
                        _ => signed = lie,
                    }
                }
                Signed::Claim(Box::new(signed))
            }
            Signing::Approval(cleared) => {
                let draft = cleared.into_inner();
                let mut approval = draft.approval;
                approval.signature = self.hot_key.sign(&approval::signing_digest(&draft.claim));
                // [TP-3], [TP-5]
                let proof = &mut approval.trace;
                proof.signature = self.hot_key.sign(&trace::signing_digest(&draft.trace));
                let (claim, seed) = (&draft.claim, &draft.seed);
                let verifier = (&self.operator, self.hot_key.public_key());
                let says = trace::binding(claim, seed, verifier, &proof.signature, &proof.own);
                let binding = self.item_key.sign_item(&trace::binding_draft(&says))?;
                proof.binding = ByteBuf::from(binding.bytes());
                Signed::Approval(Box::new(approval))
            }
            Signing::Message { source, draft } => Signed::Message {
                source,
                item: self.item_key.sign_item(&draft)?,
            },
            Signing::Verdict(cleared) => {
                let draft = cleared.into_inner();
                Signed::Verdict(Verdict::sign(
                    &self.network,
                    draft.case,
                    draft.guilty,
                    self.operator,
                    &self.hot_key,
                ))
            }
            Signing::Action {
                mut action,
                expires,
            } => {
                if let Action::Challenge { challenge, .. } = &mut action {
                    // [FA-5]
                    if let Some(misled) = self.faults.iter().find_map(|it| it.misled(challenge)) {
                        *challenge = misled;
                    }
                }
                let draft = action.draft(&self.network, expires)?;
                Signed::Action(self.item_key.sign_item(&draft)?)
            }
        };
        Ok(Made { signed, forged })
    }

    fn claim(
        &self,
        claim: Claim,
        frontier: &Frontier,
        leaves: Vec<Leaf>,
    ) -> Result<SignedClaim, CodecError> {
        Ok(SignedClaim {
            statement: Statement::sign(claim, self.operator, &self.hot_key)?,
            frontier: frontier.clone(),
            leaves,
        })
    }

    /// A second assignment for the slot of a scheduler's fault.
    fn double(&self, draft: &AssignmentDraft, archive: &Archive) -> Option<Vec<u8>> {
        let fault = self.faults.iter().find_map(|fault| match fault {
            Fault::DoubleAssign(slot) => Some(*slot),
            _ => None,
        })?;
        let first = self.scheduled.get() == Some(&draft.process);
        if !first || draft.slot != fault || draft.slot == Slot(0) {
            return None;
        }
        let other = AssignmentDraft {
            timestamp: Timestamp(draft.timestamp.0 + 1),
            ..draft.clone()
        };
        let assignment = self.item_key.sign_item(&other.to_item_draft(None)).ok()?;
        let message = draft
            .message
            .and_then(|id| archive.item(&ItemId::from(id)).ok()?);
        tracing::warn!(slot = %draft.slot, process = %draft.process, "signing a second assignment");
        let items: Vec<&Authentic<Item>> = std::iter::once(&assignment).chain(&message).collect();
        debug_assert!(Assignment::from_item(&assignment).is_ok());
        Some(bundle::write(items.into_iter().map(|item| &**item)))
    }
}
