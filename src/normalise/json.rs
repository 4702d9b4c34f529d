//! Walks a JSON record once and gathers its values, without building a tree.
//!
//! One walk reads Graph objects, diagnostic-settings envelopes and Log Analytics rows, in any case of
//! keys: they differ in where a value lies, and that the key and the part of the record tell.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::model::SignInType;

use super::fields::{Apart, Fields, Mark, trimmed};
use super::key::{Key, TEXTS};
use super::text::{Presence, Text};
use super::{lenient, value};

/// Why a record is not read whose own values are in a text that cannot be read.
const UNREAD: &str = "its `properties` hold text that is no JSON: it was cut off, or wrapped more often than once; \
                      export it again, with `properties` as an object";

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
    /// `azure` of an Elastic document.
    Azure,
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
        Action::Walk(part) => {
            if part == Part::Properties {
                fields.mark(Mark::Properties);
            }
            unwrap_text(fields, part, text);
        }
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
        (Part::Top, Key::EcsEvent) => Action::Walk(Part::Ecs),
        (Part::Top, Key::EcsAzure) => Action::Walk(Part::Azure),
        (Part::Top, Key::EcsSource) | (Part::Azure, Key::EcsSignInLogs) => Action::Walk(Part::Top),
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
        (Part::Top | Part::Properties, Key::SignInCount) | (Part::Top, Key::Counted) => {
            Action::Notice(key)
        }
        (Part::Top | Part::Properties, key) if key.other_log().is_some() => Action::Notice(key),
        (Part::Status, Key::ErrorCode | Key::FailureReason)
        | (Part::Location, Key::Country)
        | (
            Part::ManagedServiceIdentity,
            Key::MsiType | Key::AssociatedResourceId | Key::FederatedTokenIssuer,
        )
        | (Part::Azure, Key::TenantId | Key::CorrelationId) => Action::Text(key),
        _ => Action::Skip,
    }
}

fn notice(fields: &mut Fields<'_>, key: Key) {
    let apart = match key {
        Key::EcsTimestamp => {
            fields.mark(Mark::Elastic);
            return;
        }
        Key::Counted => {
            fields.mark(Mark::Counted);
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
    if text.starts_with(['{', '[']) && fields.depth < DEPTH_AT_MOST && !text.starts_with("{\\") {
        let part = if part == Part::Original { Part::Top } else { part };
        let depth = fields.depth + 1;
        let found = match text {
            Cow::Borrowed(text) => inner(text, part, depth),
            Cow::Owned(text) => inner(&text, part, depth).map(Fields::into_owned),
        };
        match found {
            Some(found) => fields.absorb(found),
            None if part == Part::Properties => fields.unread = Some(UNREAD),
            None => {}
        }
        return;
    }
    if fields.depth < DEPTH_AT_MOST
        && let Some(inner) = wrapped_again(&text)
    {
        fields.depth += 1;
        unwrap_text(fields, part, Cow::Owned(inner));
        fields.depth -= 1;
        return;
    }
    match part {
        Part::Properties if !value::is_absent(&text) => fields.unread = Some(UNREAD),
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

/// The text inside a text of JSON that is a text itself, or that lost the quotes around it.
fn wrapped_again(text: &str) -> Option<String> {
    if text.starts_with('"') {
        serde_json::from_str(text).ok()
    } else if text.starts_with("{\\") {
        serde_json::from_str(&format!("\"{text}\"")).ok()
    } else {
        None
    }
}

fn inner(text: &str, part: Part, depth: u8) -> Option<Fields<'_>> {
    let mut fields = Fields::at(depth);
    if part == Part::Properties {
        fields.mark(Mark::InEnvelope);
    }
    if walk(text, part, &mut fields).is_ok() {
        return Some(fields);
    }
    let json = lenient::to_json(text);
    let mut fields = Fields::at(depth);
    if part == Part::Properties {
        fields.mark(Mark::InEnvelope);
    }
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
        if part == Part::Properties && !is_empty {
            fields.mark(Mark::InEnvelope);
        }
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
            Action::Walk(part) => {
                if part == Part::Properties {
                    fields.mark(Mark::Properties);
                }
                Object { fields, part }.deserialize(json)
            }
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
