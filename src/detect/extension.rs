//! What a rule file says under `signinel:`, which other Sigma tools ignore.

use std::collections::HashMap;

use serde::Deserialize;

/// What is under `signinel:` in a rule file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Extension {
    pub kind: Option<ExtensionKind>,
    pub category: String,
    /// Rules whose events end a streak.
    pub broken_by: Vec<String>,
    /// Rules whose events tell how well a group is known; those that count do so anyway.
    pub learn_from: Vec<String>,
    pub learn_for: Option<String>,
    /// Whether an identity is known by what one of its name did before its own first event.
    pub inherits: bool,
    pub learn_events: u64,
    /// Values that a group may have shown for another to be new.
    pub known_at_most: Option<usize>,
    /// Rules whose events, with those that count, are the whole that these are a share of.
    pub of: Vec<String>,
    /// The least share in a hundred.
    pub percent: u64,
    /// How many of those that count came right after one that does not.
    pub turns: u64,
    /// How many times the usual is too much, or too long.
    pub factor: u64,
    /// Hours of which at most one was as busy.
    pub rare: u64,
    /// The shortest silence that is found, and the longest that would have to be waited for.
    pub at_least: Option<String>,
    pub at_most: Option<String>,
    /// Whether findings of several groups are of one matter where they lie near each other.
    pub across_groups: bool,
    /// Rules whose findings are symptoms of what this one finds.
    pub hides: Vec<String>,
    pub why: String,
    pub first_steps: Vec<String>,
    pub unknown: Vec<String>,
    pub tests: Vec<RuleTest>,
}

/// The kinds that Sigma has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtensionKind {
    Streak,
    FirstSeen,
    Ratio,
    Absence,
    Baseline,
    Newcomer,
    Awakening,
    Rhythm,
}

impl ExtensionKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Streak => "streak",
            Self::FirstSeen => "first_seen",
            Self::Ratio => "ratio",
            Self::Absence => "absence",
            Self::Baseline => "baseline",
            Self::Newcomer => "newcomer",
            Self::Awakening => "awakening",
            Self::Rhythm => "rhythm",
        }
    }
}

/// One of a rule's own tests: so many findings of such events, or whether each event matches.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleTest {
    pub name: String,
    pub finds: Option<usize>,
    pub matches: Option<bool>,
    /// Fields by name, and `at`, `repeat`, `every`; see `rules/README.md`.
    pub events: Vec<HashMap<String, yaml_serde::Value>>,
}

/// The extension of a rule; the sentence says what is wrong with it.
pub(super) fn extension(
    attributes: &HashMap<String, yaml_serde::Value>,
) -> Result<Extension, String> {
    match attributes.get("signinel") {
        None => Ok(Extension::default()),
        Some(value) => {
            yaml_serde::from_value(value.clone()).map_err(|error| format!("`signinel`: {error}"))
        }
    }
}
