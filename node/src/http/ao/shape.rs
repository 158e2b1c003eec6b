//! Items as AO's scheduler writes them in JSON.

use serde_json::{Map, Value, json};
use surety_protocol::assignment::{Assignment, block_height_text};
use surety_protocol::id::{ProcessId, base64url};
use surety_protocol::item::Item;

/// A slot: the message (the process itself at slot 0) and its assignment. What is assigned without a message has none.
pub(super) fn slot(assignment: &Item, message: Option<&Item>, any_anchor: bool) -> Value {
    let message = message.map(|item| {
        let mut said = signed(item, any_anchor);
        said.insert("data".into(), data(item));
        said
    });
    json!({ "message": message, "assignment": signed(assignment, any_anchor) })
}

/// A process with what its first assignment says.
pub(super) fn process(id: &ProcessId, item: &Item, assignment: &Assignment) -> Value {
    let mut said = signed(item, false);
    said.remove("id");
    said.insert("process_id".into(), json!(id));
    said.insert(
        "block".into(),
        block_height_text(assignment.block_height).into(),
    );
    said.insert("timestamp".into(), json!(assignment.timestamp));
    said.insert("data".into(), data(item));
    Value::Object(said)
}

fn signed(item: &Item, any_anchor: bool) -> Map<String, Value> {
    let tags: Vec<Value> = item
        .tags()
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    let owner = json!({
        "address": item.owner_address(),
        "key": base64url(item.owner()),
    });
    let mut said = Map::new();
    said.insert("id".into(), json!(item.id()));
    said.insert("owner".into(), owner);
    said.insert("tags".into(), tags.into());
    said.insert("signature".into(), base64url(item.signature()).into());
    said.insert("anchor".into(), anchor(item, any_anchor));
    let target = item.target().map(|it| base64url(it)).unwrap_or_default();
    said.insert("target".into(), target.into());
    said
}

/// Clients put text into an anchor. Other bytes are not shown, or in base64url to whoever asks for any.
fn anchor(item: &Item, any: bool) -> Value {
    match item.anchor().map(|it| (it, std::str::from_utf8(it))) {
        None => "".into(),
        Some((_, Ok(text))) => text.into(),
        Some((bytes, Err(_))) if any => base64url(bytes).into(),
        Some(_) => Value::Null,
    }
}

/// Data as text; bytes that are none are replaced, so whoever needs them asks the gateway.
fn data(item: &Item) -> Value {
    String::from_utf8_lossy(item.data()).into()
}
