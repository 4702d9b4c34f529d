//! All rules of a folder, or those in the binary: read, checked, and every fault of every file told.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rsigma_parser::FilterRule;
use serde::Serialize;

use super::data::Dataless;
use super::files::{embedded_files, rule_files};
use super::reading::Reading;
use super::rule::{Detection, Rule};
use crate::model::{EventId, RuleFacts};

/// Goes into every fingerprint: what a fold means is part of what a rule finds.
const SEMANTICS: &str = "3";

/// One thing that is wrong with a rule file. Faults sort by where they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[error("{}:{} {sentence}", file.display(), line.map_or_else(String::new, |line| format!("{line}:")))]
pub struct RuleFault {
    pub file: PathBuf,
    /// From 1, as far as they are known.
    pub line: Option<usize>,
    pub column: Option<usize>,
    pub sentence: String,
}

impl RuleFault {
    pub(super) fn of(file: &Path, sentence: impl Into<String>) -> Self {
        Self { file: file.to_path_buf(), line: None, column: None, sentence: sentence.into() }
    }
}

/// The rules in force, by name.
#[derive(Clone, Debug, Default)]
pub struct Rulebook {
    pub detections: BTreeMap<String, Detection>,
    pub filters: Vec<FilterRule>,
    pub rules: BTreeMap<String, Rule>,
    /// Rules over data that does not come: read, shown, and in none of the above.
    pub dataless: BTreeMap<String, Dataless>,
}

impl Rulebook {
    /// The rules in the binary. They are tested, so a fault here is a broken build.
    pub fn embedded() -> Result<Self, Vec<RuleFault>> {
        Self::read(&embedded_files())
    }

    /// The rules of a folder and the folders in it.
    pub fn folder(folder: &Path) -> Result<Self, Vec<RuleFault>> {
        let (files, faults) = rule_files(folder)?;
        match (Self::read(&files), faults) {
            (read, faults) if faults.is_empty() => read,
            (Ok(_), faults) => Err(faults),
            (Err(more), mut faults) => {
                faults.extend(more);
                faults.sort();
                Err(faults)
            }
        }
    }

    /// Reads files given as path and text.
    pub fn read(files: &[(PathBuf, String)]) -> Result<Self, Vec<RuleFault>> {
        Reading::of(files).finish()
    }

    /// What later stages need to know of each rule that finds, by its name.
    #[must_use]
    pub fn facts(&self) -> BTreeMap<String, RuleFacts> {
        self.rules.iter().map(|(name, rule)| (name.clone(), rule.facts())).collect()
    }

    /// Puts rules in shadow, or out of it whatever their status. Gives the names that are no rule.
    pub fn shade(&mut self, shadow: &[String], live: &[String]) -> Vec<String> {
        let mut unknown = Vec::new();
        for (names, is_shadow) in [(shadow, true), (live, false)] {
            for name in names {
                match self.rules.get_mut(name) {
                    Some(rule) => rule.is_shadow = is_shadow,
                    None => unknown.push(name.clone()),
                }
            }
        }
        unknown
    }

    /// The name a correlation or a filter means: a rule may be referred to by name, id or title.
    pub(super) fn resolve(&self, reference: &str) -> Option<&Detection> {
        self.detections.get(reference).or_else(|| {
            self.detections
                .values()
                .find(|detection| detection.known_as.iter().any(|known| known == reference))
        })
    }
}

impl Rulebook {
    /// Gives every rule the digest of all that decides what it finds.
    pub(super) fn print_fingers(&mut self) {
        let filters: Vec<String> = self.filters.iter().map(filter_text).collect();
        let mut rules: Vec<&mut Rule> = self.rules.values_mut().collect();
        rules.sort_by_key(|rule| rule.depth);
        let mut fingers = BTreeMap::<String, String>::new();
        for rule in rules {
            let lists = [&rule.counted, &rule.broken_by, &rule.learn_from, &rule.of];
            let mut text = format!(
                "{SEMANTICS} {:?} {:?} {} {:?} {lists:?} {filters:?}",
                rule.kind, rule.group_by, rule.inherits, rule.values
            );
            for name in rule.references() {
                let Some(detection) = self.detections.get(name) else {
                    write!(text, " {:?}", fingers.get(name)).expect("a string takes everything");
                    continue;
                };
                let named: BTreeMap<_, _> = detection.rule.detection.named.iter().collect();
                write!(text, " {named:?} {:?}", detection.rule.detection.conditions)
                    .expect("a string takes everything");
            }
            rule.fingerprint = EventId::digest(text.as_bytes()).to_string();
            fingers.insert(rule.name.clone(), rule.fingerprint.clone());
        }
    }
}

/// All of a filter that decides what it takes away, the same in every run.
fn filter_text(filter: &FilterRule) -> String {
    let named: BTreeMap<_, _> = filter.detection.named.iter().collect();
    let source = filter.logsource.as_ref().map(|it| (&it.product, &it.service, &it.category));
    format!("{:?} {source:?} {named:?} {:?}", filter.rules, filter.detection.conditions)
}
