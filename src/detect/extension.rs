//! What a rule file says under `signinel:`, which other Sigma tools ignore.

use std::collections::HashMap;

use serde::Deserialize;
use yaml_serde::{Mapping, Value};

use super::document::Slip;
use super::trial;

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
    /// The keys that the file has, whatever they say.
    #[serde(skip)]
    pub keys: Vec<String>,
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
    pub events: Vec<HashMap<String, Value>>,
    /// Some of its events happened before others that arrived earlier.
    #[serde(default)]
    pub late: bool,
    /// Fields that some of its events have no value for, or one that nobody knows.
    #[serde(default)]
    pub unknown: Vec<String>,
}

/// The extension of a rule, and all that is wrong with it; what is wrong is left out.
pub(super) fn extension(attributes: &HashMap<String, Value>) -> (Extension, Vec<Slip>) {
    let mut slips = Vec::new();
    let Some(value) = attributes.get("signinel") else { return (Extension::default(), slips) };
    let Some(map) = value.as_mapping() else {
        slips.push(Slip::at(
            &["signinel"],
            "`signinel` is no list of keys: write `category:`, `why:` and others below it",
        ));
        return (Extension::default(), slips);
    };
    let mut sound = Mapping::new();
    for (key, value) in map {
        let name = key.as_str().unwrap_or_default();
        let value = match value {
            Value::Sequence(tests) if name == "tests" => sound_tests(tests, &mut slips),
            value => value.clone(),
        };
        let one: Mapping = [(key.clone(), value)].into_iter().collect();
        match yaml_serde::from_value::<Extension>(one.clone().into()) {
            Ok(_) => sound.extend(one),
            Err(error) => slips.push(Slip::at(&["signinel", name], sentence(name, &error))),
        }
    }
    let keys = sound.keys().filter_map(Value::as_str).map(str::to_owned).collect();
    let extension = yaml_serde::from_value::<Extension>(sound.into()).unwrap_or_default();
    (Extension { keys, ..extension }, slips)
}

/// The tests that can be read.
fn sound_tests(tests: &[Value], slips: &mut Vec<Slip>) -> Value {
    let mut sound = Vec::new();
    for (number, test) in tests.iter().enumerate() {
        match yaml_serde::from_value::<RuleTest>(test.clone()) {
            Ok(read) => {
                slips.extend(trial::slips(number, &read));
                sound.push(test.clone());
            }
            Err(error) => slips.push(Slip::at(
                &["signinel", "tests", &number.to_string()],
                format!("test {}: {error}; `rules/README.md` shows how one is written", number + 1),
            )),
        }
    }
    Value::Sequence(sound)
}

fn sentence(name: &str, error: &yaml_serde::Error) -> String {
    let error = error.to_string();
    if error.starts_with("unknown field") {
        return format!("`signinel.{name}` is no key: `rules/README.md` lists those there are");
    }
    let error = error.strip_prefix(&format!("{name}: ")).unwrap_or(&error);
    format!("`signinel.{name}`: {error}; `rules/README.md` says what it takes")
}
