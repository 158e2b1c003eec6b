//! Forgers at work. Each attack is first shown to succeed where the rule is not applied.

use bls12_381::{G1Affine, G1Projective, G2Affine, G2Projective, Scalar};
use proptest::prelude::*;

use super::*;
use crate::hash::{Domain, digest};

const SEED: Digest = Digest::new([5; 32]);

fn message(text: &str) -> Digest {
    digest(Domain::CLAIM, &[text.as_bytes()])
}

fn secret(number: u8) -> SecretKey {
    SecretKey::derive_from_seed(&[number; 32]).unwrap()
}

fn said(key: &SecretKey, digest: &Digest) -> SignedDigest {
    SignedDigest {
        key: *key.public_key(),
        digest: *digest,
        signature: key.sign(digest),
    }
}

fn signed(count: u8, message: &Digest) -> Vec<SignedDigest> {
    (0..count).map(|it| said(&secret(it), message)).collect()
}

fn split(signed: &[SignedDigest]) -> (Vec<PublicKey>, Vec<Signature>) {
    signed.iter().map(|it| (it.key, it.signature)).unzip()
}

fn hold_together(keys: &[PublicKey], message: &Digest, sum: &AggregateSignature) -> bool {
    signed_together(keys, message, sum).is_some_and(|it| it.holds())
}

/// Shifts a signature by a multiple of the generator.
fn shifted(signature: &Signature, by: i64) -> Signature {
    let step = G2Affine::generator() * Scalar::from(by.unsigned_abs());
    let step = if by < 0 { -step } else { step };
    let sum = G2Projective::from(signature.point().unwrap()) + step;
    Signature::from_bytes(&G2Affine::from(sum).to_compressed()).unwrap()
}

#[test]
fn signs_and_verifies_only_what_was_signed() {
    let (key, other) = (secret(1), secret(2));
    let signature = key.sign(&message("a"));
    assert!(verify(key.public_key(), &message("a"), &signature));
    assert!(!verify(key.public_key(), &message("b"), &signature));
    assert!(!verify(other.public_key(), &message("a"), &signature));
    assert_eq!(signature, key.sign(&message("a")));
    // Another domain is another digest.
    let elsewhere = digest(Domain::VERDICT, &[b"a"]);
    assert!(!verify(key.public_key(), &elsewhere, &signature));
}

#[test]
fn secret_keys_are_canonical_and_not_zero() {
    // The group order, big-endian.
    let order = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";
    let mut bytes: [u8; 32] = hex::decode(order).unwrap().try_into().unwrap();
    let refused = |bytes: &[u8; 32]| SecretKey::from_bytes(bytes).err() == Some(BlsError::Scalar);
    assert!(refused(&bytes));
    assert!(refused(&[0; 32]));
    assert!(refused(&[0xff; 32]));
    bytes[31] = 0;
    let largest = SecretKey::from_bytes(&bytes).unwrap();
    assert_eq!(*largest.to_bytes(), bytes);
    // One less than the order is minus one.
    assert_eq!(*largest.public_key().point(), -G1Affine::generator());
}

#[test]
fn the_master_key_is_that_of_eip_2333() {
    let seed = hex::decode(
        "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e5349553\
         1f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04",
    );
    let key = SecretKey::derive_from_seed(&seed.unwrap()).unwrap();
    assert_eq!(hex::encode(*key.to_bytes()), MASTER);
    assert_eq!(
        SecretKey::derive_from_seed(&[1; 31]).err(),
        Some(BlsError::Seed(31))
    );
}
/// 6083874454709270928345386274498605044986640685124978867557563392430687146096
const MASTER: &str = "0d7359d57963ab8fbbde1852dcf553fedbc31f464d80ee7d40ae683122b45070";

#[test]
fn the_identity_is_refused_because_it_would_verify_anything() {
    let mut key = [0; 48];
    let mut signature = [0; 96];
    (key[0], signature[0]) = (0xc0, 0xc0);
    assert_eq!(PublicKey::from_bytes(&key), Err(BlsError::Identity));
    assert_eq!(Signature::from_bytes(&signature), Err(BlsError::Identity));
    assert_eq!(
        AggregateSignature::from_bytes(&signature),
        Err(BlsError::Identity)
    );
    assert_eq!(
        ProofOfPossession::from_bytes(&signature),
        Err(BlsError::Identity)
    );
    let anything = PreparedMessage::of(&message("anything"));
    let terms = [(G1Affine::identity(), &anything)];
    assert!(pairing_equation_holds(&terms, &G2Affine::identity()));
}

#[test]
fn only_points_of_the_subgroup_are_decoded() {
    // x = 4 is on the curve of G1, but not in the subgroup.
    let mut bytes = [0; 48];
    (bytes[0], bytes[47]) = (0x80, 4);
    assert!(bool::from(
        G1Affine::from_compressed_unchecked(&bytes).is_some()
    ));
    assert_eq!(PublicKey::from_bytes(&bytes), Err(BlsError::Point));
    let key = *secret(1).public_key();
    assert_eq!(
        PublicKey::try_from(&key.as_bytes()[..47]),
        Err(length(48, 47))
    );
    assert_eq!(Signature::try_from(&[0; 97][..]), Err(length(96, 97)));
    let mut uncompressed = *key.as_bytes();
    uncompressed[0] &= 0x7f;
    assert_eq!(PublicKey::from_bytes(&uncompressed), Err(BlsError::Point));
}

fn length(expected: usize, got: usize) -> BlsError {
    BlsError::Length { expected, got }
}

#[test]
fn text_and_bytes_round_trip() {
    let key = secret(1);
    let registered = RegisteredKey::new(*key.public_key(), key.prove_possession()).unwrap();
    let text = serde_json::to_string(&registered).unwrap();
    assert_eq!(
        text,
        format!(
            "[\"{}\",\"{}\"]",
            registered.public_key(),
            registered.proof()
        )
    );
    assert_eq!(
        serde_json::from_str::<RegisteredKey>(&text).unwrap(),
        registered
    );
    let bytes = serde_cbor::to_vec(&registered).unwrap();
    assert_eq!(bytes.len(), 1 + 2 + 48 + 2 + 96);
    assert_eq!(
        serde_cbor::from_slice::<RegisteredKey>(&bytes).unwrap(),
        registered
    );
    let padded = format!("{}=", registered.public_key());
    assert_eq!(padded.parse::<PublicKey>(), Err(BlsError::Text));
}

#[test]
fn a_rogue_key_signs_for_others_but_cannot_be_registered() {
    let (victim, attacker) = (secret(1), secret(2));
    let m = message("paid");
    // The attacker publishes his own key minus the victim's.
    let own = G1Projective::from(attacker.public_key().point());
    let rogue = PublicKey::from_point((own - victim.public_key().point()).into()).unwrap();
    let forged = attacker.sign(&m).into();
    assert!(hold_together(&[*victim.public_key(), rogue], &m, &forged));

    let over_rogue = |suite| {
        let point = curve::hash_to_curve(rogue.as_bytes(), suite);
        let secret = Scalar::from_bytes(&{
            let mut bytes = *attacker.to_bytes();
            bytes.reverse();
            bytes
        });
        ProofOfPossession::known_good(G2Affine::from(point * secret.unwrap()))
    };
    let attempts = [
        attacker.prove_possession(),
        victim.prove_possession(),
        over_rogue(POSSESSION_SUITE),
        over_rogue(SIGNATURE_SUITE),
    ];
    for proof in attempts {
        assert_eq!(RegisteredKey::new(rogue, proof), Err(BlsError::Possession));
        let text = serde_json::to_string(&(rogue, proof)).unwrap();
        assert!(serde_json::from_str::<RegisteredKey>(&text).is_err());
    }
    assert!(RegisteredKey::new(*victim.public_key(), victim.prove_possession()).is_ok());
}

#[test]
fn aggregates_need_every_key_and_nothing_else() {
    let m = message("a");
    let (keys, signatures) = split(&signed(5, &m));
    let whole = aggregate(&signatures).unwrap();
    assert!(hold_together(&keys, &m, &whole));
    assert!(!hold_together(&keys, &message("b"), &whole));
    assert!(!hold_together(&keys[1..], &m, &whole));
    let twice: Vec<PublicKey> = keys.iter().chain(&keys[..1]).copied().collect();
    assert!(!hold_together(&twice, &m, &whole));
    assert!(!hold_together(&[], &m, &whole));
    assert!(hold_together(&keys[..1], &m, &signatures[0].into()));
    assert_eq!(aggregate(&[]), None);
}

#[test]
fn keys_and_signatures_that_cancel_are_refused() {
    let mut minus = secret(1).to_bytes();
    // order - k, by big-endian subtraction
    let order = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";
    let mut borrow = 0;
    for (byte, order) in minus.iter_mut().zip(hex::decode(order).unwrap()).rev() {
        let difference = i16::from(order) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    let (one, other) = (secret(1), SecretKey::from_bytes(&minus).unwrap());
    let m = message("a");
    assert_eq!(aggregate(&[one.sign(&m), other.sign(&m)]), None);
    let keys = [*one.public_key(), *other.public_key()];
    assert!(!hold_together(&keys, &m, &one.sign(&m).into()));
    // Each alone is a good key, and a batch with both is a good batch.
    assert!(
        keys.iter()
            .zip([&one, &other])
            .all(|(key, secret)| verify(key, &m, &secret.sign(&m)))
    );
    let batch = [&one, &other].map(|key| said(key, &m));
    assert!(verify_batch(&batch, &SEED));
}

#[test]
fn an_aggregate_over_several_messages() {
    let names = ["a", "b", "a"];
    let pairs: Vec<(PublicKey, Digest)> = (0..)
        .zip(names)
        .map(|(i, name)| (*secret(i).public_key(), message(name)))
        .collect();
    let parts: Vec<Signature> = (0..)
        .zip(names)
        .map(|(i, name)| secret(i).sign(&message(name)))
        .collect();
    let sum = aggregate(&parts).unwrap();
    assert!(aggregate_verify(&pairs, &sum));
    assert!(!aggregate_verify(&pairs[..2], &sum));
    assert!(!aggregate_verify(&[], &sum));
    let mut swapped = pairs.clone();
    (swapped[0].1, swapped[1].1) = (swapped[1].1, swapped[0].1);
    assert!(!aggregate_verify(&swapped, &sum));
}

#[test]
fn colluding_signers_pass_a_plain_sum_and_not_a_batch() {
    let m = message("a");
    let mut batch = signed(6, &m);
    batch[1].signature = shifted(&batch[1].signature, 7);
    batch[4].signature = shifted(&batch[4].signature, -7);
    let (keys, signatures) = split(&batch);
    assert!(hold_together(&keys, &m, &aggregate(&signatures).unwrap()));
    assert!(!verify_batch(&batch, &SEED));
    assert_eq!(find_invalid(&batch, &SEED), [1, 4]);
}

#[test]
fn coefficients_depend_on_every_input() {
    // Whoever knew the coefficients could choose errors that cancel under them. Here he learns them
    // for one batch; using them changes the batch, and with it the coefficients.
    let m = message("a");
    let batch = signed(2, &m);
    let coefficients = |seed| -> Vec<u128> {
        let drawn = batch::Batch::new(&batch, seed).terms;
        drawn.iter().map(|term| term.coefficient).collect()
    };
    let known = coefficients(&SEED);
    let mut forged = batch.clone();
    let error = |by: u128| {
        let scalar = Scalar::from_raw([by as u64, (by >> 64) as u64, 0, 0]);
        G2Affine::generator() * scalar
    };
    let plus = |signature: &Signature, error: G2Projective| {
        Signature::known_good(G2Affine::from(error + signature.point().unwrap()))
    };
    forged[0].signature = plus(&forged[0].signature, error(known[1]));
    forged[1].signature = plus(&forged[1].signature, -error(known[0]));
    let mut fooled = batch::Batch::new(&forged, &SEED);
    for (term, known) in fooled.terms.iter_mut().zip(&known) {
        term.coefficient = *known;
    }
    assert!(fooled.holds(0..2));
    assert!(!verify_batch(&forged, &SEED));
    let other_seed = coefficients(&Digest::new([6; 32]));
    assert!(known.iter().zip(&other_seed).all(|(a, b)| a != b));
}

#[test]
fn batches_of_no_and_of_one_signature() {
    let m = message("a");
    assert!(!verify_batch(&[], &SEED));
    assert!(find_invalid(&[], &SEED).is_empty());
    let mut one = signed(1, &m);
    assert!(verify_batch(&one, &SEED));
    assert!(find_invalid(&one, &SEED).is_empty());
    one[0].signature = shifted(&one[0].signature, 1);
    assert!(!verify_batch(&one, &SEED));
    assert_eq!(find_invalid(&one, &SEED), [0]);
}

#[test]
fn a_batch_over_several_messages() {
    let mut batch: Vec<SignedDigest> = (0..6)
        .map(|i| said(&secret(i), &message(["a", "b"][usize::from(i % 2)])))
        .collect();
    assert!(verify_batch(&batch, &SEED));
    // Swapping two signatures on one message keeps every plain sum.
    (batch[0].signature, batch[2].signature) = (batch[2].signature, batch[0].signature);
    assert!(!verify_batch(&batch, &SEED));
}

#[test]
fn knowledge_of_the_same_digest_is_compared_without_it() {
    let known = |number: u8, text: &str| {
        (
            *secret(number).public_key(),
            secret(number).sign(&message(text)),
        )
    };
    assert!(same_message(&known(1, "trace"), &known(2, "trace")));
    assert!(!same_message(&known(1, "trace"), &known(2, "other trace")));
    // Repeating the other's signature under one's own key does not help.
    assert!(!same_message(
        &known(1, "trace"),
        &(*secret(2).public_key(), known(1, "trace").1)
    ));
}

#[test]
fn knowledge_of_many_is_compared_by_two_pairings() {
    let known = |number: u8, text: &str| {
        (
            *secret(number).public_key(),
            secret(number).sign(&message(text)),
        )
    };
    let mut said: Vec<_> = (1..8).map(|it| known(it, "trace")).collect();
    assert!(same_message_all(&said, &SEED));
    assert!(same_message_all(&said[..1], &SEED) && same_message_all(&[], &SEED));
    for place in 0..said.len() {
        let honest = said[place];
        let number = u8::try_from(place).unwrap() + 1;
        // Made up, another's, and with an error that another's cancels.
        for other in [known(number, "made up").1, said[(place + 1) % 7].1] {
            said[place].1 = other;
            assert!(!same_message_all(&said, &SEED), "{place}");
        }
        said[place] = honest;
    }
    said[1].1 = shifted(&said[1].1, 1);
    said[2].1 = shifted(&said[2].1, -1);
    assert!(!same_message_all(&said, &SEED));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_flipped_bit_never_verifies(bit in 0_usize..768) {
        let m = message("a");
        let key = secret(1);
        let mut bytes = *key.sign(&m).as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let bad = Signature::from_bytes(&bytes);
        prop_assert!(!bad.is_ok_and(|bad| verify(key.public_key(), &m, &bad)));
        let mut bytes = *key.public_key().as_bytes();
        bytes[bit / 16] ^= 1 << (bit / 2 % 8);
        let bad = PublicKey::from_bytes(&bytes);
        prop_assert!(!bad.is_ok_and(|bad| verify(&bad, &m, &key.sign(&m))));
    }

    #[test]
    fn bisection_finds_exactly_the_bad(bad in prop::collection::btree_set(0_usize..9, 0..9)) {
        let m = message("a");
        let mut batch = signed(9, &m);
        for at in &bad {
            // Equal errors, so that many subsets of them are correlated.
            batch[*at].signature = shifted(&batch[*at].signature, 1);
        }
        prop_assert_eq!(verify_batch(&batch, &SEED), bad.is_empty());
        prop_assert_eq!(find_invalid(&batch, &SEED), bad.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn sums_by_buckets_are_plain_sums(
        coefficients in prop::collection::vec(
            prop_oneof![Just(0), Just(1), Just(u128::MAX), any::<u128>()],
            0..40,
        ),
    ) {
        let points = |i: usize| G1Affine::from(G1Affine::generator() * Scalar::from(i as u64 % 5));
        let terms: Vec<(G1Affine, u128)> =
            coefficients.into_iter().enumerate().map(|(i, c)| (points(i), c)).collect();
        let plain = terms.iter().fold(G1Projective::identity(), |sum, (point, c)| {
            sum + point * Scalar::from_raw([*c as u64, (*c >> 64) as u64, 0, 0])
        });
        prop_assert_eq!(msm::weighted_sum(&terms), G1Affine::from(plain));
    }
}
