//! What a polled source is: something that gives pages of records for a window of event time, or files
//! that grow.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::model::{Sent, Summary};

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
    /// It took too long, or the service could not do it: less at once may go better.
    #[error("{sentence}")]
    TooMuch { sentence: String, retry_after: Option<Duration> },
    /// A link that is no longer taken, or leads nowhere: its window has to be asked for anew.
    #[error("{sentence}")]
    Stale { sentence: String },
    /// A window that is not taken. A later one may be, where this one is older than what is kept; if not,
    /// it will not go better until somebody acts.
    #[error("{sentence}")]
    OutOfReach { sentence: String },
    /// Will not go better until somebody acts; the sentence says what to do.
    #[error("{sentence}")]
    Permanent { sentence: String },
}

impl FetchError {
    /// One after which the source asked for no wait.
    pub(super) fn transient(sentence: String) -> Self {
        Self::Transient { sentence, retry_after: None }
    }

    pub(super) fn permanent(sentence: String) -> Self {
        Self::Permanent { sentence }
    }

    /// The wait that the service asked for.
    pub(crate) fn told(&self) -> Option<Duration> {
        match self {
            Self::Transient { retry_after, .. } | Self::TooMuch { retry_after, .. } => {
                retry_after.filter(|wait| !wait.is_zero())
            }
            Self::Stale { .. } | Self::OutOfReach { .. } | Self::Permanent { .. } => None,
        }
    }

    /// Whether it will not go better by itself.
    pub(crate) fn is_permanent(&self) -> bool {
        matches!(self, Self::OutOfReach { .. } | Self::Permanent { .. })
    }
}

/// A page of what a source itself counts of a head, and where the next one is.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub summaries: Vec<Summary>,
    pub next: Option<String>,
}

/// How a source wants to be read.
#[derive(Clone, Debug)]
pub struct Plan {
    /// One head each, read on its own: the sign-in types of Graph, the containers of storage.
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
    /// How far back the source still has records; asking for older ones would be refused. Absent where
    /// it has them as long as its owner keeps them.
    pub reach: Option<Duration>,
}

/// A file that may still grow, as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrowingFile {
    pub name: String,
    /// The hour whose records it holds.
    pub hour: DateTime<Utc>,
    /// Of two files of one name, the later one is another file.
    pub made_at: DateTime<Utc>,
    /// In bytes.
    pub size: u64,
    /// Another one after each change.
    pub etag: String,
}

/// The two ways in which records are polled.
#[derive(Clone, Copy)]
pub enum Access<'a> {
    Pages(&'a dyn Pages),
    Files(&'a dyn GrowingFiles),
}

/// Which sign-ins of users are kept; those of workloads always are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    #[default]
    All,
    /// Those that failed: users sign in a hundred times as often as workloads.
    Failures,
}

/// Keeps what has to outlive the program. The errors are sentences.
#[async_trait]
pub trait Memory: Send + Sync {
    /// What an application sent to a tenant, and what it was told.
    async fn recall(&self, tenant: &str, application: &str) -> Result<Sent, String>;
    async fn keep(&self, tenant: &str, application: &str, sent: &Sent) -> Result<(), String>;
}

/// A place that records are polled from.
#[async_trait]
pub trait Source: Send + Sync {
    fn name(&self) -> &str;
    fn kind(&self) -> &'static str;
    /// Whose logs these are, as the configuration names the tenant; empty where records say so.
    fn tenant_id(&self) -> &str;
    fn plan(&self) -> &Plan;
    fn access(&self) -> Access<'_>;

    /// Gives it a memory, where it has something to remember.
    fn remember(&self, _memory: &Arc<dyn Memory>) {}

    /// A page of what the source itself counts of a head; `None` where it does not count.
    async fn counted(&self, _head: &str, _ask: &Ask) -> Result<Option<Counts>, FetchError> {
        Ok(None)
    }

    /// Whether it can be read, for `doctor`: what works, or a sentence that says what to do.
    async fn check(&self, now: DateTime<Utc>) -> Result<String, FetchError>;
}

/// A source that is asked for windows of event time.
#[async_trait]
pub trait Pages: Send + Sync {
    /// One page of one head. Waits for the source's own budget of requests, never for a retry:
    /// when to ask again is a row that `ingest` keeps.
    async fn fetch(&self, head: &str, ask: &Ask) -> Result<Page, FetchError>;
}

/// A source of files to which records are appended, a line each.
#[async_trait]
pub trait GrowingFiles: Send + Sync {
    /// The files of a head with records between two times; none where the head is not there yet.
    async fn list(
        &self,
        head: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<GrowingFile>, FetchError>;

    /// Whether what it lists is all there is, so that whoever has read it has read that time to its end.
    fn is_whole(&self) -> bool {
        true
    }

    /// Whether its files change only by lines that are added. Others may be rewritten in place, and hold
    /// anything that an import reads.
    fn only_grow(&self) -> bool {
        true
    }

    /// A file from its first byte, to be read whole. `None` when it is no longer there, or only to be had
    /// in pieces.
    async fn open(
        &self,
        _head: &str,
        _name: &str,
    ) -> Result<Option<Box<dyn Read + Send>>, FetchError> {
        Ok(None)
    }

    /// A piece of a file. `None` when the file, or that piece of it, is no longer there.
    async fn read(
        &self,
        head: &str,
        name: &str,
        piece: Range<u64>,
    ) -> Result<Option<Vec<u8>>, FetchError>;
}
