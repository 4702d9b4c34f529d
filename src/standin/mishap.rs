//! What goes wrong on the way to Graph, by a schedule that a seed decides.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::clock::Clock;

/// How often each mishap comes, as a probability of each request. Together they are at most 1. What befalls long
/// windows befalls all of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// 429 with a Retry-After.
    pub throttled: f64,
    /// 429 without one, as the sign-in logs often give it.
    pub throttled_silently: f64,
    /// 500 or 503.
    pub failed: f64,
    /// The connection closes half-way through the body.
    pub cut_off: f64,
    /// 200 with a page of HTML, as a proxy gives it.
    pub html: f64,
    /// 200 with nothing.
    pub empty: f64,
    /// 200 with half of the JSON, and no other sign of it.
    pub truncated: f64,
    /// 401, as for a token that ends between two pages.
    pub unauthorised: f64,
    /// A page whose `nextLink` leads to the page itself, where there is a next one.
    pub looped: f64,
    /// A page whose `nextLink` has an empty `$skiptoken`, where there is a next one.
    pub linked_nowhere: f64,
    /// 400 to a `$skiptoken`, where one was sent.
    pub expired: f64,
    /// 429 with a Retry-After of ten minutes.
    pub throttled_long: f64,
    /// 503 with a Retry-After, of seconds or of minutes.
    pub unavailable_until: f64,
    /// The connection is reset before the body.
    pub reset: f64,
    /// Half of the body, and then nothing for an hour.
    pub slow: f64,
    /// 200 with JSON that is no page.
    pub wrong: f64,
    /// A page whose `nextLink` leads to the page before it, from the third page on.
    pub looped_back: f64,
    /// 504 until a time, to windows longer than this.
    pub tires: Option<(TimeDelta, DateTime<Utc>)>,
}

impl Faults {
    /// Every mishap as often that is over in a moment.
    #[must_use]
    pub fn each(probability: f64) -> Self {
        Self {
            throttled: probability,
            throttled_silently: probability,
            failed: probability,
            cut_off: probability,
            html: probability,
            empty: probability,
            truncated: probability,
            unauthorised: probability,
            looped: probability,
            linked_nowhere: probability,
            expired: probability,
            ..Self::default()
        }
    }

    /// As [`each`](Self::each), with those for which a clock has to run fast, or nobody could wait.
    #[must_use]
    pub fn every(probability: f64) -> Self {
        Self {
            throttled_long: probability,
            unavailable_until: probability,
            reset: probability,
            slow: probability,
            wrong: probability,
            looped_back: probability,
            ..Self::each(probability)
        }
    }
}

/// What befalls a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mishap {
    Throttled,
    ThrottledSilently,
    Failed,
    Unavailable,
    CutOff,
    Html,
    Empty,
    Truncated,
    Unauthorised,
    Looped,
    LinkedNowhere,
    Expired,
    ThrottledLong,
    UnavailableUntil,
    UnavailableLong,
    Reset,
    Slow,
    Wrong,
    LoopedBack,
}

impl Mishap {
    /// The wait that it asks for.
    pub(super) fn told(self) -> Option<Duration> {
        match self {
            Self::Throttled => Some(REST),
            Self::UnavailableUntil => Some(REST * 30),
            Self::ThrottledLong | Self::UnavailableLong => Some(REST * 600),
            _ => None,
        }
    }
}

/// The shortest wait that a `Retry-After` asks for.
const REST: Duration = Duration::from_secs(1);

/// So long a slow line stands still: longer than anybody waits.
pub(super) const PAUSE: Duration = Duration::from_hours(1);

/// Mishaps, one request after the other.
pub(super) struct Schedule {
    faults: Faults,
    random: ChaCha8Rng,
}

impl Schedule {
    pub(super) fn of(faults: Faults, seed: u64) -> Self {
        Self { faults, random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// What befalls the next request.
    pub(super) fn next(&mut self) -> Option<Mishap> {
        let faults = &self.faults;
        let mut left: f64 = self.random.random();
        [
            (faults.throttled, Mishap::Throttled),
            (faults.throttled_silently, Mishap::ThrottledSilently),
            (faults.failed / 2.0, Mishap::Failed),
            (faults.failed / 2.0, Mishap::Unavailable),
            (faults.cut_off, Mishap::CutOff),
            (faults.html, Mishap::Html),
            (faults.empty, Mishap::Empty),
            (faults.truncated, Mishap::Truncated),
            (faults.unauthorised, Mishap::Unauthorised),
            (faults.looped, Mishap::Looped),
            (faults.linked_nowhere, Mishap::LinkedNowhere),
            (faults.expired, Mishap::Expired),
            (faults.throttled_long, Mishap::ThrottledLong),
            (faults.unavailable_until / 2.0, Mishap::UnavailableUntil),
            (faults.unavailable_until / 2.0, Mishap::UnavailableLong),
            (faults.reset, Mishap::Reset),
            (faults.slow, Mishap::Slow),
            (faults.wrong, Mishap::Wrong),
            (faults.looped_back, Mishap::LoopedBack),
        ]
        .into_iter()
        .find_map(|(probability, mishap)| {
            left -= probability;
            (left < 0.0).then_some(mishap)
        })
    }
}

/// A page, whole or as a mishap leaves it.
pub(super) fn sent(mut body: Vec<u8>, mishap: Option<Mishap>, clock: &Arc<dyn Clock>) -> Response {
    let (json, whole) = ([(CONTENT_TYPE, "application/json")], body.len());
    match mishap {
        Some(Mishap::Truncated) => body.truncate(whole / 2),
        Some(Mishap::CutOff | Mishap::Reset | Mishap::Slow) => {
            body.truncate(if mishap == Some(Mishap::Reset) { 0 } else { whole / 2 });
            let pause = mishap.filter(|it| *it == Mishap::Slow).map(|_| Arc::clone(clock));
            let end = async move {
                if let Some(clock) = pause {
                    clock.sleep(PAUSE).await;
                }
                Err(std::io::Error::other("cut off"))
            };
            let first = futures_util::stream::iter([Ok(Bytes::from(body))]);
            let stream = Body::from_stream(first.chain(futures_util::stream::once(end)));
            let mut response = (json, stream).into_response();
            response.headers_mut().insert(CONTENT_LENGTH, whole.into());
            return response;
        }
        _ => {}
    }
    (json, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_mishaps_and_all_of_them() {
        let drawn = |faults, seed| {
            let mut schedule = Schedule::of(faults, seed);
            (0..2000).map(|_| schedule.next()).collect::<Vec<_>>()
        };
        let some = drawn(Faults::each(0.05), 7);
        assert_eq!(some, drawn(Faults::each(0.05), 7));
        assert_ne!(some, drawn(Faults::each(0.05), 8));
        assert!(drawn(Faults::default(), 7).iter().all(Option::is_none));
        let each = [
            Mishap::Throttled,
            Mishap::ThrottledSilently,
            Mishap::Failed,
            Mishap::Unavailable,
            Mishap::CutOff,
            Mishap::Html,
            Mishap::Empty,
            Mishap::Truncated,
            Mishap::Unauthorised,
            Mishap::Looped,
            Mishap::LinkedNowhere,
            Mishap::Expired,
        ];
        assert!(each.iter().all(|mishap| some.contains(&Some(*mishap))));
        let all = drawn(Faults::every(0.05), 7);
        for mishap in [
            Mishap::ThrottledLong,
            Mishap::UnavailableUntil,
            Mishap::UnavailableLong,
            Mishap::Reset,
            Mishap::Slow,
            Mishap::Wrong,
            Mishap::LoopedBack,
        ] {
            assert!(all.contains(&Some(mishap)) && !some.contains(&Some(mishap)), "{mishap:?}");
        }
        let befallen = some.iter().flatten().count();
        assert!((1000..1200).contains(&befallen), "{befallen} of 2000, not 55 %");
    }
}
