//! What a module is given: the message and the environment, as the JSON that AO modules read.
//!
//! # Rules
//!
//! - `[IN-1]` Names, order and types of the fields are part of the profile, because the order in
//!   which a module meets keys may decide the order in which it later visits them: message and
//!   environment are written in the order of the fields below, without white space.
//! - `[IN-2]` `Id`, `Signature`, `Forwarded-By`, `Epoch`, `Nonce` and `Hash-Chain` are left out if there is none, `Read-Only` unless it
//!   is true.
//! - `[IN-3]` Data is text: malformed UTF-8 becomes U+FFFD.

use std::borrow::Cow;

use serde::de::Deserializer;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

/// One input of a process.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Message {
    /// The message's id, unless it is a tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its signature, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The process or wallet that it is addressed to.
    pub target: String,
    /// The address of who signed it.
    pub owner: String,
    /// The process that it comes from, or the owner.
    pub from: String,
    /// Who carried it, if somebody else signed it.
    #[serde(
        rename = "Forwarded-By",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub forwarded_by: Option<String>,
    /// Its anchor.
    pub anchor: String,
    /// Its tags, in order: names and values.
    #[serde(serialize_with = "named", deserialize_with = "pairs")]
    pub tags: Vec<(String, String)>,
    /// Its data.
    #[serde(serialize_with = "lossy", deserialize_with = "bytes")]
    pub data: Vec<u8>,
    /// The module of the process that it is for.
    pub module: String,
    /// The height of the permanent log when it was assigned.
    #[serde(rename = "Block-Height")]
    pub block_height: u64,
    /// When it was assigned, in milliseconds.
    pub timestamp: u64,
    /// The epoch of the assignment, unless it is of a tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// The slot of the assignment, unless it is of a tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<u64>,
    /// The hash chain after the assignment, unless it is of a tick.
    #[serde(
        rename = "Hash-Chain",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub hash_chain: Option<String>,
    /// Whether the scheduler's timer made it.
    pub cron: bool,
    /// Whether it is only asked what it would do.
    #[serde(rename = "Read-Only", default, skip_serializing_if = "is_false")]
    pub read_only: bool,
    /// Bytes of the items that it comes in, of which the module is not told (rule EN-9); none if it comes in none.
    #[serde(skip)]
    pub item_bytes: u64,
}

/// A process or a module, as its environment names it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Subject {
    /// Its id.
    pub id: String,
    /// The address of who signed it.
    pub owner: String,
    /// Its tags, in order: names and values.
    #[serde(serialize_with = "named", deserialize_with = "pairs")]
    pub tags: Vec<(String, String)>,
}

/// What a module is told at every input.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Environment {
    /// The process.
    pub process: Subject,
    /// Its module.
    pub module: Subject,
}

/// The JSON text of a message or an environment. Neither holds anything that JSON cannot say.
pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn named<S: Serializer>(tags: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    struct Tag<'a>(&'a str, &'a str);
    impl Serialize for Tag<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(2))?;
            map.serialize_entry("name", self.0)?;
            map.serialize_entry("value", self.1)?;
            map.end()
        }
    }
    serializer.collect_seq(tags.iter().map(|(name, value)| Tag(name, value)))
}

fn lossy<S: Serializer>(data: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let text: Cow<'_, str> = String::from_utf8_lossy(data);
    serializer.serialize_str(&text)
}

fn pairs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    #[derive(Deserialize)]
    struct Tag {
        name: String,
        value: String,
    }
    let tags = Vec::<Tag>::deserialize(deserializer)?;
    Ok(tags.into_iter().map(|tag| (tag.name, tag.value)).collect())
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    Ok(String::deserialize(deserializer)?.into_bytes())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_exactly_this() {
        let mut message = Message {
            id: Some("i".into()),
            tags: vec![("Action".into(), "Eval \"x\"".into())],
            data: b"a\xff\n".to_vec(),
            timestamp: 1 << 60,
            epoch: Some(0),
            nonce: Some(0),
            hash_chain: Some(String::new()),
            ..Message::default()
        };
        let text = concat!(
            r#"{"Id":"i","Target":"","Owner":"","From":"","Anchor":"","#,
            r#""Tags":[{"name":"Action","value":"Eval \"x\""}],"Data":"a�\n","Module":"","Block-Height":0,"#,
            r#""Timestamp":1152921504606846976,"Epoch":0,"Nonce":0,"Hash-Chain":"","Cron":false}"#
        );
        assert_eq!(String::from_utf8(json(&message)).unwrap(), text);
        message.signature = Some("s".into());
        message.forwarded_by = Some("f".into());
        message.read_only = true;
        let text = String::from_utf8(json(&message)).unwrap();
        assert!(text.starts_with(r#"{"Id":"i","Signature":"s","Target""#));
        assert!(text.contains(r#""From":"","Forwarded-By":"f","Anchor""#));
        assert!(text.ends_with(r#""Cron":false,"Read-Only":true}"#));
        let tick = Message {
            cron: true,
            ..Message::default()
        };
        let text = concat!(
            r#"{"Target":"","Owner":"","From":"","Anchor":"","Tags":[],"Data":"","Module":"","#,
            r#""Block-Height":0,"Timestamp":0,"Cron":true}"#
        );
        assert_eq!(String::from_utf8(json(&tick)).unwrap(), text);
        let environment = String::from_utf8(json(&Environment::default())).unwrap();
        let subject = r#"{"Id":"","Owner":"","Tags":[]}"#;
        assert_eq!(
            environment,
            format!(r#"{{"Process":{subject},"Module":{subject}}}"#)
        );
    }
}
