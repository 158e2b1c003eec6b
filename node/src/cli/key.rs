//! `surety key`: keys are made, imported, listed, exported and proven to be held.

mod import;
pub(in crate::cli) mod prove;

use clap::{Args, Subcommand};
use serde_json::json;
use zeroize::Zeroizing;

use super::sign::{self, Place};
use super::{Context, file};
use crate::key::{Ask, Kdf, KeyDirectory, KeyEntry, KeyKind, Secret};
use crate::shell::{CliError, Exit, Table};

/// `surety key`
#[derive(Debug, Args)]
pub(super) struct KeyCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a key
    New(New),
    /// Store a key that exists, encrypted
    Import(import::Import),
    /// Print a secret key
    Export(Export),
    /// List keys by kind and public name
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Print the public BLS key and the proof that its secret is held, as a registration needs them
    Prove(prove::Prove),
}

#[derive(Debug, Args)]
struct New {
    /// What it is for: bls, ed25519, secp256k1, network, rsa
    #[arg(long)]
    kind: KeyKind,
    #[command(flatten)]
    place: Place,
    /// Derive the encryption key cheaply, for local test networks only
    #[arg(long)]
    light_kdf: bool,
}

#[derive(Debug, Args)]
struct Export {
    /// The kind or the public name of the key; needed only if there are several
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    key: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Say that whoever sees the output can spend and sign as you
    #[arg(long)]
    yes_i_understand: bool,
}

pub(super) fn run(context: &Context, command: KeyCommand) -> Result<(), CliError> {
    match command.verb {
        Verb::New(verb) => new(context, &verb),
        Verb::Import(verb) => import::run(context, &verb),
        Verb::Export(verb) => export(context, &verb),
        Verb::List { place } => list(context, &place),
        Verb::Prove(verb) => prove::run(context, &verb),
    }
}

/// How a key is encrypted.
pub(super) const fn kdf(light: bool) -> Kdf {
    if light { Kdf::light() } else { Kdf::strong() }
}

fn new(context: &Context, verb: &New) -> Result<(), CliError> {
    let password = sign::password(verb.place.password_file.as_deref(), Ask::Twice)?;
    let keys = KeyDirectory::open(&verb.place.keys())?;
    tell(
        context,
        &keys.create(verb.kind, &password, kdf(verb.light_kdf))?,
    )
}

/// Prints a key's public part.
fn tell(context: &Context, entry: &KeyEntry) -> Result<(), CliError> {
    let human = format!("{} {}\n{}", entry.kind, entry.public, entry.file.display());
    context.shell.data(human, entry)
}

fn list(context: &Context, place: &Place) -> Result<(), CliError> {
    let entries = place.open()?.list()?;
    let mut table = Table::new(["kind", "public", "protection", "file"]);
    for entry in &entries {
        let protection = if entry.light { "light" } else { "strong" };
        let file = entry.file.display().to_string();
        table.row([entry.kind.name(), &entry.public, protection, &file]);
    }
    context.shell.table(&table, &entries)
}

/// Prints a secret (rule CM-5).
fn export(context: &Context, verb: &Export) -> Result<(), CliError> {
    if !verb.yes_i_understand {
        let message = "a secret key is printed only if you say that you understand what that means";
        return Err(CliError::new(Exit::Usage, "export-unconfirmed", message).with_help(
            "whoever sees it can spend and sign as you, and get you slashed; add --yes-i-understand",
        ));
    }
    let keys = verb.place.open()?;
    let entry = sign::find(&keys, verb.key.as_deref(), KeyKind::ALL)?;
    let secret = keys.open_key(&entry, &verb.place.password()?)?;
    let text = secret_text(entry.kind, &secret)?;
    let value = json!({ "kind": entry.kind, "public": entry.public, "secret": *text });
    context.shell.data(text.as_str(), &value)
}

/// A wallet is the text of its JWK file, every other key is hexadecimal.
fn secret_text(kind: KeyKind, secret: &Secret) -> Result<Zeroizing<String>, CliError> {
    if kind == KeyKind::Rsa {
        let text = std::str::from_utf8(secret.expose()).map(str::to_owned);
        return text.map(Zeroizing::new).map_err(|_| {
            CliError::new(Exit::Config, "key", "the stored wallet is not text")
                .with_help("import the wallet file again")
        });
    }
    Ok(Zeroizing::new(super::util::hex(secret.expose())))
}

/// Bytes of a file with a secret key: an RSA-4096 wallet takes about 4 KiB.
const SECRET_FILE_MAX: usize = 64 << 10;

/// Reads a file with a secret; the copy is overwritten when dropped.
fn read_secret(path: &std::path::Path) -> Result<Zeroizing<Vec<u8>>, CliError> {
    Ok(Zeroizing::new(file::read(path, SECRET_FILE_MAX)?))
}
