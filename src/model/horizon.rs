//! How far event time may have come: a record that is dated in years to come says nothing of today.

use chrono::{DateTime, TimeDelta, Utc};

/// Clocks differ by less than this.
const SKEW: TimeDelta = TimeDelta::hours(1);

/// The time of the latest event, in microseconds, as far as it can be believed at `now`. What is quiet or
/// absent is judged by it, so that one wrong clock does not end every incident.
#[must_use]
pub fn believable(latest_at: i64, now: DateTime<Utc>) -> i64 {
    latest_at.min((now + SKEW).timestamp_micros())
}
