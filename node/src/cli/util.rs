//! `surety util`: looking into files, and signing data items.

mod cbor;
mod identify;
mod show_item;
mod sign_item;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Context;
use crate::shell::CliError;

/// Bytes of a file that is looked into: more than anything that Surety writes.
const FILE_BYTES_MAX: usize = 128 << 20;

/// `surety util`
#[derive(Debug, Args)]
pub(super) struct UtilArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show or sign an ANS-104 data item
    Item {
        #[command(subcommand)]
        verb: ItemVerb,
    },
    /// Print the id of what is in a file: a data item, or an object of Surety
    Id {
        /// The file; `-` is standard input
        file: PathBuf,
    },
    /// Print the hashes of a file
    Hash {
        /// The file; `-` is standard input
        file: PathBuf,
    },
    /// Print canonical CBOR in diagnostic notation
    Cbor {
        /// The file; `-` is standard input
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum ItemVerb {
    /// Show a data item or a bundle, with everything nested in it, and check every signature
    Show {
        /// The file; `-` is standard input
        file: PathBuf,
    },
    /// Sign a data item
    Sign(sign_item::SignItem),
}

pub(super) fn run(context: &Context, args: UtilArgs) -> Result<(), CliError> {
    match args.verb {
        Verb::Item {
            verb: ItemVerb::Show { file },
        } => show_item::run(context, &file),
        Verb::Item {
            verb: ItemVerb::Sign(verb),
        } => sign_item::run(context, &verb),
        Verb::Id { file } => identify::id(context, &file),
        Verb::Hash { file } => identify::hash(context, &file),
        Verb::Cbor { file } => cbor::run(context, &file),
    }
}

/// A bundle starts with its number of items: 32 bytes, little-endian, of which all but eight are zero in every bundle that can
/// be. An item whose signature has so many zeros there is not authentic.
fn is_bundle(bytes: &[u8]) -> bool {
    bytes
        .get(8..32)
        .is_some_and(|high| high.iter().all(|byte| *byte == 0))
}

/// Hexadecimal, two digits for every byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |index: u8| {
        DIGITS
            .get(usize::from(index))
            .copied()
            .map_or('0', char::from)
    };
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}
