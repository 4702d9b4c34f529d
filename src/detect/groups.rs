//! The numbers of groups, remembered; those not known yet are found together.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::matching::{Hit, Matcher};
use crate::store::findings::{self, NewGroup};
use crate::store::{EventRow, Names, StoreError, Writing};

/// What of an event decides its group, see [`Matcher::deciding`].
type Deciding = (usize, usize, [i64; 6]);

/// A group by its number in the database, or by its place among those whose number is yet to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Group {
    Known(i64),
    Pending(usize),
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    /// `None` where the event is in no group of the rule.
    by_event: HashMap<Deciding, Option<Group>, RandomState>,
    /// By their text, which rules of one grouping share.
    by_text: HashMap<String, Group, RandomState>,
    pending: Vec<NewGroup>,
}

impl Groups {
    /// The group that an event is in under a rule.
    pub(super) fn of(
        &mut self,
        (matcher, names): (&Matcher, &Names),
        hit: Hit,
        row: &EventRow,
    ) -> Option<Group> {
        let deciding = matcher.deciding(hit, row);
        if let Some(group) = self.by_event.get(&deciding) {
            return *group;
        }
        let group = matcher.group_text(hit, row, names).map(|text| {
            // The same text under another grouping is another group.
            let grouping = matcher.rules[hit.rule].group_by.iter();
            let fields: Vec<&str> = grouping.map(|key| key.name.as_str()).collect();
            let key = format!("{}\n{text}", fields.join(","));
            let identity_id = matcher.is_by_identity(hit.rule).then_some(row.identity_id);
            self.by_text(key, identity_id)
        });
        self.by_event.insert(deciding, group);
        group
    }

    fn by_text(&mut self, key: String, identity_id: Option<i64>) -> Group {
        if let Some(group) = self.by_text.get(&key) {
            return *group;
        }
        let group = Group::Pending(self.pending.len());
        self.by_text.insert(key.clone(), group);
        self.pending.push(NewGroup { key, identity_id });
        group
    }

    /// Finds the numbers of those that have none yet, in the order of their places.
    pub(super) async fn settle(&mut self, writing: &mut Writing) -> Result<Vec<i64>, StoreError> {
        if self.pending.is_empty() {
            return Ok(Vec::new());
        }
        let pending = std::mem::take(&mut self.pending);
        let numbers = findings::group_numbers(writing, &pending).await?;
        for (group, number) in pending.into_iter().zip(&numbers) {
            self.by_text.insert(group.key, Group::Known(*number));
        }
        for group in self.by_event.values_mut().flatten() {
            if let Group::Pending(place) = *group {
                *group = Group::Known(numbers[place]);
            }
        }
        Ok(numbers)
    }

    /// Forgets all when there are too many; gives how many.
    pub(super) fn bound(&mut self, remembered: usize) -> u64 {
        if self.by_event.len() <= remembered {
            return 0;
        }
        let forgotten = self.by_event.len() as u64;
        *self = Self::default();
        forgotten
    }
}
