//! What is offered to a scheduler, by its tags.

use surety_protocol::item::Item;

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

pub(super) fn kind(item: &Item) -> Option<Kind> {
    item.tag("Data-Protocol")
        .filter(|protocol| *protocol == "ao")?;
    match item.tag("Type")? {
        "Process" => Some(Kind::Process),
        "Message" => Some(Kind::Message),
        _ => None,
    }
}
