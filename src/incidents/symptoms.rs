//! Which findings are symptoms of another: a cause that many share is one incident, and takes in what it caused.
//!
//! A finding is a symptom of another when the rule of the other hides its rule, it is of the same tenant, it
//! begins while the other lasts (or within `gather_for` of that), and has no error code that the other has not.
//! Silence is found some time after the last that was heard, and others may be silent for reasons of their own: it is a
//! symptom of what was found of many where it is of one of these, was found then or later, and began no more than a day
//! before.

use std::collections::BTreeMap;

use super::stage::Stage;
use crate::config::IncidentsConfig;
use crate::model::{Draft, FindingId, NAMED_AT_MOST, RuleFacts};
use crate::store::incidents::IncidentFinding;
use crate::store::subjects::{self, Across, Subject};
use crate::store::{Names, StoreError, Writing};

/// The category of rules that find silence.
const ABSENCE: &str = "absence";

/// How long before silence is found of many the last of each may have been heard, in microseconds.
const HEARD_WITHIN: i64 = 24 * 3_600_000_000;

/// A finding that is left to another: its own subject, and its cause.
pub(super) type Symptom = (Subject, IncidentFinding, FindingId);

/// The findings in force that may have symptoms.
pub(super) struct Causes<'a> {
    rules: &'a BTreeMap<String, RuleFacts>,
    /// How far from a cause its symptoms may begin, in microseconds.
    slack: i64,
    /// Earliest first: of several causes the first has the symptom.
    findings: Vec<(Subject, IncidentFinding, String)>,
}

pub(super) fn slack(config: &IncidentsConfig) -> i64 {
    i64::try_from(config.gather_for.0.as_micros()).unwrap_or(i64::MAX)
}

impl<'a> Causes<'a> {
    pub(super) async fn load(
        writing: &mut Writing,
        names: &mut Names,
        rules: &'a BTreeMap<String, RuleFacts>,
        across: &Across<'_>,
        slack: i64,
    ) -> Result<Self, StoreError> {
        let hiding: Vec<&str> = rules
            .iter()
            .filter(|(_, rule)| !rule.hides.is_empty() && !rule.is_shadow)
            .map(|(name, _)| name.as_str())
            .collect();
        let mut findings = Vec::new();
        if !hiding.is_empty() {
            let always = (i64::MIN, i64::MAX);
            let rows = subjects::findings_of_rules(writing, &hiding, across, always).await?;
            let firsts: Vec<i64> = rows.iter().filter_map(|(_, row)| first(row)).collect();
            names.load_identities(writing, &firsts).await?;
            for (subject, row) in rows {
                let tenant_id = tenant_of(writing, names, &row).await?;
                findings.push((subject, row, tenant_id));
            }
        }
        Ok(Self { rules, slack, findings })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether a subject has findings that may explain others.
    pub(super) fn has(&self, subject: Subject) -> bool {
        self.findings.iter().any(|(of, ..)| *of == subject)
    }

    /// The cause of a finding of a tenant.
    fn of(&self, symptom: &IncidentFinding, tenant_id: &str) -> Option<(Subject, FindingId)> {
        self.findings
            .iter()
            .find(|(_, cause, of)| of == tenant_id && self.explains(cause, symptom))
            .map(|(subject, cause, _)| (*subject, cause.finding.id))
    }

    fn explains(&self, cause: &IncidentFinding, symptom: &IncidentFinding) -> bool {
        let hides = |rule: &RuleFacts| rule.hides.contains(&symptom.rule);
        let is_silence = is_silence(self.rules, &symptom.rule);
        let (cause, symptom) = if self.rules.get(&cause.rule).is_some_and(hides) {
            (&cause.finding.draft, &symptom.finding.draft)
        } else {
            return false;
        };
        let earliest = cause.started_at.saturating_sub(self.slack);
        let begins_after = if is_silence {
            is_of_these(cause, symptom)
                && symptom.started_at >= earliest.saturating_sub(HEARD_WITHIN)
                && symptom.detected_at >= earliest
        } else {
            symptom.started_at >= earliest
        };
        let begins_within =
            begins_after && symptom.started_at <= cause.last_at.saturating_add(self.slack);
        begins_within && symptom.codes.keys().all(|code| cause.codes.contains_key(code))
    }
}

impl Stage<'_> {
    /// The cause of a finding, if another explains it.
    pub(super) async fn cause_of(
        &mut self,
        row: &IncidentFinding,
    ) -> Result<Option<(Subject, FindingId)>, StoreError> {
        if self.causes.is_empty() {
            return Ok(None);
        }
        let tenant_id = tenant_of(&mut self.writing, &mut self.names, row).await?;
        Ok(self.causes.of(row, &tenant_id))
    }

    /// The findings that those of this subject explain, each with its own subject and its cause.
    pub(super) async fn symptoms_of(
        &mut self,
        subject: Subject,
    ) -> Result<Vec<Symptom>, StoreError> {
        let mine = self.causes.findings.iter().filter(|(of, ..)| *of == subject);
        let (mut interval, mut hidden) = (None, Vec::new());
        for (_, cause, _) in mine {
            let draft = &cause.finding.draft;
            let (from, to) = interval.unwrap_or((draft.started_at, draft.last_at));
            interval = Some((from.min(draft.started_at), to.max(draft.last_at)));
            hidden.extend(self.causes.rules[&cause.rule].hides.iter().map(String::as_str));
        }
        let Some((from, to)) = interval else { return Ok(Vec::new()) };
        let slack = self.causes.slack;
        let interval = (from.saturating_sub(slack), to.saturating_add(slack));
        let rows =
            subjects::findings_of_rules(&mut self.writing, &hidden, &self.across, interval).await?;
        let firsts: Vec<i64> = rows.iter().filter_map(|(_, row)| first(row)).collect();
        self.names.load_identities(&mut self.writing, &firsts).await?;
        let mut symptoms = Vec::new();
        for (of, row) in rows.into_iter().filter(|(of, _)| *of != subject) {
            match self.cause_of(&row).await? {
                Some((cause, id)) if cause == subject => symptoms.push((of, row, id)),
                _ => {}
            }
        }
        Ok(symptoms)
    }

    /// Leaves to their cause the findings that have one, and gives those that this subject takes in.
    pub(super) async fn drop_symptoms(
        &mut self,
        subject: Subject,
        findings: &mut Vec<IncidentFinding>,
    ) -> Result<Vec<Symptom>, StoreError> {
        for place in (0..findings.len()).rev() {
            if self.cause_of(&findings[place]).await?.is_some() {
                findings.remove(place);
            }
        }
        let mut symptoms = self.symptoms.remove(&subject).unwrap_or_default();
        symptoms.retain(|(_, row, _)| !self.replaced.contains(&row.finding.id));
        Ok(symptoms)
    }
}

/// Whether a finding is of identities that the other names; where it names no more, it may be of any.
fn is_of_these(cause: &Draft, symptom: &Draft) -> bool {
    cause.identities.len() >= NAMED_AT_MOST
        || symptom.identities.iter().any(|identity| cause.identities.contains(identity))
}

/// Whether a rule finds that somebody is silent.
pub(super) fn is_silence(rules: &BTreeMap<String, RuleFacts>, rule: &str) -> bool {
    rules.get(rule).is_some_and(|rule| rule.category == ABSENCE)
}

/// Whether a rule finds that many are silent at once.
pub(super) fn is_silence_of_many(rules: &BTreeMap<String, RuleFacts>, rule: &str) -> bool {
    let hidden = rules.get(rule).into_iter().flat_map(|rule| &rule.hides);
    hidden.into_iter().any(|hidden| is_silence(rules, hidden))
}

/// The tenant of the identities of a finding; empty where nobody knows.
async fn tenant_of(
    writing: &mut Writing,
    names: &mut Names,
    row: &IncidentFinding,
) -> Result<String, StoreError> {
    let Some(first) = first(row) else { return Ok(String::new()) };
    names.load_identities(writing, &[first]).await?;
    Ok(names.identity(first).map_or_else(String::new, |known| known.identity.tenant_id.to_string()))
}

fn first(row: &IncidentFinding) -> Option<i64> {
    row.finding.draft.identities.first().copied()
}
