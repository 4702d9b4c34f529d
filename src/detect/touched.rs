//! Which rules and groups the events of a chunk are of.

use super::kinds::{Role, Which};
use super::meanings::Meaning;
use super::stage::Detector;
use crate::store::{EventRow, StoreError, Writing};

/// The new events of each rule and group, in the order of time; the pairs in theirs, so that the rows of two runs
/// over the same events get the same numbers.
pub(super) type Touched = Vec<((usize, i64), Vec<Touch>)>;

/// A row by its place, and what it is to the rule: small, for a chunk has many.
#[derive(Clone, Copy)]
pub(super) struct Touch {
    pub(super) place: u32,
    pub(super) role: Role,
    pub(super) which: Which,
    /// By its place in [`Meanings::value`].
    pub(super) value: u32,
    /// It is of another identity of the same name.
    pub(super) is_inherited: bool,
}

impl Touch {
    pub(super) fn row<'r>(&self, rows: &'r [EventRow]) -> &'r EventRow {
        &rows[self.place as usize]
    }
}

/// The new events of one rule and group, identity by identity as the rows stand.
#[derive(Default)]
struct Gathered {
    events: Vec<Touch>,
    /// Whether they are of several identities, and so not in the order of time.
    is_mixed: bool,
}

impl Gathered {
    /// `is_thinned`: of events that end what others began, one after the other, only the first can end anything and
    /// only the last tells how far the fold has come.
    fn push(&mut self, touch: Touch, identity_from: u32, is_thinned: bool) {
        self.is_mixed |= self.events.last().is_some_and(|last| last.place < identity_from);
        let breaks = |event: &Touch| event.role == Role::Breaks;
        match self.events.as_mut_slice() {
            [.., one, last] if is_thinned && breaks(&touch) && breaks(one) && breaks(last) => {
                *last = touch;
            }
            _ => self.events.push(touch),
        }
    }

    fn in_time_order(mut self, rows: &[EventRow]) -> Vec<Touch> {
        if self.is_mixed {
            sort_by_time(&mut self.events, rows);
        }
        self.events
    }
}

pub(super) fn sort_by_time(events: &mut [Touch], rows: &[EventRow]) {
    events.sort_unstable_by_key(|event| event.row(rows).key());
}

impl Detector {
    /// Which rules and groups the rows are of. These stand by identity, and in the order of time for each: nearly
    /// every group is of one identity, and its fold then walks over neighbours.
    pub(super) async fn touched(
        &mut self,
        writing: &mut Writing,
        rows: &[EventRow],
    ) -> Result<Touched, StoreError> {
        let Self { meanings, matcher, names, groups, rules, .. } = self;
        let mut by_pair: Vec<Gathered> = Vec::new();
        let seen_by_all = rules.iter().map(|rule| rule.seen_seq).max().unwrap_or(0);
        let is_thinned: Vec<bool> = matcher
            .rules
            .iter()
            .map(|rule| rule.kind.can_be_broken() && rule.is_by_identity())
            .collect();
        let (mut identity_id, mut identity_from) = (None, 0);
        for (place, row) in (0..).zip(rows) {
            if identity_id != Some(row.identity_id) {
                (identity_id, identity_from) = (Some(row.identity_id), place);
            }
            for meaning in meanings.of((&mut *matcher, &*names), groups, row) {
                let Meaning { rule, pair, role, which, value } = *meaning;
                if row.seq <= seen_by_all && row.seq <= rules[rule as usize].seen_seq {
                    continue;
                }
                let pair = pair as usize;
                if pair >= by_pair.len() {
                    by_pair.resize_with(pair + 1, Gathered::default);
                }
                let touch = Touch { place, role, which, value, is_inherited: false };
                by_pair[pair].push(touch, identity_from, is_thinned[rule as usize]);
            }
        }
        meanings.settle(groups, writing).await?;
        let mut touched: Touched = (0..)
            .zip(by_pair)
            .filter(|(_, gathered)| !gathered.events.is_empty())
            .filter_map(|(pair, gathered)| {
                Some((meanings.pair(pair)?, gathered.in_time_order(rows)))
            })
            .collect();
        touched.sort_unstable_by_key(|(pair, _)| *pair);
        self.add_inherited(writing, rows, &mut touched).await?;
        Ok(touched)
    }
}
