//! How the evidence grew: few lines, whatever its length, by stretches that people count in.

use chrono::TimeDelta;

use crate::diagnose::phrase;
use crate::store::story::Bucket;

const MINUTE: i64 = 60_000_000;

/// Lines that growth may take.
const LINES_AT_MOST: usize = 12;

/// Lines that are few enough even where each stands for a single sign-in.
const FEW_LINES: usize = 4;

/// Stretches asked of the database at once.
const READ_AT_MOST: i64 = 2_000;

/// Stretches in minutes; each is made of whole ones of the stretch before it.
const MINUTES: [i64; 10] = [1, 5, 15, 60, 360, 1_440, 10_080, 40_320, 524_160, 5_241_600];

fn widths() -> impl Iterator<Item = i64> {
    MINUTES.iter().map(|minutes| minutes * MINUTE)
}

/// The stretch to read evidence of this length by.
pub(super) fn width_to_read(length: i64) -> i64 {
    widths().find(|width| length / width < READ_AT_MOST).unwrap_or(length.max(MINUTE))
}

/// Makes buckets that were read by `width` few enough to show, and says by which stretch.
pub(super) fn coarsen(buckets: Vec<Bucket>, width: i64) -> (Vec<Bucket>, i64) {
    let mut coarse = (buckets, width);
    for wider in widths().filter(|wider| *wider > width) {
        let (lines, events) = (coarse.0.len(), coarse.0.iter().map(|it| it.count).sum::<u64>());
        let is_sparse = lines > FEW_LINES && events < 2 * lines as u64;
        if lines <= LINES_AT_MOST && !is_sparse {
            break;
        }
        coarse = (regroup(&coarse.0, wider / coarse.1), wider);
    }
    coarse
}

fn regroup(buckets: &[Bucket], factor: i64) -> Vec<Bucket> {
    let mut wide: Vec<Bucket> = Vec::new();
    for bucket in buckets {
        let place = bucket.place.div_euclid(factor);
        match wide.last_mut() {
            Some(last) if last.place == place => {
                last.last_at = bucket.last_at;
                last.count += bucket.count;
            }
            _ => wide.push(Bucket { place, ..*bucket }),
        }
    }
    wide
}

/// A line of growth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) at: i64,
    pub(super) count: u64,
    pub(super) sentence: String,
    /// The quiet before it, where there was some.
    pub(super) quiet: Option<String>,
}

/// The lines of buckets; a stretch in which nothing came is told by the line after it.
pub(super) fn lines(buckets: &[Bucket], width: i64) -> Vec<Line> {
    let mut so_far = 0;
    let mut lines = Vec::with_capacity(buckets.len());
    for (place, bucket) in buckets.iter().enumerate() {
        so_far += bucket.count;
        let before = place.checked_sub(1).map(|before| &buckets[before]);
        let quiet = before.filter(|before| bucket.place - before.place > 1).map(|before| {
            let span = TimeDelta::microseconds(bucket.first_at - before.last_at);
            format!("after {} without one", phrase::span(span))
        });
        let span = phrase::span(TimeDelta::microseconds(width));
        let in_all = if before.is_none() { String::new() } else { format!(", {so_far} so far") };
        lines.push(Line {
            at: bucket.first_at,
            count: bucket.count,
            sentence: match bucket.count {
                1 => format!("1 sign-in{in_all}"),
                number => format!("{number} sign-ins in {span}{in_all}"),
            },
            quiet,
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(minutes: i64, number: i64) -> Vec<Bucket> {
        (0..number)
            .map(|place| {
                let at = place * minutes * MINUTE;
                Bucket { place: place * minutes, first_at: at, last_at: at + 5, count: 2 }
            })
            .collect()
    }

    #[test]
    fn each_stretch_is_made_of_whole_ones_of_the_one_before() {
        assert!(MINUTES.windows(2).all(|pair| pair[1] % pair[0] == 0));
    }

    #[test]
    fn buckets_are_joined_until_they_fit_and_none_is_lost() {
        let (few, width) = coarsen(every(1, 60), MINUTE);
        assert_eq!((few.len(), width), (12, 5 * MINUTE));
        assert_eq!(few.iter().map(|bucket| bucket.count).sum::<u64>(), 120);
        assert_eq!(few[1].first_at, 5 * MINUTE);
        let (few, width) = coarsen(every(1, 12), MINUTE);
        assert_eq!((few.len(), width), (12, MINUTE));
    }

    #[test]
    fn single_sign_ins_are_put_together_until_there_is_something_to_say() {
        let single: Vec<Bucket> =
            every(5, 12).into_iter().map(|bucket| Bucket { count: 1, ..bucket }).collect();
        let (few, width) = coarsen(single.clone(), MINUTE);
        assert_eq!((few.len(), width), (4, 15 * MINUTE));
        assert_eq!(lines(&few, width)[1].sentence, "3 sign-ins in 15 min, 6 so far");
        let (few, width) = coarsen(single[..3].to_vec(), MINUTE);
        assert_eq!((few.len(), width), (3, MINUTE));
        assert_eq!(lines(&few, width)[0].sentence, "1 sign-in");
    }

    #[test]
    fn the_longest_history_fits_too() {
        let length = 40 * 365 * 24 * 60 * MINUTE;
        let width = width_to_read(length);
        assert!(length / width < READ_AT_MOST);
        let buckets = (0..length / width)
            .map(|place| Bucket { place, first_at: place, last_at: place, count: 1 })
            .collect();
        assert!(coarsen(buckets, width).0.len() <= LINES_AT_MOST);
    }

    #[test]
    fn quiet_is_told_once_by_what_ends_it() {
        let mut buckets = every(1, 2);
        buckets.push(Bucket {
            place: 300,
            first_at: 300 * MINUTE,
            last_at: 300 * MINUTE,
            count: 1,
        });
        let lines = lines(&buckets, MINUTE);
        assert_eq!(lines[0].sentence, "2 sign-ins in 1 min");
        assert_eq!(lines[1].sentence, "2 sign-ins in 1 min, 4 so far");
        assert_eq!(lines[1].quiet, None);
        assert_eq!(lines[2].sentence, "1 sign-in, 5 so far");
        assert_eq!(lines[2].quiet.as_deref(), Some("after 4 h 58 min without one"));
    }
}
