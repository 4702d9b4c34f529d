//! The answer to the six questions about an incident, as plain values that every view renders.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::phrase;
use crate::model::{Incident, NAMED_AT_MOST};

/// One incident, explained. Mail, webhook, terminal and page show the same card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    pub incident: Incident,
    /// What: one sentence a person understands at 2 a.m.
    pub what: String,
    /// Which identity: every name and id it has.
    pub who: Vec<Who>,
    /// How many identities it is of, where more are known of than are named.
    #[serde(default)]
    pub identity_count: u64,
    /// How unusual, in numbers: expected, seen, since when, how long learnt.
    pub unusual: Vec<String>,
    /// Why, probably: best guess first.
    pub causes: Vec<Cause>,
    /// What to do now, in order.
    pub steps: Vec<Step>,
    /// What is not known, and what would settle it.
    pub unknown: Vec<String>,
}

impl Card {
    /// "4 other identities": those that are not shown where so many are.
    #[must_use]
    pub fn left_out(&self, shown: usize) -> Option<String> {
        let (named, shown) = (self.incident.identities.len() as u64, shown as u64);
        let all = named.max(self.identity_count);
        let left_out = all.checked_sub(shown).filter(|number| *number > 0)?;
        let is_all_that_fit = named >= NAMED_AT_MOST as u64 && all == named;
        let at_least = if is_all_that_fit { "at least " } else { "" };
        Some(format!("{at_least}{}", phrase::others(left_out)))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    pub name: String,
    pub service_principal_id: String,
    pub app_id: String,
    pub tenant_id: String,
    pub arm_resource_id: String,
    /// The last sign-in before the incident that gave a token.
    pub last_good_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    pub sentence: String,
    /// What speaks for it: seen facts, not guesses.
    pub because: Vec<String>,
    pub confidence: Confidence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    Low,
    Medium,
    High,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub sentence: String,
    /// A command to type or a page to open, filled in with this incident's ids.
    pub command: Option<String>,
}
