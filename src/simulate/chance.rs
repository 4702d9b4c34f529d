//! Chance that comes out the same for the same seed on every machine.

use chrono::TimeDelta;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A stream of chance for one purpose.
#[derive(Debug)]
pub(super) struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream for a seed and a path of numbers: other paths give unrelated streams.
    pub(super) fn of(seed: u64, path: &[u64]) -> Self {
        // SplitMix64 over the path; any mixing will do that spreads neighbours.
        let mixed = path.iter().fold(seed, |state, step| {
            let mut z = state
                .wrapping_add(0x9e37_79b9_7f4a_7c15)
                .wrapping_add(step.wrapping_mul(0xd134_2543_de82_ef95));
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        });
        Self(ChaCha8Rng::seed_from_u64(mixed))
    }

    /// From 0 up to and without `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.0.random_range(0..end) }
    }

    /// True so many times in a thousand.
    pub(super) fn per_mille(&mut self, times: u64) -> bool {
        self.below(1000) < times
    }

    pub(super) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let place = usize::try_from(self.below(all.len() as u64)).unwrap_or(0);
        &all[place]
    }

    /// A random GUID (version 4).
    pub(super) fn guid(&mut self) -> uuid::Uuid {
        uuid::Builder::from_random_bytes(self.0.random::<u128>().to_be_bytes()).into_uuid()
    }

    /// A span from 0 up to and without `end`, to the microsecond.
    pub(super) fn span(&mut self, end: TimeDelta) -> TimeDelta {
        let micros = u64::try_from(end.num_microseconds().unwrap_or(0)).unwrap_or(0);
        TimeDelta::microseconds(i64::try_from(self.below(micros)).unwrap_or(0))
    }

    /// How long a record takes until it can be read: two minutes mostly, some longer, one in a hundred up
    /// to six hours.
    pub(super) fn lateness(&mut self) -> TimeDelta {
        match self.below(100) {
            0 => TimeDelta::minutes(10) + self.span(TimeDelta::minutes(350)),
            1..=9 => TimeDelta::minutes(3) + self.span(TimeDelta::minutes(4)),
            _ => TimeDelta::seconds(60) + self.span(TimeDelta::seconds(110)),
        }
    }
}
