//! What is offered to a scheduler, by its tags.

use surety_protocol::id::ItemId;
use surety_protocol::item::Item;

use crate::log;

/// Bytes of a field's name.
const FIELD_BYTES_MAX: usize = 64;

/// Whether a text is the name of a field: letters, digits and hyphens.
pub(super) fn sound_field(name: &str) -> bool {
    let letter = |it: u8| it.is_ascii_alphanumeric() || it == b'-';
    (1..=FIELD_BYTES_MAX).contains(&name.len()) && name.bytes().all(letter)
}

pub(super) enum Kind {
    Process,
    Message,
}

/// What an item is, or the code of its refusal and why (rule SC-9).
pub(super) fn kind(item: &Item) -> Result<Kind, (&'static str, &'static str)> {
    if item.tag("Data-Protocol").is_none() {
        return Err(("protocol-missing", "the tag Data-Protocol is missing"));
    }
    let links = |it: &str| it.ends_with("+link");
    if item.tags().any(|(name, value)| links(name) || links(value)) {
        return Err((
            "link-unsupported",
            "tags that end with +link name what is elsewhere, and cannot be resolved here",
        ));
    }
    match log::kind(item) {
        Some("Process") => Ok(Kind::Process),
        Some("Message") => Ok(Kind::Message),
        _ => Err(("type-unsupported", "tag Type must be Process or Message")),
    }
}

/// Whether a process can boot: from its own data, or from an item.
pub(super) fn bootable(process: &Item) -> bool {
    let on_boot = process.tag("On-Boot");
    on_boot.is_none_or(|it| it == "Data" || it.parse::<ItemId>().is_ok())
}
