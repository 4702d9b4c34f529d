//! Which rules and groups the events of a chunk are of.

use std::ops::Range;

use super::kinds::Role;
use super::meanings::Meanings;
use super::stage::Detector;
use crate::store::{EventRow, StoreError, Writing};

/// The new events of each rule and group, in the order of time; one after the other the pairs whose events are
/// neighbours, so that these are at hand for all rules.
pub(super) type Touched = Vec<((usize, i64), Vec<Touch>)>;

/// A row by its place, and what it is to the rule: small, for a chunk has many.
#[derive(Clone, Copy)]
pub(super) struct Touch {
    pub(super) place: u32,
    /// By its place in [`Meanings::get`].
    pub(super) meaning: u32,
    /// It is of another identity of the same name.
    pub(super) is_inherited: bool,
}

impl Touch {
    pub(super) fn row<'r>(&self, rows: &'r [EventRow]) -> &'r EventRow {
        &rows[self.place as usize]
    }
}

/// The new events of one rule and group, identity by identity as the rows stand.
struct Gathered {
    events: Vec<Touch>,
    /// Whether they are of several identities, and so not in the order of time.
    is_mixed: bool,
}

impl Gathered {
    fn push(&mut self, touch: Touch, identity_from: u32) {
        self.is_mixed |= self.events.last().is_some_and(|last| last.place < identity_from);
        self.events.push(touch);
    }

    /// Of events that end what others began, one after the other, only the first can end anything and only the last
    /// tells how far the fold has come.
    fn push_thinned(&mut self, touch: Touch, identity_from: u32, meanings: &Meanings) {
        let breaks = |event: &Touch| meanings.get(event.meaning).role == Role::Breaks;
        match self.events.as_mut_slice() {
            [.., one, last] if breaks(&touch) && breaks(one) && breaks(last) => *last = touch,
            _ => self.push(touch, identity_from),
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

/// Room for what each pair will have, so that nothing need be moved when it is gathered.
fn room(meanings: &Meanings, meant: &[Range<u32>], is_thinned: &[bool]) -> Vec<Gathered> {
    // What many events mean is counted at once.
    let mut times = vec![0_usize; meanings.len()];
    let meant = || meant.iter().filter(|range| !range.is_empty());
    for range in meant() {
        times[range.start as usize] += 1;
    }
    let mut counts = vec![0_usize; meanings.pairs()];
    for range in meant() {
        let times = std::mem::take(&mut times[range.start as usize]);
        if times == 0 {
            continue;
        }
        for meaning in range.clone().map(|number| meanings.get(number)) {
            if !(is_thinned[meaning.rule as usize] && meaning.role == Role::Breaks) {
                counts[meaning.pair as usize] += times;
            }
        }
    }
    let with_room = |count| Gathered { events: Vec::with_capacity(count), is_mixed: false };
    counts.into_iter().map(with_room).collect()
}

impl Detector {
    /// Which rules and groups the rows are of. These stand by identity, and in the order of time for each: nearly
    /// every group is of one identity, and its fold then walks over neighbours.
    pub(super) async fn touched(
        &mut self,
        writing: &mut Writing,
        rows: &[EventRow],
        meant: &[Range<u32>],
    ) -> Result<Touched, StoreError> {
        let Self { meanings, matcher, groups, rules, .. } = self;
        let seen_by_all = rules.iter().map(|rule| rule.seen_seq).max().unwrap_or(0);
        let is_thinned: Vec<bool> = matcher
            .rules
            .iter()
            .map(|rule| rule.kind.can_be_broken() && rule.is_by_identity())
            .collect();
        let mut by_pair = room(meanings, meant, &is_thinned);
        let (mut identity_id, mut identity_from) = (None, 0);
        for (place, (row, meant)) in (0..).zip(rows.iter().zip(meant)) {
            if identity_id != Some(row.identity_id) {
                (identity_id, identity_from) = (Some(row.identity_id), place);
            }
            for number in meant.clone() {
                let meaning = meanings.get(number);
                let rule = meaning.rule as usize;
                if row.seq <= seen_by_all && row.seq <= rules[rule].seen_seq {
                    continue;
                }
                let touch = Touch { place, meaning: number, is_inherited: false };
                let gathered = &mut by_pair[meaning.pair as usize];
                if is_thinned[rule] {
                    gathered.push_thinned(touch, identity_from, meanings);
                } else {
                    gathered.push(touch, identity_from);
                }
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
        self.add_inherited(writing, rows, &mut touched).await?;
        touched.sort_unstable_by_key(|(pair, events)| {
            (rows[events[0].place as usize].identity_id, *pair)
        });
        Ok(touched)
    }
}
