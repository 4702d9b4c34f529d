//! Works out the incidents of every subject whose findings or events changed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::describe::{Describing, Members};
use super::grouping::Piece;
use super::lifecycle::end;
use super::newcomers::judge_newcomers_again;
use super::notes::{ending, opening};
use super::shadow::gather_beside;
use super::symptoms::{Causes, Symptom, slack};
use crate::config::IncidentsConfig;
use crate::model::{FindingId, Incident, IncidentId, ResolvedBy, RuleFacts, believable};
use crate::store::facts;
use crate::store::incidents::{self as rows, IncidentFinding};
use crate::store::renamed;
use crate::store::stages;
use crate::store::subjects::{self, Across, Subject};
use crate::store::{Names, Store, StoreError, Writing, time};

/// What a walk of the stage did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grouped {
    pub opened: u64,
    pub changed: u64,
    pub resolved: u64,
    pub reopened: u64,
}

impl std::ops::AddAssign for Grouped {
    fn add_assign(&mut self, more: Self) {
        self.opened += more.opened;
        self.changed += more.changed;
        self.resolved += more.resolved;
        self.reopened += more.reopened;
    }
}

/// Groups what changed since the last walk, in one transaction.
pub async fn run(
    store: &Store,
    rules: &BTreeMap<String, RuleFacts>,
    config: &IncidentsConfig,
    now: DateTime<Utc>,
) -> Result<Grouped, StoreError> {
    let mut writing = store.write().await?;
    let seen = stages::stage_seen(&mut writing, "incidents").await?;
    let stages::Horizon { last_seq, latest_at } = stages::horizon(&mut writing).await?;
    renamed::judge_again(&mut writing).await?;
    let earliest_at = judge_newcomers_again(&mut writing, rules, seen).await?;
    let latest_at = believable(latest_at, now);
    let quiet_before =
        latest_at.saturating_sub(i64::try_from(config.quiet_for.0.as_micros()).unwrap_or(i64::MAX));
    facts::note_facts(&mut writing, rules).await?;
    let across: Across<'_> = rules
        .iter()
        .filter(|(_, rule)| rule.across_groups)
        .map(|(name, _)| name.as_str())
        .collect();
    let mut subjects: BTreeSet<Subject> =
        subjects::ungrouped(&mut writing, &across).await?.into_iter().collect();
    let were_any = subjects::any_incident(&mut writing).await?;
    if were_any {
        subjects.extend(subjects::endable(&mut writing, seen, quiet_before).await?);
    }
    let mut names = Names::default();
    let causes = Causes::load(&mut writing, &mut names, rules, &across, slack(config)).await?;
    let mut stage = Stage {
        writing,
        rules,
        across,
        causes,
        config,
        now,
        earliest_at,
        latest_at: time(latest_at),
        names,
        were_any,
        notes: Vec::new(),
        before: BTreeMap::new(),
        taken: BTreeMap::new(),
        symptoms: BTreeMap::new(),
        replaced: BTreeSet::new(),
        made_anew: None,
        taken_in: BTreeMap::new(),
        grouped: Grouped::default(),
    };
    let subjects: Vec<Subject> = stage.with_related(subjects).await?.into_iter().collect();
    if were_any {
        stage.before = rows::of_subjects(&mut stage.writing, &subjects).await?;
    }
    // Those that may take in others come before those.
    let (causes, others): (Vec<Subject>, Vec<Subject>) =
        subjects.into_iter().partition(|subject| stage.causes.has(*subject));
    for subject in causes.into_iter().chain(others) {
        stage.subject(subject).await?;
    }
    subjects::mark_grouped(&mut stage.writing).await?;
    rows::note_all(&mut stage.writing, &stage.notes, now).await?;
    stages::set_stage_seen(&mut stage.writing, "incidents", last_seq).await?;
    let grouped = stage.grouped;
    stage.writing.commit().await?;
    Ok(grouped)
}

pub(super) struct Stage<'a> {
    pub(super) writing: Writing,
    pub(super) rules: &'a BTreeMap<String, RuleFacts>,
    pub(super) across: Across<'a>,
    pub(super) causes: Causes<'a>,
    pub(super) config: &'a IncidentsConfig,
    pub(super) now: DateTime<Utc>,
    /// The first event that ever was here, in microseconds.
    pub(super) earliest_at: i64,
    pub(super) latest_at: DateTime<Utc>,
    pub(super) names: Names,
    /// Whether there were incidents before.
    were_any: bool,
    /// What happened to which incidents: of what kind, and in words.
    pub(super) notes: Vec<(IncidentId, &'static str, String)>,
    /// The incidents there were, by their subjects.
    before: BTreeMap<Subject, Vec<Incident>>,
    /// The findings of subjects that were not yet worked out.
    taken: BTreeMap<Subject, Vec<IncidentFinding>>,
    /// The findings of others that those of subjects explain.
    pub(super) symptoms: BTreeMap<Subject, Vec<Symptom>>,
    /// Findings of silence of which a namesake went on in time.
    pub(super) replaced: BTreeSet<FindingId>,
    /// By identity, the groups in which it was found to come or go, once that was asked.
    pub(super) made_anew: Option<BTreeMap<i64, BTreeSet<i64>>>,
    /// Incidents whose findings are symptoms, and the incident of the cause.
    pub(super) taken_in: BTreeMap<IncidentId, IncidentId>,
    pub(super) grouped: Grouped,
}

impl Stage<'_> {
    /// The subjects given, and those that share a cause or a symptom with them; reads the findings of each.
    async fn with_related(
        &mut self,
        mut subjects: BTreeSet<Subject>,
    ) -> Result<BTreeSet<Subject>, StoreError> {
        let mut open: Vec<Subject> = subjects.iter().copied().collect();
        while !open.is_empty() {
            self.read(&open).await?;
            let mut related = Vec::new();
            for subject in &open {
                related.extend(self.made_anew(*subject).await?);
            }
            let causes_none = self.causes.is_empty();
            open.retain(|subject| !causes_none || !matches!(subject, Subject::Identity(_)));
            if self.were_any {
                related.extend(subjects::held_by(&mut self.writing, &open, &self.across).await?);
            }
            for subject in open {
                related.extend(self.causes_of(subject).await?);
                let symptoms = self.symptoms_of(subject).await?;
                related.extend(symptoms.iter().map(|(of, ..)| *of));
                self.symptoms.insert(subject, symptoms);
            }
            related.retain(|other| subjects.insert(*other));
            open = related;
        }
        Ok(subjects)
    }

    /// Reads the findings of subjects, and the names of what they are of, few questions for all.
    async fn read(&mut self, subjects: &[Subject]) -> Result<(), StoreError> {
        let taken = subjects::take(&mut self.writing, subjects, &self.across).await?;
        let drafts = || taken.values().flatten().map(|row| &row.finding.draft);
        let ids: Vec<i64> = drafts().flat_map(|draft| draft.identities.iter().copied()).collect();
        self.names.load_identities(&mut self.writing, &ids).await?;
        let ids: Vec<i64> = drafts().flat_map(|draft| draft.resources.iter().copied()).collect();
        self.names.load_resources(&mut self.writing, &ids).await?;
        self.note_replaced(&taken).await?;
        self.taken.extend(taken);
        Ok(())
    }

    async fn causes_of(&mut self, subject: Subject) -> Result<Vec<Subject>, StoreError> {
        let mut causes = Vec::new();
        let Some(taken) = self.taken.remove(&subject) else { return Ok(causes) };
        for row in &taken {
            causes.extend(self.cause_of(row).await?.map(|(cause, _)| cause));
        }
        self.taken.insert(subject, taken);
        Ok(causes)
    }

    async fn subject(&mut self, subject: Subject) -> Result<(), StoreError> {
        let Some(mut findings) = self.taken.remove(&subject) else { return Ok(()) };
        self.drop_known(subject, &mut findings).await?;
        findings.retain(|row| !self.replaced.contains(&row.finding.id));
        let symptoms = self.drop_symptoms(subject, &mut findings).await?;
        let before = self.before.remove(&subject).unwrap_or_default();
        let mut before: BTreeMap<IncidentId, Incident> =
            before.into_iter().map(|row| (row.id, row)).collect();
        let (shadow, live) = findings.iter().partition::<Vec<_>, _>(|row| self.is_shadow(row));
        let pieces = |rows: Vec<&IncidentFinding>| rows.into_iter().map(piece).collect();
        for pieces in gather_beside(pieces(live), pieces(shadow), self.config) {
            let is_mine = |id: FindingId| pieces.iter().any(|piece| piece.id == id);
            let members = Members {
                own: findings.iter().filter(|row| is_mine(row.finding.id)).collect(),
                symptoms: symptoms
                    .iter()
                    .filter(|(.., cause)| is_mine(*cause))
                    .map(|(_, row, _)| row)
                    .collect(),
            };
            let mut known: Vec<IncidentId> =
                members.all().filter_map(|row| row.incident_id).collect();
            let was_shadow =
                |id: &IncidentId| before.get(id).is_some_and(|incident| incident.is_shadow);
            known.sort_unstable_by_key(|id| (was_shadow(id), *id));
            known.dedup();
            // Of incidents that turn out to be one, the oldest stays: of those that may be told, if any.
            let mut mine = known.iter().filter_map(|id| before.remove(id));
            let incident = mine.next();
            let merged: Vec<Incident> = mine.collect();
            let id = self.incident(subject, &members, incident).await?;
            for other in merged {
                self.merge(other, id).await?;
            }
            let left = members.symptoms.iter().filter_map(|row| row.incident_id);
            self.taken_in.extend(left.filter(|old| *old != id).map(|old| (old, id)));
            let ids: Vec<i64> = members
                .all()
                .filter(|row| row.incident_id != Some(id))
                .map(|row| row.finding.id.0)
                .collect();
            rows::link(&mut self.writing, &ids, id).await?;
        }
        for (_, incident) in before {
            match self.taken_in.get(&incident.id) {
                Some(into) => self.merge(incident, *into).await?,
                None => self.withdraw(incident).await?,
            }
        }
        Ok(())
    }

    /// Opens an incident or brings it up to date.
    async fn incident(
        &mut self,
        subject: Subject,
        members: &Members<'_>,
        before: Option<Incident>,
    ) -> Result<IncidentId, StoreError> {
        // What is live is worked out as if nothing were in shadow.
        let (members, beside) = members.part(|row| self.is_shadow(row));
        let mut incident = Describing {
            writing: &mut self.writing,
            rules: self.rules,
            names: &mut self.names,
            now: self.now,
        }
        .incident(subject, &members)
        .await?;
        incident.is_shadow = members.own.iter().all(|row| self.is_shadow(row));
        let beside: BTreeSet<&str> = beside.iter().map(|row| row.rule.as_str()).collect();
        incident.shadow_rules = beside.into_iter().map(str::to_owned).collect();
        let by_events = self.end_by_events(subject, &members, incident.last_seen_at).await?;
        let end = end(before.as_ref(), incident.last_seen_at, by_events);
        incident.resolved_at = end.map(|(at, _)| at);
        incident.resolved_by = end.map(|(_, by)| by);
        let Some(before) = before else {
            let id = rows::open(&mut self.writing, subject, &incident).await?;
            self.grouped.opened += 1;
            self.notes.push((id, "opened", opening(&incident)));
            if let Some((at, by)) = end {
                self.grouped.resolved += 1;
                self.notes.push((id, "resolved", ending(subject, at, by)));
            }
            return Ok(id);
        };
        let id = before.id;
        incident.id = id;
        incident.opened_at = before.opened_at;
        incident.deliveries = before.deliveries;
        let is_reopened = before.resolved_at.is_some() && incident.resolved_at.is_none();
        if !is_reopened {
            incident.acknowledged_at = before.acknowledged_at;
            incident.acknowledged_by.clone_from(&before.acknowledged_by);
        }
        if incident.resolved_by == Some(ResolvedBy::Person) {
            incident.resolved_why.clone_from(&before.resolved_why);
        }
        incident.revision = before.revision;
        if incident == before {
            return Ok(id);
        }
        incident.revision += 1;
        rows::update(&mut self.writing, &incident, self.now).await?;
        self.grouped.changed += 1;
        self.note_changes(subject, &before, &incident);
        Ok(id)
    }

    fn is_shadow(&self, row: &IncidentFinding) -> bool {
        self.rules.get(&row.rule).is_some_and(|rule| rule.is_shadow)
    }
}

fn piece(row: &IncidentFinding) -> Piece {
    let draft = &row.finding.draft;
    Piece {
        id: row.finding.id,
        rule: row.rule.clone(),
        group_id: row.group_id,
        started_at: draft.started_at,
        // Silence is found long after the last that was heard.
        last_at: draft.last_at.max(draft.detected_at),
    }
}
