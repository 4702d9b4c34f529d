//! What is noted of an incident as it changes, for its timeline.

use chrono::{DateTime, Utc};

use super::stage::Stage;
use crate::model::{Incident, IncidentId, ResolvedBy};
use crate::store::StoreError;
use crate::store::incidents as rows;
use crate::store::subjects::Subject;

impl Stage<'_> {
    pub(super) fn note_changes(&mut self, subject: Subject, before: &Incident, after: &Incident) {
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
            self.notes.push((id, "grew", sentence));
        }
        match (before.resolved_at, after.resolved_at) {
            (Some(_), None) => {
                self.grouped.reopened += 1;
                self.notes.push((id, "reopened", "it started again".to_owned()));
            }
            (was, Some(at)) if was != Some(at) => {
                self.grouped.resolved += 1;
                let by = after.resolved_by.unwrap_or(ResolvedBy::Quiet);
                self.notes.push((id, "resolved", ending(subject, at, by)));
            }
            _ => {}
        }
    }

    pub(super) async fn merge(
        &mut self,
        other: Incident,
        into: IncidentId,
    ) -> Result<(), StoreError> {
        self.grouped.changed += 1;
        rows::merge(&mut self.writing, other.id, into).await?;
        self.notes.push((other.id, "merged", format!("part of incident {into}")));
        self.notes.push((into, "merged", format!("incident {} is part of it", other.id)));
        Ok(())
    }

    /// Nothing of its findings is left.
    pub(super) async fn withdraw(&mut self, before: Incident) -> Result<(), StoreError> {
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
        let why = "late events showed that nothing was wrong";
        self.notes.push((after.id, "withdrawn", why.to_owned()));
        Ok(())
    }
}

pub(super) fn opening(incident: &Incident) -> String {
    format!("{} severity, {}: {}", incident.severity, sign_ins(incident), incident.title)
}

fn sign_ins(incident: &Incident) -> String {
    match incident.event_count {
        1 => "1 sign-in".to_owned(),
        count => format!("{count} sign-ins"),
    }
}

pub(super) fn ending(subject: Subject, at: DateTime<Utc>, by: ResolvedBy) -> String {
    let at = at.format("%Y-%m-%d %H:%M:%S UTC");
    match by {
        ResolvedBy::Recovered if matches!(subject, Subject::Rule(_) | Subject::Group(_)) => {
            format!("all that it names had signed in again by {at}")
        }
        ResolvedBy::Recovered => format!("it signed in again at {at}"),
        ResolvedBy::Quiet => format!("nothing more came until {at}"),
        ResolvedBy::Person => format!("resolved by a person at {at}"),
        ResolvedBy::Merged => format!("it became part of another incident at {at}"),
        ResolvedBy::Withdrawn => format!("withdrawn at {at}"),
    }
}
