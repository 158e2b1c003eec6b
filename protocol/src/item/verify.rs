//! Checks an item's signature: the step from well-formed to authentic.

use aws_lc_rs::signature::{
    RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPssSaltLength, RsaPublicKeyComponents,
};

use crate::item::{ItemError, ItemView, SignatureType, ed25519, ethereum};

/// The public exponent of every Arweave wallet, 65537.
pub(crate) const RSA_EXPONENT: [u8; 3] = [1, 0, 1];

const SALT_DIGEST: RsaParameters =
    RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Digest);
const SALT_MAX: RsaParameters =
    RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Max);
const SALT_NONE: RsaParameters =
    RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(0));

/// Whether the owner signed the item (rules IT-7 to IT-10).
pub(crate) fn verify(item: &ItemView<'_>) -> Result<(), ItemError> {
    let message = item.signing_digest();
    let valid = match item.signature_type() {
        SignatureType::Arweave => rsa_pss(item.owner(), &message, item.signature())?,
        SignatureType::Ed25519 => ed25519::verify(item.owner(), &message, item.signature())?,
        SignatureType::Solana => ed25519::verify(
            item.owner(),
            hex_text(&message).as_bytes(),
            item.signature(),
        )?,
        SignatureType::Ethereum => {
            let signer = ethereum::signer(&ethereum::personal_digest(&message), item.signature());
            signer.is_some_and(|key| *key == *item.owner())
        }
        SignatureType::TypedEthereum => {
            let account = ethereum::parse_account(item.owner()).ok_or(ItemError::Owner)?;
            let digest = ethereum::typed_digest(&message, &account);
            let signer = ethereum::signer(&digest, item.signature());
            signer.and_then(|key| ethereum::account_of(&key)) == Some(account)
        }
        kind @ (SignatureType::InjectedAptos | SignatureType::MultiAptos) => {
            return Err(ItemError::SignatureTypeUnsupported(kind));
        }
    };
    if valid {
        Ok(())
    } else {
        Err(ItemError::SignatureInvalid)
    }
}

fn rsa_pss(owner: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, ItemError> {
    // A leading zero byte would give a shorter key another spelling, hence another address.
    if owner.first().is_none_or(|first| *first == 0) {
        return Err(ItemError::Owner);
    }
    let key = RsaPublicKeyComponents {
        n: owner,
        e: &RSA_EXPONENT[..],
    };
    let salts = [&SALT_DIGEST, &SALT_MAX, &SALT_NONE];
    Ok(salts
        .into_iter()
        .any(|salt| key.verify(salt, message, signature).is_ok()))
}

/// Lower-case hexadecimal.
fn hex_text(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
