//! What changes a group: events that came, and events that left it since a later record said more of them.

use std::collections::BTreeMap;

use super::lineage::{as_own, teaches};
use super::meanings::Meaning;
use super::stage::Detector;
use crate::store::findings::Key;
use crate::store::{EventRow, StoreError, Writing, replaced};

/// From where to where a group is changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupChange {
    pub(super) first: Key,
    pub(super) last: Key,
    /// Events that came, and events that it had and has no longer.
    pub(super) came: usize,
    pub(super) left: usize,
    /// Of one of its events.
    pub(super) identity_id: i64,
}

impl GroupChange {
    pub(super) fn came(row: &EventRow) -> Self {
        let (key, identity_id) = (row.key(), row.identity_id);
        Self { first: key, last: key, came: 1, left: 0, identity_id }
    }

    fn left(row: &EventRow) -> Self {
        let (key, identity_id) = (row.key(), row.identity_id);
        Self { first: key, last: key, came: 0, left: 1, identity_id }
    }

    /// Adds an event that came after those before.
    pub(super) fn add(&mut self, key: Key) {
        self.last = self.last.max(key);
        self.came += 1;
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            came: self.came + other.came,
            left: self.left + other.left,
            identity_id: self.identity_id,
        }
    }
}

/// What changes groups besides their own events that came.
pub(super) type Others = BTreeMap<(usize, i64), GroupChange>;

/// Adds what changes a group to what else does.
pub(super) fn add(others: &mut Others, pair: (usize, i64), change: GroupChange) {
    others.entry(pair).and_modify(|all| *all = all.and(change)).or_insert(change);
}

impl Detector {
    /// What left which groups by the events of a chunk that ends here.
    pub(super) async fn left(
        &mut self,
        writing: &mut Writing,
        last_seq: i64,
    ) -> Result<Others, StoreError> {
        let seen = self.rules.iter().map(|rule| rule.seen_seq).min().unwrap_or(last_seq);
        let (rows, by): (Vec<EventRow>, Vec<i64>) =
            replaced(writing, seen, last_seq).await?.into_iter().unzip();
        let mut left = Others::new();
        if rows.is_empty() {
            return Ok(left);
        }
        self.names.load(writing, &rows).await?;
        self.lineages.load(writing, rows.iter().map(|row| row.identity_id)).await?;
        let of_names = rows.iter().flat_map(|row| self.lineages.of(row.identity_id));
        let of_names: Vec<i64> = of_names.copied().collect();
        self.names.load_identities(writing, &of_names).await?;
        let mut touched: Vec<(u32, GroupChange)> = Vec::new();
        for (row, by) in rows.iter().zip(by) {
            self.had(row, by, &mut touched);
        }
        self.meanings.settle(&mut self.groups, writing).await?;
        for (pair, change) in touched {
            if let Some(pair) = self.meanings.pair(pair) {
                add(&mut left, pair, change);
            }
        }
        self.load_tails(writing, left.keys().copied()).await?;
        Ok(left)
    }

    /// Adds the groups that had an event, by its own identity and by others of its name, and that have not heard yet
    /// that it is gone.
    fn had(&mut self, row: &EventRow, by_seq: i64, touched: &mut Vec<(u32, GroupChange)>) {
        let Self { meanings, matcher, names, groups, rules, lineages, .. } = self;
        let inherits: Vec<bool> = matcher.rules.iter().map(|rule| rule.inherits).collect();
        let is_told = |meaning: &Meaning, is_own: bool| {
            let rule = meaning.rule as usize;
            let seen_seq = rules[rule].seen_seq;
            (is_own || inherits[rule] && teaches(meaning.role))
                && row.seq <= seen_seq
                && by_seq > seen_seq
        };
        let heirs = lineages.of(row.identity_id).iter().copied();
        let heirs = heirs.filter(|id| *id != row.identity_id);
        for identity in std::iter::once(row.identity_id).chain(heirs) {
            let as_its_own = as_own(row, identity);
            let meant = meanings.of((&mut *matcher, &*names), groups, &as_its_own);
            let told = meant.map(|number| meanings.get(number));
            let told = told.filter(|it| is_told(it, identity == row.identity_id));
            touched.extend(told.map(|meaning| (meaning.pair, GroupChange::left(row))));
        }
    }
}
