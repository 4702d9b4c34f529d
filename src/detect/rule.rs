//! A rule: one file of `rules/`, read and checked.

use rsigma_parser::{
    ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, SigmaRule, Status,
    WindowMode,
};

use super::data::Dataless;
use super::extension::{Extension, ExtensionKind, RuleTest};
use super::fields::Field;
use super::kind_of::{SECOND, kind};
use super::kinds::{Condition, EventCount, Kind};
use super::text::{self, RuleText};
use crate::model::{RuleFacts, Severity};

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
            status: text::status(self.rule.status),
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
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one word in the rule's file, or follows from others"
)]
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
    /// Whether an identity is known by what one of its name did before its own first event.
    pub inherits: bool,
    /// The fields whose values, taken together, are counted, for kinds that have such.
    pub values: Vec<Field>,
    /// Whether findings of several groups are of one matter where they lie near each other.
    pub across_groups: bool,
    /// Rules whose findings, of the same codes at the same time, are symptoms of what this one finds.
    pub hides: Vec<String>,
    pub text: RuleText,
    pub tests: Vec<RuleTest>,
    /// Evaluated and shown, and never told.
    pub is_shadow: bool,
    /// 0 where it counts events; where it counts findings of other rules, one more than the deepest of those.
    pub depth: usize,
    /// Only other rules count what it finds; nobody is told of it.
    pub is_quiet: bool,
    /// Changes whenever something changes that decides what it finds.
    pub fingerprint: String,
}

/// A rule of a correlation. All that is wrong comes at once; nothing is said of keys for which something else stands.
pub(super) fn correlation(
    name: &str,
    rule: &CorrelationRule,
    extension: &Extension,
    replaced: &[&str],
) -> Result<Rule, Vec<String>> {
    let mut faults = Vec::new();
    let kind = kind(rule, extension, &mut faults);
    let group_by = group_by(rule, &mut faults);
    let values = value_fields(rule, &mut faults);
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
    faults.extend(misfits(rule, &values, extension));
    let is_by_identity = is_by_identity(&group_by);
    for (key, is_set) in
        [("across_groups", extension.across_groups), ("hides", !extension.hides.is_empty())]
    {
        if is_set && is_by_identity {
            faults.push(format!("`{key}` is for rules that are not grouped by an identity"));
        }
    }
    if extension.inherits && !is_by_identity {
        faults.push("`inherits` is for rules that are grouped by `identity`".to_owned());
    }
    if replaced.contains(&"type") && extension.kind.is_none() {
        // What it would be is not known, so neither is what it has or lacks.
        faults.retain(|fault| fault.starts_with("`group-by`"));
    }
    faults.retain(|fault| !replaced.iter().any(|key| fault.contains(&format!("`{key}"))));
    let text = RuleText {
        tags: rule.tags.clone(),
        false_positives: rule.falsepositives.clone(),
        ..RuleText::of((&rule.title, rule.status, rule.description.as_ref()), extension)
    };
    match kind {
        Some(kind) if faults.is_empty() && replaced.is_empty() => Ok(Rule {
            name: name.to_owned(),
            level: severity(rule.level),
            category: extension.category.clone(),
            kind,
            counted: rule.rules.clone(),
            broken_by: extension.broken_by.clone(),
            learn_from: extension.learn_from.clone(),
            of: extension.of.clone(),
            group_by,
            inherits: extension.inherits,
            values,
            across_groups: extension.across_groups,
            hides: extension.hides.clone(),
            text,
            tests: extension.tests.clone(),
            is_shadow: rule.status == Some(Status::Experimental),
            depth: 0,
            is_quiet: false,
            fingerprint: String::new(),
        }),
        _ => Err(faults),
    }
}

/// Keys under `signinel:` and the kinds that they are for.
const OF_KINDS: [(&str, &[&str]); 13] = [
    ("broken_by", &["streak"]),
    ("learn_from", &["first_seen", "newcomer"]),
    ("learn_for", &["first_seen", "absence", "baseline", "rhythm"]),
    ("learn_events", &["first_seen", "absence", "awakening", "rhythm"]),
    ("known_at_most", &["first_seen"]),
    ("inherits", &["first_seen", "baseline", "rhythm"]),
    ("of", &["ratio"]),
    ("percent", &["ratio"]),
    ("turns", &["ratio"]),
    ("factor", &["absence", "awakening", "baseline"]),
    ("rare", &["baseline"]),
    ("at_least", &["streak", "first_seen", "absence", "awakening"]),
    ("at_most", &["absence"]),
];

/// What is said in a correlation that is not for its kind, or not said that it needs.
fn misfits(rule: &CorrelationRule, values: &[Field], extension: &Extension) -> Vec<String> {
    let kind = extension.kind.map_or(rule.correlation_type.as_str(), ExtensionKind::as_str);
    let mut faults = Vec::new();
    for (key, kinds) in OF_KINDS {
        if extension.keys.iter().any(|said| said == key) && !kinds.contains(&kind) {
            let kinds = kinds.join("`, `");
            faults.push(format!(
                "`{key}` is for `kind: {kinds}` only, and this is `{kind}`: take it out"
            ));
        }
    }
    let is_statistic =
        matches!(kind, "value_sum" | "value_avg" | "value_median" | "value_percentile");
    let is_field_given = matches!(
        &rule.condition,
        CorrelationCondition::Threshold { field: Some(names), .. } if !names.is_empty()
    );
    if !is_field_given && (is_statistic || matches!(kind, "value_count" | "first_seen")) {
        faults.push("`condition.field` is missing: say whose values are counted".to_owned());
    }
    if values.len() > 1 && !matches!(kind, "value_count" | "first_seen") {
        faults.push(
            "`condition.field` names several fields: only `value_count` and `first_seen` take more than one"
                .to_owned(),
        );
    }
    for field in values.iter().filter(|field| is_statistic && !field.is_numeric()) {
        faults.push(format!("`condition.field`: `{}` has no numbers to reckon with", field.name()));
    }
    faults
}

/// What a detection says that only correlations have.
pub(super) fn misfits_of_detection(extension: &Extension) -> Vec<String> {
    let keys = OF_KINDS.map(|(key, _)| key);
    let others = ["kind", "across_groups", "hides"];
    keys.into_iter()
        .chain(others)
        .filter(|key| extension.keys.iter().any(|said| said == key))
        .map(|key| format!("`{key}` is for correlations, and this is a detection: take it out"))
        .collect()
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
        inherits: false,
        values: Vec::new(),
        across_groups: false,
        hides: Vec::new(),
        text: RuleText {
            tags: rule.tags.clone(),
            false_positives: rule.falsepositives.clone(),
            ..RuleText::of(
                (&rule.title, rule.status, rule.description.as_ref()),
                &detection.extension,
            )
        },
        tests: detection.extension.tests.clone(),
        is_shadow: rule.status == Some(Status::Experimental),
        depth: 0,
        is_quiet: false,
        fingerprint: String::new(),
    }
}

/// The fields whose values, taken together, are counted.
fn value_fields(rule: &CorrelationRule, faults: &mut Vec<String>) -> Vec<Field> {
    let CorrelationCondition::Threshold { field: Some(names), .. } = &rule.condition else {
        return Vec::new();
    };
    // An identity is one value, though a group of it is of its tenant, too.
    names
        .iter()
        .filter_map(|name| fields(std::slice::from_ref(name), "condition.field", faults).pop())
        .collect()
}

fn is_by_identity(group_by: &[GroupKey]) -> bool {
    group_by
        .iter()
        .filter(|key| key.by_rule.is_empty())
        .any(|key| matches!(key.field, Field::Identity | Field::ServicePrincipalId))
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

impl Rule {
    /// What it looks for, in the word that `rules/README.md` has for it.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        if self.counted == [self.name.as_str()] { "detection" } else { self.kind.name() }
    }

    /// Whether each of its groups is of one identity.
    #[must_use]
    pub fn is_by_identity(&self) -> bool {
        is_by_identity(&self.group_by)
    }

    /// The field whose values are counted, where it is one alone.
    #[must_use]
    pub fn value(&self) -> Option<Field> {
        match self.values[..] {
            [field] => Some(field),
            _ => None,
        }
    }

    /// Whether the different values that it counts are identities.
    #[must_use]
    pub fn counts_identities(&self) -> bool {
        let field = self.value().map(Field::name);
        field.is_some_and(|name| matches!(name, "identity" | "appId" | "servicePrincipalId"))
    }

    /// What later stages need to know of it.
    #[must_use]
    pub fn facts(&self) -> RuleFacts {
        RuleFacts {
            title: self.text.title.clone(),
            level: self.level,
            category: self.category.clone(),
            counts_identities: self.counts_identities(),
            across_groups: self.across_groups,
            hides: self.hides.clone(),
            is_intermittent: matches!(self.kind, Kind::Ratio(_)),
            is_shadow: self.is_shadow,
        }
    }

    /// Every detection it refers to.
    pub fn references(&self) -> impl Iterator<Item = &String> {
        self.counted.iter().chain(&self.broken_by).chain(&self.learn_from).chain(&self.of)
    }
}
