//! Walks over one head of a source up to now, window by window and page by page, and sweeps behind it.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::attempts::Attempts;
use super::poll::{HeadRead, Poll, delta};
use super::reconcile::{self, Verdict};
use super::{Provenance, fetched};
use crate::model::Interval;
use crate::sources::files::cut_page;
use crate::sources::{Ask, FetchError, Pages};
use crate::store::{Head, Reading, ReadingKind, StoreError, Tally, WindowDone};

/// Pages of one window after which something must be wrong.
const PAGES_AT_MOST: usize = 100_000;

/// A window is not halved below this.
const SHORTEST_WINDOW: TimeDelta = TimeDelta::minutes(15);

/// Sweeps between two reads of a head, so that they do not keep it waiting.
const SWEEPS_AT_ONCE: usize = 2;

/// Hours compared between two reads of a head.
const COMPARED_AT_ONCE: usize = 2;

/// A walk over one head.
pub(super) struct Walk<'a> {
    poll: &'a Poll<'a>,
    pages: &'a dyn Pages,
    head: Head,
    kind: ReadingKind,
    /// See [`Reading::measured_from`].
    measured_from: Option<DateTime<Utc>>,
    tally: Tally,
    attempts: Attempts<'a>,
}

/// How reading a window ended, where the database did its part.
enum WindowRead {
    Done,
    Stopped,
    Failed(FetchError),
}

impl<'a> Walk<'a> {
    pub(super) async fn of(
        poll: &'a Poll<'a>,
        pages: &'a dyn Pages,
        head: Head,
    ) -> Result<Self, StoreError> {
        // Whoever was away cannot tell when a record came.
        let away = delta(poll.source.plan().interval * 3) + TimeDelta::minutes(1);
        let was_there = head.last_read_at.is_some_and(|at| poll.now - at <= away);
        let mut walk = Self {
            poll,
            pages,
            kind: if was_there { ReadingKind::Head } else { ReadingKind::CatchUp },
            measured_from: None,
            head,
            tally: Tally::default(),
            attempts: Attempts::of(poll),
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
            WindowRead::Failed(error) => self.attempts.failed(&self.head, &error).await?,
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
            self.attempts.requests += 1;
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
                    self.attempts.failed_requests += 1;
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
            let (pages, head) = (self.pages, self.head.name.as_str());
            let page = match self.attempts.tried(head, || pages.fetch(head, &ask)).await {
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
            requests: self.attempts.requests,
            failed_requests: self.attempts.failed_requests,
            done: is_last.then_some(done),
        };
        let tally = store.add((source.name(), source.kind()), page, Some(&reading), now).await?;
        (self.attempts.requests, self.attempts.failed_requests) = (0, 0);
        self.tally += tally;
        Ok(tally)
    }
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
