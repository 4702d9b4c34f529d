//! A rule met by events of one group, over an interval of event time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::id::{EventId, FindingId};

/// How many identities, resources and values a finding names; past that it only counts.
pub const NAMED_AT_MOST: usize = 64;

/// What a fold makes of the events of one group: a finding before it has a row.
///
/// Times are microseconds since 1970 UTC. Identities, resources and values are the numbers they have
/// in this database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The first event of the evidence.
    pub started_at: i64,
    pub first_event: EventId,
    /// The event at which the condition became true.
    pub detected_at: i64,
    pub detected_by: EventId,
    /// The last event of the evidence.
    pub last_at: i64,
    pub last_event: EventId,
    /// Events of evidence.
    pub event_count: u64,
    /// Events of evidence by error code.
    pub codes: BTreeMap<i64, u64>,
    /// The identities of the evidence in order of appearance, [`NAMED_AT_MOST`] of them.
    pub identities: Vec<i64>,
    /// The resources of the evidence in order of appearance, [`NAMED_AT_MOST`] of them.
    pub resources: Vec<i64>,
    /// What the kind wants said, by name: `expected`, `seen`, `learned_for`, `value`, `enough`, …
    pub measures: BTreeMap<String, String>,
}

/// A draft with its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub id: FindingId,
    pub rule: String,
    /// The group's key as text, the same in every database.
    pub group: String,
    pub draft: Draft,
}

/// What later stages need to know of the rule behind a finding.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a thing of its own that a rule is or is not"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFacts {
    pub title: String,
    pub level: super::severity::Severity,
    pub category: String,
    /// Whether the different values that it counts are identities.
    pub counts_identities: bool,
    /// Whether its findings are of one matter, whatever their groups.
    pub across_groups: bool,
    /// The rules whose findings it explains.
    pub hides: Vec<String>,
    /// Whether it finds failures between which tokens are given: one more token ends nothing.
    pub is_intermittent: bool,
    /// Evaluated and shown, and never told.
    pub is_shadow: bool,
}
