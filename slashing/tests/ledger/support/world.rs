//! A ledger, its proposer, and a second ledger that is only fed the encoded blocks.

use std::collections::BTreeMap;

use serde_bytes::ByteBuf;
use surety_protocol::block::{
    Block, Commit, Genesis, Header, beacon_digest, items_root, next_beacon,
};
use surety_protocol::bls::SecretKey;
use surety_protocol::codec;
use surety_protocol::id::Address;
use surety_protocol::item::{ItemDraft, ItemKey};
use surety_protocol::origin::Action;
use surety_protocol::params::Params;
use surety_protocol::stake::{Fraction, Stake};
use surety_protocol::time::Height;
use surety_slashing::ledger::{ItemRefused, Ledger, LedgerEvent};
use surety_slashing::order::Proposer;

use super::{Person, profiles};

pub(crate) const fn ao(amount: u64) -> Stake {
    Stake::from_ao(amount)
}

/// Parameters with windows of a few blocks.
pub(crate) fn params() -> Params {
    Params {
        challenge_window_blocks: 8,
        escrow_blocks: 4,
        unbond_blocks: 20,
        evidence_age_blocks: 12,
        verdict_blocks: 6,
        item_life_blocks: 10,
        tranche_blocks: 2,
        k: 4,
        penalty: Fraction::new(1, 1),
        reward: Fraction::new(1, 10),
        ..Params::devnet()
    }
}

pub(crate) struct World {
    pub(crate) genesis: Genesis,
    pub(crate) ledger: Ledger,
    pub(crate) proposer: Proposer,
    pub(crate) proposer_key: SecretKey,
    pub(crate) blocks: Vec<Block>,
    /// The last registration item that each person signed.
    pub(crate) registrations: BTreeMap<Address, Vec<u8>>,
    mirror: Ledger,
    anchor: u64,
}

impl World {
    /// A network in which each of these people starts with 1,000 AO.
    pub(crate) fn new(params: Params, people: &[&Person]) -> World {
        let mut balances: Vec<(Address, Stake)> =
            people.iter().map(|it| (it.address(), ao(1_000))).collect();
        balances.sort();
        let proposer_key = SecretKey::derive_from_seed(&[0xEE; 32]).unwrap();
        let genesis = Genesis {
            name: "test".into(),
            params,
            profiles: profiles(),
            proposer: Person::new(0x70).address(),
            proposer_key: *proposer_key.public_key(),
            balances,
        };
        let ledger = Ledger::new(&genesis).unwrap();
        World {
            mirror: ledger.clone(),
            genesis,
            ledger,
            proposer: Proposer::default(),
            proposer_key,
            blocks: Vec::new(),
            registrations: BTreeMap::new(),
            anchor: 0,
        }
    }

    /// The same, with everybody registered, bonded with 500 AO, and active.
    pub(crate) fn staked(params: Params, people: &[&Person]) -> World {
        let mut world = World::new(params, people);
        let mut items = Vec::new();
        for person in people {
            items.push(world.register(person));
            items.push(world.item(&person.wallet, &Action::Bond(ao(500))));
        }
        assert!(refusals(&world.block_of(items)).is_empty());
        world.pass(world.ledger.params().activation_blocks);
        assert_eq!(world.ledger.validators().len(), people.len());
        world
    }

    pub(crate) fn register(&mut self, person: &Person) -> Vec<u8> {
        let action = Action::Register(Box::new(person.registration()));
        let item = self.item(&person.wallet, &action);
        self.registrations.insert(person.address(), item.clone());
        item
    }

    /// Signs an action that expires as late as possible; no two items are equal.
    pub(crate) fn item(&mut self, key: &ItemKey, action: &Action) -> Vec<u8> {
        let expires = self
            .ledger
            .height()
            .plus(self.ledger.params().item_life_blocks);
        self.item_until(key, action, expires)
    }

    pub(crate) fn item_until(
        &mut self,
        key: &ItemKey,
        action: &Action,
        expires: Height,
    ) -> Vec<u8> {
        let draft = action.draft(&self.ledger.network(), expires).unwrap();
        self.sign(key, draft)
    }

    pub(crate) fn sign(&mut self, key: &ItemKey, draft: ItemDraft) -> Vec<u8> {
        self.anchor += 1;
        let mut anchor = [0; 32];
        anchor[..8].copy_from_slice(&self.anchor.to_be_bytes());
        key.sign_item(&draft.anchored(anchor))
            .unwrap()
            .bytes()
            .to_vec()
    }

    /// Submits one item to the proposer and makes a block.
    pub(crate) fn act(&mut self, key: &ItemKey, action: Action) -> Vec<LedgerEvent> {
        let item = self.item(key, &action);
        self.proposer.submit(&self.ledger, item).unwrap();
        self.block()
    }

    /// Like [`World::act`], for an action that must be refused once it is in a block.
    pub(crate) fn refused(&mut self, key: &ItemKey, action: Action) -> ItemRefused {
        // A proposer might not even take it.
        let item = self.item(key, &action);
        let events = self.block_of(vec![item]);
        let mut refusals = refusals(&events);
        assert_eq!(refusals.len(), 1, "{events:?}");
        refusals.remove(0)
    }

    /// Proposes what waits and applies it.
    pub(crate) fn block(&mut self) -> Vec<LedgerEvent> {
        let block = self
            .proposer
            .propose(&self.ledger, &self.proposer_key)
            .unwrap();
        self.apply(block)
    }

    /// A block with exactly these items, admissible or not.
    pub(crate) fn block_of(&mut self, items: Vec<Vec<u8>>) -> Vec<LedgerEvent> {
        let block = self.assemble(&self.ledger, items);
        self.apply(block)
    }

    /// The block with exactly these items that follows a ledger, not applied.
    pub(crate) fn assemble(&self, ledger: &Ledger, items: Vec<Vec<u8>>) -> Block {
        let height = ledger.height().next();
        let before = ledger.beacon();
        let beacon = self.proposer_key.sign(&beacon_digest(&before, height));
        let after = next_beacon(&before, &beacon);
        let header = Header {
            network: ledger.network(),
            height,
            parent: ledger.head(),
            items_root: items_root(items.iter().map(Vec::as_slice)),
            state_root: ledger
                .preview(after, items.iter().map(Vec::as_slice))
                .unwrap(),
            beacon,
            proposer: ledger.proposer(),
        };
        let commit = Commit::sign(header, &self.proposer_key).unwrap();
        Block {
            commit,
            items: items.into_iter().map(ByteBuf::from).collect(),
        }
    }

    /// Applies a block here and, from its bytes, to the mirror (rules L-1, L-3).
    fn apply(&mut self, block: Block) -> Vec<LedgerEvent> {
        let events = self.ledger.apply(&block).unwrap();
        let copy: Block = codec::decode(&codec::encode(&block).unwrap()).unwrap();
        assert_eq!(self.mirror.apply(&copy).unwrap(), events);
        assert_eq!(self.mirror.state_root(), self.ledger.state_root());
        assert_eq!(self.ledger.state_root(), block.commit.header.state_root);
        assert_eq!(self.total(), self.ledger.supply());
        self.blocks.push(block);
        events
    }

    /// Lets empty blocks pass.
    pub(crate) fn pass(&mut self, blocks: u64) -> Vec<LedgerEvent> {
        (0..blocks).flat_map(|_| self.block()).collect()
    }

    /// Lets empty blocks pass until the ledger is at this height.
    pub(crate) fn pass_to(&mut self, height: Height) -> Vec<LedgerEvent> {
        assert!(height >= self.ledger.height());
        self.pass(height.since(self.ledger.height()))
    }

    /// Everything that exists, summed from what the ledger shows of itself.
    pub(crate) fn total(&self) -> Stake {
        let accounts = self.ledger.accounts().map(|(_, balance)| balance.0);
        let operators = self.ledger.operators().map(|(_, it)| {
            it.bonded.0 + it.escrow.0 + it.unbonding.iter().map(|it| it.amount.0).sum::<u128>()
        });
        let bonds = self.ledger.cases().map(|(_, case)| case.bond.0);
        Stake(accounts.chain(operators).chain(bonds).sum::<u128>() + self.ledger.burned().0)
    }

    pub(crate) fn balance(&self, person: &Person) -> Stake {
        self.ledger.balance(&person.address())
    }

    pub(crate) fn bonded(&self, person: &Person) -> Stake {
        self.ledger.operator(&person.address()).unwrap().bonded
    }
}

/// Why the items of a block were refused, in their order.
pub(crate) fn refusals(events: &[LedgerEvent]) -> Vec<ItemRefused> {
    let refused = events.iter().filter_map(|event| match event {
        LedgerEvent::Refused { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    refused.collect()
}
