//! Reads a polled source: each head from where it stopped to now, and again what lies behind it, where
//! late records turn up.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::attempts::LONGEST_WAIT_IN_PLACE;
use super::growing::Growth;
use super::walk::Walk;
use crate::clock::Clock;
use crate::model::Interval;
use crate::sources::{Access, Source};
use crate::store::{Head, Store, StoreError, Tally};

/// The overlap that is sized by how late records come holds this share of them, and half as much again.
const NEARLY_ALL: f64 = 0.999;

/// Fewer records than these do not tell how late records come.
const TELLING: u64 = 300;

const SHORTEST_OVERLAP: Duration = Duration::from_mins(10);

/// The first sweep comes at this age, so an overlap need not reach further.
const LONGEST_OVERLAP: Duration = Duration::from_hours(2);

/// Clocks differ by less than this without having been set.
const SKEW: TimeDelta = TimeDelta::minutes(5);

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

/// Told after each page: source, head, the event time read to, and the one that it is to be read to.
pub type OnPage<'a> = &'a (dyn Fn(&str, &str, DateTime<Utc>, DateTime<Utc>) + Send + Sync);

/// What a walk over the heads of a source shares.
pub struct Poll<'a> {
    pub store: &'a Store,
    pub source: &'a dyn Source,
    /// When the read begins: up to then it goes.
    pub now: DateTime<Utc>,
    /// For the waits within it, and for what is counted from a moment of them.
    pub clock: &'a dyn Clock,
    /// Read heads that are not due as well, unless they failed.
    pub is_eager: bool,
    pub stop: &'a CancellationToken,
    pub on_page: OnPage<'a>,
}

impl Poll<'_> {
    /// Reads every head that is due, once, and waits for the slowest.
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

    /// Reads one head, where it is due.
    pub async fn head(&self, name: &str) -> Result<(String, Tally, HeadRead), StoreError> {
        let plan = self.source.plan();
        let mut known = self.store.head(self.source.name(), name).await?;
        if let Some(head) = &mut known {
            self.back_from_the_future(head).await?;
        }
        let (from, failures) = match &known {
            Some(head) => {
                if self.now - head.read_to > delta(plan.stale_after) {
                    let source = (self.source.name(), self.source.kind());
                    self.store.open_gap(source, name, head.read_to, self.now).await?;
                }
                if let Some(until) = head.next_attempt_at.filter(|until| *until > self.now)
                    && !(self.is_eager && head.failures == 0)
                {
                    return Ok((name.to_owned(), Tally::default(), HeadRead::Waiting { until }));
                }
                (before(head.read_to, self.overlap(name).await?), head.failures)
            }
            None => (before(self.now, delta(plan.backfill)), 0),
        };
        if let Some(until) = self.rests_until(name).await? {
            return Ok((name.to_owned(), Tally::default(), HeadRead::Waiting { until }));
        }
        let reach = plan.reach.map_or(DateTime::<Utc>::MIN_UTC, |it| before(self.now, delta(it)));
        if let Some(head) = known.as_ref().filter(|head| head.read_to < reach) {
            self.lost(head, reach).await?;
        }
        let from = from.max(reach);
        let head = Head {
            name: name.to_owned(),
            read_to: known.as_ref().map_or(from, |head| head.read_to.max(reach)),
            failures,
            next_attempt_at: None,
            last_read_at: known.and_then(|head| head.last_read_at),
        };
        let (tally, read) = match self.source.access() {
            Access::Pages(pages) => Walk::of(self, pages, head).await?.run(from).await?,
            Access::Files(files) => Growth::of(self, files, head).run(from).await?,
        };
        Ok((name.to_owned(), tally, read))
    }

    /// Rows of a time that has not come are of a clock that was set back since. A head is not kept waiting by
    /// them, and what they say was read is read again.
    async fn back_from_the_future(&self, head: &mut Head) -> Result<(), StoreError> {
        let source = self.source.name();
        let is_too_far =
            |until: DateTime<Utc>| until > self.now + delta(self.source.plan().interval);
        let is_of_the_future = if head.failures == 0 {
            head.next_attempt_at.is_some_and(is_too_far)
        } else {
            let failed_at = self.store.failed_at(source).await?;
            failed_at.is_some_and(|at| at > self.now + SKEW)
        };
        if is_of_the_future && let Some(until) = head.next_attempt_at {
            tracing::warn!(
                source,
                head = head.name,
                %until,
                "the next read was set for later than any wait: the clock was set back, or `interval` is \
                 shorter now; reading at once"
            );
            head.next_attempt_at = None;
        }
        if head.read_to > self.now + SKEW {
            tracing::warn!(
                source,
                head = head.name,
                read_to = %head.read_to,
                "sign-ins were read up to a time that has not come: the clock was set back; check it. \
                 What is said to be read since now is read again"
            );
            self.store.take_back((source, self.source.kind()), &head.name, self.now).await?;
            head.read_to = self.now;
        }
        Ok(())
    }

    /// When a head may be asked for again, where that was put off and is to come. A time further off than any such
    /// wait is of a clock that was set back.
    async fn rests_until(&self, head: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let longest = self.now + delta(LONGEST_WAIT_IN_PLACE);
        let until = self.store.rests_until(self.source.name(), head).await?;
        Ok(until.filter(|until| *until > self.now && *until <= longest))
    }

    /// How far behind its head a read begins.
    async fn overlap(&self, head: &str) -> Result<TimeDelta, StoreError> {
        if let Some(overlap) = self.source.plan().overlap {
            return Ok(delta(overlap));
        }
        let lateness = self.store.lateness(self.source.name(), head).await?;
        let measured = lateness.quantile(NEARLY_ALL).filter(|_| lateness.count() >= TELLING);
        let overlap = measured.map_or(LONGEST_OVERLAP, |late| late.mul_f64(1.5));
        Ok(delta(overlap.clamp(SHORTEST_OVERLAP, LONGEST_OVERLAP)))
    }

    /// The source gives no more what a head had yet to read.
    pub(super) async fn lost(&self, head: &Head, reach: DateTime<Utc>) -> Result<(), StoreError> {
        let lost = Interval { from: head.read_to, to: reach };
        tracing::error!(
            source = self.source.name(),
            head = head.name,
            from = %lost.from,
            to = %lost.to,
            "the source no longer has these records: they were not read in time"
        );
        self.store.lose((self.source.name(), self.source.kind()), &head.name, lost, self.now).await
    }
}

/// A time so long before another; the earliest there is where the span is longer than all of time.
pub(super) fn before(at: DateTime<Utc>, span: TimeDelta) -> DateTime<Utc> {
    at.checked_sub_signed(span).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

pub(super) fn delta(span: Duration) -> TimeDelta {
    TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX)
}
