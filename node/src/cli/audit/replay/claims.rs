//! The claims that are known of a process, to be compared with what its messages give.

use std::collections::BTreeMap;
use std::ops::Range;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use surety_protocol::id::{ClaimId, Digest, ProcessId, ProfileId};

use super::Mismatch;
use super::fetch::difference;
use crate::cli::audit::evaluate::Step;
use crate::cli::remote::{list, number, parsed, text};
use crate::client::Client;
use crate::shell::CliError;

/// Claims on one page.
const PAGE: u64 = 1000;
/// Claims that are compared; a node knows fewer.
const CLAIMS_MAX: usize = 100_000;
/// Claims fetched at once.
const FETCHES: usize = 16;

/// A claim, as the node tells it.
struct Told {
    id: ClaimId,
    claimants: String,
    first_new: u64,
    size: u64,
    history_root: Digest,
    head_state_root: Digest,
    profile: ProfileId,
    height: u64,
    leaves: Vec<Value>,
}

/// All claims, by where they end and by the slots of their new leaves.
#[derive(Default)]
pub(super) struct Claims {
    told: Vec<Told>,
    by_end: BTreeMap<u64, Vec<usize>>,
    by_slot: BTreeMap<u64, Vec<usize>>,
}

impl Claims {
    /// Fetches the claims that say something of these slots.
    pub(super) async fn fetch(
        client: &Client,
        process: ProcessId,
        slots: &Range<u64>,
    ) -> Result<Claims, CliError> {
        let mut found: Vec<ClaimId> = Vec::new();
        let mut from = Some(0);
        while let Some(place) = from.filter(|_| found.len() < CLAIMS_MAX) {
            let path = format!("/v1/processes/{process}/claims?from={place}&limit={PAGE}");
            let page = client.get(&path).await?;
            for claim in list(&page) {
                let (first, size) = (number(claim, "first_new")?, number(claim, "size")?);
                if first < slots.end && size > slots.start {
                    found.push(parsed(claim, "claim")?);
                }
            }
            from = page
                .get("next")
                .and_then(Value::as_u64)
                .filter(|next| *next > place);
        }
        let told: Vec<Told> = stream::iter(found)
            .map(|id| async move {
                let told = client.get(&format!("/v1/claims/{id}")).await?;
                Told::read(id, &told)
            })
            .buffered(FETCHES)
            .try_collect()
            .await?;
        Ok(Claims::of(told))
    }

    fn of(told: Vec<Told>) -> Claims {
        let mut claims = Claims {
            told,
            ..Claims::default()
        };
        for (index, claim) in claims.told.iter().enumerate() {
            claims.by_end.entry(claim.size).or_default().push(index);
            // A claim has at most 64 new leaves; what a node makes up beyond is not looked at.
            let end = claim
                .first_new
                .saturating_add(u64::try_from(claim.leaves.len()).unwrap_or(0));
            for slot in claim.first_new..end {
                claims.by_slot.entry(slot).or_default().push(index);
            }
        }
        claims
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.told.len()).unwrap_or(u64::MAX)
    }

    /// Whether a claim ends with so many leaves, so that the state after them is claimed.
    pub(super) fn ends_at(&self, size: u64) -> bool {
        self.by_end.contains_key(&size)
    }

    /// What any claim says of this slot, or of the history up to it, and is not so.
    pub(super) fn compare(&self, step: &Step) -> Option<Mismatch> {
        let slot = step.leaf.slot.0;
        let leaf = self.at(&self.by_slot, slot).find_map(|claim| {
            let place = usize::try_from(slot.checked_sub(claim.first_new)?).ok()?;
            let (field, said, is) = difference(claim.leaves.get(place)?, &step.leaf)?;
            Some(claim.mismatch(slot, field, said, is))
        });
        leaf.or_else(|| {
            self.at(&self.by_end, step.size)
                .find_map(|claim| claim.ending(step))
        })
    }

    fn at<'a>(
        &'a self,
        index: &'a BTreeMap<u64, Vec<usize>>,
        place: u64,
    ) -> impl Iterator<Item = &'a Told> {
        index
            .get(&place)
            .into_iter()
            .flatten()
            .filter_map(|it| self.told.get(*it))
    }
}

impl Told {
    fn read(id: ClaimId, told: &Value) -> Result<Told, CliError> {
        let claimants = told.get("claimants").and_then(Value::as_array);
        let claimants: Vec<&str> = claimants
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let leaves = told.get("leaves").and_then(Value::as_array);
        // The answer must be about the claim that was asked for.
        text(told, "claim")?;
        Ok(Told {
            id,
            claimants: claimants.join(" and "),
            first_new: number(told, "first_new")?,
            size: number(told, "size")?,
            history_root: parsed(told, "history_root")?,
            head_state_root: parsed(told, "head_state_root")?,
            profile: parsed(told, "profile")?,
            height: number(told, "height")?,
            leaves: leaves.cloned().unwrap_or_default(),
        })
    }

    fn mismatch(
        &self,
        slot: u64,
        field: &'static str,
        claimed: String,
        replayed: String,
    ) -> Mismatch {
        let (by, claim) = (self.claimants.clone(), Some(self.id.to_string()));
        Mismatch {
            slot,
            by,
            claim,
            field,
            claimed,
            replayed,
        }
    }

    /// What it says of everything up to its end.
    fn ending(&self, step: &Step) -> Option<Mismatch> {
        let slot = step.leaf.slot.0;
        let is = |digest: &Digest| digest.to_string();
        if step.history_root != self.history_root {
            let (said, is) = (is(&self.history_root), is(&step.history_root));
            return Some(self.mismatch(slot, "history root", said, is));
        }
        // [CL-7]
        if step.ruling.profile != self.profile {
            let (said, is) = (self.profile.to_string(), step.ruling.profile.to_string());
            return Some(self.mismatch(slot, "profile", said, is));
        }
        if step.ruling.height.0 != self.height {
            let (said, is) = (self.height.to_string(), step.ruling.height.to_string());
            return Some(self.mismatch(slot, "height of the profile", said, is));
        }
        let head = step.head.filter(|head| *head != self.head_state_root)?;
        Some(self.mismatch(
            slot,
            "head state root",
            is(&self.head_state_root),
            is(&head),
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use surety_protocol::claim::Leaf;
    use surety_protocol::id::AssignmentId;
    use surety_protocol::profiles::Ruling;
    use surety_protocol::time::{Height, Slot};

    use super::*;

    fn digest(byte: u8) -> Digest {
        Digest::new([byte; 32])
    }

    /// The true step of slot 7.
    fn step() -> Step {
        let leaf = Leaf {
            slot: Slot(7),
            assignment: AssignmentId::new([1; 32]),
            result_root: digest(2),
            gas: 3,
            state_root: None,
        };
        Step {
            leaf,
            size: 8,
            history_root: digest(4),
            head: Some(digest(5)),
            ruling: Ruling {
                profile: digest(6).into(),
                height: Height(7),
            },
        }
    }

    /// A claim of slots 6 and 7 with this leaf and these roots.
    fn told(leaf: Value, history_root: u8, head: u8) -> Claims {
        let claim = json!({
            "claim": digest(9),
            "claimants": ["one", "two"],
            "first_new": 6,
            "size": 8,
            "history_root": digest(history_root),
            "head_state_root": digest(head),
            "profile": digest(6),
            "height": 7,
            "leaves": [{}, leaf],
        });
        Claims::of(vec![Told::read(digest(9).into(), &claim).unwrap()])
    }

    fn leaf(result: u8, gas: u64, root: Option<u8>) -> Value {
        json!({
            "slot": 7,
            "assignment": digest(1),
            "result_root": digest(result),
            "gas": gas,
            "state_root": root.map(digest),
        })
    }

    #[test]
    fn whatever_a_claim_says_is_compared() {
        let found = |claims: Claims| claims.compare(&step()).map(|it| (it.slot, it.field));
        assert_eq!(found(told(leaf(2, 3, None), 4, 5)), None);
        assert_eq!(
            found(told(leaf(0, 3, None), 4, 5)),
            Some((7, "result root"))
        );
        assert_eq!(found(told(leaf(2, 4, None), 4, 5)), Some((7, "gas")));
        assert_eq!(
            found(told(leaf(2, 3, Some(5)), 4, 5)),
            Some((7, "state root"))
        );
        assert_eq!(found(told(json!({}), 4, 5)), Some((7, "assignment")));
        assert_eq!(
            found(told(leaf(2, 3, None), 0, 5)),
            Some((7, "history root"))
        );
        assert_eq!(
            found(told(leaf(2, 3, None), 4, 0)),
            Some((7, "head state root"))
        );
        let claims = told(leaf(2, 3, None), 4, 0);
        assert!(claims.ends_at(8) && !claims.ends_at(7));
        assert_eq!(claims.compare(&step()).unwrap().by, "one and two");
    }
}
