//! How long a window may be that is asked for next: half of one that failed, and longer again when such were borne.

use std::time::Duration;

use chrono::TimeDelta;

use super::poll::delta;
use crate::model::Interval;
use crate::sources::FetchError;

/// A window is not halved below this.
pub(super) const SHORTEST_WINDOW: TimeDelta = TimeDelta::minutes(15);

/// So many windows in a row have to be borne before a longer one is tried; twice as many after each trial that failed.
const FIRST: u32 = 2;
const AT_MOST: u32 = 64;

/// What the windows of one walk teach.
pub(super) struct Length {
    longest: Duration,
    /// Absent as long as none failed, and when the longest was borne again.
    learnt: Option<Duration>,
    /// Windows of this length in a row, and how many there have to be.
    borne: u32,
    patience: u32,
    /// Whether this length is a trial.
    is_trial: bool,
}

impl Length {
    pub(super) fn of(longest: Duration, learnt: Option<Duration>) -> Self {
        Self { longest, learnt, borne: 0, patience: FIRST, is_trial: false }
    }

    pub(super) fn learnt(&self) -> Option<Duration> {
        self.learnt
    }

    pub(super) fn next(&self) -> TimeDelta {
        delta(self.learnt.map_or(self.longest, |learnt| learnt.min(self.longest)))
    }

    /// A window failed: the next is half as long, for long ones are what a busy service gives up on.
    pub(super) fn shorten(&mut self, window: Interval, error: &FetchError) {
        let length = window.to - window.from;
        if length > SHORTEST_WINDOW && !error.is_permanent() {
            self.learnt = (length / 2).max(SHORTEST_WINDOW).to_std().ok();
        }
        if self.is_trial {
            self.patience = (self.patience * 2).min(AT_MOST);
        }
        (self.borne, self.is_trial) = (0, false);
    }

    /// A window was borne. After some as long as one may be, a longer one is tried.
    pub(super) fn lengthen(&mut self, window: Interval) {
        let length = window.to - window.from;
        if self.learnt.is_none() || length < self.next() {
            return;
        }
        if self.is_trial {
            self.patience = FIRST;
        }
        (self.borne, self.is_trial) = (self.borne + 1, false);
        if self.borne >= self.patience {
            let doubled = (length * 2).to_std().ok();
            self.learnt = doubled.filter(|it| *it < self.longest);
            (self.borne, self.is_trial) = (0, true);
        }
    }
}
