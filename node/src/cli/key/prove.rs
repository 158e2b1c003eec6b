//! `surety key prove`: that the secret of the BLS key is held.

use clap::Args;
use serde_json::json;
use surety_protocol::bls::SecretKey;

use crate::cli::Context;
use crate::cli::sign::{self, Place};
use crate::key::{KeyDirectory, KeyKind, Password};
use crate::shell::{CliError, Exit};

/// `surety key prove`
#[derive(Debug, Args)]
pub(super) struct Prove {
    /// The public name of the key; needed only if there are several
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    key: Option<String>,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(context: &Context, verb: &Prove) -> Result<(), CliError> {
    let key = bls_key(
        &verb.place.open()?,
        verb.key.as_deref(),
        &verb.place.password()?,
    )?;
    let (public, proof) = (
        key.public_key().to_string(),
        key.prove_possession().to_string(),
    );
    let human = format!("key         {public}\npossession  {proof}");
    context
        .shell
        .data(human, &json!({ "key": public, "possession": proof }))
}

/// Decrypts the hot key.
pub(in crate::cli) fn bls_key(
    keys: &KeyDirectory,
    name: Option<&str>,
    password: &Password,
) -> Result<SecretKey, CliError> {
    let entry = sign::find(keys, name, &[KeyKind::Bls])?;
    let secret = keys.open_key(&entry, password)?;
    let bytes: Option<&[u8; 32]> = secret.expose().try_into().ok();
    bytes
        .and_then(|bytes| SecretKey::from_bytes(bytes).ok())
        .ok_or_else(|| {
            CliError::new(Exit::Config, "key", "the stored BLS key is not a key")
                .with_help("restore its file from a backup")
        })
}
