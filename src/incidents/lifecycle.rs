//! When an incident is over. Pure, and in event time: the answer is the same whenever it is asked.

use chrono::{DateTime, Utc};

use crate::config::IncidentsConfig;
use crate::model::{Incident, ResolvedBy};

/// When and by what an incident ended.
pub(super) type End = (DateTime<Utc>, ResolvedBy);

/// The end that the events themselves tell: the first good sign-in after the last evidence, else
/// quiet for long enough. `latest_at` is the time of the latest event of all: of what came after it
/// nothing is known, so it is not called quiet.
#[must_use]
pub(super) fn end_by_events(
    last_seen_at: DateTime<Utc>,
    recovered_at: Option<DateTime<Utc>>,
    latest_at: DateTime<Utc>,
    config: &IncidentsConfig,
) -> Option<End> {
    let quiet_at = last_seen_at + config.quiet_for.delta();
    match recovered_at {
        Some(at) if at <= quiet_at => Some((at, ResolvedBy::Recovered)),
        _ if quiet_at <= latest_at => Some((quiet_at, ResolvedBy::Quiet)),
        Some(at) => Some((at, ResolvedBy::Recovered)),
        None => None,
    }
}

/// What holds of an incident that was there before: a person's word stands until more comes.
#[must_use]
pub(super) fn end(
    before: Option<&Incident>,
    last_seen_at: DateTime<Utc>,
    by_events: Option<End>,
) -> Option<End> {
    let by_person = before
        .filter(|before| {
            before.resolved_by == Some(ResolvedBy::Person) && last_seen_at <= before.last_seen_at
        })
        .and_then(|before| before.resolved_at);
    by_person.map(|at| (at, ResolvedBy::Person)).or(by_events)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + hour * 3600, 0).unwrap()
    }

    #[test]
    fn a_good_sign_in_ends_it_and_quiet_ends_it_without_one() {
        let config = IncidentsConfig::default();
        let end = |recovered, latest| end_by_events(hour(0), recovered, hour(latest), &config);
        assert_eq!(end(Some(hour(2)), 2), Some((hour(2), ResolvedBy::Recovered)));
        assert_eq!(end(None, 47), None);
        assert_eq!(end(None, 48), Some((hour(48), ResolvedBy::Quiet)));
        assert_eq!(end(Some(hour(60)), 60), Some((hour(48), ResolvedBy::Quiet)));
    }
}
