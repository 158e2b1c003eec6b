//! What assignments and items say that they are about.

use surety_protocol::assignment::Assignment;
use surety_protocol::id::{Address, ItemId, MessageId, ModuleId};
use surety_protocol::item::Item;
use surety_protocol::time::Slot;

/// Whether an assignment gives a slot to exactly one thing, and what came with it is that: large messages do not come with theirs.
pub fn assigns(assignment: &Assignment, given: Option<ItemId>) -> bool {
    let (sound, named) = match assignment.slot {
        Slot(0) => {
            let sound = assignment.message.is_none() && assignment.timer.is_none();
            (sound, Some(ItemId::from(assignment.process)))
        }
        _ => {
            let sound = assignment.message.is_some() != assignment.timer.is_some();
            (sound, assignment.message.map(Into::into))
        }
    };
    sound && (given == named || given.is_none())
}

/// What an item says that it is: AO takes the tag in both spellings.
pub fn kind(item: &Item) -> Option<&str> {
    item.tag("Type").or_else(|| item.tag("type"))
}

/// Scheduler and module of the process that an item is, if a log can begin with it.
pub fn begins(item: &Item) -> Option<(Address, ModuleId)> {
    kind(item).filter(|it| *it == "Process")?;
    let scheduler = item.tag("Scheduler")?.parse().ok()?;
    Some((scheduler, item.tag("Module")?.parse().ok()?))
}

/// The message that an assignment is about; at slot 0 the process item.
pub fn subject(assignment: &Assignment) -> MessageId {
    assignment
        .message
        .unwrap_or(MessageId::new(*assignment.process.as_bytes()))
}
