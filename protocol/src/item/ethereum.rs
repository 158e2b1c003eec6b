//! Ethereum's ways to sign the deep hash, and its addresses.

use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use sha3::{Digest as _, Keccak256};

/// The typed-data type of a signed item, as the wallets that sign type 7 show it.
const TYPED_ITEM: &[u8] = b"Bundlr(bytes Transaction hash,address address)";
/// The type of its domain, and the domain's two fields.
const TYPED_DOMAIN: &[u8] = b"EIP712Domain(string name,string version)";
const DOMAIN_NAME: &[u8] = b"Bundlr";
const DOMAIN_VERSION: &[u8] = b"1";

/// A 20-byte account address.
pub(crate) type Account = [u8; 20];

pub(crate) fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The digest of a personal message (EIP-191, version `E`).
pub(crate) fn personal_digest(message: &[u8]) -> [u8; 32] {
    let length = message.len().to_string();
    keccak(&[
        b"\x19Ethereum Signed Message:\n",
        length.as_bytes(),
        message,
    ])
}

/// The digest of the typed data (EIP-712) of an item's deep hash and the account that signs it.
pub(crate) fn typed_digest(deep_hash: &[u8], account: &Account) -> [u8; 32] {
    let domain = keccak(&[
        &keccak(&[TYPED_DOMAIN]),
        &keccak(&[DOMAIN_NAME]),
        &keccak(&[DOMAIN_VERSION]),
    ]);
    let item = keccak(&[
        &keccak(&[TYPED_ITEM]),
        &keccak(&[deep_hash]),
        &[0; 12],
        account,
    ]);
    keccak(&[b"\x19\x01", &domain, &item])
}

/// The uncompressed public key (65 bytes) that made a signature, if it has its one accepted form:
/// `r || s || v` with the lower `s` and `v` of 27 or 28.
pub(crate) fn signer(digest: &[u8; 32], signature: &[u8]) -> Option<Box<[u8]>> {
    let (v, rs) = signature.split_last()?;
    let recovery = RecoveryId::from_byte(v.checked_sub(27)?).filter(|id| !id.is_x_reduced())?;
    let signature = Signature::from_slice(rs).ok()?;
    if signature.normalize_s() != signature {
        return None;
    }
    let key = VerifyingKey::recover_from_prehash(digest, &signature, recovery).ok()?;
    Some(key.to_sec1_point(false).as_bytes().into())
}

/// Signs a digest in the form that [`signer`] accepts; `None` has never been seen: it would take a
/// point whose first coordinate lies between the curve's order and its field's.
pub(crate) fn sign(key: &SigningKey, digest: &[u8; 32]) -> Option<Vec<u8>> {
    let (signature, recovery) = key.sign_prehash_recoverable(digest);
    if recovery.is_x_reduced() {
        return None;
    }
    let mut bytes = signature.to_bytes().to_vec();
    bytes.push(27 + u8::from(recovery.is_y_odd()));
    Some(bytes)
}

/// The account of an uncompressed public key.
pub(crate) fn account_of(public_key: &[u8]) -> Option<Account> {
    let (4, point) = public_key.split_first()? else {
        return None;
    };
    keccak(&[point]).get(12..)?.try_into().ok()
}

/// Reads an address in text: `0x` and 40 hexadecimal digits, of one case or with the right checksum.
pub(crate) fn parse_account(text: &[u8]) -> Option<Account> {
    let digits = text.strip_prefix(b"0x")?;
    if digits.len() != 40 {
        return None;
    }
    let mut account = [0; 20];
    for (byte, pair) in account.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            *byte = (*byte << 4) | u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        }
    }
    let lower = digits.iter().any(u8::is_ascii_lowercase);
    let upper = digits.iter().any(u8::is_ascii_uppercase);
    if lower && upper && checksummed(&account).as_bytes() != text {
        return None;
    }
    Some(account)
}

/// The address with its checksum in the case of its letters (EIP-55).
pub(crate) fn checksummed(account: &Account) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    let digits: String = account
        .iter()
        .flat_map(|b| [digit(b >> 4), digit(b & 15)])
        .collect();
    let sum = keccak(&[digits.as_bytes()]);
    let nibbles = sum.iter().flat_map(|b| [b >> 4, b & 15]);
    let cased = digits.chars().zip(nibbles).map(|(digit, nibble)| {
        if nibble >= 8 {
            digit.to_ascii_uppercase()
        } else {
            digit
        }
    });
    "0x".chars().chain(cased).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_the_standard() {
        for text in [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        ] {
            let account = parse_account(text.as_bytes()).unwrap();
            assert_eq!(checksummed(&account), text);
            assert_eq!(parse_account(text.to_lowercase().as_bytes()), Some(account));
            // One letter in the wrong case.
            let wrong = text.replacen('B', "b", 1);
            assert_eq!(parse_account(wrong.as_bytes()), None);
            assert_eq!(parse_account(&text.as_bytes()[..41]), None);
        }
    }

    #[test]
    fn only_one_form_of_a_signature_is_accepted() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let owner = key.verifying_key().to_sec1_point(false);
        let digest = personal_digest(b"message");
        let signature = sign(&key, &digest).unwrap();
        assert_eq!(
            signer(&digest, &signature).as_deref(),
            Some(owner.as_bytes())
        );

        for v in (0..=255_u8).filter(|v| *v != signature[64]) {
            let mut other = signature.clone();
            other[64] = v;
            assert_ne!(
                signer(&digest, &other).as_deref(),
                Some(owner.as_bytes()),
                "v = {v}"
            );
        }
        // The mirrored signature, which a verifier that takes any `s` would accept.
        let low = Signature::from_slice(&signature[..64]).unwrap();
        let high = Signature::from_scalars(low.r().to_bytes(), (-*low.s()).to_bytes()).unwrap();
        let mut other = high.to_bytes().to_vec();
        other.push(if signature[64] == 27 { 28 } else { 27 });
        assert_eq!(signer(&digest, &other), None);
    }
}
