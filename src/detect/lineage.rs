//! What an identity that was made anew inherits: the events that one of its name had before its own first.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::change::{GroupChange, Others, add};
use super::kinds::{Occurrence, Role};
use super::matching::{Hit, Matcher};
use super::stage::Detector;
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
        ids: impl Iterator<Item = i64>,
    ) -> Result<(), StoreError> {
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

    /// Forgets all when there are too many; gives how many. Not while a chunk is at hand, which needs them to its end.
    pub(super) fn bound(&mut self) -> u64 {
        if self.known.len() <= REMEMBERED_AT_MOST {
            return 0;
        }
        let forgotten = self.known.len() as u64;
        *self = Self::default();
        forgotten
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

    /// Adds what the rows are to groups of namesakes; `order` are their places, those of an identity beside each
    /// other. Only what is late matters to them: a group that has begun has taken in all that was there, and one that
    /// has not will.
    pub(super) async fn late_of_namesakes(
        &mut self,
        writing: &mut Writing,
        (rows, order): (&[EventRow], &[u32]),
        others: &mut Others,
    ) -> Result<(), StoreError> {
        if !self.matcher.rules.iter().any(|rule| rule.inherits) {
            return Ok(());
        }
        let identity = |place: &u32| rows[*place as usize].identity_id;
        let by_identity = || order.chunk_by(|one, next| identity(one) == identity(next));
        self.lineages.load(writing, by_identity().map(|places| identity(&places[0]))).await?;
        // Few have namesakes.
        let is_heard = |places: &&[u32]| !self.lineages.of(identity(&places[0])).is_empty();
        let rows: Vec<EventRow> = by_identity()
            .filter(is_heard)
            .flat_map(|places| places.iter().map(|place| rows[*place as usize]))
            .collect();
        let of_namesakes = self.of_namesakes(writing, &rows).await?;
        self.load_tails(writing, of_namesakes.iter().map(|(pair, _)| *pair)).await?;
        for (pair, row) in of_namesakes {
            if self.tails.is_past(pair, row.key()) {
                add(others, pair, GroupChange::came(row));
            }
        }
        Ok(())
    }

    /// The groups of namesakes that the rows teach something.
    async fn of_namesakes<'r>(
        &mut self,
        writing: &mut Writing,
        rows: &'r [EventRow],
    ) -> Result<Vec<((usize, i64), &'r EventRow)>, StoreError> {
        let mut taught: Vec<(u32, &EventRow)> = Vec::new();
        let inherits: Vec<bool> = self.matcher.rules.iter().map(|rule| rule.inherits).collect();
        self.names.load(writing, rows).await?;
        let heirs = rows.iter().flat_map(|row| self.lineages.of(row.identity_id));
        let heirs: Vec<i64> = heirs.copied().collect();
        self.names.load_identities(writing, &heirs).await?;
        let Self { meanings, matcher, names, groups, rules, lineages, .. } = self;
        for row in rows {
            for heir in lineages.of(row.identity_id).iter().filter(|id| **id != row.identity_id) {
                let as_its_own = as_own(row, *heir);
                let meant = meanings.of((&mut *matcher, &*names), groups, &as_its_own);
                let meant = meant.map(|number| meanings.get(number)).filter(|meaning| {
                    let rule = meaning.rule as usize;
                    inherits[rule] && teaches(meaning.role) && row.seq > rules[rule].seen_seq
                });
                taught.extend(meant.map(|meaning| (meaning.pair, row)));
            }
        }
        meanings.settle(groups, writing).await?;
        Ok(taught.into_iter().filter_map(|(pair, row)| Some((meanings.pair(pair)?, row))).collect())
    }
}
