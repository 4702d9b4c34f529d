//! Walks over one head of a source up to now, window by window and page by page, and sweeps behind it.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::attempts::{Attempts, Rested};
use super::length::{Length, SHORTEST_WINDOW};
use super::poll::{HeadRead, Poll, before, delta};
use super::{Provenance, fetched};
use crate::model::Interval;
use crate::sources::files::cut_page;
use crate::sources::{Ask, FetchError, Page, Pages};
use crate::store::{Head, Learnt, Reading, ReadingKind, StoreError, Tally, WindowDone};

/// Pages of one window after which something must be wrong.
const PAGES_AT_MOST: usize = 100_000;

/// How far back a source reaches is found out to within this.
const MARGIN: TimeDelta = TimeDelta::minutes(15);

/// Sweeps between two reads of a head, so that they do not keep it waiting.
const SWEEPS_AT_ONCE: usize = 2;

/// A walk over one head.
pub(super) struct Walk<'a> {
    pub(super) poll: &'a Poll<'a>,
    pages: &'a dyn Pages,
    pub(super) head: Head,
    pub(super) kind: ReadingKind,
    /// See [`Reading::measured_from`].
    measured_from: Option<DateTime<Utc>>,
    tally: Tally,
    pub(super) attempts: Attempts<'a>,
    pub(super) learnt: Learnt,
    length: Length,
}

/// How asking ended, where the database did its part.
pub(super) enum Read<T> {
    Done(T),
    Stopped,
    /// It was tried often enough for now.
    Failed(FetchError),
    /// The window has to be asked for anew, and better a shorter one.
    Anew(FetchError),
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
        let learnt = poll.store.learnt(poll.source.name(), &head.name).await?;
        let mut walk = Self {
            poll,
            pages,
            kind: if was_there { ReadingKind::Head } else { ReadingKind::CatchUp },
            measured_from: None,
            attempts: Attempts::of(poll, &head),
            head,
            tally: Tally::default(),
            length: Length::of(poll.source.plan().window, learnt.window),
            learnt,
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
        let Poll { store, source, now, .. } = *self.poll;
        let known = self.learnt.clone();
        let read = match self.windows(Interval { from, to: now }).await? {
            Read::Done(()) => match self.sweeps().await? {
                HeadRead::CaughtUp => self.reconcile().await?,
                ended => ended,
            },
            Read::Stopped => HeadRead::Stopped,
            Read::Failed(error) | Read::Anew(error) => {
                self.attempts.failed(&self.head, &error).await?
            }
        };
        self.attempts.count(&self.head.name).await?;
        self.learnt.window = self.length.learnt();
        if self.learnt != known {
            let of = (source.name(), source.kind());
            store.set_learnt(of, &self.head.name, &self.learnt).await?;
        }
        Ok((self.tally, read))
    }

    /// Reads over an interval, oldest first, so that what is about to age out is read before it does.
    /// A window that fails is asked for again at half its length, for long windows are what a busy service
    /// gives up on; from then on they grow again.
    pub(super) async fn windows(&mut self, over: Interval) -> Result<Read<()>, StoreError> {
        let (mut from, mut failures) = (over.from, 0);
        while from < over.to {
            let window = Interval { from, to: (from + self.length.next()).min(over.to) };
            failures += 1;
            let error = match self.window(window, over.to).await? {
                Read::Done(()) => {
                    self.length.lengthen(window);
                    self.tell(over, window);
                    (from, failures) = (window.to, 0);
                    continue;
                }
                Read::Anew(FetchError::OutOfReach { sentence })
                    if self.kind != ReadingKind::Sweep =>
                {
                    match self.reached(from, sentence).await? {
                        Read::Done(reached) => from = reached,
                        Read::Stopped => return Ok(Read::Stopped),
                        Read::Failed(error) | Read::Anew(error) => return Ok(Read::Failed(error)),
                    }
                    continue;
                }
                Read::Anew(error) => error,
                Read::Failed(error) => {
                    self.length.shorten(window, &error);
                    return Ok(Read::Failed(error));
                }
                Read::Stopped => return Ok(Read::Stopped),
            };
            self.length.shorten(window, &error);
            match self.rest(&error, failures).await? {
                Rested::Again => {}
                Rested::Enough => return Ok(Read::Failed(error)),
                Rested::Stopped => return Ok(Read::Stopped),
            }
        }
        Ok(Read::Done(()))
    }

    /// Says how far it came, where there is a way to go.
    fn tell(&self, over: Interval, window: Interval) {
        let (source, head) = (self.poll.source.name(), self.head.name.as_str());
        (self.poll.on_page)(source, head, window.to, over.to);
        if self.kind == ReadingKind::CatchUp || (self.kind == ReadingKind::Head && window != over) {
            let part = (window.to - over.from).num_seconds() * 100;
            let percent = part / (over.to - over.from).num_seconds().max(1);
            let minute = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M").to_string();
            let (to, of) = (minute(window.to), minute(over.to));
            tracing::info!(source, head, "read to {to} of {of}, {} %", percent.min(100));
        }
    }

    /// From when on the source gives what it has, after it refused a window that begins at `refused`: found by
    /// halving. What lies before is lost, unless nothing was ever read of the head.
    async fn reached(
        &mut self,
        refused: DateTime<Utc>,
        sentence: String,
    ) -> Result<Read<DateTime<Utc>>, StoreError> {
        let now = self.poll.now;
        let (mut old, mut young) = (refused, now - MARGIN);
        let known = self.learnt.reach.map(|reach| before(now, delta(reach)));
        let mut probe = young;
        let mut next = known.unwrap_or(refused + MARGIN - TimeDelta::minutes(1));
        while probe == young || young - old > MARGIN {
            if probe <= old {
                return Ok(Read::Failed(FetchError::OutOfReach { sentence }));
            }
            let ask = Ask::Window { from: probe, to: probe + TimeDelta::seconds(1) };
            match self.page(&ask, false).await? {
                Read::Done(_) => young = probe,
                // Not even the latest: it is something else than the age.
                Read::Anew(FetchError::OutOfReach { .. }) if probe == young => {
                    return Ok(Read::Failed(FetchError::OutOfReach { sentence }));
                }
                Read::Anew(FetchError::OutOfReach { .. }) => old = probe,
                Read::Anew(error) | Read::Failed(error) => return Ok(Read::Failed(error)),
                Read::Stopped => return Ok(Read::Stopped),
            }
            let middle = old + (young - old) / 2;
            probe = if next > old && next < young { next } else { middle };
            next = middle;
        }
        self.learnt.reach = (now - young).to_std().ok();
        let is_known = self.head.last_read_at.is_some() || self.head.failures > 0;
        if is_known && self.head.read_to < young {
            self.poll.lost(&self.head, young).await?;
        } else {
            let (source, head) = (self.poll.source.name(), &self.head.name);
            tracing::info!(source, head, since = %young, "the source has nothing older than this");
        }
        self.head.read_to = self.head.read_to.max(young);
        Ok(Read::Done(young))
    }

    /// Reads again what has come of age. A sweep that fails is due again at the next read; a wait that was
    /// asked for holds for that too.
    async fn sweeps(&mut self) -> Result<HeadRead, StoreError> {
        let (poll, ages) = (self.poll, &self.poll.source.plan().sweeps);
        let ledger = poll.store.ledger(poll.source.name(), &self.head.name).await?;
        let at_once = if poll.is_eager { usize::MAX } else { SWEEPS_AT_ONCE };
        self.kind = ReadingKind::Sweep;
        let reach = self.learnt.reach.map(|reach| before(poll.now, delta(reach)));
        let due = ledger.due(poll.now, ages).into_iter().map(|due| Interval {
            from: reach.map_or(due.from, |reach| due.from.max(reach)),
            ..due
        });
        for interval in due.filter(|due| due.from < due.to).take(at_once) {
            match self.windows(interval).await? {
                Read::Done(()) => {}
                Read::Stopped => return Ok(HeadRead::Stopped),
                Read::Failed(error) | Read::Anew(error) if error.told().is_some() => {
                    return self.attempts.failed(&self.head, &error).await;
                }
                Read::Failed(error) | Read::Anew(error) => {
                    if matches!(error, FetchError::OutOfReach { .. }) {
                        self.learnt.reach = (poll.now - interval.to).to_std().ok();
                    }
                    let (source, head) = (poll.source.name(), &self.head.name);
                    tracing::warn!(source, head, "a sweep for late records: {error}");
                    break;
                }
            }
        }
        Ok(HeadRead::CaughtUp)
    }

    /// Reads one window page by page. The head moves with the last page's events, so a window that was
    /// not read to its end is read again.
    async fn window(
        &mut self,
        window: Interval,
        until: DateTime<Utc>,
    ) -> Result<Read<()>, StoreError> {
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
            let page = match self.page(&ask, window.to - window.from > SHORTEST_WINDOW).await? {
                Read::Done(page) => page,
                Read::Stopped => return Ok(Read::Stopped),
                Read::Failed(error) => return Ok(Read::Failed(error)),
                Read::Anew(error) => return Ok(Read::Anew(error)),
            };
            let next = match next_ask(page.next, &mut followed) {
                Ok(next) => next,
                Err(error) => return Ok(Read::Anew(error)),
            };
            done.tally += self.store(page.body, &done, next.is_none()).await?;
            (self.poll.on_page)(source.name(), &self.head.name, window.from, until);
            match next {
                Some(next) => ask = next,
                None => break,
            }
        }
        self.head = done.head;
        Ok(Read::Done(()))
    }

    async fn page(&mut self, ask: &Ask, may_shrink: bool) -> Result<Read<Page>, StoreError> {
        let (pages, head) = (self.pages, self.head.name.clone());
        self.asked(may_shrink, || pages.fetch(&head, ask)).await
    }

    /// An answer, asked for again a few times where that may help: a window of many pages would hardly
    /// ever be read to its end if each failure began it anew.
    pub(super) async fn asked<T, F>(
        &mut self,
        may_shrink: bool,
        ask: impl Fn() -> F,
    ) -> Result<Read<T>, StoreError>
    where
        F: Future<Output = Result<T, FetchError>>,
    {
        let mut failures = 0;
        loop {
            let error = match self.attempts.once(&self.head.name, ask()).await {
                None => return Ok(Read::Stopped),
                Some(Ok(answer)) => return Ok(Read::Done(answer)),
                Some(Err(error)) => error,
            };
            match error {
                FetchError::Stale { .. } | FetchError::OutOfReach { .. } => {
                    return Ok(Read::Anew(error));
                }
                FetchError::TooMuch { .. } if may_shrink => return Ok(Read::Anew(error)),
                _ => failures += 1,
            }
            match self.rest(&error, failures).await? {
                Rested::Again => {}
                Rested::Enough => return Ok(Read::Failed(error)),
                Rested::Stopped => return Ok(Read::Stopped),
            }
        }
    }

    async fn rest(&mut self, error: &FetchError, failures: u32) -> Result<Rested, StoreError> {
        if error.told().is_some() {
            // Whoever kills the program now does not make the wait shorter.
            self.attempts.failed(&self.head, error).await?;
        }
        Ok(self.attempts.rest(&self.head.name, error, failures).await)
    }

    async fn store(
        &mut self,
        body: Vec<u8>,
        done: &WindowDone,
        is_last: bool,
    ) -> Result<Tally, StoreError> {
        let Poll { store, source, clock, .. } = *self.poll;
        let origin = format!("{} {}", source.name(), self.head.name);
        let from =
            Provenance { origin: &origin, tenant_id: source.tenant_id(), keep: source.plan().keep };
        let page = fetched(cut_page(body), &from);
        // They are counted in the row of the head, which the end of its first window makes.
        let has_row = is_last || self.head.last_read_at.is_some() || self.head.failures > 0;
        let (requests, failed_requests) = if has_row { self.attempts.taken() } else { (0, 0) };
        let reading = Reading {
            head: &self.head.name,
            measured_from: self.measured_from,
            requests,
            failed_requests,
            done: is_last.then_some(done),
        };
        let of = (source.name(), source.kind());
        let tally = store.add(of, page, Some(&reading), clock.now()).await?;
        self.tally += tally;
        Ok(tally)
    }
}

/// The next page to ask for. A link that was followed already would go round for ever.
pub(super) fn next_ask(
    next: Option<String>,
    followed: &mut HashSet<String>,
) -> Result<Option<Ask>, FetchError> {
    let Some(link) = next else { return Ok(None) };
    let stale = |sentence: &str| FetchError::Stale { sentence: sentence.to_owned() };
    if followed.len() >= PAGES_AT_MOST {
        return Err(stale("one window has more than 100,000 pages; it will be read again"));
    }
    if !followed.insert(link.clone()) {
        return Err(stale("the same nextLink came twice; the window will be read again"));
    }
    Ok(Some(Ask::Next(link)))
}
