//! What a process asks to be sent, as items to sign.

use serde_json::Value;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::{ModuleId, ProcessId};
use surety_protocol::item::{Item, ItemDraft};

use crate::effect::Source;

/// Tags that a process cannot set on what it sends (rule MU-3).
const OURS: [&str; 9] = [
    "Data-Protocol",
    "Type",
    "Variant",
    "From-Process",
    "From-Module",
    "Assignments",
    "Pushed-For",
    "From-Slot",
    "From-Index",
];
/// Tags of a spawn that are about the process, and mean nothing in the notice of it (rule MU-5).
const OF_PROCESSES: [&str; 6] = [
    "Action",
    "Authority",
    "Module",
    "On-Boot",
    "Process",
    "Scheduler",
];
/// Where the places of notices begin in an outbox, far beyond those of anything that a result sends.
pub(super) const NOTICES: u64 = 1 << 32;

/// Who sends, and what for.
pub(super) struct Sending<'a> {
    pub(super) module: ModuleId,
    /// The scheduler of the sender, for what it spawns (rule MU-6).
    pub(super) scheduler: &'a str,
    pub(super) pushed_for: &'a str,
}

impl Sending<'_> {
    /// The message that an entry of the outbox asks for.
    pub(super) fn message(&self, source: Source, value: &Value) -> Option<ItemDraft> {
        let target: ProcessId = text(value, "Target")?.parse().ok()?;
        let draft = self.draft(source, "Message", value, asked(value)?);
        Some(draft.to(*target.as_bytes()))
    }

    /// The process that an entry of the outbox asks for.
    pub(super) fn spawn(&self, source: Source, value: &Value) -> Option<ItemDraft> {
        let mut tags = asked(value)?;
        if !tags.iter().any(|(name, _)| name == "Scheduler") {
            tags.push(("Scheduler".into(), self.scheduler.into()));
        }
        Some(self.draft(source, "Process", value, tags))
    }

    fn draft(
        &self,
        source: Source,
        kind: &str,
        value: &Value,
        mut tags: Vec<(String, String)>,
    ) -> ItemDraft {
        tags.extend(self.ours(source, kind));
        let data = match value.get("Data") {
            Some(Value::String(data)) => data.clone().into_bytes(),
            Some(Value::Null) | None => b" ".to_vec(),
            Some(other) => other.to_string().into_bytes(),
        };
        ItemDraft {
            target: None,
            anchor: Some(anchor(source, text(value, "Anchor"))),
            tags,
            data,
        }
    }

    fn ours(&self, source: Source, kind: &str) -> impl Iterator<Item = (String, String)> {
        let ours = [
            ("Data-Protocol", "ao".to_owned()),
            ("Variant", "ao.TN.1".to_owned()),
            ("Type", kind.to_owned()),
            ("From-Process", source.process.to_string()),
            ("From-Module", self.module.to_string()),
            ("Pushed-For", self.pushed_for.to_owned()),
            ("From-Slot", source.slot.to_string()),
            ("From-Index", source.index.to_string()),
        ];
        ours.into_iter()
            .map(|(name, value)| (name.to_owned(), value))
    }

    /// What the sender is told of a process that it spawned (rule MU-5).
    pub(super) fn notice(&self, source: Source, spawned: &Item) -> ItemDraft {
        let about = [
            ("Action", "Spawned".to_owned()),
            ("Process", spawned.id().to_string()),
        ];
        let about = about.map(|(name, value)| (name.to_owned(), value));
        let kept = spawned
            .tags()
            .filter(|(name, _)| !OURS.contains(name) && !OF_PROCESSES.contains(name))
            .filter(|(name, _)| !name.starts_with("Cron-"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut kept: Vec<(String, String)> = kept.collect();
        loop {
            let draft = ItemDraft {
                target: Some(*source.process.as_bytes()),
                anchor: Some(anchor(source, None)),
                tags: about
                    .iter()
                    .chain(&kept)
                    .cloned()
                    .chain(self.ours(source, "Message"))
                    .collect(),
                data: b" ".to_vec(),
            };
            // A spawn may have as many tags as an item can have; then the last are left out.
            if draft.check().is_ok() || kept.pop().is_none() {
                return draft;
            }
        }
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// The tags that a process asks for, without ours and without what no item can have.
fn asked(value: &Value) -> Option<Vec<(String, String)>> {
    let asked = value
        .get("Tags")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut tags = Vec::new();
    for tag in asked {
        let name = text(tag, "name")?;
        let value = match tag.get("value")? {
            Value::String(value) => value.clone(),
            other => other.to_string(),
        };
        // A data item has no empty tags.
        if !OURS.contains(&name) && !name.is_empty() && !value.is_empty() {
            tags.push((name.to_owned(), value));
        }
    }
    Some(tags)
}

/// The anchor that the process chose, or one that is different for every place in every outbox.
fn anchor(source: Source, asked: Option<&str>) -> [u8; 32] {
    asked
        .and_then(|asked| asked.as_bytes().try_into().ok())
        .unwrap_or_else(|| {
            let index = source.index.to_be_bytes();
            let slot = source.slot.0.to_be_bytes();
            *digest(Domain::OBJECT, &[source.process.as_bytes(), &slot, &index]).as_bytes()
        })
}
