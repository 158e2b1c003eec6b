//! The claims that are known of a process, to be compared with what its messages give.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use surety_protocol::id::{AssignmentId, ClaimId, Digest, ProcessId, ProfileId};

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
    signers: usize,
    first_new: u64,
    size: u64,
    base_root: Digest,
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
    by_start: BTreeMap<u64, Vec<usize>>,
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
            let start = claims.by_start.entry(claim.first_new).or_default();
            start.push(index);
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

    /// How many go beyond so many slots.
    pub(super) fn beyond(&self, size: u64) -> u64 {
        let beyond = self.told.iter().filter(|it| it.size > size).count();
        u64::try_from(beyond).unwrap_or(u64::MAX)
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
        let mut started = self.at(&self.by_start, step.size);
        let mut ended = self.at(&self.by_end, step.size);
        leaf.or_else(|| started.find_map(|claim| claim.start(step)))
            .or_else(|| ended.find_map(|claim| claim.ending(step)))
    }

    /// The first of these slots of which two claims, or a claim and the node, say different things (rule RP-4).
    pub(super) fn first_difference(
        &self,
        node: &BTreeMap<u64, Word>,
        slots: &Range<u64>,
    ) -> Option<u64> {
        let leaves = self.by_slot.range(slots.clone()).find(|(slot, claims)| {
            let claimed = claims.iter().filter_map(|it| self.told.get(*it));
            let claimed = claimed.filter_map(|claim| {
                let place = usize::try_from(slot.checked_sub(claim.first_new)?).ok()?;
                claim.leaves.get(place).map(Word::of)
            });
            let node = node.get(slot).filter(|it| it.is_said()).copied();
            let said: BTreeSet<Word> = claimed.chain(node).collect();
            said.len() > 1
        });
        // Where one claim ends another may begin.
        let mut roots: BTreeMap<u64, BTreeSet<Digest>> = BTreeMap::new();
        let mut ends: BTreeMap<u64, BTreeSet<_>> = BTreeMap::new();
        for it in &self.told {
            roots.entry(it.size).or_default().insert(it.history_root);
            roots.entry(it.first_new).or_default().insert(it.base_root);
            let end = (it.head_state_root, it.profile, it.height);
            ends.entry(it.size).or_default().insert(end);
        }
        let roots = roots.iter().filter(|(_, said)| said.len() > 1);
        let ends = ends.iter().filter(|(_, said)| said.len() > 1);
        let sizes = roots
            .map(|(size, _)| *size)
            .chain(ends.map(|(size, _)| *size));
        let last = sizes.filter_map(|size| size.checked_sub(1));
        leaves
            .map(|(slot, _)| *slot)
            .into_iter()
            .chain(last.filter(|slot| slots.contains(slot)))
            .min()
    }

    /// Whether a claim says what came of this slot.
    pub(super) fn says(&self, slot: u64) -> bool {
        self.by_slot.contains_key(&slot)
    }

    /// Of how many of the node's slots there are two words that can be compared: its own and a claim's, or those of two claims.
    pub(super) fn twice_said(&self, node: &BTreeMap<u64, Word>) -> u64 {
        let words = |slot: &u64| {
            let claims = self.at(&self.by_slot, *slot).map(|it| it.signers);
            claims.fold(0, usize::saturating_add)
        };
        let twice = node
            .iter()
            .filter(|(slot, it)| words(slot).saturating_add(usize::from(it.is_said())) > 1);
        u64::try_from(twice.count()).unwrap_or(u64::MAX)
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

/// What is said of a slot, to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Word {
    assignment: Option<AssignmentId>,
    result_root: Option<Digest>,
    gas: Option<u64>,
    state_root: Option<Digest>,
}

impl Word {
    /// What a document says; what it says in no way that can be read it does not say.
    pub(super) fn of(told: &Value) -> Word {
        Word {
            assignment: parsed(told, "assignment").ok(),
            result_root: parsed(told, "result_root").ok(),
            gas: number(told, "gas").ok(),
            state_root: parsed(told, "state_root").ok(),
        }
    }

    /// Whether it says what came of the slot: nothing is said of what was not evaluated.
    pub(super) const fn is_said(&self) -> bool {
        self.result_root.is_some()
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
            signers: claimants.len(),
            first_new: number(told, "first_new")?,
            size: number(told, "size")?,
            base_root: parsed(told, "base_root")?,
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

    /// What it says of everything before it.
    fn start(&self, step: &Step) -> Option<Mismatch> {
        let slot = step.leaf.slot.0;
        let (said, is) = (self.base_root, step.history_root);
        (said != is).then(|| self.mismatch(slot, "base root", said.to_string(), is.to_string()))
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
            "base_root": digest(3),
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
        let mut based = step();
        (based.leaf.slot, based.size) = (Slot(5), 6);
        let claims = told(leaf(2, 3, None), 4, 5);
        assert_eq!(claims.compare(&based).map(|it| it.field), Some("base root"));
        based.history_root = digest(3);
        assert_eq!(claims.compare(&based), None);
        let claims = told(leaf(2, 3, None), 4, 0);
        assert!(claims.ends_at(8) && !claims.ends_at(7));
        assert_eq!(claims.compare(&step()).unwrap().by, "one and two");
    }

    /// Rule RP-4.
    #[test]
    fn what_differs_is_seen_without_executing_anything() {
        let both = |other: Claims| {
            let mut all = told(leaf(2, 3, None), 4, 5).told;
            all.extend(other.told);
            Claims::of(all)
        };
        let nobody = BTreeMap::new();
        let all = 0..u64::MAX;
        let same = || both(told(leaf(2, 3, None), 4, 5));
        assert_eq!(same().first_difference(&nobody, &all), None);
        assert_eq!(same().twice_said(&nobody), 0);
        assert_eq!((same().beyond(7), same().beyond(8)), (2, 0));
        let node = [6, 7, 8].map(|slot| (slot, Word::of(&json!({}))));
        assert_eq!(same().twice_said(&node.into()), 2);
        assert_eq!(told(leaf(2, 3, None), 4, 5).twice_said(&node.into()), 2);
        let mut once = told(leaf(2, 3, None), 4, 5);
        once.told[0].signers = 1;
        let node = [6, 7].map(|slot| (slot, Word::of(&json!({}))));
        assert_eq!(once.twice_said(&node.into()), 0);
        let node = BTreeMap::from([
            (7, Word::of(&leaf(2, 3, None))),
            (8, Word::of(&leaf(2, 3, None))),
        ]);
        assert_eq!(once.twice_said(&node), 1);
        let differs = |said: Value| {
            let node = BTreeMap::from([(7, Word::of(&said))]);
            same().first_difference(&node, &all)
        };
        assert_eq!(differs(leaf(2, 3, None)), None);
        assert_eq!(differs(leaf(2, 4, None)), Some(7));
        // What it has not evaluated it says nothing of.
        let assigned = json!({ "slot": 7, "assignment": digest(1), "result_root": null });
        assert_eq!(differs(assigned), None);
        let mut rebased = told(leaf(2, 3, None), 4, 5);
        rebased.told[0].base_root = digest(8);
        assert_eq!(both(rebased).first_difference(&nobody, &all), Some(5));
        for other in [
            told(leaf(9, 3, None), 4, 5),
            told(leaf(2, 3, Some(5)), 4, 5),
            told(leaf(2, 3, None), 9, 5),
            told(leaf(2, 3, None), 4, 9),
        ] {
            let both = both(other);
            assert_eq!(both.first_difference(&nobody, &(0..7)), None);
            assert_eq!(both.first_difference(&nobody, &all), Some(7));
        }
    }
}
