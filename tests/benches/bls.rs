//! Approvals of one claim verified per second, one by one and together, beside `blst`: `cargo bench --bench bls`.
//!
//! Every approval comes as bytes: its signature is decoded and found to be in the subgroup each time, keys are known before.
//! `blst` is also asked whether it says the same of the same bytes. With the feature `blst` it does our own arithmetic too, and what
//! one by one costs with the usual library is measured beside it.

#![allow(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on stops, and its figures are for people"
)]

use std::time::Instant;

use bls12_381::hash_to_curve::{ExpandMsgXmd, HashToCurve};
use bls12_381::{G1Affine, G2Affine, G2Projective, Gt, multi_miller_loop};
use blst::BLST_ERROR::BLST_SUCCESS;
use blst::min_pk;
use sha2_bls::Sha256;
use surety_protocol::approval;
use surety_protocol::bls::{
    LIBRARY, PublicKey, SIGNATURE_SUITE, SecretKey, Signature, SignedDigest, find_invalid,
    verify_batch,
};
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::{ClaimId, Digest};

#[path = "report.rs"]
mod report;

use report::{Figure, Report, Target};

/// Signers of one claim.
const SIGNERS: [usize; 4] = [8, 64, 128, 512];
/// Each is measured so often; the fastest counts.
const RUNS: usize = 5;
/// Bits of a batch's coefficients, there as here.
const BITS: usize = 128;

/// The approvals of one claim, as they come.
struct Approvals {
    digest: Digest,
    ours: Vec<PublicKey>,
    theirs: Vec<min_pk::PublicKey>,
    signatures: Vec<[u8; 96]>,
    coefficients: Vec<u8>,
}

impl Approvals {
    fn new(count: usize) -> Approvals {
        let digest = approval::signing_digest(&ClaimId::new([7; 32]));
        let keys: Vec<SecretKey> = (0..count).map(key).collect();
        let ours: Vec<PublicKey> = keys.iter().map(|it| *it.public_key()).collect();
        let theirs = ours
            .iter()
            .map(|it| min_pk::PublicKey::key_validate(it.as_bytes()).expect("a key"));
        Approvals {
            digest,
            theirs: theirs.collect(),
            signatures: keys.iter().map(|it| *it.sign(&digest).as_bytes()).collect(),
            coefficients: (0..count)
                .flat_map(|it| drawn(it).as_bytes()[..BITS / 8].to_vec())
                .collect(),
            ours,
        }
    }

    fn one_by_one(&self) -> bool {
        let mut all = self.ours.iter().zip(&self.signatures);
        all.all(|(key, bytes)| {
            let signature = Signature::from_bytes(bytes);
            signature.is_ok_and(|it| surety_protocol::bls::verify(key, &self.digest, &it))
        })
    }

    fn batch(&self) -> Option<Vec<SignedDigest>> {
        let all = self.ours.iter().zip(&self.signatures);
        all.map(|(key, bytes)| {
            Some(SignedDigest {
                key: *key,
                digest: self.digest,
                signature: Signature::from_bytes(bytes).ok()?,
            })
        })
        .collect()
    }

    fn together(&self) -> bool {
        let seed = Digest::new([1; 32]);
        self.batch().is_some_and(|it| verify_batch(&it, &seed))
    }

    /// One by one with `bls12_381`, whatever does our arithmetic.
    fn library_one_by_one(&self) -> bool {
        let message = <G2Projective as HashToCurve<ExpandMsgXmd<Sha256>>>::hash_to_curve(
            [self.digest.as_bytes()],
            SIGNATURE_SUITE,
        );
        let message = G2Affine::from(message);
        let generator = G1Affine::generator();
        let mut all = self.ours.iter().zip(&self.signatures);
        all.all(|(key, bytes)| {
            let key = G1Affine::from_compressed_unchecked(key.as_bytes()).expect("a key");
            let signature = Option::<G2Affine>::from(G2Affine::from_compressed(bytes));
            signature.is_some_and(|it| {
                let terms = [(&key, &message.into()), (&-generator, &it.into())];
                multi_miller_loop(&terms).final_exponentiation() == Gt::identity()
            })
        })
    }

    fn blst_one_by_one(&self) -> bool {
        let mut all = self.theirs.iter().zip(&self.signatures);
        all.all(|(key, bytes)| self.blst_holds(key, bytes))
    }

    fn blst_holds(&self, key: &min_pk::PublicKey, bytes: &[u8]) -> bool {
        let message = self.digest.as_bytes();
        min_pk::Signature::sig_validate(bytes, true).is_ok_and(|it| {
            it.verify(false, message, SIGNATURE_SUITE, &[], key, false) == BLST_SUCCESS
        })
    }

    fn blst_together(&self) -> bool {
        let decoded = self
            .signatures
            .iter()
            .map(|it| min_pk::Signature::sig_validate(it, true));
        let Ok(signatures) = decoded.collect::<Result<Vec<_>, _>>() else {
            return false;
        };
        let weights = &self.coefficients;
        let signature = min_pk::AggregateSignature::aggregate_with_randomness(
            &signatures,
            weights,
            BITS,
            false,
        );
        let key = min_pk::AggregatePublicKey::aggregate_with_randomness(
            &self.theirs,
            weights,
            BITS,
            false,
        );
        let (Ok(signature), Ok(key)) = (signature, key) else {
            return false;
        };
        signature
            .to_signature()
            .fast_aggregate_verify_pre_aggregated(
                false,
                self.digest.as_bytes(),
                SIGNATURE_SUITE,
                &key.to_public_key(),
            )
            == BLST_SUCCESS
    }

    /// Spoils some, in different ways, and asks both which; they have to say the same.
    fn compare(&mut self) {
        let count = self.signatures.len();
        self.signatures.swap(1, count - 1);
        self.signatures[3] = *key(3).sign(&drawn(3)).as_bytes();
        let theirs: Vec<usize> = (0..count)
            .filter(|it| !self.blst_holds(&self.theirs[*it], &self.signatures[*it]))
            .collect();
        let batch = self.batch().expect("all are points");
        assert_eq!(find_invalid(&batch, &drawn(0)), theirs);
        assert!(!self.together() && !self.blst_together());
        // A point of the curve and not of the subgroup is refused by both; here the first that decodes so is made up.
        let bytes = (0..=u8::MAX).map(|it| {
            let mut bytes = self.signatures[0];
            bytes[95] = it;
            bytes
        });
        for bytes in bytes {
            let ours = Signature::from_bytes(&bytes).is_ok();
            assert_eq!(ours, min_pk::Signature::sig_validate(&bytes, true).is_ok());
        }
    }
}

fn drawn(number: usize) -> Digest {
    digest(Domain::OBJECT, &[&number.to_be_bytes()])
}

fn key(number: usize) -> SecretKey {
    SecretKey::derive_from_seed(drawn(number).as_bytes()).expect("a seed")
}

/// Approvals per second, at best.
fn rate(count: usize, verify: impl Fn() -> bool) -> f64 {
    let runs = (0..RUNS).map(|_| {
        let begin = Instant::now();
        assert!(verify(), "all of them hold");
        count as f64 / begin.elapsed().as_secs_f64()
    });
    runs.fold(0.0, f64::max)
}

fn main() {
    let other = LIBRARY == "blst";
    let mut report = Report::new(if other { "bls-blst" } else { "bls" });
    println!("our arithmetic by {LIBRARY}");
    println!(
        "{:>8} {:>12} {:>12} {:>8} {:>14} {:>14} {:>8}",
        "signers", "one by one", "together", "ratio", "blst, one", "blst, together", "ratio"
    );
    for count in SIGNERS {
        let mut approvals = Approvals::new(count);
        let one = rate(count, || approvals.one_by_one());
        let together = rate(count, || approvals.together());
        let blst_one = rate(count, || approvals.blst_one_by_one());
        let blst_together = rate(count, || approvals.blst_together());
        println!(
            "{count:>8} {one:>10.0}/s {together:>10.0}/s {:>7.1}x {blst_one:>12.0}/s {blst_together:>12.0}/s {:>7.1}x",
            together / one,
            blst_together / blst_one,
        );
        let metric = format!("approvals of one claim verified together, {count} signers");
        let figure = Figure::plain(&metric, together, "1/s").beside("one by one", one);
        report.push(match (count, other) {
            (128, false) => figure.wanted(Target::AtLeast(5.0)),
            _ => figure,
        });
        if other {
            let library = rate(count, || approvals.library_one_by_one());
            println!(
                "{:>8} {library:>10.0}/s one by one with bls12_381, {:.1}x",
                "",
                together / library
            );
            let figure = Figure::plain(&metric, together, "1/s");
            let figure = figure.beside("one by one with bls12_381", library);
            report.push(match count {
                128 => figure.wanted(Target::AtLeast(12.0)),
                _ => figure,
            });
        }
        report.push(Figure::plain(&metric, together, "1/s").beside("blst together", blst_together));
        let metric = format!("approvals of one claim verified one by one, {count} signers");
        report.push(Figure::plain(&metric, one, "1/s").beside("blst one by one", blst_one));
        approvals.compare();
    }
    report.write();
}
