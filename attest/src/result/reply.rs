//! A module's reply becomes a result (rules ).

use serde_json::{Map, Value};

use super::ProcessResult;

/// The error of a reply that does not have the agreed shape.
pub(crate) const MALFORMED: &str = "surety: malformed reply";

/// Messages and spawns that one input sends, and assignments that it asks for.
pub(crate) const SENT_MAX: usize = 4096;
/// The error of a reply that sends more.
pub(crate) const TOO_MANY: &str = "surety: too many messages";

/// `None` if the reply is malformed.
pub(super) fn parse(reply: &[u8], gas: u64) -> Option<ProcessResult> {
    let reply: Value = serde_json::from_str(&String::from_utf8_lossy(reply)).ok()?;
    let Value::Object(mut reply) = reply else {
        return None;
    };
    let response = reply.remove("response")?;
    if reply.get("ok")? != &Value::Bool(true) {
        return Some(ProcessResult::with_error(response, gas));
    }
    let Value::Object(mut response) = response else {
        return None;
    };
    let mut result = ProcessResult {
        output: response.remove("Output").unwrap_or(Value::Null),
        messages: list(&mut response, "Messages")?,
        spawns: list(&mut response, "Spawns")?,
        assignments: list(&mut response, "Assignments")?,
        error: response.remove("Error").filter(counts),
        gas,
    };
    //
    let sent = result.messages.len().saturating_add(result.spawns.len());
    if result.error.is_none() && (sent > SENT_MAX || result.assignments.len() > SENT_MAX) {
        return Some(ProcessResult::failed(TOO_MANY, gas));
    }
    if result.error.is_some() {
        result.messages.clear();
        result.spawns.clear();
        result.assignments.clear();
    }
    Some(result)
}

fn list(response: &mut Map<String, Value>, name: &str) -> Option<Vec<Value>> {
    match response.remove(name) {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(items)) => Some(items),
        Some(Value::Object(fields)) if fields.is_empty() => Some(Vec::new()),
        Some(_) => None,
    }
}

fn counts(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        _ => true,
    }
}
