//! The events of a chunk, identity by identity: nearly every group is of one, and its fold then walks over neighbours.

use std::collections::BTreeMap;
use std::ops::Range;

use super::arrived::Arrived;
use super::change::{GroupChange, Others};
use super::folds::{Folds, Step};
use super::kinds::Occurrence;
use super::meanings::Meanings;
use crate::store::EventRow;

/// Where the fold of a group is among those under way.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place(u32);

impl Place {
    const NOWHERE: Self = Self(u32::MAX);
    /// It is of several identities, so its events wait until all of them are there.
    const LATER: Self = Self(u32::MAX - 1);
}

/// An event of a group of several identities.
struct Touch {
    row: u32,
    /// By its place in [`Meanings::get`].
    meaning: u32,
}

/// An event, copied beside those that come after it.
struct Event {
    row: EventRow,
    /// Its place among the rows.
    place: u32,
    meant: Range<u32>,
}

/// Events copied at once. Those of one identity lie far apart: fetched one by one, each would be waited for.
const AT_HAND: usize = 256;

/// Events of one identity that are taken before others may do something.
const IN_A_ROW: usize = 4_096;

pub(super) struct Walk<'a> {
    rows: &'a [EventRow],
    meant: &'a [Range<u32>],
    /// Places of rows, by identity, and in the order of time for each.
    order: &'a [u32],
    /// The first of them that is not at hand yet.
    next: usize,
    at_hand: Vec<Event>,
    /// How many of these were passed.
    passed: usize,
    /// By the place of a rule and group in [`Meanings::pair`].
    places: Vec<Place>,
    /// Which of them are of the identity at hand.
    begun: Vec<u32>,
    /// By the places of their pairs.
    mixed: BTreeMap<u32, Vec<Touch>>,
    others: Others,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        (Arrived { rows, meant }, order): (&'a Arrived, &'a [u32]),
        others: Others,
        meanings: &Meanings,
    ) -> Self {
        let place = |is_mixed| if is_mixed { Place::LATER } else { Place::NOWHERE };
        let places = meanings.are_mixed().map(place).collect();
        let (at_hand, begun, mixed) = (Vec::with_capacity(AT_HAND), Vec::new(), BTreeMap::new());
        Self { rows, meant, order, next: 0, at_hand, passed: 0, places, begun, mixed, others }
    }

    /// Goes on with the groups of the next identity, and ends them after its last event; when there are no more, with
    /// the next group of several. `false` at the end.
    pub(super) fn goes_on(
        &mut self,
        folds: &mut Folds<'_>,
        steps: &mut Vec<((usize, i64), Step)>,
    ) -> bool {
        if let Some(event) = self.next_event() {
            let identity = event.row.identity_id;
            if self.goes_on_with(identity, folds) {
                return true;
            }
        } else if let Some((pair, touches)) = self.mixed.pop_first() {
            self.group(pair, touches, folds);
        } else if let Some((pair, change)) = self.others.pop_first() {
            folds.begin(pair, change, None);
        } else {
            return false;
        }
        folds.end(steps);
        true
    }

    fn next_event(&mut self) -> Option<&Event> {
        if self.passed == self.at_hand.len() {
            let places = &self.order[self.next..];
            let places = &places[..AT_HAND.min(places.len())];
            let (rows, meant) = (self.rows, self.meant);
            let event = |place: &u32| {
                let at = *place as usize;
                Event { row: rows[at], place: *place, meant: meant[at].clone() }
            };
            self.at_hand.clear();
            self.at_hand.extend(places.iter().map(event));
            self.next += places.len();
            self.passed = 0;
        }
        self.at_hand.get(self.passed)
    }

    /// Takes events of one identity, some of them where it has many; whether it has more.
    fn goes_on_with(&mut self, identity: i64, folds: &mut Folds<'_>) -> bool {
        let mut taken = 0;
        while let Some(event) = self.next_event().filter(|event| event.row.identity_id == identity)
        {
            if taken == IN_A_ROW {
                return true;
            }
            let (row, place, meant) = (event.row, event.place, event.meant.clone());
            self.event(&row, place, meant, folds);
            self.passed += 1;
            taken += 1;
        }
        for pair in self.begun.drain(..) {
            self.places[pair as usize] = Place::NOWHERE;
        }
        false
    }

    /// Shows an event to all groups that it is of.
    fn event(&mut self, row: &EventRow, place: u32, meant: Range<u32>, folds: &mut Folds<'_>) {
        let meanings = folds.meanings();
        let mut event = Occurrence::of(row);
        for number in meant {
            let meaning = meanings.get(number);
            if folds.is_seen(meaning.rule, row) {
                continue;
            }
            match self.places[meaning.pair as usize] {
                Place::LATER => {
                    let touch = Touch { row: place, meaning: number };
                    self.mixed.entry(meaning.pair).or_default().push(touch);
                }
                Place::NOWHERE => {
                    let Some(pair) = meanings.pair(meaning.pair) else { continue };
                    let change = change(row, self.others.remove(&pair));
                    let at = folds.begin(pair, change, Some(meaning.role));
                    let begun = Place(u32::try_from(at).expect("an identity has far fewer groups"));
                    self.places[meaning.pair as usize] = begun;
                    self.begun.push(meaning.pair);
                    folds.take(at, meaning, &mut event, true);
                }
                Place(at) => folds.take(at as usize, meaning, &mut event, false),
            }
        }
    }

    fn group(&mut self, place: u32, mut touches: Vec<Touch>, folds: &mut Folds<'_>) {
        let meanings = folds.meanings();
        let Some(pair) = meanings.pair(place) else { return };
        touches.sort_unstable_by_key(|touch| self.rows[touch.row as usize].key());
        let mut at = None;
        for Touch { row, meaning } in touches {
            let (row, meaning) = (&self.rows[row as usize], meanings.get(meaning));
            let is_first = at.is_none();
            let at = *at.get_or_insert_with(|| {
                folds.begin(pair, change(row, self.others.remove(&pair)), Some(meaning.role))
            });
            folds.take(at, meaning, &mut Occurrence::of(row), is_first);
        }
    }
}

fn change(row: &EventRow, other: Option<GroupChange>) -> GroupChange {
    let came = GroupChange::came(row);
    other.map_or(came, |other| came.and(other))
}
