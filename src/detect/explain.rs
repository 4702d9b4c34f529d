//! Why a rule did or did not match an event: the verdict of every field, and what the fold of the group had
//! seen by then. It asks the engine and the folds that find, never a copy of them.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use rsigma_eval::{Engine, explain_rule};
use rsigma_parser::SigmaCollection;
use serde::Serialize;

use super::fields::Seen;
use super::kinds::{Role, Standing, Which};
use super::lineage::{NAMESAKES_AT_MOST, as_own, occurrence};
use super::matching::{CodeClasses, Hit, Matcher};
use super::rule::{self, Rule};
use super::rulebook::{RuleFault, Rulebook};
use super::traced::{Node, filters_of, nodes};
use crate::model::{Draft, Severity};
use crate::store::{EventRow, Names, Store, StoreError, Stretch, micros, time};

/// Events read at once.
const PAGE: i64 = 5_000;

/// Why an answer cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    #[error("there is no rule `{0}`")]
    NoRule(String),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Rules(Vec<RuleFault>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a rule made of one event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    pub rule: String,
    pub title: String,
    pub level: Severity,
    pub kind: &'static str,
    /// The sign-in's id.
    pub event: String,
    pub at: DateTime<Utc>,
    pub identity: String,
    /// Whether any detection that counts for it matched.
    pub counts: bool,
    /// The rules that ask of it, where it is a building block: it finds nothing by itself.
    pub counted_by: Option<Vec<String>>,
    /// The rules whose findings it counts in place of events; then they are to be asked.
    pub counts_findings_of: Vec<String>,
    /// What of its data does not come; then nothing was asked.
    pub without_data: Vec<String>,
    /// Whether nothing else was known than this record.
    pub is_one_record: bool,
    pub detections: Vec<Judged>,
    pub groups: Vec<InGroup>,
}

/// What a detection of the rule made of the event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    pub name: String,
    /// What its events are to the rule.
    pub role: &'static str,
    pub matched: bool,
    pub conditions: Vec<Node>,
    /// The filters that take away from it.
    pub filters: Vec<String>,
}

/// A group of the rule that the event is in, or would be in if it mattered to the rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InGroup {
    pub by: Vec<GroupValue>,
    /// What the event is to the rule in it; `None` where it is nothing.
    pub role: Option<&'static str>,
    /// `None` where a field without a value leaves it in no group, or where it is nothing to the rule.
    pub fold: Option<Folded>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupValue {
    pub field: &'static str,
    pub value: Option<String>,
}

/// Where the fold of the group stood at the event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Folded {
    /// Events of the group that the rule had taken in, this one with them.
    pub events: u64,
    /// The time in which events counted, without its beginning and with its end.
    pub window: Option<[DateTime<Utc>; 2]>,
    /// As many that count were in it.
    pub in_window: Option<u64>,
    #[serde(flatten)]
    pub standing: Standing,
    /// Whether a finding began or went on here.
    pub is_evidence: bool,
    pub findings: Vec<Told>,
    /// When the group is overdue, for rules about absence.
    pub due_at: Option<DateTime<Utc>>,
}

/// A finding as it was at the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    pub started_at: DateTime<Utc>,
    pub detected_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
    pub events: u64,
    /// Whether it ended with this event.
    pub is_over: bool,
}

/// Explains what a rule made of an event that is in the store.
pub async fn explain(
    (book, codes): (&Rulebook, &CodeClasses),
    name: &str,
    (store, row): (&Store, &EventRow),
) -> Result<Explanation, ExplainError> {
    let names = store.names_of(std::slice::from_ref(row)).await?;
    let identity = names.identity(row.identity_id).map(|it| it.identity.label().to_owned());
    let mut explanation = Explanation {
        rule: name.to_owned(),
        title: String::new(),
        level: Severity::default(),
        kind: "",
        event: row.id.to_string(),
        at: time(row.created_at),
        identity: identity.unwrap_or_default(),
        counts: false,
        counted_by: None,
        counts_findings_of: Vec::new(),
        without_data: Vec::new(),
        is_one_record: false,
        detections: Vec::new(),
        groups: Vec::new(),
    };
    let Some(rule) = rule_of(book, name) else {
        let building_block = book.detections.get(name).map(super::rule::Detection::dataless);
        let dataless = book.dataless.get(name).cloned().or(building_block);
        let dataless = dataless.ok_or_else(|| ExplainError::NoRule(name.to_owned()))?;
        explanation.title = dataless.title;
        (explanation.level, explanation.kind) = (dataless.level, dataless.kind);
        explanation.without_data = dataless.lacks;
        return Ok(explanation);
    };
    explanation.title.clone_from(&rule.text.title);
    (explanation.level, explanation.kind) = (rule.level, rule.kind_name());
    if rule.depth > 0 {
        explanation.counts_findings_of = rule.counted;
        return Ok(explanation);
    }
    let mut asked = Asked::new(book, codes, rule)?;
    explanation.detections = asked.judge(book, row, &names)?;
    let mut hits = Vec::new();
    asked.matcher.hits(row, &names, &mut hits);
    explanation.counts = hits.iter().any(|hit| hit.role == Role::Counted);
    if !book.rules.contains_key(name) {
        let asks = |rule: &&Rule| rule.references().any(|asked| asked == name);
        let asking = book.rules.values().filter(asks).map(|rule| rule.name.clone());
        explanation.counted_by = Some(asking.collect());
        return Ok(explanation);
    }
    explanation.groups = asked.groups(store, row, &names, &hits).await?;
    Ok(explanation)
}

/// A rule that finds, or a building block as if it did.
fn rule_of(book: &Rulebook, name: &str) -> Option<Rule> {
    let block = || {
        let detection = book.detections.get(name).filter(|it| it.lacks.is_empty())?;
        Some(rule::standalone(detection))
    };
    book.rules.get(name).cloned().or_else(block)
}

/// One rule, ready to be asked.
struct Asked {
    rule: Rule,
    matcher: Matcher,
    /// The same detections and filters as in the matcher, to be asked in detail.
    engine: Engine,
}

impl Asked {
    fn new(book: &Rulebook, codes: &CodeClasses, rule: Rule) -> Result<Self, ExplainError> {
        let alone = Rulebook {
            detections: book.detections.clone(),
            filters: book.filters.clone(),
            rules: [(rule.name.clone(), rule.clone())].into(),
            dataless: BTreeMap::new(),
        };
        let matcher = Matcher::new(&alone, codes.clone()).map_err(ExplainError::Rules)?;
        let mut collection = SigmaCollection::new();
        collection.filters.clone_from(&book.filters);
        let mut engine = Engine::new();
        let detections = rule.references().filter_map(|name| book.detections.get(name));
        collection.rules.extend(detections.map(|detection| detection.rule.clone()));
        engine.add_collection(&collection).map_err(|error| {
            let file = Path::new(&rule.name);
            ExplainError::Rules(vec![RuleFault::of(file, error.to_string())])
        })?;
        Ok(Self { rule, matcher, engine })
    }

    /// What each detection of the rule makes of the event.
    fn judge(
        &self,
        book: &Rulebook,
        row: &EventRow,
        names: &Names,
    ) -> Result<Vec<Judged>, StoreError> {
        let seen = Seen::new(row, names, self.matcher.class(row.error_code))
            .ok_or_else(|| StoreError::Corrupt("an event has no names".to_owned()))?;
        let mut judged = Vec::new();
        for (role, list) in [
            (Role::Counted, &self.rule.counted),
            (Role::Breaks, &self.rule.broken_by),
            (Role::Compares, &self.rule.of),
            (Role::Learns, &self.rule.learn_from),
        ] {
            for name in list {
                let compiled =
                    self.engine.rules().iter().find(|it| it.id.as_deref() == Some(name.as_str()));
                let (Some(compiled), Some(detection)) = (compiled, book.detections.get(name))
                else {
                    continue;
                };
                let explained = explain_rule(compiled, &seen);
                judged.push(Judged {
                    name: name.clone(),
                    role: word(role),
                    matched: explained.matched,
                    conditions: nodes(&explained, &detection.rule, &book.filters),
                    filters: filters_of(&book.filters, name),
                });
            }
        }
        Ok(judged)
    }

    /// The groups of the event, and where their folds stood at it.
    async fn groups(
        &mut self,
        store: &Store,
        row: &EventRow,
        names: &Names,
        hits: &[Hit],
    ) -> Result<Vec<InGroup>, StoreError> {
        let none = Hit { rule: 0, role: Role::Counted, which: Which::default() };
        let mut groups: Vec<(Option<String>, InGroup)> = Vec::new();
        for hit in hits.iter().copied().map(Some).chain(hits.is_empty().then_some(None)) {
            let text = self.matcher.group_text(hit.unwrap_or(none), row, names);
            // Under aliases, two detections may put an event into one group.
            if text.is_some() && groups.iter().any(|(other, _)| *other == text) {
                continue;
            }
            let fold = match (hit, &text) {
                (Some(_), Some(text)) => self.fold(store, row, text).await?,
                _ => None,
            };
            let by = self.values(hit.unwrap_or(none), row, names);
            groups.push((text, InGroup { by, role: hit.map(|hit| word(hit.role)), fold }));
        }
        Ok(groups.into_iter().map(|(_, group)| group).collect())
    }

    fn values(&self, hit: Hit, row: &EventRow, names: &Names) -> Vec<GroupValue> {
        let Some(seen) = Seen::new(row, names, self.matcher.class(row.error_code)) else {
            return Vec::new();
        };
        let grouping = self.matcher.grouping(hit);
        let fields = self.rule.group_by.iter().map(|key| key.of(grouping));
        fields
            .map(|field| {
                let value = field.text(&seen);
                let value = (!value.is_empty()).then(|| value.into_owned());
                GroupValue { field: field.name(), value }
            })
            .collect()
    }

    /// Folds the events of the group up to the event.
    async fn fold(
        &mut self,
        store: &Store,
        row: &EventRow,
        group: &str,
    ) -> Result<Option<Folded>, StoreError> {
        let kind = self.rule.kind.clone();
        let matcher = &mut self.matcher;
        let mut identities = Vec::new();
        if self.rule.inherits {
            identities = store.namesakes_of(row.identity_id).await?;
        }
        if identities.len() > NAMESAKES_AT_MOST {
            identities.clear();
        }
        if identities.is_empty() && matcher.is_by_identity(0) {
            identities.push(row.identity_id);
        }
        let mut stretch = Stretch { identities, after: None, up_to_seq: i64::MAX };
        let (mut state, mut events, mut hits) = (kind.start(), 0, Vec::new());
        let mut counted = Vec::new();
        loop {
            let rows = store.stretch(&stretch, PAGE).await?;
            let with_own: Vec<EventRow> = rows.iter().chain([row]).copied().collect();
            let names = store.names_of(&with_own).await?;
            for other in &rows {
                if other.key() > row.key() {
                    return Ok(None);
                }
                matcher.hits(other, &names, &mut hits);
                let own = self.rule.inherits.then_some(row.identity_id);
                let as_own = as_own(other, own.unwrap_or(other.identity_id));
                let Some(hit) = hit_of(matcher, &hits, &as_own, &names, group) else { continue };
                let told = occurrence((matcher, &names), (hit, as_own != *other), other);
                let Some(occurrence) = told else { continue };
                let mut closed = Vec::new();
                events += 1;
                counted.extend((hit.role == Role::Counted).then_some(other.created_at));
                if other.key() < row.key() {
                    kind.step(&mut state, &occurrence, &mut closed);
                    continue;
                }
                let before = state.clone();
                kind.step(&mut state, &occurrence, &mut closed);
                let standing = kind.standing((&before, &state), &occurrence, &self.rule.counted);
                let mut folded = folded(&kind.open(&state), &closed, row, standing);
                let is_in =
                    |at: &&i64| folded.window.is_some_and(|[after, _]| **at > micros(after));
                let in_window = counted.iter().filter(is_in).count() as u64;
                folded.in_window = folded.window.map(|_| in_window);
                folded.events = events;
                folded.due_at = kind.deadline(&state).map(|deadline| time(deadline.at));
                return Ok(Some(folded));
            }
            match rows.last() {
                Some(last) => stretch.after = Some(last.key()),
                None => return Ok(None),
            }
        }
    }
}

/// What an event is to the rule in one of its groups.
fn hit_of(
    matcher: &Matcher,
    hits: &[Hit],
    row: &EventRow,
    names: &Names,
    group: &str,
) -> Option<Hit> {
    let is_in = |hit: &&Hit| matcher.group_text(**hit, row, names).as_deref() == Some(group);
    let mut of_group = hits.iter().filter(is_in).copied();
    let mut joined = of_group.next()?;
    of_group.for_each(|hit| joined.join(hit));
    Some(joined)
}

fn folded(open: &[Draft], closed: &[Draft], row: &EventRow, standing: Standing) -> Folded {
    let told = |draft: &Draft, is_over| Told {
        started_at: time(draft.started_at),
        detected_at: time(draft.detected_at),
        last_at: time(draft.last_at),
        events: draft.event_count,
        is_over,
    };
    // What may be silence one day is none yet.
    let open = open.iter().filter(|draft| draft.detected_at <= row.created_at);
    let is_evidence = |draft: &Draft| (draft.last_at, draft.last_event) == row.key();
    let findings = open.clone().map(|draft| told(draft, false));
    Folded {
        events: 0,
        in_window: None,
        window: standing
            .window
            .map(|span| [time(row.created_at.saturating_sub(span)), time(row.created_at)]),
        is_evidence: open.clone().chain(closed).any(is_evidence),
        findings: findings.chain(closed.iter().map(|draft| told(draft, true))).collect(),
        standing,
        due_at: None,
    }
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Counted => "counts",
        Role::Breaks => "breaks",
        Role::Compares => "compares",
        Role::Learns => "learns",
    }
}
