//! Walks over one head of a source up to now, window by window and page by page, and sweeps behind it.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::poll::{HeadRead, Poll, delta};
use super::reconcile::{self, Verdict};
use super::{Provenance, fetched};
use crate::model::Interval;
use crate::sources::files::cut_page;
use crate::sources::{Ask, FetchError, Page};
use crate::store::{Head, Reading, ReadingKind, StoreError, Tally, WindowDone};

/// Pages of one window after which something must be wrong.
const PAGES_AT_MOST: usize = 100_000;

const LONGEST_WAIT: Duration = Duration::from_mins(15);

/// So often a page is asked for before the failure is kept as a row.
const TRIES: u32 = 5;

/// A longer wait than this is kept as a row, so that the program can stop and others can go on.
const LONGEST_WAIT_IN_PLACE: Duration = Duration::from_mins(1);

/// What will not go better until somebody acts is not asked for again before this.
const PATIENCE: Duration = Duration::from_mins(1);

/// See [`given_up`].
const GRACE: Duration = Duration::from_secs(4);

/// A window is not halved below this.
const SHORTEST_WINDOW: TimeDelta = TimeDelta::minutes(15);

/// Sweeps between two reads of a head, so that they do not keep it waiting.
const SWEEPS_AT_ONCE: usize = 2;

/// Hours compared between two reads of a head.
const COMPARED_AT_ONCE: usize = 2;

/// A walk over one head.
pub(super) struct Walk<'a> {
    poll: &'a Poll<'a>,
    head: Head,
    kind: ReadingKind,
    /// See [`Reading::measured_from`].
    measured_from: Option<DateTime<Utc>>,
    tally: Tally,
    /// Requests not yet counted in the database, and those of them that gave no page.
    requests: u64,
    failed_requests: u64,
}

/// How reading a window ended, where the database did its part.
enum WindowRead {
    Done,
    Stopped,
    Failed(FetchError),
}

impl<'a> Walk<'a> {
    pub(super) async fn of(poll: &'a Poll<'a>, head: Head) -> Result<Self, StoreError> {
        // Whoever was away cannot tell when a record came.
        let away = delta(poll.source.plan().interval * 3) + TimeDelta::minutes(1);
        let was_there = head.last_read_at.is_some_and(|at| poll.now - at <= away);
        let mut walk = Self {
            poll,
            kind: if was_there { ReadingKind::Head } else { ReadingKind::CatchUp },
            measured_from: None,
            head,
            tally: Tally::default(),
            requests: 0,
            failed_requests: 0,
        };
        if was_there {
            let ledger = poll.store.ledger(poll.source.name(), &walk.head.name).await?;
            walk.measured_from = ledger.covered().first().map(|first| first.interval.from);
        }
        Ok(walk)
    }

    /// Reads from `from` to now, then what a sweep is due for.
    pub(super) async fn run(
        mut self,
        from: DateTime<Utc>,
    ) -> Result<(Tally, HeadRead), StoreError> {
        let now = self.poll.now;
        let read = match self.windows(Interval { from, to: now }).await? {
            WindowRead::Done => match self.sweeps().await? {
                HeadRead::CaughtUp => self.reconcile().await?,
                stopped => stopped,
            },
            WindowRead::Stopped => HeadRead::Stopped,
            WindowRead::Failed(error) => self.failed(&error).await?,
        };
        Ok((self.tally, read))
    }

    /// Reads over an interval, oldest first, so that what is about to age out is read before it does.
    /// A window that fails is tried again at half its length, for long windows are what a busy service
    /// gives up on.
    async fn windows(&mut self, over: Interval) -> Result<WindowRead, StoreError> {
        let longest = delta(self.poll.source.plan().window);
        let (mut from, mut length) = (over.from, longest);
        while from < over.to {
            let to = (from + length).min(over.to);
            match self.window(Interval { from, to }).await? {
                WindowRead::Done => {
                    from = to;
                    length = (length * 2).min(longest);
                }
                WindowRead::Failed(FetchError::Transient { .. }) if to - from > SHORTEST_WINDOW => {
                    length = (to - from) / 2;
                }
                ended => return Ok(ended),
            }
        }
        Ok(WindowRead::Done)
    }

    /// Reads again what has come of age. A sweep that fails is due again at the next read.
    async fn sweeps(&mut self) -> Result<HeadRead, StoreError> {
        let (poll, ages) = (self.poll, &self.poll.source.plan().sweeps);
        let ledger = poll.store.ledger(poll.source.name(), &self.head.name).await?;
        let at_once = if poll.is_eager { usize::MAX } else { SWEEPS_AT_ONCE };
        self.kind = ReadingKind::Sweep;
        for interval in ledger.due(poll.now, ages).into_iter().take(at_once) {
            match self.windows(interval).await? {
                WindowRead::Done => {}
                WindowRead::Stopped => return Ok(HeadRead::Stopped),
                WindowRead::Failed(error) => {
                    let (source, head) = (poll.source.name(), &self.head.name);
                    tracing::warn!(source, head, "a sweep for late records: {error}");
                    break;
                }
            }
        }
        Ok(HeadRead::CaughtUp)
    }

    /// Compares an hour with what the source counts, and reads it again where that is more. A comparison
    /// that fails is due again at the next read.
    async fn reconcile(&mut self) -> Result<HeadRead, StoreError> {
        let poll = self.poll;
        if !poll.source.plan().reconcile {
            return Ok(HeadRead::CaughtUp);
        }
        let ledger = poll.store.ledger(poll.source.name(), &self.head.name).await?;
        let at_once = if poll.is_eager { usize::MAX } else { COMPARED_AT_ONCE };
        let due = reconcile::due(poll, &self.head.name, &ledger).await?;
        for hour in due.into_iter().take(at_once) {
            self.requests += 1;
            match reconcile::compare(poll, &self.head.name, hour).await? {
                Ok(Verdict::Settled) => {}
                Ok(Verdict::NoCounts) => break,
                Ok(Verdict::ReadAgain) => {
                    self.kind = ReadingKind::Sweep;
                    let window = Interval { from: hour, to: hour + TimeDelta::hours(1) };
                    if matches!(self.windows(window).await?, WindowRead::Stopped) {
                        return Ok(HeadRead::Stopped);
                    }
                }
                Err(error) => {
                    self.failed_requests += 1;
                    let (source, head) = (poll.source.name(), &self.head.name);
                    tracing::debug!(source, head, "counts to compare with: {error}");
                    break;
                }
            }
        }
        Ok(HeadRead::CaughtUp)
    }

    /// Reads one window page by page. The head moves with the last page's events, so a window that was
    /// not read to its end is read again.
    async fn window(&mut self, window: Interval) -> Result<WindowRead, StoreError> {
        let Poll { now, source, .. } = *self.poll;
        let is_last = self.kind == ReadingKind::Sweep || window.to >= now;
        let mut done = WindowDone {
            head: Head {
                read_to: self.head.read_to.max(window.to),
                failures: 0,
                next_attempt_at: is_last.then(|| now + delta(source.plan().interval)),
                ..self.head.clone()
            },
            window,
            kind: self.kind,
            began_at: now,
            ages: source.plan().sweeps.clone(),
            tally: Tally::default(),
        };
        let mut followed = HashSet::new();
        let mut ask = Ask::Window { from: window.from, to: window.to };
        loop {
            let page = match self.page(&ask).await {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(WindowRead::Stopped),
                Err(error) => return Ok(WindowRead::Failed(error)),
            };
            let next = match next_ask(page.next, &mut followed) {
                Ok(next) => next,
                Err(error) => return Ok(WindowRead::Failed(error)),
            };
            done.tally += self.store(page.body, &done, next.is_none()).await?;
            (self.poll.on_page)(source.name(), &self.head.name, window.from, window.to);
            match next {
                Some(next) => ask = next,
                None => break,
            }
        }
        self.head = done.head;
        Ok(WindowRead::Done)
    }

    async fn store(
        &mut self,
        body: Vec<u8>,
        done: &WindowDone,
        is_last: bool,
    ) -> Result<Tally, StoreError> {
        let Poll { store, source, now, .. } = *self.poll;
        let origin = format!("{} {}", source.name(), self.head.name);
        let from =
            Provenance { origin: &origin, tenant_id: source.tenant_id(), keep: source.plan().keep };
        let page = fetched(cut_page(body), &from);
        let reading = Reading {
            head: &self.head.name,
            measured_from: self.measured_from,
            requests: self.requests,
            failed_requests: self.failed_requests,
            done: is_last.then_some(done),
        };
        let tally = store.add((source.name(), source.kind()), page, Some(&reading), now).await?;
        (self.requests, self.failed_requests) = (0, 0);
        self.tally += tally;
        Ok(tally)
    }

    /// One page, asked for again a few times where that may help: a window of many pages would hardly
    /// ever be read to its end if each failure began it anew. `None` when the program is to stop.
    async fn page(&mut self, ask: &Ask) -> Result<Option<Page>, FetchError> {
        let Poll { source, stop, .. } = *self.poll;
        let mut failures = 0;
        loop {
            if stop.is_cancelled() {
                return Ok(None);
            }
            self.requests += 1;
            let labels = [("source", source.name().to_owned()), ("head", self.head.name.clone())];
            metrics::counter!("signinel_requests_total", &labels).increment(1);
            let fetch = source.fetch(&self.head.name, ask);
            let fetched = tokio::select! {
                fetched = fetch => fetched,
                () = given_up(stop) => return Ok(None),
            };
            let error = match fetched {
                Ok(page) => return Ok(Some(page)),
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
            tracing::debug!(
                source = source.name(),
                head = self.head.name,
                failures,
                ?wait,
                "{sentence}"
            );
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
    async fn failed(&self, error: &FetchError) -> Result<HeadRead, StoreError> {
        let Poll { store, source, now, .. } = *self.poll;
        let failures = self.head.failures.saturating_add(1);
        let (asked, is_permanent) = match error {
            FetchError::Transient { retry_after, .. } => (retry_after.unwrap_or_default(), false),
            FetchError::Permanent { .. } => (Duration::ZERO, true),
        };
        let wait = self.wait(failures).max(if is_permanent { PATIENCE } else { Duration::ZERO });
        let until = now + delta(wait.max(asked));
        let sentence = error.to_string();
        let failed = Head { failures, next_attempt_at: Some(until), ..self.head.clone() };
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

/// The next page to ask for. A link that was followed already would go round for ever.
fn next_ask(
    next: Option<String>,
    followed: &mut HashSet<String>,
) -> Result<Option<Ask>, FetchError> {
    let Some(link) = next else { return Ok(None) };
    let transient =
        |sentence: &str| FetchError::Transient { sentence: sentence.to_owned(), retry_after: None };
    if followed.len() >= PAGES_AT_MOST {
        return Err(transient("one window has more than 100,000 pages; it will be read again"));
    }
    if !followed.insert(link.clone()) {
        return Err(transient("the same nextLink came twice; the window will be read again"));
    }
    Ok(Some(Ask::Next(link)))
}

/// A wait made longer by up to a fifth, so that several heads do not come back at once.
fn jittered(wait: Duration, now: DateTime<Utc>) -> Duration {
    let fifth = u64::try_from(wait.as_millis() / 5).unwrap_or(0);
    let spread = u64::from(now.timestamp_subsec_micros()) % (fifth + 1);
    wait + Duration::from_millis(spread)
}
