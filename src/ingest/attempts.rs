//! Asks a source again where that may help, never at once and never for ever, and keeps count of it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::poll::{HeadRead, Poll, delta};
use crate::sources::FetchError;
use crate::store::{Head, StoreError};

const LONGEST_WAIT: Duration = Duration::from_mins(15);

/// So often it is asked for the same before the failure is kept as a row.
const TRIES: u32 = 5;

/// A longer wait than this is kept as a row alone, so that the program can stop.
pub(super) const LONGEST_WAIT_IN_PLACE: Duration = Duration::from_mins(1);

/// What will not go better until somebody acts is not asked for again before this.
const PATIENCE: Duration = Duration::from_mins(1);

/// See [`given_up`].
const GRACE: Duration = Duration::from_secs(4);

/// The requests for one head.
pub(super) struct Attempts<'a> {
    poll: &'a Poll<'a>,
    /// Requests not yet counted in the database, and those of them that gave nothing.
    requests: u64,
    failed_requests: u64,
    /// Whether what was asked last gave nothing, so that the next request is another try.
    is_retry: bool,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rested {
    /// The wait is over: ask again.
    Again,
    /// It was asked often enough for now, or the wait is long: keep the failure as a row.
    Enough,
    /// The program is to stop.
    Stopped,
}

impl<'a> Attempts<'a> {
    pub(super) fn of(poll: &'a Poll<'a>, head: &Head) -> Self {
        Self { poll, requests: 0, failed_requests: 0, is_retry: head.failures > 0 }
    }

    /// The requests that were not yet counted in the database, to be counted there now.
    pub(super) fn taken(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.requests), std::mem::take(&mut self.failed_requests))
    }

    /// The answer to one request, counted; `None` when the program is to stop.
    pub(super) async fn once<T>(
        &mut self,
        head: &str,
        ask: impl Future<Output = Result<T, FetchError>>,
    ) -> Option<Result<T, FetchError>> {
        let Poll { source, stop, .. } = *self.poll;
        if stop.is_cancelled() {
            return None;
        }
        self.requests += 1;
        let labels = [("source", source.name().to_owned()), ("head", head.to_owned())];
        metrics::counter!("signinel_requests_total", &labels).increment(1);
        if self.is_retry {
            metrics::counter!("signinel_retries_total", &labels).increment(1);
        }
        let answered = tokio::select! {
            answered = ask => answered,
            () = given_up(stop) => return None,
        };
        self.is_retry = answered.is_err();
        if self.is_retry {
            self.failed_requests += 1;
            metrics::counter!("signinel_requests_failed_total", &labels).increment(1);
        }
        Some(answered)
    }

    /// An answer, asked for again a few times where that may help. `None` when the program is to stop.
    pub(super) async fn tried<T, F>(
        &mut self,
        head: &str,
        ask: impl Fn() -> F,
    ) -> Result<Option<T>, FetchError>
    where
        F: Future<Output = Result<T, FetchError>>,
    {
        let mut failures = 0;
        loop {
            let error = match self.once(head, ask()).await {
                None => return Ok(None),
                Some(Ok(answer)) => return Ok(Some(answer)),
                Some(Err(error)) => error,
            };
            failures += 1;
            match self.rest(head, &error, failures).await {
                Rested::Again => {}
                Rested::Enough => return Err(error),
                Rested::Stopped => return Ok(None),
            }
        }
    }

    /// Waits after so many failures in a row, where asking again may help and the wait is not long.
    pub(super) async fn rest(&self, head: &str, error: &FetchError, failures: u32) -> Rested {
        let Poll { store, source, stop, clock, .. } = *self.poll;
        let wait = self.wait(head, error, failures);
        if error.is_permanent() || failures >= TRIES || wait > LONGEST_WAIT_IN_PLACE {
            return Rested::Enough;
        }
        tracing::debug!(source = source.name(), head, failures, ?wait, "{error}");
        if error.told().is_some() {
            // Who is killed while it waits, and started again, waits on.
            let until = clock.now() + delta(wait);
            if let Err(error) = store.rest((source.name(), source.kind()), head, until).await {
                tracing::warn!(source = source.name(), head, "the wait cannot be kept: {error}");
            }
        }
        tokio::select! {
            () = stop.cancelled() => Rested::Stopped,
            () = clock.sleep(wait) => Rested::Again,
        }
    }

    /// The wait after so many failures in a row, never shorter than the source asked for.
    fn wait(&self, head: &str, error: &FetchError, failures: u32) -> Duration {
        let Poll { source, clock, .. } = *self.poll;
        let first = source.plan().retry_wait;
        let doubled = first.saturating_mul(1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX));
        let mut hasher = DefaultHasher::new();
        (source.name(), head, failures, clock.now()).hash(&mut hasher);
        let told = error.told().unwrap_or_default();
        jittered(doubled.min(LONGEST_WAIT).max(told), hasher.finish())
    }

    /// Keeps the failure and when to try again: the wait doubles, and begins now.
    pub(super) async fn failed(
        &mut self,
        head: &Head,
        error: &FetchError,
    ) -> Result<HeadRead, StoreError> {
        let Poll { store, source, clock, .. } = *self.poll;
        let now = clock.now();
        let failures = head.failures.saturating_add(1);
        let patience = if error.is_permanent() { PATIENCE } else { Duration::ZERO };
        let until = now + delta(self.wait(&head.name, error, failures).max(patience));
        let sentence = error.to_string();
        let failed = Head { failures, next_attempt_at: Some(until), ..head.clone() };
        let spent = self.taken();
        store.head_failed((source.name(), source.kind()), &failed, &sentence, spent, now).await?;
        Ok(HeadRead::Failed { sentence, is_permanent: error.is_permanent(), until })
    }

    /// Counts what was asked for since the last page was stored.
    pub(super) async fn count(&mut self, head: &str) -> Result<(), StoreError> {
        let Poll { store, source, .. } = *self.poll;
        if self.requests > 0 {
            store.spent((source.name(), source.kind()), head, self.taken()).await?;
        }
        Ok(())
    }
}

/// A page that is on its way may still come in after the program was asked to stop, but not for long:
/// whoever stops it kills it after ten seconds or so, and the page is asked for again at the next start.
async fn given_up(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

/// A wait made longer by up to a fifth, so that several heads do not come back at once.
fn jittered(wait: Duration, chance: u64) -> Duration {
    let fifth = u64::try_from(wait.as_micros() / 5).unwrap_or(0);
    wait + Duration::from_micros(chance % (fifth + 1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_wait_is_made_longer_by_up_to_a_fifth_and_hardly_ever_by_the_same() {
        let wait = Duration::from_secs(10);
        let chances = (0..100_u64).map(|turn| {
            let mut hasher = DefaultHasher::new();
            ("contoso", "managedIdentity", turn).hash(&mut hasher);
            hasher.finish()
        });
        let waits: BTreeSet<Duration> = chances.map(|chance| jittered(wait, chance)).collect();
        assert!(waits.len() > 90, "{waits:?}");
        assert!(waits.iter().all(|it| *it >= wait && *it <= wait + wait / 5));
        let (least, most) = (waits.first().unwrap(), waits.last().unwrap());
        assert!(*most > *least + Duration::from_secs(1), "{waits:?}");
        assert_eq!(jittered(Duration::ZERO, 7), Duration::ZERO);
    }
}
