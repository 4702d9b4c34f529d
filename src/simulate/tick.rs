//! Time as Entra counts it: steps of 100 nanoseconds since 1970, UTC.

use chrono::{DateTime, Utc};

pub(super) const SECOND: i64 = 10_000_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

pub(super) fn of(time: DateTime<Utc>) -> i64 {
    time.timestamp() * SECOND + i64::from(time.timestamp_subsec_nanos() / 100)
}

pub(super) fn to_time(ticks: i64) -> DateTime<Utc> {
    let nanos = u32::try_from(ticks.rem_euclid(SECOND) * 100).expect("below one second");
    DateTime::from_timestamp(ticks.div_euclid(SECOND), nanos).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The number of the day since 1970.
pub(super) fn day_of(ticks: i64) -> i64 {
    ticks.div_euclid(DAY)
}

/// 0 is Sunday: the first of January 1970 was a Thursday.
pub(super) fn weekday(day: i64) -> i64 {
    (day + 4).rem_euclid(7)
}

pub(super) fn is_weekend(day: i64) -> bool {
    matches!(weekday(day), 0 | 6)
}
