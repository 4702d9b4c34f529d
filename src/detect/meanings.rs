//! What an event means to every rule, found once for all events that are alike in what rules can see of them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::groups::{Group, Groups};
use super::kinds::{Role, Which};
use super::matching::{Hit, Matcher};
use crate::store::{EventRow, Names, StoreError, Writing};

/// One rule that an event is of, and what its fold needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) rule: u32,
    /// The rule and group, by their place in [`Meanings::pair`].
    pub(super) pair: u32,
    pub(super) role: Role,
    pub(super) which: Which,
    /// The value of the rule's field, by its place in [`Meanings::value`].
    pub(super) value: u32,
}

/// A rule and one of its groups.
#[derive(Debug)]
struct Pair {
    rule: usize,
    group: Group,
    /// Whose events are in it.
    identity_id: i64,
    /// Whether others' are, too.
    is_mixed: bool,
}

/// The meanings found so far.
#[derive(Debug, Default)]
pub(super) struct Meanings {
    /// Where in `all` those of events with these numbers are.
    alike: HashMap<[i64; 6], (u32, u32), RandomState>,
    all: Vec<Meaning>,
    pairs: Vec<Pair>,
    pair_places: HashMap<(usize, Group), u32, RandomState>,
    values: Vec<Arc<str>>,
    value_places: HashMap<Arc<str>, u32, RandomState>,
    hits: Vec<Hit>,
}

impl Meanings {
    /// What an event means, by its places in [`get`](Self::get), where one like it was met before.
    pub(super) fn known(&self, row: &EventRow) -> Option<Range<u32>> {
        self.alike.get(&seen_of(row)).map(|(from, to)| *from..*to)
    }

    /// What an event means, given the groups known so far, by its places in [`get`](Self::get).
    pub(super) fn of(
        &mut self,
        (matcher, names): (&mut Matcher, &Names),
        groups: &mut Groups,
        row: &EventRow,
    ) -> Range<u32> {
        if let Some(known) = self.known(row) {
            return known;
        }
        let from = place(self.all.len());
        self.find((matcher, names), groups, row);
        let to = place(self.all.len());
        if !matcher.reads_what_is_of_one_event() {
            self.alike.insert(seen_of(row), (from, to));
        }
        from..to
    }

    pub(super) fn get(&self, meaning: u32) -> &Meaning {
        &self.all[meaning as usize]
    }

    fn find(
        &mut self,
        (matcher, names): (&mut Matcher, &Names),
        groups: &mut Groups,
        row: &EventRow,
    ) {
        let from = self.all.len();
        let mut hits = std::mem::take(&mut self.hits);
        matcher.hits(row, names, &mut hits);
        for hit in hits.drain(..) {
            let Some(group) = groups.of((matcher, names), hit, row) else { continue };
            let pair = self.pair_place((hit.rule, group), row.identity_id);
            // Under aliases, two detections may put an event into one group.
            if let Some(last) = self.all[from..].last_mut().filter(|last| last.pair == pair) {
                last.which = last.which.and(hit.which);
                continue;
            }
            let text = matcher.value(hit, row, names);
            let value = self.value_place(&text);
            self.all.push(Meaning {
                rule: place(hit.rule),
                pair,
                role: hit.role,
                which: hit.which,
                value,
            });
        }
        self.hits = hits;
    }

    fn pair_place(&mut self, (rule, group): (usize, Group), identity_id: i64) -> u32 {
        let next = place(self.pairs.len());
        let known = *self.pair_places.entry((rule, group)).or_insert(next);
        if known == next {
            self.pairs.push(Pair { rule, group, identity_id, is_mixed: false });
        } else {
            let pair = &mut self.pairs[known as usize];
            pair.is_mixed |= pair.identity_id != identity_id;
        }
        known
    }

    fn value_place(&mut self, text: &str) -> u32 {
        if let Some(known) = self.value_places.get(text) {
            return *known;
        }
        let (text, next) = (Arc::<str>::from(text), place(self.values.len()));
        self.values.push(Arc::clone(&text));
        self.value_places.insert(text, next);
        next
    }

    pub(super) fn value(&self, value: u32) -> &str {
        &self.values[value as usize]
    }

    /// The rule and its group's number in the database; `None` before [`settle`](Self::settle).
    pub(super) fn pair(&self, pair: u32) -> Option<(usize, i64)> {
        match self.pairs[pair as usize] {
            Pair { rule, group: Group::Known(number), .. } => Some((rule, number)),
            Pair { group: Group::Pending(_), .. } => None,
        }
    }

    /// For each pair, whether events of several identities are in it.
    pub(super) fn are_mixed(&self) -> impl Iterator<Item = bool> {
        self.pairs.iter().map(|pair| pair.is_mixed)
    }

    /// The rules and groups of events that mean this, each once.
    pub(super) fn pairs_of(&self, meant: &[Range<u32>]) -> Vec<(usize, i64)> {
        // What many events mean is looked at once.
        let mut is_met = vec![false; self.all.len()];
        let mut is_touched = vec![false; self.pairs.len()];
        for range in meant.iter().filter(|range| !range.is_empty()) {
            if !std::mem::replace(&mut is_met[range.start as usize], true) {
                for number in range.clone() {
                    is_touched[self.get(number).pair as usize] = true;
                }
            }
        }
        let touched = (0..).zip(is_touched).filter(|(_, is_touched)| *is_touched);
        touched.filter_map(|(pair, _)| self.pair(pair)).collect()
    }

    /// Finds the numbers of the groups that have none yet.
    pub(super) async fn settle(
        &mut self,
        groups: &mut Groups,
        writing: &mut Writing,
    ) -> Result<(), StoreError> {
        let numbers = groups.settle(writing).await?;
        if numbers.is_empty() {
            return Ok(());
        }
        for (place, pair) in (0..).zip(&mut self.pairs) {
            if let Group::Pending(number) = pair.group {
                self.pair_places.remove(&(pair.rule, pair.group));
                pair.group = Group::Known(numbers[number]);
                self.pair_places.insert((pair.rule, pair.group), place);
            }
        }
        Ok(())
    }

    /// Forgets all when there are too many; gives how many.
    pub(super) fn bound(&mut self, remembered: usize) -> u64 {
        if self.alike.is_empty() {
            // Each is of one event, and none comes again.
            self.all.clear();
        }
        let most = self.alike.len().max(self.values.len()).max(self.pairs.len());
        if most <= remembered {
            return 0;
        }
        *self = Self::default();
        most as u64
    }
}

/// What rules can see of an event, as far as others can share it.
fn seen_of(row: &EventRow) -> [i64; 6] {
    [
        row.identity_id,
        row.resource_id,
        row.facet_id,
        row.error_code,
        row.address_id.unwrap_or(0),
        row.user_id.unwrap_or(0),
    ]
}

fn place(index: usize) -> u32 {
    u32::try_from(index).expect("a chunk of events has far fewer")
}
