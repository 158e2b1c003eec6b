//! Hashpaths of AO-Core, and the halves that we keep.

use proptest::prelude::*;

use super::*;
use crate::id::{AssignmentId, ProcessId};

const BASE: &str = "M3yMP4CqvdUkLXMM2tWQN8PnbT8iy0y70Pf3Mv_x2oA";
const REQUESTS: [&str; 3] = [
    "MFHRUaRJM96_-rtuJ5fEvQXZB5upG1FEQTnWAVoSLOc",
    "Yf4umWKkjUe4MaBN_ya7DOixRCUrSTG2jqE0DlicC2Q",
    "02-Vjx59gbI2vdl5fJNfCSlKDmmj9p0KKGZGn0fi7V4",
];
const PATHS: [&str; 3] = [
    "M3yMP4CqvdUkLXMM2tWQN8PnbT8iy0y70Pf3Mv_x2oA/MFHRUaRJM96_-rtuJ5fEvQXZB5upG1FEQTnWAVoSLOc",
    "20vIiC-SsCktGvR3UeU6zrYkBS8GALoL5jRWKcB1QTo/Yf4umWKkjUe4MaBN_ya7DOixRCUrSTG2jqE0DlicC2Q",
    "McDwn8fpdVA4UORmdqvhzYxIn3sEytmK4IrNeE-aDrk/02-Vjx59gbI2vdl5fJNfCSlKDmmj9p0KKGZGn0fi7V4",
];

fn number(value: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[31] = value;
    bytes
}

#[test]
fn known_hashpaths_in_text_and_in_halves() {
    let mut text = BASE.to_owned();
    let mut halves = Hashpath::start(BASE.parse().unwrap());
    assert_eq!(halves.to_string(), BASE);
    for (request, path) in REQUESTS.into_iter().zip(PATHS) {
        text = extend_text(&text, request, Algorithm::Sha256Chain).unwrap();
        halves = halves.extend(request.parse().unwrap());
        assert_eq!(text, path);
        assert_eq!(halves.to_string(), path);
        assert_eq!(path.parse(), Ok(halves));
    }
}

#[test]
fn known_folds() {
    let chained = Algorithm::Sha256Chain.fold(&number(1), &number(2)).unwrap();
    assert_eq!(
        hex::encode(chained),
        "d6ba9329f8932c12192b37849f772104d20048f76434a3290512d9d814e4116f"
    );
    let sum = |a: &[u8; 32], b: &[u8]| Algorithm::Accumulate256.fold(a, b);
    assert_eq!(sum(&number(1), &number(2)), Ok(number(3)));
    // The carry goes through every digit and falls off the end.
    assert_eq!(sum(&[255; 32], &number(1)), Ok([0; 32]));
    assert_eq!(sum(&[255; 32], &[255; 32]), {
        let mut bytes = [255; 32];
        bytes[31] = 254;
        Ok(bytes)
    });
    assert_eq!(sum(&number(1), b"balance"), Err(HashpathError::NotAnId));
}

#[test]
fn literals_are_their_own_bytes() {
    let path = extend_text(BASE, "transfer", Algorithm::default()).unwrap();
    assert_eq!(path, format!("{BASE}/transfer"));
    let base: crate::id::Digest = BASE.parse().unwrap();
    let folded = base64url(&sha256(&[base.as_bytes(), b"transfer"]));
    let path = extend_text(&path, REQUESTS[0], Algorithm::default()).unwrap();
    assert_eq!(path, format!("{folded}/{}", REQUESTS[0]));
    let mixed = format!("{BASE}/transfer");
    assert_eq!(
        extend_text(&mixed, "x", Algorithm::Accumulate256),
        Err(HashpathError::NotAnId)
    );
}

#[test]
fn what_is_no_hashpath_is_refused() {
    let extend = |path: &str, request: &str| extend_text(path, request, Algorithm::default());
    assert_eq!(extend(BASE, ""), Err(HashpathError::Request));
    assert_eq!(extend(BASE, "a/b"), Err(HashpathError::Request));
    // The length of an id, but none.
    assert_eq!(extend(BASE, &"!".repeat(43)), Err(HashpathError::Request));
    assert_eq!(extend("balance", "x"), Err(HashpathError::Text));
    assert_eq!(
        extend(&format!("{BASE}/a/b"), "x"),
        Err(HashpathError::Text)
    );
    assert_eq!(extend(&format!("{BASE}/"), "x"), Err(HashpathError::Text));
    assert_eq!(BASE[1..].parse::<Hashpath>(), Err(HashpathError::Text));
    assert_eq!(
        format!("{BASE}/transfer").parse::<Hashpath>(),
        Err(HashpathError::Text)
    );
    let zeros = "A".repeat(43);
    assert_eq!(
        format!("{BASE}/{zeros}").parse::<Hashpath>(),
        Err(HashpathError::Text)
    );
}

#[test]
fn halves_are_two_byte_strings() {
    let path: Hashpath = PATHS[1].parse().unwrap();
    let cbor = serde_cbor::to_vec(&path).unwrap();
    assert_eq!(cbor.len(), 1 + 34 + 34);
    assert_eq!(&cbor[..3], [0x82, 0x58, 32]);
    assert_eq!(serde_cbor::from_slice::<Hashpath>(&cbor).unwrap(), path);
}

#[test]
fn names_of_algorithms() {
    assert_eq!(
        Algorithm::from_name("sha-256-chain"),
        Some(Algorithm::Sha256Chain)
    );
    assert_eq!(
        Algorithm::from_name("accumulate-256"),
        Some(Algorithm::Accumulate256)
    );
    assert_eq!(Algorithm::from_name("sha-256"), None);
}

proptest! {
    /// The halves are what AO-Core's text says, however long the log.
    #[test]
    fn halves_follow_the_text(process: [u8; 32], assignments in prop::collection::vec(any::<[u8; 32]>(), 0..12)) {
        let mut text = ProcessId::new(process).to_string();
        let mut halves = Hashpath::start(ProcessId::new(process));
        for id in assignments.into_iter().map(AssignmentId::new) {
            text = extend_text(&text, &id.to_string(), Algorithm::Sha256Chain).unwrap();
            halves = halves.extend(id);
            prop_assert_eq!(halves.to_string(), text.clone());
        }
    }
}
