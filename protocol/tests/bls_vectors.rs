//! The BLS facade against Ethereum's conformance vectors.
//!
//! `SURETY_VECTORS` names a directory with `bls/<kind>/<case>.json`. Every file in it is read and
//! must hold; a folder of unknown kind, a missing kind or a file of another form fails the test.
//! Without the variable the test says that it was skipped.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a vector of another form fails the test"
)]

#[path = "support/needed.rs"]
mod needed;

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
#[cfg(not(feature = "blst"))]
use surety_protocol::bls::hash_to_g2;
use surety_protocol::bls::{
    AggregateSignature, BlsError, PublicKey, SecretKey, Signature, SignedDigest, aggregate,
    aggregate_verify, signed_together, verify, verify_batch,
};
use surety_protocol::id::Digest;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case<I, O> {
    input: I,
    output: O,
}

/// Bytes as hexadecimal text after `0x`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Hex(Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix("0x").ok_or("no 0x")?;
        hex::decode(digits)
            .map(Self)
            .map_err(|error| error.to_string())
    }
}

impl Hex {
    /// A point, or the reason why it is none.
    fn point<T: for<'a> TryFrom<&'a [u8], Error = BlsError>>(&self) -> Result<T, BlsError> {
        self.0.as_slice().try_into()
    }

    /// All messages of the vectors have the length of a digest, and the facade signs those 32
    /// bytes.
    fn digest(&self) -> Digest {
        self.0.as_slice().try_into().expect("a message of 32 bytes")
    }
}

fn points<T: for<'a> TryFrom<&'a [u8], Error = BlsError>>(all: &[Hex]) -> Result<Vec<T>, BlsError> {
    all.iter().map(Hex::point).collect()
}

/// How one kind of case is checked.
type Check = fn(&str);

const KINDS: [(&str, Check); 9] = [
    ("aggregate", check_aggregate),
    ("aggregate_verify", check_aggregate_verify),
    ("batch_verify", check_batch_verify),
    ("deserialization_G1", check_deserialization_g1),
    ("deserialization_G2", check_deserialization_g2),
    ("fast_aggregate_verify", check_fast_aggregate_verify),
    ("hash_to_G2", check_hash_to_g2),
    ("sign", check_sign),
    ("verify", check_verify),
];

#[test]
fn ethereum_vectors() {
    let Some(vectors) = needed::path("SURETY_VECTORS") else {
        return;
    };
    let root = vectors.join("bls");
    let mut names: Vec<String> = entries(&root);
    names.sort();
    let known: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, known, "the kinds of vectors in {}", root.display());
    for (kind, check) in KINDS {
        let folder = root.join(kind);
        let files = entries(&folder);
        assert!(!files.is_empty(), "no case of {kind}");
        for file in &files {
            // The harness shows this for the case that fails.
            eprintln!("{kind}/{file}");
            assert!(file.ends_with(".json"), "not a case");
            check(&fs::read_to_string(folder.join(file)).expect("a readable file"));
        }
        eprintln!("{kind}: {} cases", files.len());
    }
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a readable directory");
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn parse<I: DeserializeOwned, O: DeserializeOwned>(text: &str) -> (I, O) {
    let case: Case<I, O> = serde_json::from_str(text).expect("a case of its kind");
    (case.input, case.output)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignInput {
    privkey: Hex,
    message: Hex,
}

fn check_sign(text: &str) {
    let (input, output): (SignInput, Option<Hex>) = parse(text);
    let secret: [u8; 32] = input.privkey.0.try_into().expect("32 bytes");
    let signature = SecretKey::from_bytes(&secret).map(|key| key.sign(&input.message.digest()));
    assert_eq!(
        signature.ok().map(|s| s.as_bytes().to_vec()),
        output.map(|hex| hex.0)
    );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifyInput {
    pubkey: Hex,
    message: Hex,
    signature: Hex,
}

fn check_verify(text: &str) {
    let (input, output): (VerifyInput, bool) = parse(text);
    let verified = || -> Result<bool, BlsError> {
        let (key, signature): (PublicKey, Signature) =
            (input.pubkey.point()?, input.signature.point()?);
        Ok(verify(&key, &input.message.digest(), &signature))
    };
    assert_eq!(verified().unwrap_or(false), output);
}

fn check_aggregate(text: &str) {
    let (input, output): (Vec<Hex>, Option<Hex>) = parse(text);
    let expected = output.map(|hex| hex.0);
    match points(&input) {
        Ok(signatures) => {
            let sum = aggregate(&signatures).map(|sum| sum.as_bytes().to_vec());
            assert_eq!(sum, expected);
        }
        // Ethereum adds identities, of which nothing but the identity can be made by themselves.
        // Here they are no signatures.
        Err(BlsError::Identity) => {
            assert!(input.iter().all(|hex| is_identity(&hex.0)));
            assert!(is_identity(&expected.expect("a sum")));
        }
        Err(_) => assert_eq!(expected, None),
    }
}

fn is_identity(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0xc0) && bytes.iter().skip(1).all(|byte| *byte == 0)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FastAggregateInput {
    pubkeys: Vec<Hex>,
    message: Hex,
    signature: Hex,
}

fn check_fast_aggregate_verify(text: &str) {
    let (input, output): (FastAggregateInput, bool) = parse(text);
    let verified = || -> Result<bool, BlsError> {
        let (keys, signature) = (points(&input.pubkeys)?, input.signature.point()?);
        let signed = signed_together(&keys, &input.message.digest(), &signature);
        Ok(signed.is_some_and(|it| it.holds()))
    };
    assert_eq!(verified().unwrap_or(false), output);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AggregateVerifyInput {
    pubkeys: Vec<Hex>,
    messages: Vec<Hex>,
    signature: Hex,
}

fn check_aggregate_verify(text: &str) {
    let (input, output): (AggregateVerifyInput, bool) = parse(text);
    let verified = || -> Result<bool, BlsError> {
        assert_eq!(input.pubkeys.len(), input.messages.len());
        let keys: Vec<PublicKey> = points(&input.pubkeys)?;
        let signature: AggregateSignature = input.signature.point()?;
        let messages = input.messages.iter().map(Hex::digest);
        Ok(aggregate_verify(
            &keys.into_iter().zip(messages).collect::<Vec<_>>(),
            &signature,
        ))
    };
    assert_eq!(verified().unwrap_or(false), output);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchInput {
    pubkeys: Vec<Hex>,
    messages: Vec<Hex>,
    signatures: Vec<Hex>,
}

fn check_batch_verify(text: &str) {
    let (input, output): (BatchInput, bool) = parse(text);
    let verified = || -> Result<bool, BlsError> {
        let (count, messages) = (input.pubkeys.len(), input.messages.iter().map(Hex::digest));
        assert_eq!((count, count), (messages.len(), input.signatures.len()));
        let keys: Vec<PublicKey> = points(&input.pubkeys)?;
        let signatures: Vec<Signature> = points(&input.signatures)?;
        let signed = keys.into_iter().zip(messages).zip(signatures);
        let batch: Vec<_> = signed
            .map(|((key, digest), signature)| SignedDigest {
                key,
                digest,
                signature,
            })
            .collect();
        Ok(verify_batch(&batch, &Digest::new([1; 32])))
    };
    assert_eq!(verified().unwrap_or(false), output);
}

/// Ethereum decodes the identity and refuses it when it is used; here decoding refuses it, by a
/// name of its own.
fn decodes<T: for<'a> TryFrom<&'a [u8], Error = BlsError>>(bytes: &Hex) -> bool {
    matches!(bytes.point::<T>(), Ok(_) | Err(BlsError::Identity))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyInput {
    pubkey: Hex,
}

fn check_deserialization_g1(text: &str) {
    let (input, output): (KeyInput, bool) = parse(text);
    assert_eq!(decodes::<PublicKey>(&input.pubkey), output);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureInput {
    signature: Hex,
}

fn check_deserialization_g2(text: &str) {
    let (input, output): (SignatureInput, bool) = parse(text);
    assert_eq!(decodes::<Signature>(&input.signature), output);
    assert_eq!(decodes::<AggregateSignature>(&input.signature), output);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageInput {
    /// Text, not hexadecimal.
    #[cfg_attr(feature = "blst", allow(dead_code, reason = "read for its form only"))]
    msg: String,
}

/// A point of G2: of each coordinate the real part, a comma and the imaginary part.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Coordinates {
    #[cfg_attr(feature = "blst", allow(dead_code, reason = "read for its form only"))]
    x: String,
    #[cfg_attr(feature = "blst", allow(dead_code, reason = "read for its form only"))]
    y: String,
}

#[cfg(not(feature = "blst"))]
fn check_hash_to_g2(text: &str) {
    let (input, output): (MessageInput, Coordinates) = parse(text);
    let suite = b"QUUX-V01-CS02-with-BLS12381G2_XMD:SHA-256_SSWU_RO_";
    let found = hash_to_g2(input.msg.as_bytes(), suite);
    let mut expected = Vec::new();
    for coordinate in [output.x, output.y] {
        let (real, imaginary) = coordinate.split_once(',').expect("two parts");
        for part in [imaginary, real] {
            expected.extend(Hex::try_from(part.to_owned()).expect("hexadecimal").0);
        }
    }
    assert_eq!(found.as_slice(), expected);
}

/// The other library shows no hashed points; what it hashes wrongly it signs wrongly, which the cases of `sign` would show.
#[cfg(feature = "blst")]
fn check_hash_to_g2(text: &str) {
    let (_, _): (MessageInput, Coordinates) = parse(text);
}
