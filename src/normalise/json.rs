//! Walks a JSON record once and gathers its values, without building a tree.
//!
//! One walk reads Graph objects, diagnostic-settings envelopes and Log Analytics rows, in any case of
//! keys: they differ in where a value lies, and that the key and the part of the record tell.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::model::SignInType;

use super::fields::{Apart, Fields, trimmed};
use super::key::{Key, TEXTS};
use super::{lenient, value};

/// No published record nests its texts of JSON deeper than three.
const DEPTH_AT_MOST: u8 = 4;

/// The part of a record that a key lies in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The record itself.
    Top,
    Properties,
    Status,
    Location,
    ManagedServiceIdentity,
    SignInEventTypes,
    /// `event` of an Elastic document.
    Ecs,
    /// A text that holds the whole record.
    Original,
}

/// What to do with the value of a key.
enum Action {
    Text(Key),
    Walk(Part),
    /// Only whether it is there matters.
    Notice(Key),
    Skip,
}

/// Reads one record of JSON.
pub(super) fn read(text: &str) -> Result<Fields<'_>, serde_json::Error> {
    let mut fields = Fields::at(0);
    walk(text, Part::Top, &mut fields)?;
    Ok(fields)
}

fn walk<'de>(
    text: &'de str,
    part: Part,
    fields: &mut Fields<'de>,
) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    Object { fields, part }.deserialize(&mut json)?;
    json.end()
}

/// Keeps the text of a key, or what the text holds when it is JSON itself.
pub(super) fn put<'de>(fields: &mut Fields<'de>, part: Part, key: Key, text: Cow<'de, str>) {
    match action(part, key) {
        Action::Text(key) => fields.set(key, text),
        Action::Walk(part) => unwrap_text(fields, part, text),
        Action::Notice(key) => {
            if !value::is_absent(text.trim()) && text != "[]" && text != "{}" {
                notice(fields, key);
            }
        }
        Action::Skip => {}
    }
}

fn action(part: Part, key: Key) -> Action {
    match (part, key) {
        (Part::Top | Part::Properties, Key::Status) => Action::Walk(Part::Status),
        (Part::Top | Part::Properties, Key::Location) => Action::Walk(Part::Location),
        (Part::Top | Part::Properties, Key::ManagedServiceIdentity) => {
            Action::Walk(Part::ManagedServiceIdentity)
        }
        (Part::Top | Part::Properties, Key::SignInEventTypes) => {
            Action::Walk(Part::SignInEventTypes)
        }
        (Part::Top, Key::Properties) => Action::Walk(Part::Properties),
        (Part::Top, Key::EcsSource) => Action::Walk(Part::Top),
        (Part::Top, Key::EcsEvent) => Action::Walk(Part::Ecs),
        (Part::Top | Part::Ecs, Key::EcsOriginal) => Action::Walk(Part::Original),
        (Part::Top, Key::EcsTimestamp | Key::List) => Action::Notice(key),
        // Inside, `resourceId` is the target; these others belong to the envelope.
        (Part::Properties, Key::ResourceId) => Action::Text(Key::ResourceIdentity),
        (
            Part::Properties,
            Key::TenantId
            | Key::Category
            | Key::Type
            | Key::OperationName
            | Key::ResultType
            | Key::Time
            | Key::SourceSystem,
        ) => Action::Skip,
        (Part::Top | Part::Properties, key) if (key as usize) < TEXTS => Action::Text(key),
        (Part::Top | Part::Properties, Key::SignInCount) => Action::Notice(key),
        (Part::Top | Part::Properties, key) if key.other_log().is_some() => Action::Notice(key),
        (Part::Status, Key::ErrorCode | Key::FailureReason)
        | (Part::Location, Key::Country)
        | (
            Part::ManagedServiceIdentity,
            Key::MsiType | Key::AssociatedResourceId | Key::FederatedTokenIssuer,
        ) => Action::Text(key),
        _ => Action::Skip,
    }
}

fn notice(fields: &mut Fields<'_>, key: Key) {
    let apart = match key {
        Key::EcsTimestamp => {
            fields.is_elastic = true;
            return;
        }
        Key::SignInCount => Some(Apart::Summary),
        Key::List => Some(Apart::List),
        _ => key.other_log().map(Apart::Log),
    };
    fields.apart = fields.apart.max(apart);
}

/// A text where an object was expected: JSON, the repr of a Python object, or plain text.
fn unwrap_text<'de>(fields: &mut Fields<'de>, part: Part, text: Cow<'de, str>) {
    let text = trimmed(text);
    if text.starts_with(['{', '[']) && fields.depth < DEPTH_AT_MOST {
        let part = if part == Part::Original { Part::Top } else { part };
        let depth = fields.depth + 1;
        let found = match text {
            Cow::Borrowed(text) => inner(text, part, depth),
            Cow::Owned(text) => inner(&text, part, depth).map(Fields::into_owned),
        };
        if let Some(found) = found {
            fields.absorb(found);
        }
        return;
    }
    match part {
        Part::Status if !value::is_absent(&text) => fields.status = text,
        // `US`, or `Tel Aviv, Tel Aviv, IL` in a portal export.
        Part::Location if !fields.has(Key::Country) => {
            let from = text.rfind(',').map_or(0, |comma| comma + 1);
            fields.set(
                Key::Country,
                match text {
                    Cow::Borrowed(text) => Cow::Borrowed(&text[from..]),
                    Cow::Owned(text) => Cow::Owned(text[from..].to_owned()),
                },
            );
        }
        Part::SignInEventTypes => event_type(fields, &text),
        _ => {}
    }
}

fn inner(text: &str, part: Part, depth: u8) -> Option<Fields<'_>> {
    let mut fields = Fields::at(depth);
    fields.in_envelope = part == Part::Properties;
    if walk(text, part, &mut fields).is_ok() {
        return Some(fields);
    }
    let json = lenient::to_json(text);
    let mut fields = Fields::at(depth);
    fields.in_envelope = part == Part::Properties;
    walk(&json, part, &mut fields).ok()?;
    Some(fields.into_owned())
}

fn event_type(fields: &mut Fields<'_>, text: &str) {
    if let Ok(kind) = text.trim().parse::<SignInType>() {
        fields.sign_in_type.get_or_insert(kind);
    }
}

/// A value that may hold further keys.
struct Object<'f, 'de> {
    fields: &'f mut Fields<'de>,
    part: Part,
}

impl<'de> DeserializeSeed<'de> for Object<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { fields, part } = self;
        let mut is_empty = true;
        while let Some(key) = map.next_key_seed(Name)? {
            is_empty = false;
            map.next_value_seed(Member { fields, part, key })?;
        }
        fields.in_envelope |= part == Part::Properties && !is_empty;
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.part != Part::SignInEventTypes {
            return IgnoredAny.visit_seq(list).map(drop);
        }
        while list
            .next_element_seed(Object { fields: self.fields, part: Part::SignInEventTypes })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        unwrap_text(self.fields, self.part, Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        unwrap_text(self.fields, self.part, Cow::Owned(text.to_owned()));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
}

/// The name of a key.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Key, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(Key::of(name))
    }
}

/// The value of one key.
pub(super) struct Member<'f, 'de> {
    pub(super) fields: &'f mut Fields<'de>,
    pub(super) part: Part,
    pub(super) key: Key,
}

impl<'de> DeserializeSeed<'de> for Member<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        let Self { fields, part, key } = self;
        match action(part, key) {
            Action::Text(key) => json.deserialize_any(Text { fields, key }),
            Action::Walk(part) => Object { fields, part }.deserialize(json),
            Action::Notice(key) => {
                let there: Presence = serde::Deserialize::deserialize(json)?;
                if there.0 {
                    notice(fields, key);
                }
                Ok(())
            }
            Action::Skip => json.deserialize_ignored_any(IgnoredAny).map(drop),
        }
    }
}

/// A value of text, number or truth; all are kept as text.
struct Text<'f, 'de> {
    fields: &'f mut Fields<'de>,
    key: Key,
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

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        IgnoredAny.visit_map(map).map(drop)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        IgnoredAny.visit_seq(list).map(drop)
    }
}

/// Whether a value says anything.
struct Presence(bool);

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
