//! How long after they happened records came, as a histogram: what the overlap of a poll is sized by.

use std::collections::BTreeMap;
use std::time::Duration;

/// Counts by bucket. A bucket ends a fourth of an octave after the one before it, so that a share is
/// known to within a fifth of its lateness, whatever that is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lateness(BTreeMap<u8, u64>);

/// Buckets in an octave.
const STEPS: f64 = 4.0;

/// Past so many, old ones count half, so that the histogram follows the service.
const REMEMBERED: u64 = 100_000;

/// The bucket of a lateness.
fn bucket(late: Duration) -> u8 {
    let steps = (STEPS * (late.as_secs_f64() + 1.0).log2()).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded just before"
    )]
    let bucket = steps.clamp(0.0, f64::from(u8::MAX)) as u8;
    bucket
}

/// The longest lateness of a bucket.
fn ends_at(bucket: u8) -> Duration {
    Duration::from_secs_f64((f64::from(bucket) / STEPS).exp2() - 1.0)
}

impl Lateness {
    #[must_use]
    pub fn of(counts: impl IntoIterator<Item = (u8, u64)>) -> Self {
        Self(counts.into_iter().collect())
    }

    /// By bucket.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<u8, u64> {
        &self.0
    }

    pub fn add(&mut self, late: Duration) {
        *self.0.entry(bucket(late)).or_default() += 1;
        if self.count() > REMEMBERED {
            self.0.values_mut().for_each(|count| *count /= 2);
            self.0.retain(|_, count| *count > 0);
        }
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The lateness that a share of the records did not pass; `None` while there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let count = self.count();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts stay below the bound, and a share is between 0 and 1"
        )]
        let wanted = (share.clamp(0.0, 1.0) * count as f64).ceil() as u64;
        let mut seen = 0;
        self.0.iter().find_map(|(bucket, count)| {
            seen += count;
            (seen >= wanted.max(1)).then(|| ends_at(*bucket))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_never_below_what_was_seen_and_little_above() {
        let mut lateness = Lateness::default();
        for minute in 1..=100_u64 {
            lateness.add(Duration::from_mins(minute));
        }
        for (share, minutes) in [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
            let told = lateness.quantile(share).unwrap().as_secs_f64() / 60.0;
            assert!(told >= minutes && told < minutes * 1.2, "{share}: {told}");
        }
        assert_eq!(Lateness::default().quantile(0.5), None);
    }

    #[test]
    fn it_forgets_what_was_long_ago() {
        let mut lateness = Lateness::default();
        for _ in 0..REMEMBERED {
            lateness.add(Duration::from_hours(5));
        }
        for _ in 0..REMEMBERED * 4 {
            lateness.add(Duration::from_mins(2));
        }
        assert!(lateness.count() <= REMEMBERED);
        assert!(lateness.quantile(0.9).unwrap() < Duration::from_mins(3));
    }
}
