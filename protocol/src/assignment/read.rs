//! Reads an assignment from its item, tag by tag.

use std::str::FromStr;

use crate::assignment::{Assignment, block_height_text};
use crate::id::AssignmentId;
use crate::item::{ItemView, Tags};
use crate::time::{Slot, Timestamp};

/// Why an item is not an assignment.
///
/// ## Penalty
/// None: an item that is no assignment says nothing about any slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssignmentError {
    /// The item has a target.
    #[error("an assignment has no target")]
    Target,
    /// The item carries data.
    #[error("an assignment has no data")]
    Data,
    /// A tag is missing, or another stands in its place.
    #[error("tag `{0}` is not in its place")]
    Missing(&'static str),
    /// A tag's value is not what the tag must hold.
    #[error("tag `{0}` does not hold what it must")]
    Value(&'static str),
    /// A tag that assignments do not have, or one too many.
    #[error("a tag that assignments do not have")]
    Excess,
}

impl AssignmentError {
    /// The stable name of the fault, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            AssignmentError::Target => "assignment-target",
            AssignmentError::Data => "assignment-data",
            AssignmentError::Missing(_) => "assignment-tag-missing",
            AssignmentError::Value(_) => "assignment-tag-value",
            AssignmentError::Excess => "assignment-tag-excess",
        }
    }
}

pub(super) fn read(item: &ItemView<'_>) -> Result<Assignment, AssignmentError> {
    if item.target().is_some() {
        return Err(AssignmentError::Target);
    }
    if !item.data().is_empty() {
        return Err(AssignmentError::Data);
    }
    let mut tags = item.tags();
    let process = parsed(&mut tags, "Process")?;
    let epoch = number(&mut tags, "Epoch", |n| n.to_string())?;
    let slot = Slot(number(&mut tags, "Nonce", |n| n.to_string())?);
    let hash_chain = parsed(&mut tags, "Hash-Chain")?;
    let block_height = number(&mut tags, "Block-Height", block_height_text)?;
    let timestamp = Timestamp(number(&mut tags, "Timestamp", |n| n.to_string())?);
    for (name, value) in [
        ("Data-Protocol", "ao"),
        ("Type", "Assignment"),
        ("Variant", "ao.TN.1"),
    ] {
        if next(&mut tags, name)? != value {
            return Err(AssignmentError::Value(name));
        }
    }
    let mut rest = tags.peekable();
    let message = match rest.next_if(|(name, _)| *name == "Message") {
        Some((_, id)) => Some(id.parse().map_err(|_| AssignmentError::Value("Message"))?),
        None => None,
    };
    let mut exclude = Vec::new();
    while let Some((_, field)) = rest.next_if(|(name, _)| *name == "Exclude") {
        exclude.push(field.to_owned());
    }
    let timer = rest.next_if(|(name, _)| *name == "Cron");
    let timer = timer.map(|(_, name)| name.to_owned());
    if rest.next().is_some() {
        return Err(AssignmentError::Excess);
    }
    Ok(Assignment {
        id: AssignmentId::from(item.id()),
        signer: item.owner_address(),
        process,
        epoch,
        slot,
        hash_chain,
        block_height,
        timestamp,
        message,
        exclude,
        timer,
    })
}

/// The value of the next tag, which must have this name.
fn next<'a>(tags: &mut Tags<'a>, name: &'static str) -> Result<&'a str, AssignmentError> {
    match tags.next() {
        Some((found, value)) if found == name => Ok(value),
        _ => Err(AssignmentError::Missing(name)),
    }
}

fn parsed<T: FromStr>(tags: &mut Tags<'_>, name: &'static str) -> Result<T, AssignmentError> {
    next(tags, name)?
        .parse()
        .map_err(|_| AssignmentError::Value(name))
}

/// A number that has only one spelling (rule AS-2).
fn number(
    tags: &mut Tags<'_>,
    name: &'static str,
    spell: impl FnOnce(u64) -> String,
) -> Result<u64, AssignmentError> {
    let text = next(tags, name)?;
    let value = text.parse().map_err(|_| AssignmentError::Value(name))?;
    if spell(value) == text {
        Ok(value)
    } else {
        Err(AssignmentError::Value(name))
    }
}
