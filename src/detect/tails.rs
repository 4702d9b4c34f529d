//! Where the folds have come to, remembered between transactions.

use std::collections::{BTreeMap, HashMap, HashSet};

use foldhash::fast::RandomState;

use super::replay::Put;
use super::stage::Detector;
use crate::model::EventId;
use crate::store::findings::{Key, RuleRow};
use crate::store::{StoreError, Writing, checkpoints};

/// States remembered; past that they are read again.
const REMEMBERED_AT_MOST: usize = 50_000;

/// Before any event.
const NO_KEY: Key = (i64::MIN, EventId([0; 16]));

/// Where one fold has come to.
enum Tail {
    /// Its last checkpoint.
    Put(Put),
    /// It has none: of its events, which end with this one, none began anything.
    Nothing(Key),
    /// It has none; which events it has is not known.
    Unknown,
}

/// The last checkpoints, by rule and group.
#[derive(Default)]
pub(super) struct Tails {
    known: HashMap<(usize, i64), Tail, RandomState>,
    /// Rules that had seen events before this program began, by their number in the database: all that others have
    /// put away is remembered.
    begun_before: HashSet<i64, RandomState>,
    /// Whether all that the rules have seen went by here: what is not known has seen nothing.
    saw_all: bool,
}

impl Tails {
    pub(super) fn begin(rules: &[RuleRow]) -> Self {
        let begun_before = rules.iter().filter(|rule| rule.seen_seq > 0).map(|rule| rule.id);
        Self {
            known: HashMap::default(),
            begun_before: begun_before.collect(),
            saw_all: rules.iter().all(|rule| rule.seen_seq == 0),
        }
    }

    /// The last checkpoint of a fold; where it has none and all its events are known, the last of those.
    pub(super) fn take(&mut self, pair: (usize, i64)) -> (Option<Put>, Option<Key>) {
        match self.known.remove(&pair) {
            Some(Tail::Put(put)) => (Some(put), None),
            Some(Tail::Nothing(key)) => (None, Some(key)),
            Some(Tail::Unknown) => (None, None),
            None => (None, self.saw_all.then_some(NO_KEY)),
        }
    }

    /// Whether a fold has come past an event; not where it has not begun.
    pub(super) fn is_past(&self, pair: (usize, i64), key: Key) -> bool {
        matches!(self.known.get(&pair), Some(Tail::Put(put)) if key < put.key)
    }

    pub(super) fn put(&mut self, pair: (usize, i64), tail: Option<Put>) {
        self.known.insert(pair, tail.map_or(Tail::Unknown, Tail::Put));
    }

    /// Notes events that began nothing, after those up to `known_to`, if they are known.
    pub(super) fn nothing(&mut self, pair: (usize, i64), known_to: Option<Key>, last: Key) {
        let tail = known_to.map_or(Tail::Unknown, |known_to| Tail::Nothing(known_to.max(last)));
        self.known.insert(pair, tail);
    }

    /// Forgets all when there are too many; gives how many.
    pub(super) fn bound(&mut self, rules: &[RuleRow], remembered: usize) -> u64 {
        if self.known.len() <= REMEMBERED_AT_MOST.min(remembered) {
            return 0;
        }
        let forgotten = self.known.len() as u64;
        self.known.clear();
        self.saw_all = false;
        self.begun_before.extend(rules.iter().map(|rule| rule.id));
        forgotten
    }
}

impl Detector {
    /// Remembers where the folds at hand have come to, few questions for all of them.
    pub(super) async fn load_tails(
        &mut self,
        writing: &mut Writing,
        pairs: impl Iterator<Item = (usize, i64)>,
    ) -> Result<(), StoreError> {
        let number = |rule: usize| self.rules[rule].id;
        let is_unknown = |pair: &(usize, i64)| {
            self.tails.begun_before.contains(&number(pair.0))
                && !self.tails.known.contains_key(pair)
        };
        let unknown: BTreeMap<(i64, i64), usize> =
            pairs.filter(is_unknown).map(|(rule, group)| ((number(rule), group), rule)).collect();
        let asked: Vec<(i64, i64)> = unknown.keys().copied().collect();
        for (pair, tail) in checkpoints::tails(writing, &asked).await? {
            self.tails.put((unknown[&pair], pair.1), Some(Put::unpack(&tail)?));
        }
        Ok(())
    }
}
