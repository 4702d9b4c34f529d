//! Single values of a JSON record: what they say as text, and whether they say anything.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::fields::Fields;
use super::key::Key;
use super::value;

/// A value of text, number or truth; all are kept as text.
pub(super) struct Text<'f, 'de> {
    pub(super) fields: &'f mut Fields<'de>,
    pub(super) key: Key,
}

impl<'de> DeserializeSeed<'de> for Text<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Text<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.fields.set(self.key, Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.fields.set(self.key, Cow::Owned(text.to_owned()));
        Ok(())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        self.fields.set(self.key, Cow::Borrowed(if truth { "true" } else { "false" }));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.fields.set(self.key, Cow::Owned(number.to_string()));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        let text = if number == 0 { Cow::Borrowed("0") } else { Cow::Owned(number.to_string()) };
        self.fields.set(self.key, text);
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.fields.set(self.key, Cow::Owned(number.to_string()));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    /// A time may lie in an object: `{"$date":…}` of a database, `{"value":…}` of PowerShell.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { fields, key } = self;
        if !key.is_time() {
            return IgnoredAny.visit_map(map).map(drop);
        }
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if matches!(&*name, "$date" | "$numberLong" | "value") {
                map.next_value_seed(Text { fields, key })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        IgnoredAny.visit_seq(list).map(drop)
    }
}

/// Whether a value says anything.
pub(super) struct Presence(pub(super) bool);

impl<'de> serde::Deserialize<'de> for Presence {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(json)?;
        Ok(Self(match value {
            serde_json::Value::Null => false,
            serde_json::Value::String(text) => !value::is_absent(text.trim()),
            serde_json::Value::Array(list) => !list.is_empty(),
            serde_json::Value::Object(map) => !map.is_empty(),
            _ => true,
        }))
    }
}
