//! What a polled source is: something that gives pages of records for a window of event time.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::model::{Interval, Summary};

/// What to ask for next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The first page of a window, half-open: `from <= createdDateTime < to`.
    Window { from: DateTime<Utc>, to: DateTime<Utc> },
    /// The page behind a `nextLink`, followed as it was given.
    Next(String),
}

/// One page as it came: the body of the answer, and where the next one is.
#[derive(Clone, Debug)]
pub struct Page {
    /// The whole body. Its records are cut out of it where they stand, so that each keeps its bytes.
    pub body: Vec<u8>,
    pub next: Option<String>,
}

/// Why a page did not come, and so whether to ask again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// May go better later; `retry_after` is what the service asked for.
    #[error("{sentence}")]
    Transient { sentence: String, retry_after: Option<Duration> },
    /// Will not go better until somebody acts; the sentence says what to do.
    #[error("{sentence}")]
    Permanent { sentence: String },
}

/// How a source wants to be read.
#[derive(Clone, Debug)]
pub struct Plan {
    /// One head each, read on its own; for Graph the sign-in types.
    pub heads: Vec<String>,
    /// Time between two reads of a head.
    pub interval: Duration,
    /// How far back the first read goes.
    pub backfill: Duration,
    /// How far behind its head each read begins, so that late records are found; where it is not given,
    /// as far as records were seen to come late.
    pub overlap: Option<Duration>,
    /// Ages at which what was read is read once more.
    pub sweeps: Vec<Duration>,
    /// A head that was not read for so long has a gap.
    pub stale_after: Duration,
    pub keep: Keep,
    /// Compare closed hours with what the source itself counts.
    pub reconcile: bool,
    /// The longest window asked for at once.
    pub window: Duration,
    /// The wait after a failure that said nothing of when to come back; each further failure doubles it.
    pub retry_wait: Duration,
    /// How far back the source still has records; asking for older ones would be refused.
    pub reach: Duration,
}

/// Which sign-ins of users are kept; those of workloads always are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    #[default]
    All,
    /// Those that failed: users sign in a hundred times as often as workloads.
    Failures,
}

/// A place that records are polled from.
#[async_trait]
pub trait Source: Send + Sync {
    fn name(&self) -> &str;
    fn kind(&self) -> &'static str;
    /// Whose logs these are, as the configuration names the tenant; empty where records say so.
    fn tenant_id(&self) -> &str;
    fn plan(&self) -> &Plan;

    /// One page of one head. Waits for the source's own budget of requests, never for a retry:
    /// when to ask again is a row that `ingest` keeps.
    async fn fetch(&self, head: &str, ask: &Ask) -> Result<Page, FetchError>;

    /// What the source itself counts of a head over an hour; `None` where it does not count.
    async fn counted(
        &self,
        _head: &str,
        _hour: Interval,
    ) -> Result<Option<Vec<Summary>>, FetchError> {
        Ok(None)
    }

    /// Whether it can be read, for `doctor`: what works, or a sentence that says what to do.
    async fn check(&self, now: DateTime<Utc>) -> Result<String, FetchError>;
}
