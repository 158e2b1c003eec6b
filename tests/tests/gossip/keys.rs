//! What is told with a key that its operator has replaced.

use serde_bytes::ByteBuf;
use surety_harness::listener::Listener;
use surety_node::net::{Acceptance, Topic};
use surety_protocol::block::Genesis;
use surety_protocol::bls::SecretKey;
use surety_protocol::claim::{SignedClaim, Statement};
use surety_protocol::codec;
use surety_protocol::hashpath::Hashpath;
use surety_protocol::id::ProcessId;
use surety_protocol::item::ItemKey;
use surety_protocol::origin::{Action, Registration};
use surety_protocol::stake::Stake;
use surety_protocol::time::Height;
use surety_slashing::ledger::Ledger;
use surety_slashing::order::Proposer;

use crate::stage::{STAGE, altered};

/// An operator, and the ledger that it orders itself.
struct Alone {
    genesis: Genesis,
    ledger: Ledger,
    wallet: ItemKey,
    proposer: SecretKey,
}

fn key(number: u8) -> SecretKey {
    SecretKey::derive_from_seed(&[number; 32]).unwrap()
}

impl Alone {
    fn new() -> Alone {
        let (wallet, proposer) = (ItemKey::ed25519(&[8; 32]), key(8));
        let genesis = Genesis {
            proposer: wallet.address(),
            proposer_key: *proposer.public_key(),
            balances: vec![(wallet.address(), Stake::from_ao(1_000))],
            ..STAGE.world.genesis.clone()
        };
        Alone {
            ledger: Ledger::new(&genesis).unwrap(),
            genesis,
            wallet,
            proposer,
        }
    }

    /// The next block, with these items.
    fn block(&mut self, actions: impl IntoIterator<Item = Action>) -> Vec<u8> {
        let mut order = Proposer::default();
        for action in actions {
            let draft = action.draft(&self.genesis.id().unwrap(), Height(50));
            let item = self.wallet.sign_item(&draft.unwrap()).unwrap();
            order.submit(&self.ledger, item.bytes().to_vec()).unwrap();
        }
        let block = order.propose(&self.ledger, &self.proposer).unwrap();
        self.ledger.apply(&block).unwrap();
        codec::encode(&block).unwrap()
    }

    /// Puts a hot key in force.
    fn registers(&self, number: u8) -> Action {
        Action::Register(Box::new(Registration {
            key: *key(number).public_key(),
            possession: key(number).prove_possession(),
            item_key: self.wallet.address(),
            peer: ByteBuf::new(),
        }))
    }

    /// A claim about another process for each number, signed with this key.
    fn claims(&self, process: u8, with: u8) -> Vec<u8> {
        let (_, claim) =
            STAGE.first::<SignedClaim>("claims", |it| it.statement.claim.first_new == 0);
        let process = ProcessId::new([process; 32]);
        altered(&claim, |it| {
            let mut body = it.statement.claim.clone();
            body.network = self.genesis.id().unwrap();
            body.process = process;
            body.hashpath = Hashpath::start(process);
            it.statement = Statement::sign(body, self.wallet.address(), &key(with)).unwrap();
        })
    }
}

/// [CK-6]
#[test]
fn who_passes_on_what_is_signed_with_the_key_before_is_not_to_blame() {
    let mut alone = Alone::new();
    let mut listener = Listener::new(&alone.genesis).unwrap();
    let bond = Action::Bond(Stake::from_ao(500));
    for actions in [vec![alone.registers(1)], vec![bond]] {
        let block = alone.block(actions);
        let worth = listener.hears(Topic::Ledger, &block);
        assert_eq!(worth, Some(Acceptance::Accept));
    }
    let claims = |listener: &mut Listener, alone: &Alone, process, with| {
        listener.hears(Topic::Claims, &alone.claims(process, with))
    };
    let worth = claims(&mut listener, &alone, 1, 1);
    assert_eq!(worth, Some(Acceptance::Accept));
    let worth = claims(&mut listener, &alone, 2, 2);
    assert_eq!(worth, Some(Acceptance::Reject), "not signed with its key");
    for number in [2, 3] {
        let replaced = alone.registers(number);
        let block = alone.block([replaced]);
        let worth = listener.hears(Topic::Ledger, &block);
        assert_eq!(worth, Some(Acceptance::Accept));
    }
    for (with, worth) in [
        (1, Acceptance::Reject),
        (2, Acceptance::Ignore),
        (3, Acceptance::Accept),
        (4, Acceptance::Reject),
    ] {
        let found = claims(&mut listener, &alone, 10 + with, with);
        assert_eq!(found, Some(worth), "the key of number {with}");
    }
}
