//! What ends an incident, as the events of its subject tell it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::describe::{Members, add};
use super::lifecycle::end_by_events;
use super::stage::Stage;
use super::symptoms::{is_silence, is_silence_of_many};
use crate::model::ResolvedBy;
use crate::store::incidents::{self as rows, GoodAfter, IncidentFinding};
use crate::store::subjects::Subject;
use crate::store::{StoreError, micros, time};

/// The category of rules about secrets, certificates and keys, refused ones and new ones.
const CREDENTIAL: &str = "credential";

impl Stage<'_> {
    /// Whether a finding tells of silence, and whether nothing has ended that yet.
    fn silence(&self, row: &IncidentFinding) -> Option<bool> {
        let draft = &row.finding.draft;
        is_silence(self.rules, &row.rule).then(|| draft.first_event == draft.last_event)
    }

    fn is_intermittent(&self, row: &IncidentFinding) -> bool {
        self.rules.get(&row.rule).is_some_and(|rule| rule.is_intermittent)
    }

    /// Whether a finding is the new credential that ended these failures.
    fn is_remedy(
        &self,
        row: &IncidentFinding,
        failures: &[&IncidentFinding],
        good_at: Option<i64>,
    ) -> bool {
        let of_credentials = |row: &IncidentFinding| {
            self.rules.get(&row.rule).is_some_and(|rule| rule.category == CREDENTIAL)
        };
        let started_at = row.finding.draft.started_at;
        // One that was there before anything failed mends nothing.
        let is_after = |failure: &&&IncidentFinding| failure.finding.draft.started_at <= started_at;
        of_credentials(row)
            && (good_at.is_some_and(|at| started_at >= at)
                || failures.iter().filter(is_after).any(|failure| of_credentials(failure)))
    }

    /// An identity has not stopped where another of its name went on in time.
    pub(super) async fn note_replaced(
        &mut self,
        taken: &BTreeMap<Subject, Vec<IncidentFinding>>,
    ) -> Result<(), StoreError> {
        let (mut asked, mut silent) = (Vec::new(), Vec::new());
        for (subject, rows) in taken {
            let Subject::Identity(id) = *subject else { continue };
            for row in rows.iter().filter(|row| self.silence(row).is_some()) {
                let draft = &row.finding.draft;
                let resources = draft.resources.clone();
                asked.push(GoodAfter { identity_id: id, resources, after: draft.started_at });
                silent.push(row);
            }
        }
        let firsts = rows::first_good(&mut self.writing, &asked).await?;
        for (row, first) in silent.into_iter().zip(firsts) {
            if first.is_some_and(|(at, _)| at <= row.finding.draft.detected_at) {
                self.replaced.insert(row.finding.id);
            }
        }
        Ok(())
    }

    pub(super) async fn end_by_events(
        &mut self,
        subject: Subject,
        members: &Members<'_>,
        last_seen_at: DateTime<Utc>,
    ) -> Result<Option<(DateTime<Utc>, ResolvedBy)>, StoreError> {
        // Tokens that were given in a strange way are not healed by more tokens.
        let mut failed = Vec::new();
        let silences: Vec<bool> = members.all().filter_map(|row| self.silence(row)).collect();
        let is_silent = silences.contains(&true);
        // That many are silent is over when none of them is any longer.
        let sums_up = |row: &&IncidentFinding| {
            !silences.is_empty() && is_silence_of_many(self.rules, &row.rule)
        };
        if !is_silent && silences.len() + members.all().filter(sums_up).count() == members.count() {
            return Ok(Some((last_seen_at, ResolvedBy::Recovered)));
        }
        let (failures, others): (Vec<_>, Vec<_>) = members
            .all()
            .filter(|row| !sums_up(row))
            .partition(|row| self.silence(row).is_some() || is_refused(row));
        for row in &failures {
            add(&mut failed, &row.finding.draft.resources);
        }
        let last_failed = failures.iter().map(|row| row.finding.draft.last_at).max();
        let is_all_failure = match (subject, last_failed) {
            (_, None) => false,
            (Subject::Identity(id), Some(last)) if !others.is_empty() => {
                let asked = GoodAfter { identity_id: id, resources: failed.clone(), after: last };
                let good = rows::first_good(&mut self.writing, &[asked]).await?;
                let good_at = good.into_iter().flatten().map(|(at, _)| at).next();
                others.iter().all(|row| self.is_remedy(row, &failures, good_at))
            }
            _ => others.is_empty(),
        };
        // A new credential that mends it comes after the last failure, and is no sign that it lasts.
        let last_seen_at = last_failed.filter(|_| is_all_failure).map_or(last_seen_at, time);
        // Neither are failures that come and go.
        let is_intermittent = members.all().any(|row| self.is_intermittent(row));
        let identities: BTreeSet<i64> = match subject {
            _ if !is_all_failure || is_intermittent => BTreeSet::new(),
            Subject::Identity(id) => BTreeSet::from([id]),
            Subject::Rule(_) | Subject::Group(_) | Subject::Source(_) => {
                let drafts = members.all().map(|row| &row.finding.draft);
                drafts.flat_map(|draft| draft.identities.iter().copied()).collect()
            }
        };
        let recovered_at = self.recovered_at(identities, &failed, last_seen_at).await?;
        if is_silent {
            // What is found is the quiet itself, so quiet does not end it.
            return Ok(recovered_at.map(|at| (at, ResolvedBy::Recovered)));
        }
        Ok(end_by_events(last_seen_at, recovered_at, self.latest_at, self.config))
    }

    /// When all of them had signed in again: of many it is over when the last of them has.
    async fn recovered_at(
        &mut self,
        identities: BTreeSet<i64>,
        failed: &[i64],
        after: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        if identities.is_empty() {
            return Ok(None);
        }
        let asked = identities.into_iter().map(|identity_id| GoodAfter {
            identity_id,
            resources: failed.to_vec(),
            after: micros(after),
        });
        let good = rows::first_good(&mut self.writing, &asked.collect::<Vec<_>>()).await?;
        let all: Option<Vec<(i64, i64)>> = good.into_iter().collect();
        Ok(all.and_then(|good| good.into_iter().map(|(at, _)| time(at)).max()))
    }
}

fn is_refused(row: &IncidentFinding) -> bool {
    row.finding.draft.codes.keys().any(|code| *code != 0)
}
