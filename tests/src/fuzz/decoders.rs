//! Everything that is read from bytes of others: objects, items, bundles, replies, parts of results.
//!
//! What is right stays right, to the byte; what was altered is refused or is right by itself; nothing panics.

use serde::Deserialize;
use serde_bytes::ByteBuf;
use serde_json::{Map, Value};
use surety_attest::result::ProcessResult;
use surety_protocol::approval::{Approval, ClaimBatch};
use surety_protocol::attested::{AttestedResult, OperatorEntry, Segment};
use surety_protocol::block::{Block, Checkpoint, Commit, Genesis, Header};
use surety_protocol::bundle;
use surety_protocol::certificate::Certificate;
use surety_protocol::claim::{Claim, Leaf, SignedClaim};
use surety_protocol::codec::{CodecError, Wire, decode, encode};
use surety_protocol::evidence::{
    ClaimEquivocation, DoubleAssignment, Evidence, FalseClaim, FalseTrace,
};
use surety_protocol::id::NetworkId;
use surety_protocol::item::{Item, ItemKey, ItemView};
use surety_protocol::origin::{Action, Challenge, FalseApprovals, Registration, Verdict};
use surety_protocol::profile::Profile;
use surety_protocol::profiles::Activation;
use surety_protocol::time::Height;
use surety_protocol::witness::{
    PAGE_BYTES, PackedWitness, PageNode, StateHead, Witness, WitnessPage,
};

use super::draw::{Draw, item};
use super::mutate::mutate;
use crate::random::Random;

/// Draws until one fits: some types refuse what does not belong together.
const DRAWS: usize = 48;
/// Changes that one right value suffers.
const CHANGES: usize = 12;

/// The check of one type.
type Check = fn(&mut Random) -> Result<bool, String>;

/// Every object of the protocol, and the rest.
const CHECKS: &[(&str, Check)] = &[
    ("Leaf", object::<Leaf>),
    ("Claim", object::<Claim>),
    ("SignedClaim", object::<SignedClaim>),
    ("Approval", object::<Approval>),
    ("ClaimBatch", object::<ClaimBatch>),
    ("Certificate", object::<Certificate>),
    ("Evidence", object::<Evidence>),
    ("FalseClaim", object::<FalseClaim>),
    ("FalseTrace", object::<FalseTrace>),
    ("DoubleAssignment", object::<DoubleAssignment>),
    ("ClaimEquivocation", object::<ClaimEquivocation>),
    ("Registration", object::<Registration>),
    ("Challenge", object::<Challenge>),
    ("Verdict", object::<Verdict>),
    ("FalseApprovals", object::<FalseApprovals>),
    ("Genesis", object::<Genesis>),
    ("Header", object::<Header>),
    ("Commit", object::<Commit>),
    ("Block", object::<Block>),
    ("Checkpoint", object::<Checkpoint>),
    ("Segment", object::<Segment>),
    ("OperatorEntry", object::<OperatorEntry>),
    ("AttestedResult", object::<AttestedResult>),
    ("PackedWitness", object::<PackedWitness>),
    ("StateHead", object::<StateHead>),
    ("PageNode", object::<PageNode>),
    ("Activation", object::<Activation>),
    ("Profile", object::<Profile>),
    ("Accusation", accusations),
    ("witnesses", witnesses),
    ("items", items),
    ("bundles", bundles),
    ("replies", replies),
];

pub(super) fn case(random: &mut Random) -> Result<(), String> {
    for (name, check) in CHECKS {
        check(random).map_err(|why| format!("{name}: {why}"))?;
    }
    Ok(())
}

/// A random value of a type there and back, and its bytes altered; false if no value was drawn.
fn object<T: Wire>(random: &mut Random) -> Result<bool, String> {
    let drawn = (0..DRAWS).find_map(|_| T::deserialize(&mut Draw(random)).ok());
    // A value beyond its own limit must not be made.
    let Some(bytes) = drawn.and_then(|value| encode(&value).ok()) else {
        return Ok(false);
    };
    let again = decode::<T>(&bytes).map_err(|error| format!("{}: {error}", hex(&bytes)))?;
    if encode(&again).as_ref() != Ok(&bytes) {
        return Err(format!("{} comes out different", hex(&bytes)));
    }
    for _ in 0..CHANGES {
        let mut altered = bytes.clone();
        mutate(&mut altered, random);
        if let Ok(value) = decode::<T>(&altered)
            && encode(&value).as_ref() != Ok(&altered)
        {
            return Err(format!("{} has another spelling", hex(&altered)));
        }
    }
    let noise = random.bytes();
    let _ = decode::<T>(&noise);
    Ok(true)
}

/// A random witness, packed and unpacked; and altered when it is packed: what is unpacked then has its own packing.
fn witnesses(random: &mut Random) -> Result<bool, String> {
    let mut witness = Witness {
        wasm_pages: random.next() as u32,
        globals: vec![random.next()],
        pages: Vec::new(),
        siblings: Vec::new(),
    };
    let mut index = 0;
    for _ in 0..random.between(0, 150) {
        let bytes = match random.below(4) {
            0 => Vec::new(),
            kind => (0..PAGE_BYTES as u64)
                .map(|at| (at % (kind * 50)) as u8 | 1)
                .collect(),
        };
        let bytes = ByteBuf::from(bytes);
        witness.pages.push(WitnessPage { index, bytes });
        index += random.between(1, 20) as u32;
    }
    let packed = PackedWitness::of(&witness).map_err(|fault| fault.to_string())?;
    if packed.unpack().as_ref() != Ok(&witness) {
        return Err("another witness comes out".into());
    }
    for _ in 0..CHANGES {
        let mut altered = packed.clone();
        let piece = random.below(altered.pieces.len().max(1) as u64) as usize;
        match altered.pieces.get_mut(piece).filter(|_| random.percent(70)) {
            Some(piece) => mutate(piece, random),
            None => mutate(&mut altered.touched, random),
        }
        let Ok(other) = altered.unpack() else {
            continue;
        };
        let again = PackedWitness::of(&other).map_err(|fault| fault.to_string())?;
        if again.unpack().as_ref() != Ok(&other) {
            return Err("what an altered one says cannot be said again".into());
        }
    }
    Ok(true)
}

/// Accusations: only as part of an action.
fn accusations(random: &mut Random) -> Result<bool, String> {
    let Ok(challenge) = Challenge::deserialize(&mut Draw(random)) else {
        return Ok(false);
    };
    let network = NetworkId::new(random.bytes());
    let evidence = random.percent(50).then(|| random.bytes().to_vec());
    let action = Action::Challenge {
        challenge,
        evidence,
    };
    let expires = Height(random.next());
    let told = |error: CodecError| error.to_string();
    let mut draft = action.draft(&network, expires).map_err(told)?;
    let key = ItemKey::ed25519(&[7; 32]);
    for change in 0..CHANGES {
        if change > 0 {
            mutate(&mut draft.data, random);
        }
        let item = key.sign_item(&draft).map_err(|error| error.to_string())?;
        match Action::from_item(&network, &item) {
            Ok(read) if read.0.draft(&network, read.1).map_err(told)? != draft => {
                return Err(format!("{} has another spelling", hex(&draft.data)));
            }
            Err(error) if change == 0 => return Err(error.to_string()),
            _ => {}
        }
    }
    Ok(true)
}

/// Data items.
fn items(random: &mut Random) -> Result<bool, String> {
    let bytes = item(random);
    ItemView::parse(&bytes).map_err(|error| error.to_string())?;
    for _ in 0..CHANGES {
        let mut altered = bytes.clone();
        mutate(&mut altered, random);
        let Ok(parsed) = Item::parse(altered.as_slice()) else {
            continue;
        };
        if parsed.bytes() != altered {
            return Err(format!("{} is read as another", hex(&altered)));
        }
        let view = parsed.view();
        let tags: Vec<_> = view.tags().collect();
        let authentic = parsed.clone().authenticate().is_ok();
        if authentic && altered != bytes && *view.signature() == *signature(&bytes)? {
            return Err(format!(
                "{} is signed by what it is not ({tags:?})",
                hex(&altered)
            ));
        }
    }
    Ok(true)
}

fn signature(bytes: &[u8]) -> Result<&[u8], String> {
    let view = ItemView::parse(bytes).map_err(|error| error.to_string())?;
    Ok(view.signature())
}

/// Bundles, and bundles of bundles.
fn bundles(random: &mut Random) -> Result<bool, String> {
    let count = random.below(4);
    let items: Result<Vec<Item>, _> = (0..count).map(|_| Item::parse(item(random))).collect();
    let items = items.map_err(|error| error.to_string())?;
    let bytes = bundle::write(&items);
    let parsed = bundle::parse(&bytes).map_err(|error| error.to_string())?;
    if !parsed
        .iter()
        .map(ItemView::id)
        .eq(items.iter().map(|it| it.view().id()))
    {
        return Err("a bundle gives other items back".into());
    }
    for _ in 0..CHANGES {
        let mut altered = bytes.clone();
        mutate(&mut altered, random);
        if let Ok(views) = bundle::parse(&altered) {
            let items: Result<Vec<Item>, _> =
                views.iter().map(|it| Item::parse(it.bytes())).collect();
            let items = items.map_err(|error| error.to_string())?;
            if bundle::write(&items) != altered {
                return Err(format!("{} has another spelling", hex(&altered)));
            }
        }
        let _ = bundle::flatten(&altered);
    }
    Ok(true)
}

/// A module's replies, and the parts of the results that they become.
fn replies(random: &mut Random) -> Result<bool, String> {
    let mut response = Map::new();
    for name in ["Output", "Messages", "Spawns", "Assignments", "Error"] {
        if random.percent(60) {
            let lists = !matches!(name, "Output" | "Error") && random.percent(80);
            let value = match lists {
                true => (0..random.below(3)).map(|_| json(random, 3)).collect(),
                false => json(random, 4),
            };
            response.insert(name.into(), value);
        }
    }
    let reply = serde_json::json!({ "ok": random.percent(90), "response": response });
    let mut text = reply.to_string().into_bytes();
    for change in 0..CHANGES {
        if change > 0 {
            mutate(&mut text, random);
        }
        let result = ProcessResult::from_reply(&text, random.next());
        let parts = result.parts();
        if ProcessResult::from_parts(&parts).as_ref() != Some(&result) {
            return Err(format!("{} does not come back from its parts", hex(&text)));
        }
        let mut altered = parts.clone();
        let index = usize::try_from(random.below(parts.len() as u64)).unwrap_or(0);
        if let Some(part) = altered.get_mut(index) {
            mutate(part, random);
        }
        let other = ProcessResult::from_parts(&altered);
        if other
            .is_some_and(|other| other.parts() != altered || (other == result && altered != parts))
        {
            return Err(format!("{} has other parts", hex(&text)));
        }
    }
    Ok(true)
}

/// Any JSON.
fn json(random: &mut Random, depth: u64) -> Value {
    match random.below(if depth == 0 { 7 } else { 10 }) {
        0 => Value::Null,
        1 => random.percent(50).into(),
        2 => random.next().into(),
        3 => random.next().cast_signed().into(),
        4 => f64::from_bits(random.next()).into(),
        5 => f64::from(random.below(100) as u32).into(),
        6 => {
            let texts = [
                "",
                "0",
                "Target",
                "\"\\\u{8}\u{c}\n\r\t",
                "\0\u{1f}\u{7f}",
                "é\u{2028}\u{10ffff}",
            ];
            random.pick(&texts).copied().unwrap_or_default().into()
        }
        7 | 8 => (0..random.below(4))
            .map(|_| json(random, depth - 1))
            .collect(),
        _ => {
            let fields = (0..random.below(4)).map(|_| {
                let name = ["a", "b", "é", "", "Output"];
                let name = random.pick(&name).copied().unwrap_or_default();
                (name.to_owned(), json(random, depth - 1))
            });
            Value::Object(fields.collect())
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_is_drawn() {
        let mut random = Random::new(1);
        for (name, check) in CHECKS {
            assert!((0..400).any(|_| check(&mut random) == Ok(true)), "{name}");
        }
    }

    #[test]
    fn no_object_of_the_protocol_is_left_out() {
        let table = include_str!("../../../specs/wire.md");
        let rows = table
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split('`').nth(1));
        // What nodes say to each other and keep for themselves, from kind 60 on, is behind the same decoder.
        let objects: Vec<&str> = rows.take_while(|name| *name != "StoredLeaf").collect();
        assert!(objects.len() > 20);
        for object in objects {
            assert!(CHECKS.iter().any(|(name, _)| *name == object), "{object}");
        }
    }
}
