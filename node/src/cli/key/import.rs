//! `surety key import`: a key that exists elsewhere is stored encrypted.

use std::path::PathBuf;

use clap::Args;
use zeroize::Zeroizing;

use super::{kdf, read_secret, tell};
use crate::cli::Context;
use crate::cli::sign::{self, Place};
use crate::key::{Ask, KeyDirectory, KeyKind, Secret};
use crate::shell::{CliError, Exit};

/// `surety key import`
#[derive(Debug, Args)]
pub(super) struct Import {
    /// What it is for: bls, ed25519, secp256k1, network, rsa
    #[arg(long)]
    kind: KeyKind,
    /// The secret: 32 bytes in hexadecimal, or a wallet's JWK file for rsa; `-` is standard input
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Derive the encryption key cheaply, for local test networks only
    #[arg(long)]
    light_kdf: bool,
}

pub(super) fn run(context: &Context, verb: &Import) -> Result<(), CliError> {
    let bytes = read_secret(&verb.file)?;
    let secret = match verb.kind {
        KeyKind::Rsa => Secret::new(bytes),
        _ => Secret::new(unhex(&bytes).ok_or_else(|| {
            let message = format!("the file does not hold a {} key", verb.kind);
            CliError::new(Exit::Config, "key", message)
                .with_help("it must be 64 hexadecimal digits, with or without 0x before them")
        })?),
    };
    let password = sign::password(verb.place.password_file.as_deref(), Ask::Twice)?;
    let keys = KeyDirectory::open(&verb.place.keys())?;
    tell(
        context,
        &keys.import(verb.kind, &secret, &password, kdf(verb.light_kdf))?,
    )
}

/// 32 bytes from hexadecimal; white space around them does not count.
fn unhex(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"0x").unwrap_or(text);
    if text.len() != 64 {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Zeroizing::new(Vec::with_capacity(32));
    for pair in text.chunks_exact(2) {
        let [high, low] = pair else { return None };
        bytes.push(u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?);
    }
    Some(bytes)
}
