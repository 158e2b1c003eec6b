//! Making data items from what one types: tags, data, amounts.

use std::path::PathBuf;

use clap::Args;
use surety_protocol::item::ItemDraft;
use surety_protocol::limits::ITEM_BYTES_MAX;
use surety_protocol::stake::{AO, Stake};

use super::file;
use crate::shell::CliError;

/// A tag as `NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag(pub(super) String, pub(super) String);

/// Why a text is not what an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ArgumentError {
    /// Not a tag.
    #[error("a tag is NAME=VALUE, neither of them empty")]
    Tag,
    /// Not an amount.
    #[error("an amount is a whole number of armstrongs (10^-12 AO), or a number of AO like 12.5ao")]
    Amount,
    /// Nothing.
    #[error("an amount of zero moves nothing: it must be more")]
    Zero,
}

impl std::str::FromStr for Tag {
    type Err = ArgumentError;

    fn from_str(text: &str) -> Result<Tag, ArgumentError> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                Ok(Tag(name.to_owned(), value.to_owned()))
            }
            _ => Err(ArgumentError::Tag),
        }
    }
}

/// Reads an amount: `250` is 250 armstrongs, `0.25ao` a quarter of an AO.
pub(super) fn amount(text: &str) -> Result<Stake, ArgumentError> {
    let wrong = ArgumentError::Amount;
    let Some(ao) = text.strip_suffix("ao").or_else(|| text.strip_suffix("AO")) else {
        return text.parse().map_err(|_| wrong);
    };
    let (whole, part) = ao.split_once('.').unwrap_or((ao, "0"));
    if part.is_empty() || part.len() > 12 {
        return Err(wrong);
    }
    let digits = |text: &str| text.parse::<Stake>().map(|it| it.0).map_err(|_| wrong);
    let part = digits(&format!("{part:0<12}"))?;
    let whole = digits(whole)?.checked_mul(AO).ok_or(wrong)?;
    whole.checked_add(part).map(Stake).ok_or(wrong)
}

/// Reads an amount that is to be moved: to move none would be an item for nothing.
pub(super) fn some_amount(text: &str) -> Result<Stake, ArgumentError> {
    match amount(text)? {
        Stake::ZERO => Err(ArgumentError::Zero),
        some => Ok(some),
    }
}

/// What an item says and carries.
#[derive(Debug, Clone, Args)]
pub(super) struct Content {
    /// A tag of the item; may be given several times
    #[arg(long = "tag", value_name = "NAME=VALUE")]
    tags: Vec<Tag>,
    /// The data as text
    #[arg(
        long,
        value_name = "TEXT",
        conflicts_with = "file",
        allow_hyphen_values = true
    )]
    data: Option<String>,
    /// The file with the data; `-` is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Content {
    /// Adds tags and data.
    pub(super) fn add_to(&self, mut draft: ItemDraft) -> Result<ItemDraft, CliError> {
        draft.tags.extend(
            self.tags
                .iter()
                .map(|Tag(name, value)| (name.clone(), value.clone())),
        );
        Ok(match (&self.data, &self.file) {
            (Some(text), _) => draft.carrying(text.as_bytes()),
            (None, Some(path)) => draft.carrying(file::read(path, ITEM_BYTES_MAX)?),
            (None, None) => draft,
        })
    }
}

/// The first tags of everything that AO's units take, by its type.
pub(super) fn of_type(kind: &str) -> ItemDraft {
    ItemDraft::default()
        .tag("Data-Protocol", "ao")
        .tag("Variant", "ao.TN.1")
        .tag("Type", kind)
}
