//! Compares closed hours with what the source itself counts, where it does: the one check that does not
//! rest on the pages that were read.

use chrono::{DateTime, TimeDelta, Utc};

use super::poll::Poll;
use crate::model::{Interval, Ledger, missing};
use crate::sources::FetchError;
use crate::store::{Compared, StoreError};

/// An hour is compared when it is so old: by then a sweep has been over it.
const CLOSED_AFTER: TimeDelta = TimeDelta::hours(3);

/// Hours further back are not compared: the counts of a backfill are of no use to anybody.
const LOOKED_BACK: TimeDelta = TimeDelta::hours(48);

/// An hour that lacks something is read and compared so often in all, then it is only shown.
const TRIES: u32 = 3;

/// What to do with an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It agrees, or was looked at often enough.
    Settled,
    /// It lacks something: read it again.
    ReadAgain,
    /// The source does not count.
    NoCounts,
}

/// The hours that are to be compared, oldest first: covered, closed, and not settled.
pub(super) async fn due(
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
            if before.is_none_or(|before| before.missing > 0 && before.tries < TRIES) {
                due.push(hour);
            }
        }
        hour += TimeDelta::hours(1);
    }
    Ok(due)
}

/// Compares one hour.
pub(super) async fn compare(
    poll: &Poll<'_>,
    head: &str,
    hour: DateTime<Utc>,
) -> Result<Result<Verdict, FetchError>, StoreError> {
    let whole = Interval { from: hour, to: hour + TimeDelta::hours(1) };
    let counted = match poll.source.counted(head, whole).await {
        Ok(Some(counted)) => counted,
        Ok(None) => return Ok(Ok(Verdict::NoCounts)),
        Err(error) => return Ok(Err(error)),
    };
    let (store, source) = (poll.store, poll.source);
    let ours = store.counted(head, hour).await?;
    let before = store.compared(source.name(), head, hour).await?;
    let compared = Compared {
        hour,
        counted: counted.iter().map(|summary| summary.count).sum(),
        missing: missing(&counted, &ours),
        tries: before.map_or(0, |before| before.tries).saturating_add(1),
    };
    store.set_compared((source.name(), source.kind()), head, compared, poll.now).await?;
    if compared.missing == 0 {
        return Ok(Ok(Verdict::Settled));
    }
    tracing::warn!(
        source = source.name(),
        head,
        %hour,
        missing = compared.missing,
        counted = compared.counted,
        "the source counts sign-ins of this hour that it did not give"
    );
    let is_last = compared.tries >= TRIES;
    Ok(Ok(if is_last { Verdict::Settled } else { Verdict::ReadAgain }))
}

fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    let seconds = at.timestamp();
    DateTime::from_timestamp(seconds - seconds.rem_euclid(3_600), 0).unwrap_or(at)
}
