//! Claims that were proven false, and who approved them.
//!
//! # Rules
//!
//! - `[TA-5]` A claim that was proven false is remembered for [`KEEP_BLOCKS`](super::KEEP_BLOCKS) blocks with its approvals, those that were here and
//!   those that come after. Whoever accused it tells the ledger of them; others, if nobody did, [`FALLBACK_BLOCKS`] later.

use std::collections::BTreeMap;

use surety_protocol::claim::Claim;
use surety_protocol::facts::Refuted;
use surety_protocol::id::{Address, ClaimId};
use surety_protocol::machine::Outbox;
use surety_protocol::origin::{Action, FALSE_APPROVALS_MAX, FalseApproval, FalseApprovals};
use surety_protocol::time::Height;

use super::{FALLBACK_BLOCKS, REPOST_BLOCKS};
use crate::effect::Effect;

/// A claim that was proven false.
#[derive(Debug)]
struct Lie {
    claim: Claim,
    refuted: Refuted,
    since: Height,
    told: Option<Height>,
    approvals: BTreeMap<Address, FalseApproval>,
}

/// The claims that were proven false of late.
#[derive(Debug)]
pub(super) struct Lies(BTreeMap<ClaimId, Lie>);

impl Lies {
    /// None.
    pub(super) const fn new() -> Lies {
        Lies(BTreeMap::new())
    }

    /// Whether a claim is one of them.
    pub(super) fn contains(&self, claim: &ClaimId) -> bool {
        self.0.contains_key(claim)
    }

    /// Whether an approval of one of them is here.
    pub(super) fn knows(&self, claim: &ClaimId, verifier: &Address) -> bool {
        let lie = self.0.get(claim);
        lie.is_some_and(|it| it.approvals.contains_key(verifier))
    }

    /// A claim was proven false.
    pub(super) fn add(&mut self, claim: Claim, refuted: Refuted, height: Height) {
        self.0.entry(refuted.claim).or_insert(Lie {
            claim,
            refuted,
            since: height,
            told: None,
            approvals: BTreeMap::new(),
        });
    }

    /// Somebody approved one of them; false if it is none, or known.
    pub(super) fn approved(&mut self, claim: &ClaimId, approval: FalseApproval) -> bool {
        let Some(lie) = self.0.get_mut(claim) else {
            return false;
        };
        // [CL-6]
        let answers = lie.claim.first_new <= lie.refuted.slot.0;
        answers && lie.approvals.insert(approval.verifier, approval).is_none()
    }

    /// An operator is out.
    pub(super) fn punished(&mut self, operator: &Address) {
        for lie in self.0.values_mut() {
            lie.approvals.remove(operator);
        }
    }

    /// Forgets what is from before a height.
    pub(super) fn forget(&mut self, oldest: Height) {
        self.0.retain(|_, lie| lie.since >= oldest);
    }

    /// Tells the ledger (rule TA-5).
    pub(super) fn tell(&mut self, operator: &Address, height: Height, out: &mut Outbox<Effect>) {
        for lie in self.0.values_mut() {
            let ours = lie.refuted.challenger == *operator;
            let due = match lie.told {
                None => ours || height.since(lie.since) >= FALLBACK_BLOCKS,
                Some(at) => height.since(at) >= REPOST_BLOCKS,
            };
            if lie.approvals.is_empty() || !due {
                continue;
            }
            lie.told = Some(height);
            let approvals = lie.approvals.values().take(FALSE_APPROVALS_MAX);
            out.push(Effect::Submit(Action::FalseApprovals(Box::new(
                FalseApprovals {
                    case: lie.refuted.case,
                    claim: lie.claim.clone(),
                    approvals: approvals.cloned().collect(),
                },
            ))));
        }
    }
}
