//! Every accepted input is its own encoding, whatever the mutation.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use super::*;
use crate::id::Digest;
use crate::stake::Stake;

#[derive(Debug, Clone, PartialEq, Serialize_tuple, Deserialize_tuple)]
struct Sample {
    id: Digest,
    amount: Stake,
    count: u64,
    text: String,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    inner: Vec<Nested>,
    maybe: Option<Digest>,
}

#[derive(Debug, Clone, PartialEq, Serialize_tuple, Deserialize_tuple)]
struct Nested {
    a: u32,
    b: bool,
}

impl Wire for Sample {
    const KIND: u8 = 250;
    const BYTES_MAX: usize = 4096;
}

#[derive(Serialize, Deserialize)]
struct Anything(u8);

impl Wire for Anything {
    const KIND: u8 = 251;
    const BYTES_MAX: usize = 64;
}

fn sample() -> Sample {
    Sample {
        id: Digest::new([3; 32]),
        amount: Stake(u128::MAX),
        count: 1 << 40,
        text: "slot".into(),
        bytes: vec![1, 2, 3],
        inner: vec![Nested { a: 23, b: true }, Nested { a: 24, b: false }],
        maybe: None,
    }
}

#[test]
fn round_trip_and_limits() {
    let bytes = encode(&sample()).unwrap();
    assert_eq!(decode::<Sample>(&bytes).unwrap(), sample());
    assert_eq!(kind_of(&bytes), Some((250, 1)));
    assert!(matches!(
        decode::<Anything>(&bytes),
        Err(CodecError::TooLarge { .. })
    ));
    for cut in 0..bytes.len() {
        assert!(decode::<Sample>(&bytes[..cut]).is_err());
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(decode::<Sample>(&longer), Err(CodecError::Trailing(1)));
}

#[test]
fn every_other_spelling_is_refused() {
    // [251, 1, [5]] in full, then with each liberty that serde_cbor takes.
    let canonical: &[u8] = &[0x83, 0x18, 251, 1, 5];
    assert!(decode::<Anything>(canonical).is_ok());
    let refused: &[&[u8]] = &[
        &[0x83, 0x18, 251, 1, 0x18, 5],       // integer not minimal
        &[0x83, 0x18, 251, 1, 0xc1, 5],       // tag
        &[0x9f, 0x18, 251, 1, 5, 0xff],       // indefinite array
        &[0x83, 0x18, 251, 1, 0xa1, 0, 5],    // map
        &[0x83, 0x18, 251, 1, 0xf9, 0x45, 0], // float
        &[0x83, 0x18, 251, 1, 0xf7],          // undefined
        &[0x83, 0x18, 251, 2, 5],             // version
        &[0x83, 0x18, 250, 1, 5],             // kind
        &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // length past the end
        &[],
    ];
    for bytes in refused {
        assert!(decode::<Anything>(bytes).is_err(), "{bytes:02x?}");
    }
    let deep = vec![0x81; 1_000_000];
    assert!(walk(&deep).is_err());
}

proptest! {
    #[test]
    fn what_is_accepted_is_canonical(at in 0usize..110, value: u8, drop in 0usize..3) {
        let mut bytes = encode(&sample()).unwrap();
        let at = at % bytes.len();
        bytes[at] = value;
        bytes.truncate(bytes.len() - drop);
        if let Ok(decoded) = decode::<Sample>(&bytes) {
            prop_assert_eq!(encode(&decoded).unwrap(), bytes);
        }
    }

    #[test]
    fn no_input_panics(bytes: Vec<u8>) {
        let _ = decode::<Sample>(&bytes);
        let _ = walk(&bytes);
    }
}
