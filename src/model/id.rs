//! One newtype for each kind of id, so that no two can be mixed up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The id of a sign-in as 16 bytes: the GUID that Entra gives each record in `id`.
///
/// An id that is not a GUID (published samples have some) is kept as a digest of its text, so that
/// the key of an event has one size. The text itself stays in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId(pub [u8; 16]);

impl EventId {
    /// Reads an id as records spell it; text that is no GUID becomes its digest.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        match Uuid::try_parse(text) {
            Ok(guid) => Self(*guid.as_bytes()),
            Err(_) => Self::digest(text.as_bytes()),
        }
    }

    /// The id of a record that has none of its own: a digest of its content, so that a repeat is
    /// still known as one.
    #[must_use]
    pub fn digest(content: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, content);
        let mut id = [0; 16];
        id.copy_from_slice(&digest.as_ref()[..16]);
        Self(id)
    }

    /// The id in 16 bytes as stored; `None` when the column holds another length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Uuid::from_bytes(self.0), f)
    }
}

macro_rules! numbered {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.trim_start_matches('#').parse().map(Self)
            }
        }
    )+};
}

numbered! {
    /// The number of a finding in this database.
    FindingId,
    /// The number of an incident in this database, as people type it.
    IncidentId,
    /// The number of a delivery in this database.
    DeliveryId,
    /// The number of a silence in this database, as people type it.
    SilenceId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_keeps_its_text_and_its_spelling_does_not_matter() {
        let id = EventId::from_text("D46CD81A-A988-48F8-A612-7E0DB6CF7600");
        assert_eq!(id.to_string(), "d46cd81a-a988-48f8-a612-7e0db6cf7600");
        assert_eq!(id, EventId::from_text("d46cd81aa98848f8a6127e0db6cf7600"));
    }

    #[test]
    fn text_that_is_no_guid_gets_an_id_of_its_own() {
        assert_ne!(EventId::from_text("66ea54eb-blah"), EventId::from_text("66ea54eb-blub"));
    }
}
