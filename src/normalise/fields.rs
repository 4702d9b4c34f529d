//! The values of one record that mean something to us, gathered from whatever form it has.

use std::borrow::Cow;
use std::mem;

use crate::model::SignInType;

use super::key::{Key, TEXTS};
use super::value;

/// What keys of other records tell, the surest last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Apart {
    /// It wraps a list of records.
    List,
    Log(&'static str),
    /// It counts sign-ins.
    Summary,
}

/// What is seen of a record beside its values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// The values lay in `properties`, so those beside it are the envelope's.
    InEnvelope = 1,
    /// It has `properties`, whatever is in them.
    Properties = 1 << 1,
    /// It is a row of a table, not an object.
    Row = 1 << 2,
    /// It is an Elastic document.
    Elastic = 1 << 3,
    /// It holds what a query counted.
    Counted = 1 << 4,
}

/// Each value as the record spells it, trimmed; empty when absent.
pub(super) struct Fields<'a> {
    texts: [Cow<'a, str>; TEXTS],
    /// A portal export says `Success` or `Failure` where others have an object.
    pub(super) status: Cow<'a, str>,
    /// The first of `signInEventTypes` that is known.
    pub(super) sign_in_type: Option<SignInType>,
    /// What else was seen of it, a bit for each `Mark`.
    marks: u8,
    /// What a key that was found makes it, if not a sign-in.
    pub(super) apart: Option<Apart>,
    /// Why it cannot be read, though it is recognised.
    pub(super) unread: Option<&'static str>,
    /// How many texts of JSON it was unwrapped from.
    pub(super) depth: u8,
}

impl<'a> Fields<'a> {
    pub(super) fn at(depth: u8) -> Self {
        Self {
            texts: [const { Cow::Borrowed("") }; TEXTS],
            status: Cow::Borrowed(""),
            sign_in_type: None,
            marks: 0,
            apart: None,
            unread: None,
            depth,
        }
    }

    pub(super) fn mark(&mut self, mark: Mark) {
        self.marks |= mark as u8;
    }

    pub(super) fn is(&self, mark: Mark) -> bool {
        self.marks & mark as u8 != 0
    }

    /// The value of a key that holds text; empty for every other key.
    pub(super) fn get(&self, key: Key) -> &str {
        self.texts.get(key as usize).map_or("", |text| text)
    }

    pub(super) fn has(&self, key: Key) -> bool {
        !self.get(key).is_empty()
    }

    pub(super) fn take(&mut self, key: Key) -> Cow<'a, str> {
        self.texts.get_mut(key as usize).map_or(Cow::Borrowed(""), mem::take)
    }

    /// Keeps a value. A key that comes twice keeps its last value, but an absent one never
    /// replaces one that is there.
    pub(super) fn set(&mut self, key: Key, text: Cow<'a, str>) {
        let text = trimmed(text);
        if !value::is_absent(&text)
            && let Some(slot) = self.texts.get_mut(key as usize)
        {
            *slot = text;
        }
    }

    /// Adds what was found in a text of JSON inside the record.
    pub(super) fn absorb(&mut self, mut other: Self) {
        for (slot, text) in self.texts.iter_mut().zip(&mut other.texts) {
            if !text.is_empty() {
                *slot = mem::take(text);
            }
        }
        if !other.status.is_empty() {
            self.status = other.status;
        }
        self.sign_in_type = other.sign_in_type.or(self.sign_in_type);
        self.apart = self.apart.max(other.apart);
        self.marks |= other.marks;
        self.unread = self.unread.or(other.unread);
    }

    /// Whether it is a row of Log Analytics, or of a portal export.
    pub(super) fn is_row(&self) -> bool {
        !self.is(Mark::InEnvelope)
            && (self.is(Mark::Row)
                || [Key::AadTenantId, Key::TimeGenerated, Key::ResourceIdentity, Key::SourceSystem]
                    .into_iter()
                    .any(|key| self.has(key)))
    }

    pub(super) fn into_owned(self) -> Fields<'static> {
        Fields {
            texts: self.texts.map(|text| Cow::Owned(text.into_owned())),
            status: Cow::Owned(self.status.into_owned()),
            sign_in_type: self.sign_in_type,
            marks: self.marks,
            apart: self.apart,
            unread: self.unread,
            depth: self.depth,
        }
    }
}

pub(super) fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) if text.trim().len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}
