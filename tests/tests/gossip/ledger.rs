//! What is told of the ledger: blocks, and items for it.

use surety_node::net::Topic;
use surety_protocol::block::Block;
use surety_protocol::bls::SecretKey;
use surety_protocol::codec;
use surety_protocol::id::{Address, NetworkId};
use surety_protocol::item::ItemKey;
use surety_protocol::origin::Action;
use surety_protocol::stake::Stake;
use surety_protocol::time::Height;

use crate::stage::{Case, STAGE, altered, case, item_key, said};

pub(crate) fn cases() -> Vec<Case> {
    [blocks(), items()].concat()
}

/// Whether a block holds something of what nodes do by themselves.
fn filled(block: &Block) -> bool {
    block.commit.header.height > Height(3) && !block.items.is_empty()
}

/// The block of a height, and the place where it was told.
fn at(height: u64) -> (usize, Block) {
    STAGE.first::<Block>("ledger", |it| it.commit.header.height == Height(height))
}

fn blocks() -> Vec<Case> {
    let (place, block) = STAGE.first::<Block>("ledger", filled);
    let (_, later) = at(block.commit.header.height.0 + 1);
    let strange = SecretKey::derive_from_seed(&[9; 32]).unwrap();
    let signature = strange.sign(&Default::default());
    let bytes = |it: &Block| codec::encode(it).unwrap();
    let forged = |it: &Block| altered(it, |it| it.commit.signature = signature);
    let told = |name, after, data: Vec<u8>| case(name, after, Topic::Ledger, data);
    let mut waits = told("altered-later-block", place, forged(&later));
    waits.before = vec![said(Topic::Ledger, bytes(&later))];
    vec![
        told("block", place, bytes(&block)),
        told("old-block", place + 1, bytes(&block)),
        told("later-block", place, bytes(&later)),
        waits,
        told("forged-later-block", place, forged(&later)),
        told("forged-block", place, forged(&block)),
        told(
            "other-items",
            place,
            altered(&block, |it| drop(it.items.pop())),
        ),
        told("malformed-block", place, b"no block".to_vec()),
    ]
}

fn items() -> Vec<Case> {
    let (place, block) = STAGE.first::<Block>("ledger", filled);
    let height = block.commit.header.height.0;
    let operator = &STAGE.world.operators[1];
    let (key, strange) = (item_key(operator), ItemKey::ed25519(&[7; 32]));
    let root = surety_protocol::id::Digest::new([9; 32]);
    let network = STAGE.world.network;
    let signed = |action: Action, network: &NetworkId, expires: u64, key: &ItemKey| -> Vec<u8> {
        let draft = action.draft(network, Height(expires)).unwrap();
        key.sign_item(&draft).unwrap().bytes().to_vec()
    };
    let item = signed(Action::Claims(root), &network, height + 5, &key);
    let mut forged = item.clone();
    forged[2 + 63] ^= 1;
    let in_block = STAGE.said[..place].iter().rev().find_map(|said| {
        let block: Block = codec::decode(&said.data).ok()?;
        Some(block.items.first()?.to_vec())
    });
    let transfer = Action::Transfer {
        recipient: Address::default(),
        quantity: Stake::from_ao(1),
    };
    let told = |name, data: Vec<u8>| case(name, place, Topic::Ledger, data);
    vec![
        told("item", item),
        told("seen-item", in_block.unwrap()),
        told(
            "expired-item",
            signed(Action::Claims(root), &network, height - 1, &key),
        ),
        told(
            "item-of-a-stranger",
            signed(Action::Claims(root), &network, height + 5, &strange),
        ),
        told(
            "other-ledger",
            signed(transfer, &NetworkId::new([9; 32]), height + 5, &key),
        ),
        told("forged-item", forged),
    ]
}
