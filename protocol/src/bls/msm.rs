//! Sums of points with small coefficients, by buckets. Not constant time: for public values only.

use bls12_381::{G1Affine, G1Projective, G2Affine, G2Projective};

/// Bits of a coefficient.
const BITS: u32 = 128;

/// The group operations that the sum needs.
pub(super) trait Summand: Copy {
    type Sum: Copy;
    const ZERO: fn() -> Self::Sum;
    fn double(sum: &Self::Sum) -> Self::Sum;
    fn add(sum: &Self::Sum, other: &Self::Sum) -> Self::Sum;
    fn add_one(sum: &Self::Sum, point: &Self) -> Self::Sum;
    fn finish(sum: &Self::Sum) -> Self;
}

macro_rules! summand {
    ($affine:ident, $projective:ident) => {
        impl Summand for $affine {
            type Sum = $projective;
            const ZERO: fn() -> $projective = $projective::identity;
            fn double(sum: &$projective) -> $projective {
                sum.double()
            }
            fn add(sum: &$projective, other: &$projective) -> $projective {
                sum.add(other)
            }
            fn add_one(sum: &$projective, point: &$affine) -> $projective {
                sum.add_mixed(point)
            }
            fn finish(sum: &$projective) -> $affine {
                $affine::from(sum)
            }
        }
    };
}
summand!(G1Affine, G1Projective);
summand!(G2Affine, G2Projective);

/// `sum(coefficient * point)`.
///
/// From the highest digit down: points are added into one bucket per digit value, and the sum of
/// `value * bucket` costs two additions per bucket.
pub(super) fn weighted_sum<P: Summand>(terms: &[(P, u128)]) -> P {
    let width = digit_bits(terms.len());
    let mut sum = P::ZERO();
    let mut buckets = vec![P::ZERO(); (1 << width) - 1];
    for digit in (0..BITS.div_ceil(width)).rev() {
        for _ in 0..width {
            sum = P::double(&sum);
        }
        buckets.fill(P::ZERO());
        for (point, coefficient) in terms {
            let value = (coefficient >> (digit * width)) & ((1 << width) - 1);
            let bucket = usize::try_from(value)
                .ok()
                .and_then(|value| value.checked_sub(1));
            if let Some(bucket) = bucket.and_then(|bucket| buckets.get_mut(bucket)) {
                *bucket = P::add_one(bucket, point);
            }
        }
        let mut above = P::ZERO();
        for bucket in buckets.iter().rev() {
            above = P::add(&above, bucket);
            sum = P::add(&sum, &above);
        }
    }
    P::finish(&sum)
}

/// Bits per digit that cost the fewest additions for this many terms; at most 10, so 1,023 buckets.
fn digit_bits(terms: usize) -> u32 {
    let terms = u64::try_from(terms).unwrap_or(u64::MAX);
    let cost = |width: &u32| {
        let additions = terms.saturating_add(1 << (width + 1));
        additions.saturating_mul(u64::from(BITS.div_ceil(*width)))
    };
    (1..=10).min_by_key(cost).unwrap_or(1)
}
