//! `surety util item show`: a data item or a bundle, and whether all of it is authentic.

use std::path::Path;

use serde_json::{Value, json};
use surety_protocol::bundle::{self, Nested};
use surety_protocol::hash::sha256;
use surety_protocol::id::base64url;
use surety_protocol::item::{ItemError, ItemView};

use super::{FILE_BYTES_MAX, hex, is_bundle};
use crate::cli::{Context, file, show};
use crate::shell::{CliError, Exit, Table};

pub(super) fn run(context: &Context, path: &Path) -> Result<(), CliError> {
    let bytes = file::read(path, FILE_BYTES_MAX)?;
    match is_bundle(&bytes) {
        true => show_bundle(context, &bytes),
        false => show_item(context, &bytes),
    }
}

fn show_item(context: &Context, bytes: &[u8]) -> Result<(), CliError> {
    let item = ItemView::parse(bytes).map_err(invalid)?;
    item.verify().map_err(invalid)?;
    let nested = match bundle::carries(&item) {
        true => checked(item.data())?,
        false => Vec::new(),
    };
    let mut told = describe(&item);
    if let (true, Value::Object(fields)) = (bundle::carries(&item), &mut told) {
        fields.insert("kind".into(), "item".into());
        fields.insert("items".into(), nested.iter().map(of_nested).collect());
    }
    let human = format!("{}{}", show::fields(&describe(&item)), table(&nested));
    context.shell.data(human, &told)
}

fn show_bundle(context: &Context, bytes: &[u8]) -> Result<(), CliError> {
    let items = checked(bytes)?;
    let told = json!({
        "kind": "bundle",
        "bytes": bytes.len(),
        "items": items.iter().map(of_nested).collect::<Vec<_>>(),
    });
    let human = format!("bundle of {} items\n{}", items.len(), table(&items));
    context.shell.data(human, &told)
}

/// Every item of a bundle, nested ones too, all of them authentic.
fn checked(bytes: &[u8]) -> Result<Vec<Nested<'_>>, CliError> {
    let items = bundle::flatten(bytes).map_err(invalid)?;
    for nested in &items {
        nested.item.verify().map_err(|error| {
            let id = nested.item.id();
            let message = format!("item {id} of the bundle: {error}");
            CliError::new(Exit::VerificationFailed, error.code(), message)
        })?;
    }
    Ok(items)
}

fn invalid(error: ItemError) -> CliError {
    CliError::new(Exit::VerificationFailed, error.code(), error.to_string())
        .with_help("this is not an authentic data item or bundle; get it again from its owner")
}

fn describe(item: &ItemView<'_>) -> Value {
    let tags: Vec<Value> = item
        .tags()
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    json!({
        "kind": "item",
        "id": item.id(),
        "bytes": item.bytes().len(),
        "signature_type": item.signature_type().code(),
        "owner": base64url(item.owner()),
        "owner_address": item.owner_address(),
        "ao_address": item.ao_address(),
        "target": item.target().map(|it| base64url(it)),
        "anchor": item.anchor().map(|it| base64url(it)),
        "tags": tags,
        "data_bytes": item.data().len(),
        "data_sha256": hex(&sha256(&[item.data()])),
    })
}

fn of_nested(nested: &Nested<'_>) -> Value {
    let mut told = describe(&nested.item);
    if let Value::Object(fields) = &mut told {
        fields.insert("depth".into(), nested.depth.into());
    }
    told
}

fn table(items: &[Nested<'_>]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["item", "depth", "bytes", "owner", "type"]);
    for Nested { depth, item } in items {
        table.row([
            item.id().to_string(),
            depth.to_string(),
            item.bytes().len().to_string(),
            item.owner_address().to_string(),
            item.tag("Type").unwrap_or_default().to_owned(),
        ]);
    }
    table.to_string()
}
