//! Compares closed hours with what the source itself counts, where it does: the one check that does not
//! rest on the pages that were read.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::poll::{HeadRead, Poll};
use super::walk::{Read, Walk, next_ask};
use crate::model::{Interval, Ledger, Summary, missing};
use crate::sources::Ask;
use crate::store::{Compared, ReadingKind, StoreError};

/// An hour is compared when it is so old: by then a sweep has been over it.
const CLOSED_AFTER: TimeDelta = TimeDelta::hours(3);

/// Hours further back are not compared: the counts of a backfill are of no use to anybody.
const LOOKED_BACK: TimeDelta = TimeDelta::hours(48);

/// An hour that lacks something is read and compared so often in all, then it is only shown.
const TRIES: u32 = 3;

/// Pages of counts for one hour after which they are not worth their requests.
const COUNT_PAGES: usize = 20;

/// Hours compared between two reads of a head.
const COMPARED_AT_ONCE: usize = 2;

/// A source that does not count is asked again after so long, for one day it may.
const ASKED_AGAIN_AFTER: TimeDelta = TimeDelta::days(1);

impl Walk<'_> {
    /// Compares closed hours with what the source counts, and reads them again where that is more. A comparison
    /// that fails is due again at the next read; a wait that was asked for holds for that too.
    pub(super) async fn reconcile(&mut self) -> Result<HeadRead, StoreError> {
        let poll = self.poll;
        let is_absent = self
            .learnt
            .uncounted_at
            .is_some_and(|at| at <= poll.now && poll.now - at < ASKED_AGAIN_AFTER);
        if !poll.source.plan().reconcile || is_absent {
            return Ok(HeadRead::CaughtUp);
        }
        let ledger = poll.store.ledger(poll.source.name(), &self.head.name).await?;
        let at_once = if poll.is_eager { usize::MAX } else { COMPARED_AT_ONCE };
        for hour in due(poll, &self.head.name, &ledger).await?.into_iter().take(at_once) {
            let whole = Interval { from: hour, to: hour + TimeDelta::hours(1) };
            let counted = match self.counted(whole).await? {
                Read::Done(Some(counted)) => counted,
                Read::Done(None) => {
                    self.learnt.uncounted_at = Some(poll.now);
                    break;
                }
                Read::Stopped => return Ok(HeadRead::Stopped),
                Read::Failed(error) | Read::Anew(error) if error.told().is_some() => {
                    return self.attempts.failed(&self.head, &error).await;
                }
                Read::Failed(error) | Read::Anew(error) => {
                    let (source, head) = (poll.source.name(), &self.head.name);
                    tracing::debug!(source, head, "counts to compare with: {error}");
                    break;
                }
            };
            self.learnt.uncounted_at = None;
            if !compare(poll, &self.head.name, hour, &counted).await? {
                continue;
            }
            self.kind = ReadingKind::Sweep;
            match self.windows(whole).await? {
                Read::Done(()) => {}
                Read::Stopped => return Ok(HeadRead::Stopped),
                Read::Failed(error) | Read::Anew(error) if error.told().is_some() => {
                    return self.attempts.failed(&self.head, &error).await;
                }
                Read::Failed(_) | Read::Anew(_) => break,
            }
        }
        Ok(HeadRead::CaughtUp)
    }

    /// What the source counts of an hour; `None` where it does not.
    async fn counted(&mut self, hour: Interval) -> Result<Read<Option<Vec<Summary>>>, StoreError> {
        let (source, head) = (self.poll.source, self.head.name.clone());
        let (mut all, mut followed) = (Vec::new(), HashSet::new());
        let mut ask = Ask::Window { from: hour.from, to: hour.to };
        for _ in 0..COUNT_PAGES {
            let page = match self.asked(false, || source.counted(&head, &ask)).await? {
                Read::Done(Some(page)) => page,
                Read::Done(None) => return Ok(Read::Done(None)),
                Read::Stopped => return Ok(Read::Stopped),
                Read::Failed(error) | Read::Anew(error) => return Ok(Read::Failed(error)),
            };
            all.extend(page.summaries);
            match next_ask(page.next, &mut followed) {
                Ok(Some(next)) => ask = next,
                Ok(None) => return Ok(Read::Done(Some(all))),
                Err(error) => return Ok(Read::Failed(error)),
            }
        }
        Ok(Read::Done(None))
    }
}

/// The hours that are to be compared, oldest first: covered, closed, and not settled.
async fn due(
    poll: &Poll<'_>,
    head: &str,
    ledger: &Ledger,
) -> Result<Vec<DateTime<Utc>>, StoreError> {
    let closed = hour_of(poll.now - CLOSED_AFTER);
    let mut due = Vec::new();
    let mut hour = hour_of(poll.now - LOOKED_BACK);
    while hour < closed {
        let whole = Interval { from: hour, to: hour + TimeDelta::hours(1) };
        if ledger.holes(whole).is_empty() {
            let before = poll.store.compared(poll.source.name(), head, hour).await?;
            if before.is_none_or(|before| is_to_be_compared_again(&before, poll.now)) {
                due.push(hour);
            }
        }
        hour += TimeDelta::hours(1);
    }
    Ok(due)
}

/// What lacked may come late: the more often it was looked for, the longer it is waited for.
fn is_to_be_compared_again(before: &Compared, now: DateTime<Utc>) -> bool {
    let wait = if before.tries < 2 { TimeDelta::hours(1) } else { TimeDelta::hours(20) };
    before.missing > 0 && before.tries < TRIES && now - before.at >= wait
}

/// Compares one hour; `true` when it lacks something and is to be read again.
async fn compare(
    poll: &Poll<'_>,
    head: &str,
    hour: DateTime<Utc>,
    counted: &[Summary],
) -> Result<bool, StoreError> {
    let (store, source) = (poll.store, poll.source);
    let ours = store.counted(head, hour).await?;
    let before = store.compared(source.name(), head, hour).await?;
    let compared = Compared {
        hour,
        at: poll.now,
        counted: counted.iter().map(|summary| summary.count).sum(),
        missing: missing(counted, &ours),
        tries: before.map_or(0, |before| before.tries).saturating_add(1),
    };
    store.set_compared((source.name(), source.kind()), head, compared).await?;
    if compared.missing == 0 {
        return Ok(false);
    }
    tracing::warn!(
        source = source.name(),
        head,
        %hour,
        missing = compared.missing,
        counted = compared.counted,
        "the source counts sign-ins of this hour that it did not give"
    );
    Ok(compared.tries < TRIES)
}

fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    let seconds = at.timestamp();
    DateTime::from_timestamp(seconds - seconds.rem_euclid(3_600), 0).unwrap_or(at)
}
