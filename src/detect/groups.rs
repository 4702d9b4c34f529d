//! The numbers of groups, remembered.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::matching::Matcher;
use crate::store::findings;
use crate::store::{EventRow, Names, StoreError, Writing};

/// Groups remembered; past that they are asked for again.
const REMEMBERED_AT_MOST: usize = 200_000;

/// What of an event decides its group under a rule.
type Deciding = (usize, [i64; 6]);

#[derive(Debug, Default)]
pub(super) struct Groups {
    /// `None` where the event is in no group of the rule.
    by_event: HashMap<Deciding, Option<i64>, RandomState>,
    /// By their text, which rules of one grouping share.
    by_text: HashMap<String, i64, RandomState>,
}

impl Groups {
    /// The number of the group that an event is in under a rule.
    pub(super) async fn number(
        &mut self,
        writing: &mut Writing,
        (matcher, names): (&Matcher, &Names),
        deciding: Deciding,
        row: &EventRow,
    ) -> Result<Option<i64>, StoreError> {
        if let Some(group) = self.by_event.get(&deciding) {
            return Ok(*group);
        }
        let group = match matcher.group_text(deciding.0, row, names) {
            None => None,
            Some(text) => {
                // The same text under another grouping is another group.
                let grouping = matcher.rules[deciding.0].group_by.iter();
                let fields: Vec<String> = grouping.map(|field| format!("{field:?}")).collect();
                let key = format!("{}\n{text}", fields.join(","));
                let identity = matcher.is_by_identity(deciding.0).then_some(row.identity_id);
                Some(self.by_text(writing, key, identity).await?)
            }
        };
        self.by_event.insert(deciding, group);
        Ok(group)
    }

    async fn by_text(
        &mut self,
        writing: &mut Writing,
        key: String,
        identity: Option<i64>,
    ) -> Result<i64, StoreError> {
        if let Some(group) = self.by_text.get(&key) {
            return Ok(*group);
        }
        let group = findings::group_number(writing, &key, identity).await?;
        self.by_text.insert(key, group);
        Ok(group)
    }

    /// Forgets all when there are too many; gives how many.
    pub(super) fn bound(&mut self) -> u64 {
        if self.by_event.len() <= REMEMBERED_AT_MOST {
            return 0;
        }
        let forgotten = self.by_event.len() as u64;
        *self = Self::default();
        forgotten
    }
}
