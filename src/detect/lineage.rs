//! What an identity that was made anew inherits: the events that one of its name had before its own first.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::kinds::{Occurrence, Role};
use super::matching::{Hit, Matcher};
use super::meanings::Meaning;
use super::stage::Detector;
use super::touched::{Touch, Touched, sort_by_time};
use crate::store::{EventRow, Names, StoreError, Writing, namesakes};

/// Identities of one name that inherit. Where there are more, a name says nothing of who follows whom.
pub(super) const NAMESAKES_AT_MOST: usize = 16;

/// Identities remembered; past that they are asked for again.
const REMEMBERED_AT_MOST: usize = 200_000;

/// Who has the name of whom. Names that change are those of the time they were asked for.
#[derive(Debug, Default)]
pub(super) struct Lineages {
    /// All of one name, where there are several.
    by_identity: HashMap<i64, Arc<[i64]>, RandomState>,
    known: HashSet<i64, RandomState>,
}

impl Lineages {
    /// Asks for the namesakes of those that were not met before.
    pub(super) async fn load(
        &mut self,
        writing: &mut Writing,
        rows: &[EventRow],
    ) -> Result<(), StoreError> {
        if self.known.len() > REMEMBERED_AT_MOST {
            *self = Self::default();
        }
        let ids = rows.iter().map(|row| row.identity_id);
        let unknown: Vec<i64> = ids.filter(|id| self.known.insert(*id)).collect();
        for all in namesakes(writing, &unknown).await? {
            let all: Arc<[i64]> = all.into();
            for id in all.iter() {
                if all.len() <= NAMESAKES_AT_MOST {
                    self.by_identity.insert(*id, Arc::clone(&all));
                } else {
                    self.by_identity.remove(id);
                }
            }
        }
        Ok(())
    }

    /// All that have the name of an identity, itself too; none where it is the only one.
    pub(super) fn of(&self, identity: i64) -> &[i64] {
        self.by_identity.get(&identity).map_or(&[], |all| all)
    }
}

/// An event of a namesake as it would be one of the heir's own.
pub(super) fn as_own(row: &EventRow, heir: i64) -> EventRow {
    EventRow { identity_id: heir, ..*row }
}

/// An event as the group of an heir takes it, with what it would be to that group if it were its own.
pub(super) fn occurrence<'e>(
    (matcher, names): (&Matcher, &'e Names),
    (hit, is_inherited): (Hit, bool),
    row: &'e EventRow,
) -> Option<Occurrence<'e>> {
    let is_told = !is_inherited || teaches(hit.role);
    is_told.then(|| Occurrence { is_inherited, ..matcher.occurrence(hit, row, names) })
}

pub(super) fn teaches(role: Role) -> bool {
    matches!(role, Role::Counted | Role::Learns)
}

impl Detector {
    /// All that have the name of an identity, where a rule goes by that and there are several.
    pub(super) fn of_name(&self, rule: usize, identity: i64) -> Vec<i64> {
        let inherits = self.matcher.rules[rule].inherits;
        if inherits { self.lineages.of(identity).to_vec() } else { Vec::new() }
    }

    /// Adds what the rows are to groups of namesakes. Only what is late matters to them: a group that has begun has
    /// taken in all that was there, and one that has not will.
    pub(super) async fn add_inherited(
        &mut self,
        writing: &mut Writing,
        rows: &[EventRow],
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        if !self.matcher.rules.iter().any(|rule| rule.inherits) {
            return Ok(());
        }
        self.lineages.load(writing, rows).await?;
        let late = self.of_namesakes(writing, rows).await?;
        self.load_tails(writing, &late).await?;
        let mut begun: BTreeMap<(usize, i64), Vec<Touch>> = BTreeMap::new();
        for (pair, events) in late {
            let is_late = |event: &Touch| self.tails.is_past(pair, event.row(rows).key());
            let mut events: Vec<Touch> = events.into_iter().filter(is_late).collect();
            if !events.is_empty() {
                sort_by_time(&mut events, rows);
                begun.insert(pair, events);
            }
        }
        for (pair, events) in touched.iter_mut() {
            if let Some(late) = begun.remove(pair) {
                events.extend(late);
                sort_by_time(events, rows);
            }
        }
        touched.extend(begun);
        Ok(())
    }

    /// What the rows would be to the groups of namesakes.
    async fn of_namesakes(
        &mut self,
        writing: &mut Writing,
        rows: &[EventRow],
    ) -> Result<Touched, StoreError> {
        let with_others = rows.iter().flat_map(|row| self.lineages.of(row.identity_id));
        let ids: Vec<i64> = with_others.copied().collect();
        self.names.load_identities(writing, &ids).await?;
        let Self { meanings, matcher, names, groups, rules, lineages, .. } = self;
        let inherits: Vec<bool> = matcher.rules.iter().map(|rule| rule.inherits).collect();
        let mut by_pair: BTreeMap<u32, Vec<Touch>> = BTreeMap::new();
        for (place, row) in (0..).zip(rows) {
            for heir in lineages.of(row.identity_id).iter().filter(|id| **id != row.identity_id) {
                let as_its_own = as_own(row, *heir);
                for meaning in meanings.of((&mut *matcher, &*names), groups, &as_its_own) {
                    let touch = Touch { place, meaning, is_inherited: true };
                    let Meaning { rule, pair, role, .. } = *meanings.get(meaning);
                    let is_new = row.seq > rules[rule as usize].seen_seq;
                    let is_for_it = inherits[rule as usize] && teaches(role) && is_new;
                    by_pair.entry(pair).or_default().extend(is_for_it.then_some(touch));
                }
            }
        }
        meanings.settle(groups, writing).await?;
        Ok(by_pair
            .into_iter()
            .filter(|(_, events)| !events.is_empty())
            .filter_map(|(pair, events)| Some((meanings.pair(pair)?, events)))
            .collect())
    }
}
