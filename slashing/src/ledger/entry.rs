//! The ledger's state as entries with one Merkle root.
//!
//! # Rules
//!
//! - `[L-40]` The state is a keyed tree ([M-6]) whose leaves are over class, name and canonical value. Its root commits to
//!   balances, operators, what is settled and certified, approvers, randomness, cases, penalties, profiles and totals: with the headers
//!   of recent blocks all that a next block depends on.
//! - `[L-41]` Any entry can be proven against the root of the block that left it.
//! - `[L-42]` Entries that a block leaves alone are neither copied nor hashed for it. What is looked through for every block are
//!   accounts and operators (rules L-3, L-15) and cases.

use serde_bytes::ByteBuf;
use surety_protocol::attested::{EntryKey, EntryProof, OperatorEntry, Segment, entry_leaf};
use surety_protocol::codec::{self, CodecError};
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::Digest;

use super::{Case, Ledger, Operator, Slashing};

/// Classes that concern nobody but the ledger.
mod class {
    pub(super) const ITEM_KEY: u8 = 16;
    pub(super) const DIGEST: u8 = 17;
    pub(super) const APPROVERS: u8 = 18;
    pub(super) const CASE: u8 = 19;
    pub(super) const SEEN: u8 = 20;
    /// What of an operator nobody outside needs.
    pub(super) const OPERATOR: u8 = 21;
    pub(super) const OFFENCE: u8 = 22;
    pub(super) const SLASHING: u8 = 23;
    pub(super) const FOLDED: u8 = 24;
}

impl Ledger {
    /// The root of the state (rule L-40).
    pub fn state_root(&self) -> Digest {
        self.state.root()
    }

    /// An entry with its path to [`Ledger::state_root`] (rule L-41); nothing for what concerns nobody but the ledger.
    pub fn prove_entry(&self, key: &EntryKey) -> Option<EntryProof> {
        let value = match key {
            EntryKey::Account(address) => balance_bytes(self.accounts.get(address)?.0),
            EntryKey::Operator(address) => operator_bytes(self.operators.get(address)?),
            EntryKey::Settled(process) => segment_bytes(self.settled(process)?),
            EntryKey::Certified(process, size) => {
                segment_bytes(self.certified.get(&(*process, *size))?)
            }
            EntryKey::Other(..) => return None,
        };
        let path = self.state.prove(&key.place())?;
        Some(EntryProof {
            value: ByteBuf::from(value),
            path,
        })
    }

    /// Brings the state up to date with what has changed (rule L-42).
    pub(super) fn commit_state(&mut self) {
        let state = &mut self.state;
        self.accounts.commit(state, |address, balance| {
            [(
                EntryKey::Account(*address),
                balance.map(|it| balance_bytes(it.0)),
            )]
        });
        self.operators.commit(state, |address, operator| {
            let details = operator.map(Operator::details);
            [
                (EntryKey::Operator(*address), operator.map(operator_bytes)),
                inner(class::OPERATOR, address.as_bytes(), details),
            ]
        });
        self.settled.commit(state, |process, segment| {
            [(EntryKey::Settled(*process), segment.map(segment_bytes))]
        });
        self.certified.commit(state, |(process, size), segment| {
            let key = EntryKey::Certified(*process, *size);
            [(key, segment.map(segment_bytes))]
        });
        self.item_keys.commit(state, |key, operator| {
            let operator = operator.map(|it| it.as_bytes().to_vec());
            [inner(class::ITEM_KEY, key.as_bytes(), operator)]
        });
        self.digests.commit(state, |(height, claimant), root| {
            let name = [&height.0.to_be_bytes()[..], claimant.as_bytes()].concat();
            [inner(
                class::DIGEST,
                &name,
                root.map(|it| it.as_bytes().to_vec()),
            )]
        });
        self.approvers.commit(state, |claim, it| {
            let value = it.map(|it| [&it.seeded.0.to_be_bytes()[..], &it.bits].concat());
            [inner(class::APPROVERS, claim.as_bytes(), value)]
        });
        self.cases.commit(state, |id, case| {
            [inner(class::CASE, id.as_bytes(), case.map(Case::details))]
        });
        self.seen.commit(state, |item, expires| {
            let expires = expires.map(|it| it.0.to_be_bytes().to_vec());
            [inner(class::SEEN, item.as_bytes(), expires)]
        });
        self.offences
            .commit(state, |(offender, kind, process, slot), known| {
                let parts: [&[u8]; 4] = [
                    offender.as_bytes(),
                    &[*kind],
                    process.as_bytes(),
                    &slot.0.to_be_bytes(),
                ];
                [inner(
                    class::OFFENCE,
                    &parts.concat(),
                    known.map(|()| Vec::new()),
                )]
            });
        self.slashings.commit(state, |number, it| {
            let value = it.map(Slashing::details);
            [inner(class::SLASHING, &number.to_be_bytes(), value)]
        });
        for (name, value) in self.folded() {
            let key = EntryKey::Other(class::FOLDED, name.into());
            self.state
                .insert(key.place(), entry_leaf(&key, value.as_bytes()));
        }
    }

    /// What is little, or changes with every block, folded into one digest each.
    fn folded(&self) -> [(&'static str, Digest); 2] {
        // The id of the last profile names all before it.
        let mut profiles = self.profiles.last().id.as_bytes().to_vec();
        for (operator, wanted) in &self.votes {
            profiles.extend_from_slice(operator.as_bytes());
            profiles.extend_from_slice(&codec::encode(wanted).unwrap_or_default());
        }
        let totals = [self.supply.0.to_be_bytes(), self.burned.0.to_be_bytes()].concat();
        let beacon = self.beacon();
        let folded = |parts: &[&[u8]]| digest(Domain::OBJECT, parts);
        [
            ("profiles", folded(&[&profiles])),
            ("progress", folded(&[&totals, beacon.as_bytes()])),
        ]
    }
}

fn inner(class: u8, name: &[u8], value: Option<Vec<u8>>) -> (EntryKey, Option<Vec<u8>>) {
    (EntryKey::Other(class, name.to_vec()), value)
}

fn balance_bytes(balance: u128) -> Vec<u8> {
    balance.to_be_bytes().to_vec()
}

// What the ledger holds is within the bounds of its encodings.
fn operator_bytes(operator: &Operator) -> Vec<u8> {
    codec::encode(&operator.entry()).unwrap_or_default()
}

fn segment_bytes(segment: &Segment) -> Vec<u8> {
    codec::encode(segment).unwrap_or_default()
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

    fn details(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let out = &mut bytes;
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
        bytes
    }
}

impl Slashing {
    fn details(&self) -> Vec<u8> {
        let parts: [&[u8]; 10] = [
            self.evidence.as_bytes(),
            self.offender.as_bytes(),
            &[self.kind.number()],
            self.process.as_bytes(),
            &self.slot.0.to_be_bytes(),
            &self.amount.0.to_be_bytes(),
            self.challenger.as_bytes(),
            &self.height.0.to_be_bytes(),
            &self.escrow_until.0.to_be_bytes(),
            &[u8::from(self.released)],
        ];
        parts.concat()
    }
}

fn count(length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
}

impl Case {
    fn details(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let out = &mut bytes;
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
        bytes
    }
}
