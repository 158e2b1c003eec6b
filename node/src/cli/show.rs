//! JSON documents as tables for people.

use serde_json::Value;
use surety_protocol::stake::Stake;

use crate::shell::Table;

/// A list becomes a table with a heading, everything else the names and values of its fields.
pub(super) fn table(value: &Value) -> Table {
    match rows(value) {
        Some(rows) => list(rows),
        None => fields(value),
    }
}

/// The rows of a document that is a list, or is nothing but a list and what tells its place.
fn rows(value: &Value) -> Option<&[Value]> {
    let object = match value {
        Value::Array(rows) => return Some(rows),
        Value::Object(object) => object,
        _ => return None,
    };
    let mut lists = object.values().filter_map(Value::as_array);
    match (lists.next(), lists.next()) {
        (Some(rows), None) if object.len() <= 2 => Some(rows),
        _ => None,
    }
}

/// Columns that say which row it is; they come first.
const NAMES: &[&str] = &[
    "height", "slot", "id", "process", "operator", "claim", "evidence",
];

fn list(rows: &[Value]) -> Table {
    let mut columns: Vec<&str> = Vec::new();
    columns.extend(
        NAMES
            .iter()
            .filter(|name| rows.iter().any(|row| row.get(**name).is_some())),
    );
    for name in rows
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|it| it.keys())
    {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    if columns.is_empty() {
        let mut table = Table::default();
        for row in rows {
            table.row([cell(row)]);
        }
        return table;
    }
    let mut table = Table::new(columns.iter());
    for row in rows {
        let cells = columns
            .iter()
            .map(|name| row.get(name).map(cell).unwrap_or_default());
        table.row(cells);
    }
    table
}

/// Fields that are amounts of AO.
const AMOUNTS: &[&str] = &[
    "amount",
    "balance",
    "bond",
    "bond_min",
    "bonded",
    "burned",
    "challenge_bond",
    "escrow",
    "stake",
    "supply",
    "ticket",
];

/// The value of a field in AO, if it is such an amount.
fn in_ao(name: &str, value: &Value) -> Option<String> {
    let last = name.rsplit('.').next().unwrap_or(name);
    let text = value.as_str().filter(|_| AMOUNTS.contains(&last))?;
    let amount: Stake = text.parse().ok()?;
    Some(amount.in_ao().to_string())
}

/// How many entries of a list of documents are shown.
const ENTRIES_SHOWN: usize = 16;

/// One line for each field that has a value, and behind an amount once more what it is in AO; the fields of fields, and of the
/// entries of lists, have dotted names.
pub(super) fn fields(value: &Value) -> Table {
    let mut table = Table::default();
    // As deep as documents are.
    let mut open = vec![(String::new(), value)];
    while let Some((name, value)) = open.pop() {
        let inner = |key: &str| match name.is_empty() {
            true => key.to_owned(),
            false => format!("{name}.{key}"),
        };
        match value {
            Value::Null => {}
            Value::Object(object) if !object.is_empty() => {
                let fields = object.iter().map(|(key, value)| (inner(key), value));
                open.extend(fields.rev());
            }
            Value::Array(entries) if entries.iter().any(Value::is_object) => {
                let hidden = entries.len().saturating_sub(ENTRIES_SHOWN);
                if hidden > 0 {
                    table.row([name.clone(), format!("({hidden} more with --json)")]);
                }
                let shown = entries.iter().take(ENTRIES_SHOWN).enumerate();
                let shown = shown.map(|(at, entry)| (inner(&at.to_string()), entry));
                open.extend(shown.rev());
            }
            _ => match cell(value) {
                nothing if nothing.is_empty() => {}
                text => {
                    let amount = in_ao(&name, value);
                    table.row([name, text].into_iter().chain(amount));
                }
            },
        }
    }
    table
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|it| !it.is_object() && !it.is_array()) => {
            items.iter().map(cell).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}
