//! Whatever is thrown at the ledger, nothing is made or lost (rules L-1, L-3).

use std::collections::BTreeMap;

use proptest::collection;
use proptest::prelude::*;
use surety_protocol::id::{CaseId, ClaimId, EvidenceId, ProcessId};
use surety_protocol::origin::{Action, Challenge, Registration, Verdict};
use surety_protocol::params::Params;
use surety_protocol::stake::{Fraction, Stake};
use surety_protocol::time::Slot;
use surety_slashing::ledger::{CaseState, Ledger, LedgerEvent};

use crate::support::{Person, World, ao, params};

const PEOPLE: u8 = 5;

/// One thing that somebody tries.
#[derive(Debug, Clone)]
enum Try {
    Transfer {
        from: u8,
        to: u8,
        amount: u128,
    },
    Register {
        who: u8,
        key: u8,
        item_key: u8,
    },
    Bond {
        who: u8,
        amount: u128,
    },
    Unbond {
        who: u8,
        amount: u128,
    },
    Withdraw {
        who: u8,
    },
    Commit {
        who: u8,
        root: u8,
    },
    Challenge {
        who: u8,
        offender: u8,
        evidence: u8,
        slot: u64,
        kind: u8,
    },
    Verdict {
        who: u8,
        evidence: u8,
        guilty: bool,
    },
    /// Everybody says the same.
    Verdicts {
        evidence: u8,
        guilty: bool,
    },
    Again,
    Noise(Vec<u8>),
}

fn person() -> impl Strategy<Value = u8> {
    1..=PEOPLE
}

fn amount() -> impl Strategy<Value = u128> {
    prop_oneof![
        8 => (0_u64..400).prop_map(|amount| ao(amount).0),
        2 => 0_u128..3,
        1 => Just(u128::MAX),
        1 => any::<u128>(),
    ]
}

fn one() -> impl Strategy<Value = Try> {
    prop_oneof![
        2 => (person(), person(), amount())
            .prop_map(|(from, to, amount)| Try::Transfer { from, to, amount }),
        1 => (person(), 1..=PEOPLE + 2, 1..=PEOPLE + 2)
            .prop_map(|(who, key, item_key)| Try::Register { who, key, item_key }),
        3 => (person(), amount()).prop_map(|(who, amount)| Try::Bond { who, amount }),
        2 => (person(), amount()).prop_map(|(who, amount)| Try::Unbond { who, amount }),
        2 => person().prop_map(|who| Try::Withdraw { who }),
        1 => (person(), any::<u8>()).prop_map(|(who, root)| Try::Commit { who, root }),
        6 => (person(), person(), 0..6_u8, 0..3_u64, 0..5_u8).prop_map(
            |(who, offender, evidence, slot, kind)| Try::Challenge {
                who, offender, evidence, slot, kind
            }
        ),
        2 => (person(), 0..6_u8, any::<bool>())
            .prop_map(|(who, evidence, guilty)| Try::Verdict { who, evidence, guilty }),
        5 => (0..6_u8, prop::bool::weighted(0.7))
            .prop_map(|(evidence, guilty)| Try::Verdicts { evidence, guilty }),
        1 => Just(Try::Again),
        1 => collection::vec(any::<u8>(), 0..300).prop_map(Try::Noise),
    ]
}

fn items(world: &mut World, what: &Try, before: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let (who, action) = match what.clone() {
        Try::Transfer { from, to, amount } => {
            let recipient = Person::new(to).address();
            (
                from,
                Action::Transfer {
                    recipient,
                    quantity: Stake(amount),
                },
            )
        }
        Try::Register { who, key, item_key } => {
            let registration = Registration {
                item_key: Person::new(item_key).node.address(),
                ..Person::new(key).registration()
            };
            (who, Action::Register(Box::new(registration)))
        }
        Try::Bond { who, amount } => (who, Action::Bond(Stake(amount))),
        Try::Unbond { who, amount } => (who, Action::Unbond(Stake(amount))),
        Try::Withdraw { who } => (who, Action::Withdraw),
        Try::Commit { who, root } => (
            who,
            Action::Claims([root; 32].as_slice().try_into().unwrap()),
        ),
        Try::Challenge {
            who,
            offender,
            evidence,
            slot,
            kind,
        } => {
            let challenge = Challenge {
                evidence: EvidenceId::new([evidence; 32]),
                bytes: 1,
                kind,
                offender: Person::new(offender).address(),
                process: ProcessId::new([slot as u8; 32]),
                slot: Slot(slot),
                claim: (kind == 1).then(|| ClaimId::new([evidence; 32])),
            };
            (
                who,
                Action::Challenge {
                    challenge,
                    evidence: None,
                },
            )
        }
        Try::Verdict {
            who,
            evidence,
            guilty,
        } => (who, verdict(world, who, evidence, guilty)),
        Try::Verdicts { evidence, guilty } => {
            let all = (1..=PEOPLE).map(|who| {
                let verdict = verdict(world, who, evidence, guilty);
                world.item(&Person::new(who).node, &verdict)
            });
            return all.collect();
        }
        Try::Again => return before.last().cloned().into_iter().collect(),
        Try::Noise(bytes) => return vec![bytes],
    };
    vec![world.item(&Person::new(who).wallet, &action)]
}

fn verdict(world: &World, who: u8, evidence: u8, guilty: bool) -> Action {
    let (network, evidence) = (world.ledger.network(), EvidenceId::new([evidence; 32]));
    let about = world
        .ledger
        .cases()
        .filter(|(_, it)| it.challenge.evidence == evidence);
    // The first that is open, else any, else one that is none.
    let case = about.min_by_key(|(_, it)| it.state != CaseState::Open);
    let id = case.map_or(CaseId::default(), |(id, _)| *id);
    let person = Person::new(who);
    Action::Verdict(Verdict::sign(
        &network,
        id,
        guilty,
        person.address(),
        &person.key,
    ))
}

/// All that a ledger shows but what it has seen.
fn visible(ledger: &Ledger) -> impl PartialEq + std::fmt::Debug {
    let accounts: BTreeMap<_, _> = ledger.accounts().map(|(a, b)| (*a, *b)).collect();
    let operators: BTreeMap<_, _> = ledger.operators().map(|(a, o)| (*a, o.clone())).collect();
    let cases: BTreeMap<_, _> = ledger.cases().map(|(e, case)| (*e, case.clone())).collect();
    let keys: Vec<_> = (1..=PEOPLE + 2)
        .map(|it| ledger.operator_of_item_key(&Person::new(it).node.address()))
        .collect();
    let roots: Vec<_> = operators
        .keys()
        .map(|operator| ledger.digest_root(ledger.height(), *operator).copied())
        .collect();
    let rest = (
        ledger.slashings().to_vec(),
        ledger.burned(),
        ledger.validators(),
    );
    (accounts, operators, cases, keys, roots, rest)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_made_or_lost(
        penalty in 1_u64..=3,
        blocks in collection::vec(collection::vec(one(), 0..10), 1..12),
    ) {
        let people: Vec<Person> = (1..=PEOPLE).map(Person::new).collect();
        let params = Params {
            unbond_blocks: 3,
            evidence_age_blocks: 2,
            escrow_blocks: 2,
            verdict_blocks: 4,
            activation_blocks: 1,
            penalty: Fraction::new(penalty, 3),
            ..params()
        };
        let mut world = World::staked(params, &people.iter().collect::<Vec<_>>());
        for block in blocks {
            let mut items: Vec<Vec<u8>> = Vec::new();
            for what in &block {
                let more = self::items(&mut world, what, &items);
                items.extend(more);
            }
            let before = world.ledger.clone();
            // Checks the total, the roots and a second ledger.
            let events = world.block_of(items.clone());
            // Without the refused items the block does the same.
            let refused: Vec<_> = events.iter().filter_map(|event| match event {
                LedgerEvent::Refused { item, .. } => Some(*item),
                _ => None,
            }).collect();
            let mut left = refused.clone();
            items.reverse();
            items.retain(|bytes| {
                let Ok(item) = surety_protocol::item::Item::parse(bytes.as_slice()) else { return false };
                match left.iter().rposition(|id| *id == item.id()) {
                    Some(at) => { left.remove(at); false }
                    None => true,
                }
            });
            items.reverse();
            let mut without = before;
            let block = world.assemble(&without, items);
            without.apply(&block).unwrap();
            prop_assert_eq!(visible(&without), visible(&world.ledger));
        }
        // Whatever was open closes, and all escrow ends.
        world.pass(8);
        prop_assert!(world.ledger.cases().all(|(_, case)| case.bond == Stake::ZERO));
        prop_assert!(world.ledger.operators().all(|(_, it)| it.escrow == Stake::ZERO));
    }
}
