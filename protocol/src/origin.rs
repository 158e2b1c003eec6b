//! What the ledger is told: the actions of ANS-104 items addressed to Origin.
//!
//! # Rules
//!
//! - `[O-1]` Origin is a process; its id is the network's. An item for it has that target, `Data-Protocol: ao`,
//!   `Type: Message`, one `Action` and `Expires: <height>`, after which it is void.
//! - `[O-2]` An operator's own key signs what moves its stake; the data-item key that it registered signs what its node
//!   does by itself (claims, certificates, challenges, verdicts).
//! - `[O-3]` Arguments are tags; objects are canonical bytes in the data. An item with an argument that does not
//!   parse, or an action that is not known, is refused and changes nothing.

use serde_bytes::ByteBuf;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::bls::{ProofOfPossession, PublicKey, SecretKey, Signature, verify};
use crate::certificate::Certificate;
use crate::claim::Claim;
use crate::codec::{self, CodecError, Wire};
use crate::hash::{Domain, digest};
use crate::id::{Address, CaseId, ClaimId, Digest, EvidenceId, NetworkId, ProcessId};
use crate::item::{Item, ItemDraft};
use crate::profiles::Activation;
use crate::stake::Stake;
use crate::time::{Height, Slot};

/// The hot keys of an operator's node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Registration {
    /// Signs claims, approvals, verdicts, sortition.
    pub key: PublicKey,
    /// That the operator's node holds it.
    pub possession: ProofOfPossession,
    /// The address of the data-item key, which schedules and messages.
    pub item_key: Address,
    /// The libp2p peer id, as bytes.
    pub peer: ByteBuf,
}

impl Wire for Registration {
    const KIND: u8 = 20;
    const BYTES_MAX: usize = 1024;
}

/// The announcement of evidence; its body travels beside the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Challenge {
    /// The evidence.
    pub evidence: EvidenceId,
    /// Its bytes, so that nobody fetches without bound.
    pub bytes: u64,
    /// The number of the offence's kind.
    pub kind: u8,
    /// Who is accused.
    pub offender: Address,
    /// In which process.
    pub process: ProcessId,
    /// At which slot.
    pub slot: Slot,
    /// The claim that is false, if that is the accusation.
    pub claim: Option<ClaimId>,
}

impl Challenge {
    /// Whether it accuses of the same offence as another, by whatever file.
    pub fn accuses_as(&self, other: &Challenge) -> bool {
        let said = |it: &Challenge| (it.offender, it.kind, it.process, it.slot, it.claim);
        said(self) == said(other)
    }

    /// The case that it opens. It is named by all that is said, so that who says it wrong is no obstacle to who says it right of
    /// the same file.
    pub fn case(&self) -> CaseId {
        let parts: [&[u8]; 7] = [
            self.evidence.as_bytes(),
            &self.bytes.to_be_bytes(),
            &[self.kind],
            self.offender.as_bytes(),
            self.process.as_bytes(),
            &self.slot.0.to_be_bytes(),
            self.claim.as_ref().map_or(&[], |it| it.as_bytes()),
        ];
        CaseId::new(*digest(Domain::CASE, &parts).as_bytes())
    }
}

impl Wire for Challenge {
    const KIND: u8 = 21;
    const BYTES_MAX: usize = 512;
}

/// Approvals of a claim that a closed case has proven false.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct FalseApprovals {
    /// The case that proved it.
    pub case: CaseId,
    /// The claim, which says for which leaves its approvers answer.
    pub claim: Claim,
    /// The approvals, by verifier in ascending order, at most [`FALSE_APPROVALS_MAX`].
    pub approvals: Vec<FalseApproval>,
}

/// One approval of a claim that was proven false.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct FalseApproval {
    /// The verifier.
    pub verifier: Address,
    /// The bytes of the hot key that it signed with, one of those that it registered: a stranger's are never decoded.
    pub key: ByteBuf,
    /// Its signature over [`crate::approval::signing_digest`].
    pub signature: Signature,
}

/// Approvals that one item tells of.
pub const FALSE_APPROVALS_MAX: usize = 64;

impl Wire for FalseApprovals {
    const KIND: u8 = 24;
    const VERSION: u8 = 2;
    const BYTES_MAX: usize = 16 * 1024;
}

impl FalseApprovals {
    /// Whether the list has the right length and order.
    pub fn well_formed(&self) -> bool {
        let ascending = self.approvals.windows(2).all(|pair| match pair {
            [a, b] => a.verifier < b.verifier,
            _ => true,
        });
        ascending && (1..=FALSE_APPROVALS_MAX).contains(&self.approvals.len())
    }
}

/// What a validator found when it checked the evidence of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Verdict {
    /// The case.
    pub case: CaseId,
    /// Whether its file proves what its challenge says.
    pub guilty: bool,
    /// The validator.
    pub validator: Address,
    /// Its signature over [`verdict_digest`].
    pub signature: Signature,
}

impl Wire for Verdict {
    const KIND: u8 = 22;
    const VERSION: u8 = 2;
    const BYTES_MAX: usize = 512;
}

/// What a validator signs about a case.
pub fn verdict_digest(network: &NetworkId, case: &CaseId, guilty: bool) -> Digest {
    digest(
        Domain::VERDICT,
        &[network.as_bytes(), case.as_bytes(), &[u8::from(guilty)]],
    )
}

impl Verdict {
    /// Signs a verdict.
    pub fn sign(
        network: &NetworkId,
        case: CaseId,
        guilty: bool,
        validator: Address,
        key: &SecretKey,
    ) -> Verdict {
        let signature = key.sign(&verdict_digest(network, &case, guilty));
        Verdict {
            case,
            guilty,
            validator,
            signature,
        }
    }

    /// Whether `key` signed it.
    pub fn signed_by(&self, network: &NetworkId, key: &PublicKey) -> bool {
        verify(
            key,
            &verdict_digest(network, &self.case, self.guilty),
            &self.signature,
        )
    }
}

/// An action on the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Moves free balance.
    Transfer {
        /// To whom.
        recipient: Address,
        /// How much.
        quantity: Stake,
    },
    /// Binds hot keys to the signing operator.
    Register(Box<Registration>),
    /// Turns free balance into stake.
    Bond(Stake),
    /// Starts to turn stake into free balance.
    Unbond(Stake),
    /// Frees what finished unbonding.
    Withdraw,
    /// Commits the root of a batch of claims.
    Claims(Digest),
    /// Records a certificate.
    Certificate(Box<Certificate>),
    /// Accuses an operator; small evidence comes along and is judged at once.
    Challenge {
        /// The accusation.
        challenge: Challenge,
        /// The evidence's canonical bytes, for offences that signatures alone prove.
        evidence: Option<Vec<u8>>,
    },
    /// A validator's word on a challenge.
    Verdict(Verdict),
    /// Tells who approved a claim that was proven false.
    FalseApprovals(Box<FalseApprovals>),
    /// An operator's word on the next profile.
    Profile(Box<Activation>),
}

/// A challenge with the evidence that travels inside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
struct Accusation {
    challenge: Challenge,
    evidence: Option<ByteBuf>,
}

impl Wire for Accusation {
    const KIND: u8 = 23;
    const BYTES_MAX: usize = 2 << 20;
}

/// Why an item is not an action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// A tag is missing or does not parse.
    #[error("tag {0} is missing or malformed")]
    Tag(&'static str),
    /// No such action.
    #[error("unknown action")]
    Unknown,
    /// Data where the action has none.
    #[error("this action has no data")]
    Bare,
    /// The data is not the canonical object that the action needs.
    #[error("data of the action: {0}")]
    Data(#[from] CodecError),
    /// Addressed to something else.
    #[error("item is not addressed to this ledger")]
    Target,
}

/// The process id of a network's ledger (rule O-1).
pub const fn origin(network: &NetworkId) -> ProcessId {
    ProcessId::new(*network.as_bytes())
}

impl Action {
    /// The name in the `Action` tag.
    pub const fn name(&self) -> &'static str {
        match self {
            Action::Transfer { .. } => "Transfer",
            Action::Register(_) => "Register",
            Action::Bond(_) => "Bond",
            Action::Unbond(_) => "Unbond",
            Action::Withdraw => "Withdraw",
            Action::Claims(_) => "Claims",
            Action::Certificate(_) => "Certificate",
            Action::Challenge { .. } => "Challenge",
            Action::Verdict(_) => "Verdict",
            Action::FalseApprovals(_) => "False-Approvals",
            Action::Profile(_) => "Profile",
        }
    }

    /// The item to sign for this action (rules O-1, O-3).
    ///
    /// # Errors
    /// If an object is larger than its limit.
    pub fn draft(&self, network: &NetworkId, expires: Height) -> Result<ItemDraft, CodecError> {
        let mut tags: Vec<(&str, String)> = vec![
            ("Data-Protocol", "ao".into()),
            ("Variant", "ao.TN.1".into()),
            ("Type", "Message".into()),
            ("Action", self.name().into()),
            ("Expires", expires.to_string()),
        ];
        let mut data = Vec::new();
        match self {
            Action::Transfer {
                recipient,
                quantity,
            } => {
                tags.push(("Recipient", recipient.to_string()));
                tags.push(("Quantity", quantity.to_string()));
            }
            Action::Bond(quantity) | Action::Unbond(quantity) => {
                tags.push(("Quantity", quantity.to_string()));
            }
            Action::Withdraw => {}
            Action::Claims(root) => tags.push(("Root", root.to_string())),
            Action::Register(registration) => data = codec::encode(registration.as_ref())?,
            Action::Certificate(certificate) => data = codec::encode(certificate.as_ref())?,
            Action::Challenge {
                challenge,
                evidence,
            } => {
                let evidence = evidence.clone().map(ByteBuf::from);
                data = codec::encode(&Accusation {
                    challenge: challenge.clone(),
                    evidence,
                })?;
            }
            Action::Verdict(verdict) => data = codec::encode(verdict)?,
            Action::FalseApprovals(told) => data = codec::encode(told.as_ref())?,
            Action::Profile(wanted) => data = codec::encode(wanted.as_ref())?,
        }
        Ok(ItemDraft {
            target: Some(*network.as_bytes()),
            anchor: None,
            tags: tags
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            data,
        })
    }

    /// Reads the action and the height after which it is void.
    ///
    /// # Errors
    /// The first rule that the item breaks.
    pub fn from_item(network: &NetworkId, item: &Item) -> Result<(Action, Height), ActionError> {
        if item.target() != Some(network.as_bytes()) {
            return Err(ActionError::Target);
        }
        for (name, value) in [("Data-Protocol", "ao"), ("Type", "Message")] {
            if item.tag(name) != Some(value) {
                return Err(ActionError::Tag(name));
            }
        }
        let expires = argument(item, "Expires")?;
        let bare = ["Transfer", "Bond", "Unbond", "Withdraw", "Claims"];
        if item.tag("Action").is_some_and(|it| bare.contains(&it)) && !item.data().is_empty() {
            return Err(ActionError::Bare);
        }
        let quantity = || argument::<Stake>(item, "Quantity");
        let action = match item.tag("Action").ok_or(ActionError::Tag("Action"))? {
            "Transfer" => Action::Transfer {
                recipient: argument(item, "Recipient")?,
                quantity: quantity()?,
            },
            "Register" => Action::Register(Box::new(codec::decode(item.data())?)),
            "Bond" => Action::Bond(quantity()?),
            "Unbond" => Action::Unbond(quantity()?),
            "Withdraw" => Action::Withdraw,
            "Claims" => Action::Claims(argument(item, "Root")?),
            "Certificate" => Action::Certificate(Box::new(codec::decode(item.data())?)),
            "Challenge" => {
                let Accusation {
                    challenge,
                    evidence,
                } = codec::decode(item.data())?;
                Action::Challenge {
                    challenge,
                    evidence: evidence.map(ByteBuf::into_vec),
                }
            }
            "Verdict" => Action::Verdict(codec::decode(item.data())?),
            "False-Approvals" => Action::FalseApprovals(Box::new(codec::decode(item.data())?)),
            "Profile" => Action::Profile(Box::new(codec::decode(item.data())?)),
            _ => return Err(ActionError::Unknown),
        };
        Ok((action, Height(expires)))
    }
}

fn argument<T: std::str::FromStr>(item: &Item, name: &'static str) -> Result<T, ActionError> {
    item.tag(name)
        .and_then(|value| value.parse().ok())
        .ok_or(ActionError::Tag(name))
}
