//! The only reader of the time; everything else is told what the time is.

use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};

/// Gives the time. A pass asks once.
pub trait Clock: Send + Sync {
    fn now(&self) -> DateTime<Utc>;
}

/// The time of the machine.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the time")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
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
