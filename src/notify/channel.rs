//! What a channel is: something that can be told an incident.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::message::Message;

/// Why a telling did not arrive, and so whether to try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// May go better later; `retry_after` is what the receiver asked for.
    #[error("{sentence}")]
    Transient { sentence: String, retry_after: Option<Duration> },
    /// This delivery will never be taken.
    #[error("{sentence}")]
    Permanent { sentence: String },
    /// The receiver wants nothing more (410 Gone): the channel is switched off.
    #[error("{sentence}")]
    Gone { sentence: String },
}

/// A way to tell someone. It never retries: that is decided in one place, `deliver`.
#[async_trait]
pub trait Channel: Send + Sync {
    fn name(&self) -> &str;
    fn kind(&self) -> &'static str;

    /// Tells it once. `now` is the time of this attempt. The answer is what the receiver said, for
    /// the list of attempts.
    async fn send(&self, message: &Message, now: DateTime<Utc>) -> Result<String, SendError>;

    /// Whether it could be told, without telling anything, for `doctor`.
    async fn check(&self) -> Result<String, SendError>;
}
