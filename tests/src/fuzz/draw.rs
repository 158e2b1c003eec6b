//! Random values of any type that can be deserialized: the type says what it wants, and gets something of that kind.
//!
//! So every object of the wire is covered without a word about its fields, those of tomorrow too.

use std::fmt::Display;
use std::sync::LazyLock;

use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use surety_protocol::bls::SecretKey;
use surety_protocol::hash::{Domain, digest};
use surety_protocol::item::{ItemDraft, ItemKey};

use crate::random::Random;

/// What a random value cannot be.
pub(super) type Misfit = serde::de::value::Error;

/// Values of a list at most.
const LIST_MAX: u64 = 4;
/// Bytes of a text or a byte string at most, unless the type says how many.
const BYTES_MAX: u64 = 100;

/// Things that random bytes never are.
struct Pool {
    keys: Vec<Vec<u8>>,
    signatures: Vec<Vec<u8>>,
    items: Vec<Vec<u8>>,
}

static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let secrets = (1..4).filter_map(|seed| SecretKey::from_bytes(&[seed; 32]).ok());
    let secrets: Vec<SecretKey> = secrets.collect();
    let message = digest(Domain::OBJECT, &[b"a point"]);
    let keys = secrets
        .iter()
        .map(|key| key.public_key().as_bytes().to_vec());
    let signatures = secrets
        .iter()
        .map(|key| key.sign(&message).as_bytes().to_vec());
    let items = (1..4_u8).filter_map(|seed| {
        let draft = ItemDraft::default()
            .to([seed; 32])
            .tag("Action", "Hello")
            .carrying(vec![seed; usize::from(seed)]);
        let item = ItemKey::ed25519(&[seed; 32]).sign_item(&draft).ok()?;
        Some(item.bytes().to_vec())
    });
    Pool {
        keys: keys.collect(),
        signatures: signatures.collect(),
        items: items.collect(),
    }
});

/// A random item, signed.
pub(super) fn item(random: &mut Random) -> Vec<u8> {
    random.pick(&POOL.items).cloned().unwrap_or_default()
}

/// Gives random values.
pub(super) struct Draw<'r>(pub(super) &'r mut Random);

impl Draw<'_> {
    /// An integer of up to so many bits, small ones as likely as large ones.
    fn integer(&mut self, bits: u32) -> u64 {
        // Positions and sizes fit each other if they are very small.
        let most = if self.0.percent(50) { 2 } else { bits };
        let bits = self.0.below(u64::from(most) + 1);
        match u32::try_from(bits).unwrap_or(0) {
            0 => 0,
            bits => self.0.next() >> (64 - bits),
        }
    }

    fn text(&mut self) -> String {
        let alphabet = [
            'a',
            'Z',
            '0',
            '-',
            ' ',
            '"',
            '\\',
            '\n',
            '\0',
            'é',
            '\u{10ffff}',
        ];
        (0..self.0.below(BYTES_MAX / 4))
            .filter_map(|_| self.0.pick(&alphabet).copied())
            .collect()
    }

    /// Bytes as a visitor expects them, by its own words and its name.
    fn bytes<V: Expected>(&mut self, visitor: &V) -> Vec<u8> {
        let words = Words(visitor).to_string();
        if words.contains("point") {
            let key = std::any::type_name::<V>().contains("PublicKey");
            let pool = if key { &POOL.keys } else { &POOL.signatures };
            return self.0.pick(pool).cloned().unwrap_or_default();
        }
        if words.contains("data item") {
            return item(self.0);
        }
        let length = words.split(' ').find_map(|word| word.parse().ok());
        let length = length.unwrap_or_else(|| self.0.below(BYTES_MAX));
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < length {
            bytes.extend(self.0.bytes());
        }
        bytes.truncate(usize::try_from(length).unwrap_or(0));
        bytes
    }
}

/// What a visitor says that it expects.
struct Words<'a>(&'a dyn Expected);

impl Display for Words<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Expected::fmt(self.0, f)
    }
}

macro_rules! integers {
    ($($name:ident $visit:ident $ty:ty,)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            let drawn = self.integer(<$ty>::BITS);
            visitor.$visit(drawn as $ty)
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Draw<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Misfit> {
        Err(Misfit::custom("a type that does not say what it is"))
    }

    integers! {
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_bool(self.0.percent(50))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_string(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_string(self.text())
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let bytes = self.bytes(&visitor);
        visitor.visit_bytes(&bytes)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let bytes = self.bytes(&visitor);
        visitor.visit_byte_buf(bytes)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.0.percent(50) {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let left = self.0.between(0, LIST_MAX);
        visitor.visit_seq(List { draw: self, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let left = len as u64;
        visitor.visit_seq(List { draw: self, left })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let variant = self.0.below(variants.len() as u64) as u32;
        visitor.visit_enum(Variant {
            draw: self,
            variant,
        })
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char unit unit_struct map identifier ignored_any
    }
}

struct List<'d, 'r> {
    draw: &'d mut Draw<'r>,
    left: u64,
}

impl<'de> SeqAccess<'de> for List<'_, '_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Misfit> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        seed.deserialize(&mut *self.draw).map(Some)
    }
}

struct Variant<'d, 'r> {
    draw: &'d mut Draw<'r>,
    variant: u32,
}

impl<'de> EnumAccess<'de> for Variant<'_, '_> {
    type Error = Misfit;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Misfit> {
        let index: U32Deserializer<Misfit> = self.variant.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, '_> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        seed.deserialize(self.draw)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.draw.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.draw.deserialize_tuple(fields.len(), visitor)
    }
}
