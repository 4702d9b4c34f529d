//! Folds the events of a group again where some came late, or left it.

use chrono::{DateTime, Utc};

use super::amend::Late;
use super::change::GroupChange;
use super::groups::Group;
use super::lineage::{as_own, occurrence};
use super::matching::Hit;
use super::pass::Found;
use super::replay::{Outcome, Put, Replay, just_before};
use super::stage::Detector;
use crate::store::findings::{self, Key};
use crate::store::{EventRow, StoreError, Stretch, Writing, checkpoints, in_time_order};

/// Events read at first when a fold goes back; each further page is twice as long.
const FIRST_PAGE: i64 = 64;

impl Detector {
    /// Folds the events of a group again from before the first that changes it.
    #[expect(clippy::too_many_arguments, reason = "a pair, its change, and what the chunk shares")]
    pub(super) async fn again(
        &mut self,
        writing: &mut Writing,
        pair: (usize, i64),
        (tail, is_heir): (Option<Put>, bool),
        change: GroupChange,
        last_seq: i64,
        now: DateTime<Utc>,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        found.replays += 1;
        let ids = (self.rules[pair.0].id, pair.1);
        let (mut from, mut old) = (None, Vec::new());
        if let Some(tail) = tail {
            let before = checkpoints::checkpoint_before(writing, ids, change.first).await?;
            from = before.as_ref().map(Put::unpack).transpose()?;
            for checkpoint in checkpoints::checkpoints_from(writing, ids, change.first).await? {
                old.push(Put::unpack(&checkpoint)?);
            }
            old.push(tail);
        }
        // What came before without leaving anything behind had nothing to break.
        let after = match (&from, old.is_empty()) {
            (Some(put), _) => Some(put.key),
            (None, true) if !is_heir => Some(just_before(change.first)),
            (None, _) => None,
        };
        let of_name = self.of_name(pair.0, change.identity_id);
        let is_alone = of_name.is_empty() && self.matcher.is_by_identity(pair.0);
        let identities = if is_alone { vec![change.identity_id] } else { of_name };
        let stretch = Stretch { identities, after, up_to_seq: last_seq };
        let tail = old.last().cloned();
        let ahead = (old, change.last);
        let outcome = self.go_back(writing, pair, from.as_ref(), ahead, stretch).await?;
        if let (Some(_), Some(tail)) = (&outcome.converged, tail) {
            // From there on all is as it was, and so is where it has come to.
            self.tails.put(pair, Some(tail));
        }
        let late = (!is_heir).then_some(Late::of(&change));
        self.settle(writing, pair, from, outcome, late, now, found).await
    }

    /// Folds the events of a group again from a checkpoint on.
    async fn go_back(
        &mut self,
        writing: &mut Writing,
        pair: (usize, i64),
        from: Option<&Put>,
        ahead: (Vec<Put>, Key),
        mut stretch: Stretch,
    ) -> Result<Outcome, StoreError> {
        let kind = self.matcher.rules[pair.0].kind.clone();
        // Where others of its name are read, too, it has to be known which are its own.
        let own = match stretch.identities.as_slice() {
            [] | [_] => None,
            _ => findings::identity_of(writing, pair.1).await?,
        };
        let mut replay = Replay::begin(&kind, self.pace.spacing, from, ahead);
        let mut hits = Vec::new();
        // Most folds are soon what they were; one that begins with those of another name has to see them all.
        let is_whole = stretch.after.is_none();
        let mut page = if is_whole { self.pace.page } else { self.pace.page.min(FIRST_PAGE) };
        loop {
            let rows = in_time_order(writing, &stretch, page).await?;
            self.names.load(writing, &rows).await?;
            self.names.load_identities(writing, own.as_slice()).await?;
            for row in &rows {
                self.matcher.hits(row, &self.names, &mut hits);
                let as_own = as_own(row, own.unwrap_or(row.identity_id));
                let Some(hit) = self.hit_of(writing, pair, &as_own, &hits).await? else { continue };
                let hit = (hit, as_own != *row);
                let occurrence = occurrence((&self.matcher, &self.names), hit, row);
                if occurrence.is_some_and(|occurrence| replay.step(&occurrence)) {
                    return Ok(replay.end(true, |_| i64::MAX));
                }
            }
            match rows.last() {
                Some(row) if rows.len() == usize::try_from(page).unwrap_or(0) => {
                    stretch.after = Some(row.key());
                    page = (2 * page).min(self.pace.page);
                }
                _ => {
                    let rule_id = self.rules[pair.0].id;
                    return Ok(replay.end(false, |state| self.feeds.judged(rule_id, &kind, state)));
                }
            }
        }
    }

    /// What an event is to a rule in one of its groups.
    async fn hit_of(
        &mut self,
        writing: &mut Writing,
        pair: (usize, i64),
        row: &EventRow,
        hits: &[Hit],
    ) -> Result<Option<Hit>, StoreError> {
        let mut joined: Option<Hit> = None;
        for hit in hits.iter().copied().filter(|hit| hit.rule == pair.0) {
            let mut group = self.groups.of((&self.matcher, &self.names), hit, row);
            if let Some(Group::Pending(place)) = group {
                group = self.groups.settle(writing).await?.get(place).copied().map(Group::Known);
            }
            if group == Some(Group::Known(pair.1)) {
                match &mut joined {
                    None => joined = Some(hit),
                    Some(joined) => joined.join(hit),
                }
            }
        }
        Ok(joined)
    }
}
