//! Challenges of a node that stops before a block has carried them.

use std::sync::Arc;

use serde_bytes::ByteBuf;
use surety_attest::effect::{self as attest, Record};
use surety_protocol::block::{Block, Genesis};
use surety_protocol::bls::SecretKey;
use surety_protocol::evidence::Evidence;
use surety_protocol::id::ProcessId;
use surety_protocol::item::ItemKey;
use surety_protocol::origin::Registration;
use surety_protocol::params::Params;
use surety_protocol::profile::Profile;
use surety_protocol::profiles::Profiles;
use surety_protocol::stake::Stake;
use surety_protocol::time::{Slot, Tick, Timestamp};
use surety_slashing::order::Proposer;

use super::*;
use crate::archive::write;
use crate::config::RoleName;
use crate::core::{Fetched, Identity, Input, Signal, Signing};
use crate::role::Role;
use crate::signer::Signer;
use crate::store::{Batch, MemoryStore};

const FILE: &[u8] = b"what proves it";

/// Accuses when time passes.
struct Accuses(Vec<Challenge>);

impl Role for Accuses {
    fn name(&self) -> RoleName {
        RoleName::Auditor
    }

    fn restore(
        &mut self,
        _archive: &Archive,
        _ledger: &Ledger,
        _shared: &mut Shared,
        _out: &mut Outbox<attest::Effect>,
    ) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn on(
        &mut self,
        _now: Tick,
        signal: &Signal<'_>,
        _shared: &mut Shared,
        out: &mut Outbox<attest::Effect>,
    ) {
        if !matches!(signal, Signal::Tick { .. }) {
            return;
        }
        for challenge in self.0.drain(..) {
            out.push(attest::Effect::Persist(Record::Evidence {
                id: challenge.evidence,
                bytes: Arc::from(FILE),
            }));
            out.push(attest::Effect::Submit(accusation(challenge)));
        }
    }
}

fn accusation(challenge: Challenge) -> Action {
    let kind = OffenceKind::from_number(challenge.kind).unwrap();
    Action::Challenge {
        challenge,
        evidence: (!kind.executes()).then(|| FILE.to_vec()),
    }
}

/// A ledger, and what a node beside it has on its disk.
struct Stage {
    genesis: Genesis,
    ledger: Ledger,
    /// Orders blocks, and is accused.
    wallet: ItemKey,
    hot: SecretKey,
    archive: Archive,
}

fn hot(number: u8) -> SecretKey {
    SecretKey::derive_from_seed(&[number; 32]).unwrap()
}

/// The one key of the node.
fn ours() -> ItemKey {
    ItemKey::ed25519(&[2; 32])
}

impl Stage {
    fn new() -> Stage {
        let (wallet, hot) = (ItemKey::ed25519(&[1; 32]), hot(1));
        let balance = Stake::from_ao(1_000);
        let mut balances = vec![(wallet.address(), balance), (ours().address(), balance)];
        balances.sort();
        let genesis = Genesis {
            name: "test".into(),
            params: Params::devnet(),
            profiles: Profiles::of(Profile::v1()).unwrap(),
            proposer: wallet.address(),
            proposer_key: *hot.public_key(),
            balances,
        };
        Stage {
            ledger: Ledger::new(&genesis).unwrap(),
            genesis,
            wallet,
            hot,
            archive: Archive::new(Arc::new(MemoryStore::new())),
        }
    }

    /// The item by which the accused becomes an operator.
    fn registers(&self) -> Vec<u8> {
        let action = Action::Register(Box::new(Registration {
            key: *self.hot.public_key(),
            possession: self.hot.prove_possession(),
            item_key: self.wallet.address(),
            peer: ByteBuf::new(),
        }));
        let draft = action.draft(&self.ledger.network(), Height(50)).unwrap();
        self.wallet.sign_item(&draft).unwrap().bytes().to_vec()
    }

    fn challenge(&self, kind: OffenceKind, slot: u64) -> Challenge {
        Challenge {
            evidence: Evidence::id_of(FILE),
            bytes: FILE.len() as u64,
            kind: kind.number(),
            offender: self.wallet.address(),
            process: ProcessId::new([3; 32]),
            slot: Slot(slot),
            claim: None,
        }
    }

    /// Starts the node, which has nothing to say before it hears a block.
    fn start(&self, accuses: Vec<Challenge>) -> Core {
        let identity = Identity {
            operator: ours().address(),
            item_key: ours().address(),
            proposer_key: None,
        };
        let roles: Vec<Box<dyn Role>> = vec![Box::new(Accuses(accuses))];
        let mut core = Core::new(&self.genesis, identity, roles).unwrap();
        let asked = core.restore(&self.archive).unwrap();
        assert!(to_sign(self.keep(asked)).is_empty());
        core
    }

    /// Writes what is to be durable; gives the rest.
    fn keep(&self, effects: Vec<Effect>) -> Vec<Effect> {
        let (mut batch, mut rest) = (Batch::new(), Vec::new());
        for effect in effects {
            match effect {
                Effect::Persist(Write::Record(record)) => write::put(&mut batch, record).unwrap(),
                Effect::Persist(Write::Block(block)) => {
                    write::put_block(&mut batch, &block).unwrap();
                }
                Effect::Persist(Write::Challenge(challenge)) => {
                    write::put_challenge(&mut batch, &challenge).unwrap();
                }
                Effect::Persist(Write::Settled(case)) => {
                    write::forget_challenge(&mut batch, &case);
                }
                other => rest.push(other),
            }
        }
        self.archive.write(batch).unwrap();
        rest
    }

    fn step(&self, core: &mut Core, input: Input) -> Vec<Effect> {
        self.keep(core.step(Tick(0), input))
    }

    /// The next block, which the node hears.
    fn block(&mut self, core: &mut Core, items: Vec<Vec<u8>>) -> Vec<Effect> {
        let mut order = Proposer::default();
        for item in items {
            order.submit(&self.ledger, item).unwrap();
        }
        let block: Block = order.propose(&self.ledger, &self.hot).unwrap();
        self.ledger.apply(&block).unwrap();
        let blocks = Fetched::Blocks(vec![block]);
        self.step(core, Input::Fetched(blocks))
    }

    /// Has something signed; the item that the node gossips then.
    fn signs(&self, core: &mut Core, signing: Signing) -> Vec<u8> {
        let (network, hot) = (self.ledger.network(), Arc::new(hot(2)));
        let signer = Signer::new(ours().address(), network, hot, ours(), Vec::new());
        let made = signer.sign(signing, &self.archive, None).unwrap();
        let asked = self.step(core, Input::Signed(made.signed));
        let said = asked.into_iter().find_map(|it| match it {
            Effect::Publish { data, .. } => Some(data),
            _ => None,
        });
        said.unwrap()
    }
}

fn to_sign(effects: Vec<Effect>) -> Vec<Signing> {
    let asked = effects.into_iter().filter_map(|it| match it {
        Effect::Sign(signing) => Some(*signing),
        _ => None,
    });
    asked.collect()
}

/// The ledger opens a case with one, and refuses the other for what is in its file.
#[test]
fn what_no_block_has_carried_is_sent_after_a_restart_until_one_has() {
    for kind in [OffenceKind::FalseClaim, OffenceKind::DoubleAssignment] {
        let mut stage = Stage::new();
        let challenge = stage.challenge(kind, 5);
        let mut core = stage.start(vec![challenge.clone()]);
        let registers = vec![stage.registers()];
        stage.block(&mut core, registers);
        let asked = stage.step(&mut core, Input::Tick(Timestamp(0)));
        assert_eq!(to_sign(asked).len(), 1);
        let kept = |stage: &Stage| stage.archive.challenges().unwrap();
        assert_eq!(kept(&stage), std::slice::from_ref(&challenge));

        // It stops before anybody has heard of it, and again when somebody has, who passes nothing on.
        for _ in 0..2 {
            let mut core = stage.start(Vec::new());
            let signing = to_sign(stage.block(&mut core, Vec::new())).remove(0);
            stage.signs(&mut core, signing);
            assert_eq!(kept(&stage), std::slice::from_ref(&challenge));
        }

        let mut core = stage.start(Vec::new());
        let mut asked = to_sign(stage.block(&mut core, Vec::new()));
        assert_eq!(asked.len(), 1);
        let signing = asked.remove(0);
        let Signing::Action { action, .. } = &signing else {
            panic!("{signing:?}");
        };
        assert_eq!(*action, accusation(challenge.clone()));
        let item = stage.signs(&mut core, signing);
        stage.block(&mut core, vec![item]);
        assert!(kept(&stage).is_empty());
        let case = stage.ledger.case(&challenge.case());
        assert_eq!(case.is_some(), kind == OffenceKind::FalseClaim);
        for _ in 0..2 * CONFIRM_BLOCKS {
            let asked = stage.block(&mut core, Vec::new());
            assert!(to_sign(asked).is_empty());
        }
    }
}

#[test]
fn what_the_ledger_has_by_the_next_start_is_forgotten() {
    let mut stage = Stage::new();
    let challenge = stage.challenge(OffenceKind::FalseClaim, 5);
    let mut core = stage.start(vec![challenge.clone()]);
    let registers = vec![stage.registers()];
    stage.block(&mut core, registers);
    let mut asked = to_sign(stage.step(&mut core, Input::Tick(Timestamp(0))));
    let item = stage.signs(&mut core, asked.remove(0));
    // It stops before it hears of the block that carries it.
    let mut other = stage.start(Vec::new());
    let asked = to_sign(stage.block(&mut other, vec![item]));
    assert!(asked.is_empty(), "it is in the first block");
    assert!(stage.archive.challenges().unwrap().is_empty());

    let again = vec![Effect::Persist(Write::Challenge(challenge))];
    stage.keep(again);
    let mut core = stage.start(Vec::new());
    assert!(stage.archive.challenges().unwrap().is_empty());
    assert!(to_sign(stage.block(&mut core, Vec::new())).is_empty());
}

#[test]
fn of_too_many_the_oldest_are_kept() {
    let stage = Stage::new();
    let count = CHALLENGES_MAX as u64;
    let all = (0..count + 3).map(|slot| stage.challenge(OffenceKind::DoubleAssignment, slot));
    let mut core = stage.start(all.collect());
    let asked = to_sign(stage.step(&mut core, Input::Tick(Timestamp(0))));
    assert_eq!(asked.len() as u64, count + 3);
    let kept = stage.archive.challenges().unwrap();
    assert_eq!(kept.len() as u64, count);
    assert!(kept.iter().all(|it| it.slot < Slot(count)));
}
