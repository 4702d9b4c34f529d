//! Asks a source again where that may help, never at once and never for ever, and keeps count of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::poll::{HeadRead, Poll, delta};
use crate::sources::FetchError;
use crate::store::{Head, StoreError};

const LONGEST_WAIT: Duration = Duration::from_mins(15);

/// So often it is asked for the same before the failure is kept as a row.
const TRIES: u32 = 5;

/// A longer wait than this is kept as a row, so that the program can stop and others can go on.
const LONGEST_WAIT_IN_PLACE: Duration = Duration::from_mins(1);

/// What will not go better until somebody acts is not asked for again before this.
const PATIENCE: Duration = Duration::from_mins(1);

/// See [`given_up`].
const GRACE: Duration = Duration::from_secs(4);

/// The requests for one head.
pub(super) struct Attempts<'a> {
    poll: &'a Poll<'a>,
    /// Requests not yet counted in the database, and those of them that gave nothing.
    pub(super) requests: u64,
    pub(super) failed_requests: u64,
}

impl<'a> Attempts<'a> {
    pub(super) fn of(poll: &'a Poll<'a>) -> Self {
        Self { poll, requests: 0, failed_requests: 0 }
    }

    /// An answer, asked for again a few times where that may help: a window of many pages would hardly
    /// ever be read to its end if each failure began it anew. `None` when the program is to stop.
    pub(super) async fn tried<T, F>(
        &mut self,
        head: &str,
        ask: impl Fn() -> F,
    ) -> Result<Option<T>, FetchError>
    where
        F: Future<Output = Result<T, FetchError>>,
    {
        let Poll { source, stop, .. } = *self.poll;
        let mut failures = 0;
        loop {
            if stop.is_cancelled() {
                return Ok(None);
            }
            self.requests += 1;
            let labels = [("source", source.name().to_owned()), ("head", head.to_owned())];
            metrics::counter!("signinel_requests_total", &labels).increment(1);
            let answered = tokio::select! {
                answered = ask() => answered,
                () = given_up(stop) => return Ok(None),
            };
            let error = match answered {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) => error,
            };
            self.failed_requests += 1;
            metrics::counter!("signinel_requests_failed_total", &labels).increment(1);
            failures += 1;
            let FetchError::Transient { sentence, retry_after } = &error else { return Err(error) };
            let wait = self.wait(failures).max(retry_after.unwrap_or_default());
            if failures == TRIES || wait > LONGEST_WAIT_IN_PLACE {
                return Err(error);
            }
            tracing::debug!(source = source.name(), head, failures, ?wait, "{sentence}");
            tokio::select! {
                () = stop.cancelled() => return Ok(None),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// The wait after so many failures in a row.
    fn wait(&self, failures: u32) -> Duration {
        let first = self.poll.source.plan().retry_wait;
        let doubled = first.saturating_mul(1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX));
        jittered(doubled.min(LONGEST_WAIT), self.poll.now)
    }

    /// Keeps the failure and when to try again: the wait doubles, and is never shorter than the source
    /// asked for.
    pub(super) async fn failed(
        &self,
        head: &Head,
        error: &FetchError,
    ) -> Result<HeadRead, StoreError> {
        let Poll { store, source, now, .. } = *self.poll;
        let failures = head.failures.saturating_add(1);
        let (asked, is_permanent) = match error {
            FetchError::Transient { retry_after, .. } => (retry_after.unwrap_or_default(), false),
            FetchError::Permanent { .. } => (Duration::ZERO, true),
        };
        let wait = self.wait(failures).max(if is_permanent { PATIENCE } else { Duration::ZERO });
        let until = now + delta(wait.max(asked));
        let sentence = error.to_string();
        let failed = Head { failures, next_attempt_at: Some(until), ..head.clone() };
        let spent = (self.requests, self.failed_requests);
        store.head_failed((source.name(), source.kind()), &failed, &sentence, spent, now).await?;
        Ok(HeadRead::Failed { sentence, is_permanent, until })
    }
}

/// A page that is on its way may still come in after the program was asked to stop, but not for long:
/// whoever stops it kills it after ten seconds or so, and the page is asked for again at the next start.
async fn given_up(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

/// A wait made longer by up to a fifth, so that several heads do not come back at once.
fn jittered(wait: Duration, now: DateTime<Utc>) -> Duration {
    let fifth = u64::try_from(wait.as_millis() / 5).unwrap_or(0);
    let spread = u64::from(now.timestamp_subsec_micros()) % (fifth + 1);
    wait + Duration::from_millis(spread)
}
