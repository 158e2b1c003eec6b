//! The ledger's state as a list of entries with one Merkle root.
//!
//! # Rules
//!
//! - `[L-40]` Entries are sorted by key; each is a leaf over class, name and canonical value. The root commits to
//!   balances, operators, processes, approvers, randomness, cases, penalties, profiles and totals: with the headers of recent blocks all that
//!   a next block depends on.
//! - `[L-41]` Any entry can be proven against the root of the block that left it.

use serde_bytes::ByteBuf;
use surety_protocol::attested::{EntryKey, EntryProof, OperatorEntry, entry_leaf};
use surety_protocol::codec::{self, CodecError};
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::Digest;
use surety_protocol::merkle;

use super::{Case, Ledger, Operator, Slashing};

impl Ledger {
    /// The root of the state (rule L-40).
    pub fn state_root(&self) -> Digest {
        merkle::root(&self.leaves())
    }

    /// An entry with its path to [`Ledger::state_root`] (rule L-41).
    pub fn prove_entry(&self, key: &EntryKey) -> Option<EntryProof> {
        let entries = self.entries();
        let index = entries.binary_search_by(|(it, _)| it.cmp(key)).ok()?;
        let leaves: Vec<Digest> = entries
            .iter()
            .map(|(key, value)| entry_leaf(key, value))
            .collect();
        let path = merkle::prove(&leaves, u64::try_from(index).ok()?)?;
        let value = entries.into_iter().nth(index)?.1;
        Some(EntryProof {
            value: ByteBuf::from(value),
            path,
        })
    }

    fn leaves(&self) -> Vec<Digest> {
        self.entries()
            .iter()
            .map(|(key, value)| entry_leaf(key, value))
            .collect()
    }

    fn entries(&self) -> Vec<(EntryKey, Vec<u8>)> {
        let mut entries = Vec::new();
        for (address, balance) in &self.accounts {
            entries.push((
                EntryKey::Account(*address),
                balance.0.to_be_bytes().to_vec(),
            ));
        }
        for (address, operator) in &self.operators {
            let value = codec::encode(&operator.entry()).unwrap_or_default();
            entries.push((EntryKey::Operator(*address), value));
        }
        for (process, entry) in &self.processes {
            let value = codec::encode(entry).unwrap_or_default();
            entries.push((EntryKey::Process(*process), value));
        }
        for (name, value) in self.others() {
            entries.push((EntryKey::Other(name.into()), value.as_bytes().to_vec()));
        }
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        entries
    }

    /// What nobody outside proves alone, folded into one digest each.
    fn others(&self) -> [(&'static str, Digest); 8] {
        let mut digests = Vec::new();
        for ((height, claimant), root) in &self.digests {
            digests.extend_from_slice(&height.0.to_be_bytes());
            digests.extend_from_slice(claimant.as_bytes());
            digests.extend_from_slice(root.as_bytes());
        }
        let mut approvers = Vec::new();
        for (claim, it) in &self.approvers {
            approvers.extend_from_slice(claim.as_bytes());
            approvers.extend_from_slice(&it.seeded.0.to_be_bytes());
            count(it.bits.len(), &mut approvers);
            approvers.extend_from_slice(&it.bits);
        }
        let mut cases = Vec::new();
        for (evidence, case) in &self.cases {
            cases.extend_from_slice(evidence.as_bytes());
            case.absorb(&mut cases);
        }
        let mut penalties = Vec::new();
        for (offender, kind, process, slot) in &self.offences {
            penalties.extend_from_slice(offender.as_bytes());
            penalties.push(*kind);
            penalties.extend_from_slice(process.as_bytes());
            penalties.extend_from_slice(&slot.0.to_be_bytes());
        }
        let punished = penalties.len();
        for slashing in &self.slashings {
            slashing.absorb(&mut penalties);
        }
        let (offences, slashings) = penalties.split_at(punished);
        let mut details = Vec::new();
        for (address, operator) in &self.operators {
            details.extend_from_slice(address.as_bytes());
            operator.absorb(&mut details);
        }
        let mut keys = Vec::new();
        for (key, operator) in &self.item_keys {
            keys.extend_from_slice(key.as_bytes());
            keys.extend_from_slice(operator.as_bytes());
        }
        let mut seen = Vec::new();
        for (item, expires) in &self.seen {
            seen.extend_from_slice(item.as_bytes());
            seen.extend_from_slice(&expires.0.to_be_bytes());
        }
        // The id of the last profile names all before it.
        let mut profiles = self.profiles.last().id.as_bytes().to_vec();
        for (operator, wanted) in &self.votes {
            profiles.extend_from_slice(operator.as_bytes());
            profiles.extend_from_slice(&codec::encode(wanted).unwrap_or_default());
        }
        let totals = [self.supply.0.to_be_bytes(), self.burned.0.to_be_bytes()].concat();
        let beacon = self.beacon();
        let object = |bytes: &[u8]| digest(Domain::OBJECT, &[bytes]);
        let penalties = digest(Domain::OBJECT, &[offences, slashings]);
        [
            ("approvers", object(&approvers)),
            ("cases", object(&cases)),
            ("digests", object(&digests)),
            ("item-keys", object(&keys)),
            ("operators", object(&details)),
            ("penalties", penalties),
            ("profiles", object(&profiles)),
            (
                "progress",
                digest(Domain::OBJECT, &[&totals, beacon.as_bytes(), &seen]),
            ),
        ]
    }
}

impl Operator {
    /// What the ledger shows of an operator.
    pub fn entry(&self) -> OperatorEntry {
        OperatorEntry {
            key: self.registration.key,
            item_key: self.registration.item_key,
            peer: self.registration.peer.clone(),
            bonded: self.bonded,
            active_from: self.active_from,
            escrow: self.escrow,
            tombstoned: self.tombstoned,
        }
    }

    fn absorb(&self, out: &mut Vec<u8>) {
        // Every list is preceded by its length, so that no two operators give the same bytes.
        count(self.unbonding.len(), out);
        for piece in &self.unbonding {
            out.extend_from_slice(&piece.amount.0.to_be_bytes());
            out.extend_from_slice(&piece.free_from.0.to_be_bytes());
        }
        count(self.former_keys.len(), out);
        for key in &self.former_keys {
            out.extend_from_slice(key.as_bytes());
        }
        count(self.former_item_keys.len(), out);
        for key in &self.former_item_keys {
            out.extend_from_slice(key.as_bytes());
        }
    }
}

impl Slashing {
    fn absorb(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.evidence.as_bytes());
        out.extend_from_slice(self.offender.as_bytes());
        out.extend_from_slice(&self.amount.0.to_be_bytes());
        out.extend_from_slice(self.challenger.as_bytes());
        out.extend_from_slice(&self.height.0.to_be_bytes());
        out.extend_from_slice(&self.escrow_until.0.to_be_bytes());
        out.push(u8::from(self.released));
    }
}

fn count(length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
}

impl Case {
    fn absorb(&self, out: &mut Vec<u8>) {
        let challenge: Result<Vec<u8>, CodecError> = codec::encode(&self.challenge);
        let challenge = challenge.unwrap_or_default();
        count(challenge.len(), out);
        out.extend_from_slice(&challenge);
        out.extend_from_slice(self.challenger.as_bytes());
        out.extend_from_slice(&self.bond.0.to_be_bytes());
        out.extend_from_slice(&self.opened.0.to_be_bytes());
        out.push(self.state.number());
        count(self.verdicts.len(), out);
        for (validator, guilty) in &self.verdicts {
            out.extend_from_slice(validator.as_bytes());
            out.push(u8::from(*guilty));
        }
    }
}
