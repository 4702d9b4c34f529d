//! What a person may do with an incident: one transaction each, noted with who and when.

use chrono::{DateTime, Utc};

use crate::model::{Incident, IncidentId, IncidentState, ResolvedBy};
use crate::store::{Store, StoreError, incidents};

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    #[error("there is no incident {0}; `signinel incidents list` shows those there are")]
    NotThere(IncidentId),
    #[error("incident {0} is resolved already")]
    Resolved(IncidentId),
    #[error("incident {0} was acknowledged already, by {1}")]
    Acknowledged(IncidentId, String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Says that somebody is at it. From then on only what is graver is told.
pub async fn acknowledge(
    store: &Store,
    id: IncidentId,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Incident, ActionError> {
    let before = store.incident(id).await?.ok_or(ActionError::NotThere(id))?;
    match before.state() {
        IncidentState::Resolved => return Err(ActionError::Resolved(id)),
        IncidentState::Acknowledged => {
            return Err(ActionError::Acknowledged(id, before.acknowledged_by.unwrap_or_default()));
        }
        IncidentState::Open => {}
    }
    let after = Incident {
        acknowledged_at: Some(now),
        acknowledged_by: Some(by.to_owned()),
        revision: before.revision + 1,
        ..before
    };
    write(store, &after, "acknowledged", &format!("acknowledged by {by}"), now).await?;
    Ok(after)
}

/// Says that it is over. It opens again when more of it comes.
pub async fn resolve(
    store: &Store,
    id: IncidentId,
    by: &str,
    why: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Incident, ActionError> {
    let before = store.incident(id).await?.ok_or(ActionError::NotThere(id))?;
    if before.state() == IncidentState::Resolved {
        return Err(ActionError::Resolved(id));
    }
    let after = Incident {
        resolved_at: Some(now),
        resolved_by: Some(ResolvedBy::Person),
        resolved_why: why.map(str::to_owned),
        revision: before.revision + 1,
        ..before
    };
    let because = why.map(|why| format!(": {why}")).unwrap_or_default();
    write(store, &after, "resolved", &format!("resolved by {by}{because}"), now).await?;
    Ok(after)
}

async fn write(
    store: &Store,
    after: &Incident,
    kind: &str,
    sentence: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut writing = store.write().await?;
    incidents::update(&mut writing, after, now).await?;
    incidents::note(&mut writing, after.id, kind, sentence, now).await?;
    writing.commit().await?;
    Ok(())
}
