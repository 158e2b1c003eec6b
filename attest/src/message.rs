//! From data items to what a module is given, by AO's rules.
//!
//! # Rules
//!
//! - `[ME-1]` At slot 0 the message is the process item itself; at every other slot the item that the assignment names, or
//!   nothing for a tick.
//! - `[ME-2]` `Owner` is the address of who signed, as AO writes it for the kind of key; `From` is the sending process
//!   (`From-Process`) if the item has one, else the owner. Tags named `From` or `Owner` are dropped, because modules
//!   would believe them; of a tick's too. `Forwarded-By` is the owner where it is not the sender.
//! - `[ME-3]` `Timestamp`, `Block-Height`, `Epoch`, `Nonce` and `Hash-Chain` are the assignment's.
//! - `[ME-4]` The limits are the process' own tags, else the module's, else the profile's; `Memory-Limit` is `<n>-<unit>` with
//!   units b, kb, mb, gb of 1024, `Compute-Limit` a number of gas.
//! - `[ME-5]` `Data`, `Tags` and `Anchor` are empty, and `Signature` is left out, if the assignment excludes them. Other
//!   fields cannot be excluded.
//! - `[ME-6]` A tick's message is from the owner of the process to the process, with the tags of its timer and without data. It
//!   has no id, signature, epoch, nonce or hash chain; `Cron` is true.

use bytes::Bytes;
use surety_protocol::assignment::Assignment;
use surety_protocol::execution::Input;
use surety_protocol::id::base64url;
use surety_protocol::item::Item;
use surety_protocol::profile::Profile;

use crate::cron;
use crate::engine::{Environment, Message, Program, Subject};

/// What a process runs, from the items of process and module.
pub fn program(profile: &Profile, process: &Item, module: &Item) -> Program {
    let tag = |name: &str| process.tag(name).or_else(|| module.tag(name));
    let memory = tag("Memory-Limit")
        .and_then(memory_limit)
        .unwrap_or(profile.memory_bytes_max);
    let compute = tag("Compute-Limit")
        .and_then(|it| it.parse().ok())
        .unwrap_or(profile.gas_max);
    Program {
        module_id: module.id().into(),
        bytes: Bytes::from_owner(Data(module.clone())),
        environment: Environment {
            process: subject(process),
            module: subject(module),
        },
        memory_limit: memory.min(profile.memory_bytes_max),
        compute_limit: compute.min(profile.gas_max),
    }
}

/// What an item carries, shared with it.
struct Data(Item);

impl AsRef<[u8]> for Data {
    fn as_ref(&self) -> &[u8] {
        self.0.data()
    }
}

/// The clock of a process: the timestamp of its own assignment.
pub fn clock(first: &Assignment) -> u64 {
    first.timestamp.0
}

/// What the module is given for an input (rules ME-1 to ME-3 and ME-5); nothing if the assignment is malformed.
pub fn message(process: &Item, input: &Input) -> Option<Message> {
    let assignment = Assignment::from_item(&input.assignment).ok()?;
    let item_bytes = input.item_bytes();
    if let (Some(timer), None) = (&assignment.timer, &input.message) {
        let tick = tick(process, &assignment, timer)?;
        return Some(Message { item_bytes, ..tick });
    }
    let item: &Item = match &input.message {
        Some(message) => message,
        None if assignment.slot.0 == 0 => process,
        None => return None,
    };
    let module = process.tag("Module").unwrap_or_default().to_owned();
    let owner = item.ao_address();
    // [ME-5]
    let excluded = |field: &str| assignment.exclude.iter().any(|it| it == field);
    let from_process = item.tag("From-Process").map(str::to_owned);
    let from = from_process.unwrap_or_else(|| owner.clone());
    let process_id = process.id().to_string();
    Some(Message {
        id: Some(item.id().to_string()),
        signature: (!excluded("Signature")).then(|| base64url(item.signature())),
        target: item.target().map_or(process_id, |target| base64url(target)),
        forwarded_by: (from != owner).then(|| owner.clone()),
        owner,
        from,
        anchor: item
            .anchor()
            .filter(|_| !excluded("Anchor"))
            .map(text_or_base64url)
            .unwrap_or_default(),
        tags: match excluded("Tags") {
            true => Vec::new(),
            false => tags(item),
        },
        data: match excluded("Data") {
            true => Vec::new(),
            false => item.data().to_vec(),
        },
        module,
        block_height: assignment.block_height,
        timestamp: assignment.timestamp.0,
        epoch: Some(assignment.epoch),
        nonce: Some(assignment.slot.0),
        hash_chain: Some(assignment.hash_chain.to_string()),
        cron: false,
        read_only: false,
        item_bytes,
    })
}

/// What the module is given for a tick (rule ME-6); nothing if the process has no such timer.
fn tick(process: &Item, assignment: &Assignment, timer: &str) -> Option<Message> {
    let timer = cron::timers(process)
        .into_iter()
        .find(|it| it.name == timer)?;
    let owner = process.ao_address();
    Some(Message {
        target: process.id().to_string(),
        from: owner.clone(),
        owner,
        tags: believed(timer.tags),
        module: process.tag("Module").unwrap_or_default().to_owned(),
        block_height: assignment.block_height,
        timestamp: assignment.timestamp.0,
        cron: true,
        ..Message::default()
    })
}

fn subject(item: &Item) -> Subject {
    let tags = item
        .tags()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Subject {
        id: item.id().to_string(),
        owner: item.ao_address(),
        tags,
    }
}

fn tags(item: &Item) -> Vec<(String, String)> {
    let tags = item.tags();
    believed(tags.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

/// Without the tags that modules would believe (rule ME-2).
fn believed(tags: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    let tags = tags.into_iter();
    tags.filter(|(name, _)| name != "From" && name != "Owner")
        .collect()
}

/// Clients put 32 characters into the anchor; where the bytes are no text, base64url is.
fn text_or_base64url(anchor: &[u8; 32]) -> String {
    match std::str::from_utf8(anchor) {
        Ok(text) if !text.contains('\0') => text.to_owned(),
        _ => base64url(anchor),
    }
}

/// Bytes in AO's `<n>-<unit>` (rule ME-4).
fn memory_limit(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once('-')?;
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "b" => 1,
        "kb" => 1 << 10,
        "mb" => 1 << 20,
        "gb" => 1 << 30,
        _ => return None,
    };
    number.trim().parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_limits_are_read_as_ao_writes_them() {
        assert_eq!(memory_limit("500-mb"), Some(500 << 20));
        assert_eq!(memory_limit("1-GB"), Some(1 << 30));
        for wrong in [
            "500",
            "500-tb",
            "-mb",
            "x-mb",
            "99999999999999999999-b",
            "99999999999-gb",
        ] {
            assert_eq!(memory_limit(wrong), None, "{wrong}");
        }
    }
}
