//! Folds the events of a group again where some came late, or left it.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use foldhash::fast::RandomState;

use super::amend::Late;
use super::change::GroupChange;
use super::groups::Group;
use super::lineage::{as_own, occurrence};
use super::matching::{Hit, Matcher};
use super::pass::Found;
use super::replay::{Outcome, Put, Replay, just_before};
use super::stage::Detector;
use crate::store::findings::{self, Key};
use crate::store::{EventRow, Names, StoreError, Stretch, Writing, checkpoints, in_time_order};

/// Events read at first when a fold goes back; each further page is twice as long.
const FIRST_PAGE: i64 = 64;

/// Events of histories remembered at most; past that they are read again.
const REMEMBERED_AT_MOST: usize = 100_000;

/// The next events of a stretch, with what rules each is of.
struct Page {
    rows: Vec<EventRow>,
    hits: Vec<Hit>,
    /// Where in `hits` those of each row end.
    ends: Vec<usize>,
}

impl Page {
    fn of(rows: Vec<EventRow>, matcher: &mut Matcher, names: &Names) -> Self {
        let (mut all, mut hits) = (Vec::new(), Vec::new());
        let ends = rows
            .iter()
            .map(|row| {
                matcher.hits(row, names, &mut hits);
                all.extend_from_slice(&hits);
                all.len()
            })
            .collect();
        Self { rows, hits: all, ends }
    }

    fn iter(&self) -> impl Iterator<Item = (&EventRow, &[Hit])> {
        let begins = [0].into_iter().chain(self.ends.iter().copied());
        let hits = begins.zip(&self.ends).map(|(begin, end)| &self.hits[begin..*end]);
        self.rows.iter().zip(hits)
    }
}

/// What whole histories say, for as long as a chunk is at hand: every rule by which one inherits reads the same one.
#[derive(Default)]
pub(super) struct Histories {
    /// By whose they are, and the event that they go on from.
    pages: HashMap<(Vec<i64>, Option<Key>), Arc<Page>, RandomState>,
    rows: usize,
}

impl Histories {
    fn keep(&mut self, stretch: &Stretch, page: &Arc<Page>) {
        if self.rows > REMEMBERED_AT_MOST {
            *self = Self::default();
        }
        self.rows += page.rows.len();
        self.pages.insert((stretch.identities.clone(), stretch.after), Arc::clone(page));
    }
}

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
        let outcome = self.go_back(writing, pair, from, ahead, stretch).await?;
        if let (Some(_), Some(tail)) = (&outcome.converged, tail) {
            // From there on all is as it was, and so is where it has come to.
            self.tails.put(pair, Some(tail));
        }
        let late = (!is_heir).then_some(Late::of(&change));
        self.settle(writing, pair, outcome, late, now, found).await
    }

    /// Folds the events of a group again from a checkpoint on.
    async fn go_back(
        &mut self,
        writing: &mut Writing,
        pair: (usize, i64),
        from: Option<Put>,
        ahead: (Vec<Put>, Key),
        mut stretch: Stretch,
    ) -> Result<Outcome, StoreError> {
        let kind = self.matcher.rules[pair.0].kind.clone();
        // Where others of its name are read, too, it has to be known which are its own.
        let own = match stretch.identities.as_slice() {
            [] | [_] => None,
            _ => findings::identity_of(writing, pair.1).await?,
        };
        let rule_id = self.rules[pair.0].id;
        let judged = |state: &_| self.feeds.judged(rule_id, &kind, state);
        let spacing = self.pace.spacing;
        let mut replay =
            Replay::begin((&kind, spacing), from, judged).ahead_of(spacing, ahead.0, ahead.1);
        // Most folds are soon what they were; one that begins with those of another name has to see them all.
        let is_whole = stretch.after.is_none();
        let mut page = if is_whole { self.pace.page } else { self.pace.page.min(FIRST_PAGE) };
        loop {
            let read = self.page(writing, &stretch, (page, is_whole)).await?;
            self.names.load_identities(writing, own.as_slice()).await?;
            for (row, hits) in read.iter() {
                let as_own = as_own(row, own.unwrap_or(row.identity_id));
                let Some(hit) = self.hit_of(writing, pair, &as_own, hits).await? else { continue };
                let hit = (hit, as_own != *row);
                let occurrence = occurrence((&self.matcher, &self.names), hit, row);
                if occurrence.is_some_and(|occurrence| replay.step(&occurrence)) {
                    return Ok(replay.end(true, |_| i64::MAX));
                }
            }
            match read.rows.last() {
                Some(row) if read.rows.len() == usize::try_from(page).unwrap_or(0) => {
                    stretch.after = Some(row.key());
                    page = (2 * page).min(self.pace.page);
                }
                _ => {
                    return Ok(replay.end(false, |state| self.feeds.judged(rule_id, &kind, state)));
                }
            }
        }
    }

    /// The next events of a stretch; those of a whole history are remembered.
    async fn page(
        &mut self,
        writing: &mut Writing,
        stretch: &Stretch,
        (limit, is_whole): (i64, bool),
    ) -> Result<Arc<Page>, StoreError> {
        if is_whole {
            let key = (stretch.identities.clone(), stretch.after);
            if let Some(page) = self.histories.pages.get(&key) {
                return Ok(Arc::clone(page));
            }
        }
        let rows = in_time_order(writing, stretch, limit).await?;
        self.names.load(writing, &rows).await?;
        let page = Arc::new(Page::of(rows, &mut self.matcher, &self.names));
        if is_whole {
            self.histories.keep(stretch, &page);
        }
        Ok(page)
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
