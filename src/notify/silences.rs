//! What a person may do about being told: have nothing told for a while, and end that again.

use chrono::{DateTime, Utc};

use crate::model::{Silence, SilenceId};
use crate::store::{Store, StoreError, silences};

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum SilenceError {
    #[error(
        "a silence of everything would hide the next outage: say which identity, rule, category or code it is of, or below which severity"
    )]
    Everything,
    #[error("the silence would end at {0}, before it begins or before now")]
    Backwards(DateTime<Utc>),
    #[error("there is no silence {0}; `signinel silence list --all` shows those there were")]
    NotThere(SilenceId),
    #[error("silence {0} ended at {1}")]
    Ended(SilenceId, DateTime<Utc>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SilenceError {
    /// Whether what was asked for cannot be asked for, whatever the database holds.
    #[must_use]
    pub fn is_of_the_operator(&self) -> bool {
        matches!(self, Self::Everything | Self::Backwards(_))
    }
}

/// Begins a silence; its id is given to it here.
pub async fn begin(store: &Store, silence: Silence) -> Result<Silence, SilenceError> {
    if silence.scope.is_everything() {
        return Err(SilenceError::Everything);
    }
    if silence.ends_at <= silence.begins_at || silence.ends_at <= silence.created_at {
        return Err(SilenceError::Backwards(silence.ends_at));
    }
    let mut writing = store.write().await?;
    let id = silences::add(&mut writing, &silence).await?;
    writing.commit().await.map_err(StoreError::from)?;
    Ok(Silence { id, ..silence })
}

/// Ends a silence now: what it held back is told at the next pass, where it is still open.
pub async fn end(
    store: &Store,
    id: SilenceId,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Silence, SilenceError> {
    let silence = store.silence(id).await?.ok_or(SilenceError::NotThere(id))?;
    if silence.ends_at <= now {
        return Err(SilenceError::Ended(id, silence.ends_at));
    }
    let mut writing = store.write().await?;
    silences::end(&mut writing, id, by, now).await?;
    writing.commit().await.map_err(StoreError::from)?;
    Ok(Silence { ends_at: now, ended_by: Some(by.to_owned()), ..silence })
}
