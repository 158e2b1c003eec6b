//! An item inside other objects: its bytes, as base64url where a person reads them.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{base64url, from_base64url};
use crate::item::Item;

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&base64url(self.bytes()))
        } else {
            serializer.serialize_bytes(self.bytes())
        }
    }
}

struct ItemBytes;

impl Visitor<'_> for ItemBytes {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of a data item")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Item, E> {
        Item::parse(bytes).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Item, E> {
        let bytes = from_base64url(text).ok_or_else(|| E::custom("not unpadded base64url"))?;
        Item::parse(bytes).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Item, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(ItemBytes)
        } else {
            deserializer.deserialize_bytes(ItemBytes)
        }
    }
}
