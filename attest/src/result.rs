//! What one input gave: output, outbox, error and gas, as an object that commits to each of its
//! parts.
//!
//! # Rules
//!
//! - `[R-1]` A module replies `{"ok":bool,"response":{Output,Messages,Spawns,Assignments,Error}}`.
//!   The bytes are read as UTF-8, malformed sequences becoming U+FFFD, as a browser reads them.
//!   What is not JSON, is nested deeper than 128, or is not of that shape is a malformed reply,
//!   which is a result with a defined error.
//! - `[R-2]` `Messages`, `Spawns` and `Assignments` are lists; absent, `null` and `{}` are the
//!   empty list (Lua knows one empty table). `Error` counts unless it is absent, `null`, `false`,
//!   `""` or `0`. `ok` other than `true` makes the response itself the error. Other fields are not
//!   part of the result.
//! - `[R-3]` A result with an error has an empty outbox: nothing leaves a step whose state is
//!   discarded.
//! - `[R-4]` Canonical JSON: no white space; the keys of an object in the order of their UTF-8
//!   bytes, the last of equal keys counting; integers that fit 64 bits exactly, every other number
//!   as the shortest text of the nearest 64-bit float; strings with the escapes `\" \\ \b \f \n \r
//!   \t` and `\u00xx` only.
//! - `[R-5]` The parts, in order: output, each message, each spawn, assignments, error (`null` if
//!   none), gas. A part is the canonical JSON of an object with one key, which says what it is:
//!   `Output`, `Message`, `Spawn`, `Assignments`, `Error` or `Gas`. `root = digest(RESULT, [merkle
//!   root])` over the leaves `digest(RESULT_PART, [part])`; a proof's position is the part's, so
//!   message `i` stands at `1 + i`.
//! - `[R-6]` An input sends at most 4,096 messages and spawns together, and asks for at most as many assignments. One that
//!   would do more is a result with a defined error: everybody has to keep, prove and carry what it sends.

mod canonical;
mod reply;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::Digest;
use surety_protocol::merkle::{self, Proof};

pub use canonical::canonical;
pub(crate) use reply::MALFORMED;

/// The result of one input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessResult {
    /// What the process shows of the input; any JSON.
    pub output: Value,
    /// The messages to be sent.
    pub messages: Vec<Value>,
    /// The processes to be spawned.
    pub spawns: Vec<Value>,
    /// The assignments to be made.
    pub assignments: Vec<Value>,
    /// Why the input left no trace in the state, if so.
    pub error: Option<Value>,
    /// Gas that the input took.
    pub gas: u64,
}

impl ProcessResult {
    /// The result of an input that the module could not evaluate.
    pub fn failed(error: &str, gas: u64) -> Self {
        Self::with_error(Value::from(error), gas)
    }

    pub(crate) fn with_error(error: Value, gas: u64) -> Self {
        Self {
            output: Value::Null,
            messages: Vec::new(),
            spawns: Vec::new(),
            assignments: Vec::new(),
            error: Some(error),
            gas,
        }
    }

    /// Reads a module's reply (rules ).
    pub fn from_reply(reply: &[u8], gas: u64) -> Self {
        reply::parse(reply, gas).unwrap_or_else(|| Self::failed(MALFORMED, gas))
    }

    /// The parts, in order (rule R-5).
    pub fn parts(&self) -> Vec<Vec<u8>> {
        let part = |name: &str, value: &Value| canonical(&json!({ name: value }));
        let mut parts = vec![part("Output", &self.output)];
        parts.extend(self.messages.iter().map(|message| part("Message", message)));
        parts.extend(self.spawns.iter().map(|spawn| part("Spawn", spawn)));
        parts.push(part("Assignments", &Value::from(self.assignments.clone())));
        parts.push(part("Error", self.error.as_ref().unwrap_or(&Value::Null)));
        parts.push(part("Gas", &self.gas.into()));
        parts
    }

    /// The result with these parts; `None` unless they are the parts of one.
    pub fn from_parts(parts: &[impl AsRef<[u8]>]) -> Option<Self> {
        let mut result = Self::with_error(Value::Null, 0);
        for part in parts {
            let Value::Object(part) = serde_json::from_slice(part.as_ref()).ok()? else {
                return None;
            };
            let (name, value) = part.into_iter().next()?;
            match (name.as_str(), value) {
                ("Output", value) => result.output = value,
                ("Message", value) => result.messages.push(value),
                ("Spawn", value) => result.spawns.push(value),
                ("Assignments", Value::Array(items)) => result.assignments = items,
                ("Error", value) => result.error = Some(value).filter(|error| !error.is_null()),
                ("Gas", value) => result.gas = value.as_u64()?,
                _ => return None,
            }
        }
        // Order, number and spelling are right if the parts come out again.
        result
            .parts()
            .iter()
            .map(Vec::as_slice)
            .eq(parts.iter().map(AsRef::as_ref))
            .then_some(result)
    }

    /// The root over the parts (rule R-5).
    pub fn root(&self) -> Digest {
        root_of_parts(&self.parts())
    }

    /// Proves the part at a position; `None` if there is none.
    pub fn prove_part(&self, index: u64) -> Option<Proof> {
        merkle::prove(&leaves(&self.parts()), index)
    }

    /// The shape in which AO's compute units answer; `Error` only if there is one.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("Messages".into(), self.messages.clone().into());
        object.insert("Spawns".into(), self.spawns.clone().into());
        object.insert("Assignments".into(), self.assignments.clone().into());
        object.insert("Output".into(), self.output.clone());
        if let Some(error) = &self.error {
            object.insert("Error".into(), error.clone());
        }
        object.insert("GasUsed".into(), self.gas.into());
        Value::Object(object)
    }
}

/// The root over the parts of a result (rule R-5).
pub fn root_of_parts(parts: &[impl AsRef<[u8]>]) -> Digest {
    seal(&merkle::root(&leaves(parts)))
}

/// Whether a part stands at the proof's position of the result with this root.
pub fn verify_part(proof: &Proof, part: &[u8], root: &Digest) -> bool {
    proof
        .root_from(&leaf(part))
        .is_some_and(|found| seal(&found) == *root)
}

fn leaves(parts: &[impl AsRef<[u8]>]) -> Vec<Digest> {
    parts.iter().map(|part| leaf(part.as_ref())).collect()
}

fn leaf(part: &[u8]) -> Digest {
    digest(Domain::RESULT_PART, &[part])
}

fn seal(parts_root: &Digest) -> Digest {
    digest(Domain::RESULT, &[parts_root.as_bytes()])
}

#[cfg(test)]
mod tests;
