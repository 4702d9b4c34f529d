//! The only reader of the time; everything else is told what the time is.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use tokio::time::Instant;

/// Gives the time, and waits. A pass asks once, and again after a wait.
#[async_trait]
pub trait Clock: Send + Sync {
    /// To the microsecond, as rows have it: what is compared with a row must not lie between two of them.
    fn now(&self) -> DateTime<Utc>;

    /// For spans that must be right also where somebody sets the clock.
    fn instant(&self) -> Instant {
        Instant::now()
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// The time of the machine.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the time")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}

/// A time that stands still until it is moved.
#[derive(Debug)]
pub struct FixedClock(Mutex<DateTime<Utc>>);

impl FixedClock {
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self(Mutex::new(now))
    }

    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().expect("nobody panics while holding the clock") += by;
    }
}

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("nobody panics while holding the clock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_one_that_rows_can_hold() {
        let is_whole = |_| SystemClock.now().timestamp_subsec_nanos().is_multiple_of(1000);
        assert!((0..1000).all(is_whole));
    }
}
