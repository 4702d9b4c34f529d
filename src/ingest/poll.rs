//! Reads a polled source: each head from where it stopped to now, window by window, and again a stretch
//! behind it, where late records turn up.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::fetched;
use crate::sources::files::cut_page;
use crate::sources::{Ask, FetchError, Page, Plan, Source};
use crate::store::{Head, Store, StoreError, Tally};

/// Pages of one window after which something must be wrong.
const PAGES_AT_MOST: usize = 100_000;

const LONGEST_WAIT: Duration = Duration::from_mins(15);

/// So often a page is asked for before the failure is kept as a row.
const TRIES: u32 = 5;

/// A longer wait than this is kept as a row, so that the program can stop and others can go on.
const LONGEST_WAIT_IN_PLACE: Duration = Duration::from_mins(1);

/// A window is not halved below this.
const SHORTEST_WINDOW: TimeDelta = TimeDelta::minutes(15);

/// What became of one head in a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadRead {
    /// Every window up to now was read to its end.
    CaughtUp,
    /// It is not yet time.
    Waiting { until: DateTime<Utc> },
    /// It could not be read to the end: the sentence, and when it is tried again.
    Failed { sentence: String, is_permanent: bool, until: DateTime<Utc> },
    /// The program is to stop.
    Stopped,
}

/// What a read of a source gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Polled {
    pub tally: Tally,
    /// By name of the head.
    pub heads: Vec<(String, HeadRead)>,
}

/// Told after each page: source, head, the event time read to, and the window's end.
pub type OnPage<'a> = &'a (dyn Fn(&str, &str, DateTime<Utc>, DateTime<Utc>) + Send + Sync);

/// What a walk over the heads of a source shares.
pub struct Poll<'a> {
    pub store: &'a Store,
    pub source: &'a dyn Source,
    pub now: DateTime<Utc>,
    /// Read heads that are not due as well, unless they failed.
    pub is_eager: bool,
    pub stop: &'a CancellationToken,
    pub on_page: OnPage<'a>,
}

impl Poll<'_> {
    /// Reads every head that is due. A head that fails holds up no other.
    pub async fn run(&self) -> Result<Polled, StoreError> {
        let heads = self.source.plan().heads.iter().map(|head| self.head(head));
        let mut polled = Polled::default();
        for read in futures_util::future::join_all(heads).await {
            let (name, tally, read) = read?;
            polled.tally += tally;
            polled.heads.push((name, read));
        }
        Ok(polled)
    }

    async fn head(&self, name: &str) -> Result<(String, Tally, HeadRead), StoreError> {
        let plan = self.source.plan();
        let known = self.store.head(self.source.name(), name).await?;
        let (from, failures) = match &known {
            Some(head) => {
                if let Some(until) = head.next_attempt_at.filter(|until| *until > self.now)
                    && !(self.is_eager && head.failures == 0)
                {
                    return Ok((name.to_owned(), Tally::default(), HeadRead::Waiting { until }));
                }
                (head.read_to - delta(plan.overlap), head.failures)
            }
            None => (self.now - delta(plan.backfill), 0),
        };
        let reach = self.now - delta(plan.reach);
        if from < reach {
            tracing::warn!(
                source = self.source.name(),
                head = name,
                %from,
                to = %reach,
                "the source no longer has these records: the program was stopped for too long"
            );
        }
        let from = from.max(reach);
        let mut head = Head {
            name: name.to_owned(),
            read_to: known.map_or(from, |head| head.read_to),
            failures,
            next_attempt_at: None,
        };
        let (tally, read) = self.windows(plan, &mut head, from).await?;
        Ok((name.to_owned(), tally, read))
    }

    /// Reads from `from` to now, oldest first, so that what is about to age out is read before it does.
    /// A window that fails is tried again at half its length, for long windows are what a busy service
    /// gives up on.
    async fn windows(
        &self,
        plan: &Plan,
        head: &mut Head,
        mut from: DateTime<Utc>,
    ) -> Result<(Tally, HeadRead), StoreError> {
        let mut tally = Tally::default();
        let mut window = delta(plan.window);
        while from < self.now {
            let to = (from + window).min(self.now);
            let done = Head {
                read_to: head.read_to.max(to),
                failures: 0,
                next_attempt_at: (to >= self.now).then(|| self.now + delta(plan.interval)),
                ..head.clone()
            };
            match self.window(&done, from, to, &mut tally).await? {
                Ok(true) => {
                    *head = done;
                    from = to;
                    window = (window * 2).min(delta(plan.window));
                }
                Ok(false) => return Ok((tally, HeadRead::Stopped)),
                Err(FetchError::Transient { .. }) if to - from > SHORTEST_WINDOW => {
                    window = (to - from) / 2;
                }
                Err(error) => return Ok((tally, self.failed(head, &error).await?)),
            }
        }
        Ok((tally, HeadRead::CaughtUp))
    }

    /// Reads one window page by page. The head moves with the last page's events, so a window that was
    /// not read to its end is read again. `false` when the program is to stop.
    async fn window(
        &self,
        done: &Head,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        tally: &mut Tally,
    ) -> Result<Result<bool, FetchError>, StoreError> {
        let mut followed = HashSet::new();
        let mut ask = Ask::Window { from, to };
        loop {
            let page = match self.page(&done.name, &ask).await {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(Ok(false)),
                Err(error) => return Ok(Err(error)),
            };
            let next = match next_ask(page.next, &mut followed) {
                Ok(next) => next,
                Err(error) => return Ok(Err(error)),
            };
            let head = next.is_none().then_some(done);
            *tally += self.store_page(page.body, done, head).await?;
            (self.on_page)(self.source.name(), &done.name, from, to);
            match next {
                Some(next) => ask = next,
                None => return Ok(Ok(true)),
            }
        }
    }

    /// One page, asked for again a few times where that may help: a window of many pages would hardly
    /// ever be read to its end if each failure began it anew. `None` when the program is to stop.
    async fn page(&self, head: &str, ask: &Ask) -> Result<Option<Page>, FetchError> {
        let mut failures = 0;
        loop {
            if self.stop.is_cancelled() {
                return Ok(None);
            }
            let error = match self.source.fetch(head, ask).await {
                Ok(page) => return Ok(Some(page)),
                Err(error) => error,
            };
            failures += 1;
            let FetchError::Transient { sentence, retry_after } = &error else { return Err(error) };
            let wait = self.wait(failures).max(retry_after.unwrap_or_default());
            if failures == TRIES || wait > LONGEST_WAIT_IN_PLACE {
                return Err(error);
            }
            tracing::debug!(source = self.source.name(), head, failures, ?wait, "{sentence}");
            tokio::select! {
                () = self.stop.cancelled() => return Ok(None),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// The wait after so many failures in a row.
    fn wait(&self, failures: u32) -> Duration {
        let first = self.source.plan().retry_wait;
        let doubled = first.saturating_mul(1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX));
        jittered(doubled.min(LONGEST_WAIT), self.now)
    }

    async fn store_page(
        &self,
        body: Vec<u8>,
        done: &Head,
        head: Option<&Head>,
    ) -> Result<Tally, StoreError> {
        let origin = format!("{} {}", self.source.name(), done.name);
        let page = fetched(cut_page(body), &origin, self.source.tenant_id());
        self.store.add((self.source.name(), self.source.kind()), page, head, self.now).await
    }

    /// Keeps the failure and when to try again: the wait doubles, and is never shorter than the source
    /// asked for.
    async fn failed(&self, head: &Head, error: &FetchError) -> Result<HeadRead, StoreError> {
        let failures = head.failures.saturating_add(1);
        let (asked, is_permanent) = match error {
            FetchError::Transient { retry_after, .. } => (retry_after.unwrap_or_default(), false),
            FetchError::Permanent { .. } => (Duration::ZERO, true),
        };
        let wait = if is_permanent { LONGEST_WAIT } else { self.wait(failures) };
        let until = self.now + delta(wait.max(asked));
        let sentence = error.to_string();
        let failed = Head { failures, next_attempt_at: Some(until), ..head.clone() };
        self.store
            .head_failed((self.source.name(), self.source.kind()), &failed, &sentence, self.now)
            .await?;
        Ok(HeadRead::Failed { sentence, is_permanent, until })
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

/// A wait made longer by up to a fifth, so that several heads do not come back at once.
fn jittered(wait: Duration, now: DateTime<Utc>) -> Duration {
    let fifth = u64::try_from(wait.as_millis() / 5).unwrap_or(0);
    let spread = u64::from(now.timestamp_subsec_micros()) % (fifth + 1);
    wait + Duration::from_millis(spread)
}

fn delta(span: Duration) -> TimeDelta {
    TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX)
}
