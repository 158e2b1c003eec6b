//! Secrets as bytes, for both libraries of the curve.

pub(super) use bls12_381::Scalar;
use zeroize::Zeroizing;

/// The secret that 32 big-endian bytes encode, if they are below the group order.
pub(super) fn decode_scalar(bytes: &[u8; 32]) -> Option<Scalar> {
    // The library's scalars are little-endian.
    let mut reversed = Zeroizing::new(*bytes);
    reversed.reverse();
    Option::from(Scalar::from_bytes(&reversed))
}

/// A secret as 32 big-endian bytes.
pub(super) fn encode_scalar(scalar: &Scalar) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new(scalar.to_bytes());
    bytes.reverse();
    bytes
}

/// A big-endian number of 48 bytes, reduced.
pub(super) fn reduce_scalar(bytes: &[u8; 48]) -> Scalar {
    // The library wants 64 bytes, least significant first.
    let mut wide = Zeroizing::new([0_u8; 64]);
    for (place, byte) in wide.iter_mut().take(48).rev().zip(bytes) {
        *place = *byte;
    }
    Scalar::from_bytes_wide(&wide)
}
