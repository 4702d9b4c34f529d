//! Works out the incidents of every subject whose findings or events changed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::describe::{Describing, add};
use super::grouping::Piece;
use super::lifecycle::{end, end_by_events};
use super::shadow::gather_beside;
use crate::config::IncidentsConfig;
use crate::model::{Incident, IncidentId, ResolvedBy, RuleFacts, believable};
use crate::store::facts;
use crate::store::incidents::{self as rows, IncidentFinding, Subject};
use crate::store::stages;
use crate::store::{Names, Store, StoreError, Writing, micros, time};

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
    let (last_seq, latest_at) = stages::horizon(&mut writing).await?;
    let latest_at = believable(latest_at, now);
    let quiet_before =
        latest_at.saturating_sub(i64::try_from(config.quiet_for.0.as_micros()).unwrap_or(i64::MAX));
    facts::note_facts(&mut writing, rules).await?;
    let mut subjects: BTreeSet<Subject> =
        rows::ungrouped(&mut writing).await?.into_iter().collect();
    subjects.extend(rows::endable(&mut writing, seen, quiet_before).await?);
    let mut stage = Stage {
        writing,
        rules,
        config,
        now,
        latest_at: time(latest_at),
        names: Names::default(),
        grouped: Grouped::default(),
    };
    for subject in subjects {
        stage.subject(subject).await?;
    }
    stages::set_stage_seen(&mut stage.writing, "incidents", last_seq).await?;
    let grouped = stage.grouped;
    stage.writing.commit().await?;
    Ok(grouped)
}

/// The category of rules that find silence.
const ABSENCE: &str = "absence";

struct Stage<'a> {
    writing: Writing,
    rules: &'a BTreeMap<String, RuleFacts>,
    config: &'a IncidentsConfig,
    now: DateTime<Utc>,
    latest_at: DateTime<Utc>,
    names: Names,
    grouped: Grouped,
}

impl Stage<'_> {
    async fn subject(&mut self, subject: Subject) -> Result<(), StoreError> {
        let mut findings = rows::take_findings(&mut self.writing, subject).await?;
        self.drop_replaced(subject, &mut findings).await?;
        let mut before: BTreeMap<IncidentId, Incident> =
            rows::of_subject(&mut self.writing, subject)
                .await?
                .into_iter()
                .map(|row| (row.id, row))
                .collect();
        let (shadow, live) = findings.iter().partition::<Vec<_>, _>(|row| self.is_shadow(row));
        let pieces = |rows: Vec<&IncidentFinding>| rows.into_iter().map(piece).collect();
        for pieces in gather_beside(pieces(live), pieces(shadow), self.config) {
            let members: Vec<&IncidentFinding> = findings
                .iter()
                .filter(|row| pieces.iter().any(|piece| piece.id == row.finding.id))
                .collect();
            let mut known: Vec<IncidentId> =
                members.iter().filter_map(|row| row.incident_id).collect();
            let was_shadow =
                |id: &IncidentId| before.get(id).is_some_and(|incident| incident.is_shadow);
            known.sort_unstable_by_key(|id| (was_shadow(id), *id));
            known.dedup();
            // Of incidents that turn out to be one, the oldest stays: of those that may be told, if any.
            let mut mine = known.into_iter().filter_map(|id| before.remove(&id));
            let incident = mine.next();
            let merged: Vec<Incident> = mine.collect();
            let id = self.incident(subject, &members, incident).await?;
            for other in merged {
                self.merge(other, id).await?;
            }
            let ids: Vec<i64> = members
                .iter()
                .filter(|row| row.incident_id != Some(id))
                .map(|row| row.finding.id.0)
                .collect();
            rows::link(&mut self.writing, &ids, id).await?;
        }
        for (_, incident) in before {
            self.withdraw(incident).await?;
        }
        Ok(())
    }

    /// Opens an incident or brings it up to date.
    async fn incident(
        &mut self,
        subject: Subject,
        members: &[&IncidentFinding],
        before: Option<Incident>,
    ) -> Result<IncidentId, StoreError> {
        let (shadow, live) =
            members.iter().copied().partition::<Vec<_>, _>(|row| self.is_shadow(row));
        // What is live is worked out as if nothing were in shadow.
        let is_shadow = live.is_empty();
        let (members, beside) = if is_shadow { (shadow, live) } else { (live, shadow) };
        let members = members.as_slice();
        let mut incident = Describing {
            writing: &mut self.writing,
            rules: self.rules,
            names: &mut self.names,
            now: self.now,
        }
        .incident(subject, members)
        .await?;
        incident.is_shadow = is_shadow;
        let beside: BTreeSet<&str> = beside.iter().map(|row| row.rule.as_str()).collect();
        incident.shadow_rules = beside.into_iter().map(str::to_owned).collect();
        let by_events = self.end_by_events(subject, members, incident.last_seen_at).await?;
        let end = end(before.as_ref(), incident.last_seen_at, by_events);
        incident.resolved_at = end.map(|(at, _)| at);
        incident.resolved_by = end.map(|(_, by)| by);
        let Some(before) = before else {
            let id = rows::open(&mut self.writing, subject, &incident).await?;
            self.grouped.opened += 1;
            rows::note(&mut self.writing, id, "opened", &opening(&incident), self.now).await?;
            if let Some((at, by)) = end {
                self.grouped.resolved += 1;
                rows::note(&mut self.writing, id, "resolved", &ending(subject, at, by), self.now)
                    .await?;
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
        self.note_changes(subject, &before, &incident).await?;
        Ok(id)
    }

    fn is_shadow(&self, row: &IncidentFinding) -> bool {
        self.rules.get(&row.rule).is_some_and(|rule| rule.is_shadow)
    }

    async fn note_changes(
        &mut self,
        subject: Subject,
        before: &Incident,
        after: &Incident,
    ) -> Result<(), StoreError> {
        let id = after.id;
        let new_rules: Vec<&str> = after
            .rules
            .iter()
            .filter(|rule| !before.rules.contains(rule))
            .map(String::as_str)
            .collect();
        if after.severity > before.severity || !new_rules.is_empty() {
            let mut sentence = format!("{} severity, {}", after.severity, sign_ins(after));
            if !new_rules.is_empty() {
                sentence.push_str("; met as well: ");
                sentence.push_str(&new_rules.join(", "));
            }
            rows::note(&mut self.writing, id, "grew", &sentence, self.now).await?;
        }
        match (before.resolved_at, after.resolved_at) {
            (Some(_), None) => {
                self.grouped.reopened += 1;
                rows::note(&mut self.writing, id, "reopened", "it started again", self.now).await
            }
            (was, Some(at)) if was != Some(at) => {
                self.grouped.resolved += 1;
                let by = after.resolved_by.unwrap_or(ResolvedBy::Quiet);
                rows::note(&mut self.writing, id, "resolved", &ending(subject, at, by), self.now)
                    .await
            }
            _ => Ok(()),
        }
    }

    async fn merge(&mut self, other: Incident, into: IncidentId) -> Result<(), StoreError> {
        rows::merge(&mut self.writing, other.id, into).await?;
        rows::note(
            &mut self.writing,
            other.id,
            "merged",
            &format!("part of incident {into}"),
            self.now,
        )
        .await?;
        rows::note(
            &mut self.writing,
            into,
            "merged",
            &format!("incident {} is part of it", other.id),
            self.now,
        )
        .await
    }

    /// Nothing of its findings is left.
    async fn withdraw(&mut self, before: Incident) -> Result<(), StoreError> {
        if before.resolved_by == Some(ResolvedBy::Withdrawn) {
            return Ok(());
        }
        let after = Incident {
            resolved_at: Some(self.now),
            resolved_by: Some(ResolvedBy::Withdrawn),
            revision: before.revision + 1,
            ..before
        };
        rows::update(&mut self.writing, &after, self.now).await?;
        rows::note(
            &mut self.writing,
            after.id,
            "withdrawn",
            "late events showed that nothing was wrong",
            self.now,
        )
        .await
    }

    /// Whether a finding tells of silence, and whether nothing has ended that yet.
    fn silence(&self, row: &IncidentFinding) -> Option<bool> {
        let rule = self.rules.get(&row.rule).filter(|rule| rule.category == ABSENCE);
        rule.map(|_| row.finding.draft.first_event == row.finding.draft.last_event)
    }

    /// An identity has not stopped where another of its name went on in time.
    async fn drop_replaced(
        &mut self,
        subject: Subject,
        findings: &mut Vec<IncidentFinding>,
    ) -> Result<(), StoreError> {
        let Subject::Identity(id) = subject else { return Ok(()) };
        for place in (0..findings.len()).rev() {
            if self.silence(&findings[place]).is_some() {
                let draft = &findings[place].finding.draft;
                let (resources, since) = (draft.resources.as_slice(), draft.started_at);
                let next = rows::first_good_after(&mut self.writing, id, resources, since).await?;
                if next.is_some_and(|(at, _)| at <= draft.detected_at) {
                    findings.remove(place);
                }
            }
        }
        Ok(())
    }

    async fn end_by_events(
        &mut self,
        subject: Subject,
        members: &[&IncidentFinding],
        last_seen_at: DateTime<Utc>,
    ) -> Result<Option<(DateTime<Utc>, ResolvedBy)>, StoreError> {
        // Tokens that were given in a strange way are not healed by more tokens.
        let mut failed = Vec::new();
        let silences: Vec<bool> = members.iter().filter_map(|row| self.silence(row)).collect();
        let is_silent = silences.contains(&true);
        if !is_silent && silences.len() == members.len() {
            return Ok(Some((last_seen_at, ResolvedBy::Recovered)));
        }
        let is_failure = |row: &&&IncidentFinding| {
            self.silence(row).is_some() || row.finding.draft.codes.keys().any(|code| *code != 0)
        };
        for row in members.iter().filter(is_failure) {
            add(&mut failed, &row.finding.draft.resources);
        }
        let is_all_failure = members.iter().all(|row| is_failure(&row));
        let identities: BTreeSet<i64> = match subject {
            _ if !is_all_failure => BTreeSet::new(),
            Subject::Identity(id) => BTreeSet::from([id]),
            Subject::Group(_) | Subject::Source(_) => {
                let drafts = members.iter().map(|row| &row.finding.draft);
                drafts.flat_map(|draft| draft.identities.iter().copied()).collect()
            }
        };
        // Of many it is over when the last of them has signed in again.
        let mut recovered_at = None;
        for id in identities {
            let good = rows::first_good_after(&mut self.writing, id, &failed, micros(last_seen_at))
                .await?;
            recovered_at =
                good.map(|(at, _)| recovered_at.map_or(at, |latest: i64| latest.max(at)));
            if recovered_at.is_none() {
                break;
            }
        }
        let recovered_at = recovered_at.map(time);
        if is_silent {
            // What is found is the quiet itself, so quiet does not end it.
            return Ok(recovered_at.map(|at| (at, ResolvedBy::Recovered)));
        }
        Ok(end_by_events(last_seen_at, recovered_at, self.latest_at, self.config))
    }
}

fn piece(row: &IncidentFinding) -> Piece {
    Piece {
        id: row.finding.id,
        rule: row.rule.clone(),
        started_at: row.finding.draft.started_at,
        last_at: row.finding.draft.last_at,
    }
}

fn opening(incident: &Incident) -> String {
    format!("{} severity, {}: {}", incident.severity, sign_ins(incident), incident.title)
}

fn sign_ins(incident: &Incident) -> String {
    match incident.event_count {
        1 => "1 sign-in".to_owned(),
        count => format!("{count} sign-ins"),
    }
}

fn ending(subject: Subject, at: DateTime<Utc>, by: ResolvedBy) -> String {
    let at = at.format("%Y-%m-%d %H:%M:%S UTC");
    match by {
        ResolvedBy::Recovered if matches!(subject, Subject::Group(_)) => {
            format!("all that it names had signed in again by {at}")
        }
        ResolvedBy::Recovered => format!("it signed in again at {at}"),
        ResolvedBy::Quiet => format!("nothing more came until {at}"),
        ResolvedBy::Person => format!("resolved by a person at {at}"),
        ResolvedBy::Merged => format!("it became part of another incident at {at}"),
        ResolvedBy::Withdrawn => format!("withdrawn at {at}"),
    }
}
