//! The next events that no rule has seen, and what they mean, found while SQLite's threads look for more of them.

use std::ops::Range;

use super::stage::Detector;
use crate::store::{Arrivals, EventRow, Packed, Reader, StoreError, Writing};

/// Events in the order of arrival, and what each means to all rules, by its places in
/// [`Meanings::get`](super::meanings::Meanings::get).
#[derive(Default)]
pub(super) struct Arrived {
    pub(super) rows: Vec<EventRow>,
    pub(super) meant: Vec<Range<u32>>,
}

impl Arrived {
    /// The places of the rows in the order in which nearly every group has neighbours: by identity, and by time for
    /// each. Rows stay where they are: each is visited once in that order.
    pub(super) fn by_identity(&self) -> Vec<u32> {
        let rows = &self.rows;
        let mut order: Vec<(i64, u32)> =
            (0..).zip(rows).map(|(place, row)| (row.identity_id, place)).collect();
        order.sort_unstable();
        let key = |(_, place): &(i64, u32)| rows[*place as usize].key();
        for of_one in order.chunk_by_mut(|one, next| one.0 == next.0) {
            // Most come as they were.
            if !of_one.is_sorted_by_key(key) {
                of_one.sort_unstable_by_key(key);
            }
        }
        order.into_iter().map(|(_, place)| place).collect()
    }
}

impl Detector {
    /// At most so many events that no rule has seen yet, in the order of arrival.
    pub(super) async fn arrived(
        &mut self,
        (readers, writing): (&mut [Reader; 2], &mut Writing),
        limit: i64,
    ) -> Result<Arrived, StoreError> {
        let seen = self.rules.iter().map(|rule| rule.seen_seq).min().unwrap_or(i64::MAX);
        let mut arrivals = Arrivals::after(seen, limit);
        let mut arrived = Arrived::default();
        self.names.bound();
        let mut packed = arrivals.next(readers).await?;
        while !packed.is_empty() {
            let these = std::mem::take(&mut packed);
            let mean = self.mean(writing, these, &mut arrived);
            let (next, meant) = tokio::join!(arrivals.next(readers), mean);
            meant?;
            packed = next?;
        }
        Ok(arrived)
    }

    async fn mean(
        &mut self,
        writing: &mut Writing,
        packed: Vec<Packed>,
        arrived: &mut Arrived,
    ) -> Result<(), StoreError> {
        let from = arrived.rows.len();
        for packed in packed {
            packed.unpack(&mut arrived.rows)?;
        }
        let rows = &arrived.rows[from..];
        let Self { meanings, matcher, names, groups, .. } = self;
        // Only what is not known yet has to be looked at.
        let (mut unknown, mut places) = (Vec::new(), Vec::new());
        for (place, row) in (from..).zip(rows) {
            let known = meanings.known(row);
            if known.is_none() {
                unknown.push(*row);
                places.push(place);
            }
            arrived.meant.push(known.unwrap_or_default());
        }
        names.load(writing, &unknown).await?;
        for (place, row) in places.into_iter().zip(&unknown) {
            arrived.meant[place] = meanings.of((&mut *matcher, &*names), groups, row);
        }
        Ok(())
    }
}
