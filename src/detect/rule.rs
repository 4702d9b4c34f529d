//! A rule: one file of `rules/`, read and checked.

use std::collections::HashMap;

use rsigma_parser::{
    ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, SigmaRule,
    WindowMode,
};
use serde::Deserialize;

use super::data::Dataless;
use super::fields::Field;
use super::kind_of::{SECOND, kind};
use super::kinds::{Condition, EventCount, Kind};
use crate::model::Severity;

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
    pub learn_events: u64,
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

/// What a person is told of a rule.
#[derive(Clone, Debug, Default)]
pub struct RuleText {
    pub title: String,
    /// How far it is proved: stable, test, experimental, deprecated.
    pub status: String,
    pub description: String,
    pub why: String,
    pub first_steps: Vec<String>,
    pub unknown: Vec<String>,
    pub false_positives: Vec<String>,
    pub tags: Vec<String>,
}

/// A detection: which single events a rule is about.
#[derive(Clone, Debug)]
pub struct Detection {
    pub name: String,
    /// Its id, name and title in the file, by which other rules may refer to it, too.
    pub known_as: Vec<String>,
    pub rule: SigmaRule,
    pub extension: Extension,
    /// The fields it reads, and those that its filters read.
    pub fields: Vec<Field>,
    /// What it asks of events that they do not tell, a sentence for each; then it is never asked.
    pub lacks: Vec<String>,
}

impl Detection {
    /// As a rule that stands alone and cannot find anything.
    pub(super) fn dataless(&self) -> Dataless {
        Dataless {
            name: self.name.clone(),
            title: self.rule.title.clone(),
            level: severity(self.rule.level),
            category: self.extension.category.clone(),
            kind: "detection",
            status: status(self.rule.status),
            lacks: self.lacks.clone(),
        }
    }
}

/// A field that groups events: the same of all, or one of each counted rule (an alias).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupKey {
    /// Tells groupings apart in the keys of groups.
    pub name: String,
    pub field: Field,
    /// The field of each rule in `counted`, for an alias; else empty.
    pub by_rule: Vec<Field>,
}

impl GroupKey {
    fn plain(field: Field) -> Self {
        Self { name: format!("{field:?}"), field, by_rule: Vec::new() }
    }

    /// The field of the counted rule at a place.
    #[must_use]
    pub fn of(&self, place: usize) -> Field {
        self.by_rule.get(place).copied().unwrap_or(self.field)
    }
}

/// A rule that finds.
#[derive(Clone, Debug)]
pub struct Rule {
    pub name: String,
    pub level: Severity,
    pub category: String,
    pub kind: Kind,
    /// Names of the detections whose events count, break a run, or tell what is usual.
    pub counted: Vec<String>,
    pub broken_by: Vec<String>,
    pub learn_from: Vec<String>,
    pub of: Vec<String>,
    pub group_by: Vec<GroupKey>,
    /// The field whose values are counted, for kinds that have one.
    pub value: Option<Field>,
    pub text: RuleText,
    pub tests: Vec<RuleTest>,
    /// 0 where it counts events; where it counts findings of other rules, one more than the deepest of those.
    pub depth: usize,
    /// Only other rules count what it finds; nobody is told of it.
    pub is_quiet: bool,
    /// Changes whenever something changes that decides what it finds.
    pub fingerprint: String,
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

/// A rule of a correlation. All that is wrong comes at once.
pub(super) fn correlation(
    name: &str,
    rule: &CorrelationRule,
    extension: &Extension,
) -> Result<Rule, Vec<String>> {
    let mut faults = Vec::new();
    let kind = kind(rule, extension).map_err(|fault| faults.push(fault)).ok();
    let group_by = group_by(rule, &mut faults);
    let value = value_field(rule, &mut faults);
    if rule.rules.is_empty() {
        faults.push(
            "`correlation.rules` is missing: list the rules whose events it counts".to_owned(),
        );
    }
    if rule.window != WindowMode::Sliding {
        faults.push(format!(
            "`window: {}` is not evaluated here: leave it out for a sliding window",
            rule.window.as_str()
        ));
    }
    faults.extend(misfits(kind.as_ref(), value, extension, faults.is_empty()));
    let text = RuleText {
        title: rule.title.clone(),
        status: status(rule.status).to_owned(),
        description: rule.description.clone().unwrap_or_default(),
        why: extension.why.clone(),
        first_steps: extension.first_steps.clone(),
        unknown: extension.unknown.clone(),
        false_positives: rule.falsepositives.clone(),
        tags: rule.tags.clone(),
    };
    match kind {
        Some(kind) if faults.is_empty() => Ok(Rule {
            name: name.to_owned(),
            level: severity(rule.level),
            category: extension.category.clone(),
            kind,
            counted: rule.rules.clone(),
            broken_by: extension.broken_by.clone(),
            learn_from: extension.learn_from.clone(),
            of: extension.of.clone(),
            group_by,
            value,
            text,
            tests: extension.tests.clone(),
            depth: 0,
            is_quiet: false,
            fingerprint: String::new(),
        }),
        _ => Err(faults),
    }
}

/// What is said of a kind that is not for it, or not said that it needs.
fn misfits(
    kind: Option<&Kind>,
    value: Option<Field>,
    extension: &Extension,
    is_whole: bool,
) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(kind) = kind else { return faults };
    for (key, list, is_for, whose) in [
        ("broken_by", &extension.broken_by, matches!(kind, Kind::Streak(_)), "streak"),
        ("learn_from", &extension.learn_from, matches!(kind, Kind::FirstSeen(_)), "first_seen"),
        ("of", &extension.of, matches!(kind, Kind::Ratio(_)), "ratio"),
    ] {
        if !list.is_empty() && !is_for {
            faults.push(format!("`{key}` is for `kind: {whose}` only"));
        }
    }
    match (kind, value) {
        (Kind::ValueCount(_) | Kind::FirstSeen(_) | Kind::ValueStatistic(_), None) if is_whole => {
            faults.push("`condition.field` is missing: say whose values are counted".to_owned());
        }
        (Kind::ValueStatistic(_), Some(field)) if !field.is_numeric() => {
            faults.push(format!("`condition.field`: `{}` has no numbers", field.name()));
        }
        _ => {}
    }
    faults
}

/// The rule of a detection that stands alone: each event is worth a finding, those of one identity
/// within an hour of each other make one.
pub(super) fn standalone(detection: &Detection) -> Rule {
    let rule = &detection.rule;
    Rule {
        name: detection.name.clone(),
        level: severity(rule.level),
        category: detection.extension.category.clone(),
        kind: Kind::EventCount(EventCount {
            timespan: 3_600 * SECOND,
            condition: Condition(vec![(ConditionOperator::Gte, 1)]),
        }),
        counted: vec![detection.name.clone()],
        broken_by: Vec::new(),
        learn_from: Vec::new(),
        of: Vec::new(),
        group_by: [Field::TenantId, Field::Identity].map(GroupKey::plain).to_vec(),
        value: None,
        text: RuleText {
            title: rule.title.clone(),
            status: status(rule.status).to_owned(),
            description: rule.description.clone().unwrap_or_default(),
            why: detection.extension.why.clone(),
            first_steps: detection.extension.first_steps.clone(),
            unknown: detection.extension.unknown.clone(),
            false_positives: rule.falsepositives.clone(),
            tags: rule.tags.clone(),
        },
        tests: detection.extension.tests.clone(),
        depth: 0,
        is_quiet: false,
        fingerprint: String::new(),
    }
}

fn value_field(rule: &CorrelationRule, faults: &mut Vec<String>) -> Option<Field> {
    let CorrelationCondition::Threshold { field: Some(names), .. } = &rule.condition else {
        return None;
    };
    if names.len() > 1 {
        faults.push("`condition.field` names several fields; one is evaluated".to_owned());
    }
    // An identity is one value, though a group of it is of its tenant, too.
    fields(names, "condition.field", faults).pop()
}

/// The keys of `group-by`; a name that `aliases` gives means another field for each rule.
fn group_by(rule: &CorrelationRule, faults: &mut Vec<String>) -> Vec<GroupKey> {
    let mut keys = Vec::new();
    let is_temporal = matches!(
        rule.correlation_type,
        CorrelationType::Temporal | CorrelationType::TemporalOrdered
    );
    if !rule.aliases.is_empty() && !is_temporal {
        faults.push("`aliases` are for `temporal` and `temporal_ordered` only".to_owned());
    }
    for name in &rule.group_by {
        let Some(alias) = rule.aliases.iter().find(|alias| alias.alias == *name) else {
            let named = fields(std::slice::from_ref(name), "group-by", faults);
            keys.extend(named.into_iter().map(GroupKey::plain));
            continue;
        };
        let mut by_rule = Vec::new();
        for reference in &rule.rules {
            match alias.mapping.get(reference) {
                // Of an identity the last field is itself; the tenant before it groups all alike.
                Some(field) => by_rule
                    .extend(fields(std::slice::from_ref(field), "aliases", faults).last().copied()),
                None => faults
                    .push(format!("`aliases`: `{name}` has no field for the rule `{reference}`")),
            }
        }
        if by_rule.contains(&Field::Identity) {
            keys.push(GroupKey::plain(Field::TenantId));
        }
        if let Some(field) = by_rule.first().copied() {
            keys.push(GroupKey { name: format!("{name}{by_rule:?}"), field, by_rule });
        }
    }
    keys
}

fn fields(names: &[String], key: &str, faults: &mut Vec<String>) -> Vec<Field> {
    let mut known = Vec::new();
    for name in names {
        match Field::named(name) {
            // An identity is one only within its tenant.
            Some(Field::Identity) => known.extend([Field::TenantId, Field::Identity]),
            Some(field) => known.push(field),
            None => faults.push(format!(
                "`{key}`: events have no field `{name}`; `rules/README.md` lists those they have"
            )),
        }
    }
    known
}

pub(super) fn severity(level: Option<rsigma_parser::Level>) -> Severity {
    level.map_or(Severity::Informational, |level| level.as_str().parse().unwrap_or_default())
}

pub(super) fn status(status: Option<rsigma_parser::Status>) -> &'static str {
    match status {
        Some(rsigma_parser::Status::Stable) => "stable",
        Some(rsigma_parser::Status::Test) => "test",
        Some(rsigma_parser::Status::Experimental) => "experimental",
        Some(rsigma_parser::Status::Deprecated) => "deprecated",
        Some(rsigma_parser::Status::Unsupported) => "unsupported",
        None => "",
    }
}

impl Rule {
    /// What it looks for, in the word that `rules/README.md` has for it.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        if self.counted == [self.name.as_str()] { "detection" } else { self.kind.name() }
    }

    /// Every detection it refers to.
    pub fn references(&self) -> impl Iterator<Item = &String> {
        self.counted.iter().chain(&self.broken_by).chain(&self.learn_from).chain(&self.of)
    }
}
