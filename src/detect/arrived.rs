//! The next events that no rule has seen, and what they mean, found while SQLite's thread looks for more of them.

use std::ops::Range;

use super::stage::Detector;
use crate::store::{Arrivals, EventRow, Packed, Reader, StoreError, Writing};

/// Events, and what each means to all rules, by its places in [`Meanings::get`](super::meanings::Meanings::get).
#[derive(Default)]
pub(super) struct Arrived {
    pub(super) rows: Vec<EventRow>,
    pub(super) meant: Vec<Range<u32>>,
}

impl Arrived {
    /// Puts them in the order in which nearly every group has neighbours: by identity, and by time for each.
    pub(super) fn by_identity(&self) -> Self {
        let rows = &self.rows;
        // What is sorted is small; a row is not.
        let mut order: Vec<(i64, i64, usize)> = rows
            .iter()
            .enumerate()
            .map(|(place, row)| (row.identity_id, row.created_at, place))
            .collect();
        order.sort_unstable_by(|one, other| {
            let at_once = || rows[one.2].id.cmp(&rows[other.2].id);
            (one.0, one.1).cmp(&(other.0, other.1)).then_with(at_once)
        });
        Self {
            rows: order.iter().map(|(.., place)| rows[*place]).collect(),
            meant: order.iter().map(|(.., place)| self.meant[*place].clone()).collect(),
        }
    }
}

impl Detector {
    /// At most so many events that no rule has seen yet, in the order of arrival.
    pub(super) async fn arrived(
        &mut self,
        (reader, writing): (&mut Reader, &mut Writing),
        limit: i64,
    ) -> Result<Arrived, StoreError> {
        let seen = self.rules.iter().map(|rule| rule.seen_seq).min().unwrap_or(i64::MAX);
        let mut arrivals = Arrivals::after(seen, limit);
        let mut arrived = Arrived::default();
        self.names.bound();
        let mut packed = arrivals.next(reader).await?;
        while let Some(these) = packed {
            let mean = self.mean(writing, these, &mut arrived);
            let (next, meant) = tokio::join!(arrivals.next(reader), mean);
            meant?;
            packed = next?;
        }
        Ok(arrived)
    }

    async fn mean(
        &mut self,
        writing: &mut Writing,
        packed: Packed,
        arrived: &mut Arrived,
    ) -> Result<(), StoreError> {
        let from = arrived.rows.len();
        packed.unpack(&mut arrived.rows)?;
        let rows = &arrived.rows[from..];
        self.names.load(writing, rows).await?;
        let Self { meanings, matcher, names, groups, .. } = self;
        arrived
            .meant
            .extend(rows.iter().map(|row| meanings.of((&mut *matcher, &*names), groups, row)));
        Ok(())
    }
}
