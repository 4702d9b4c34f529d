//! Folds the events of a chunk into their groups, some groups at a time, while SQLite's thread writes where the ones
//! before have come to.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::change::GroupChange;
use super::kinds::{Occurrence, Role};
use super::pass::Found;
use super::replay::{Outcome, Put, Replay};
use super::stage::Detector;
use super::touched::{Touch, Touched};
use crate::store::{EventRow, StoreError, Writing};

/// Groups folded while those before are written.
const AT_ONCE: usize = 1_024;

/// Groups folded before SQLite's thread is given what it waits for.
const IN_A_ROW: usize = 32;

/// A rule and group, its new events, and what else changes it.
type Changed = ((usize, i64), Vec<Touch>, Option<GroupChange>);

/// What becomes of a rule and group.
enum Step {
    /// Nothing.
    Stays,
    /// Its events came after all others.
    Goes { from: Option<Put>, outcome: Outcome },
    /// It has to be folded again from before its first change.
    GoesBack { tail: Option<Put>, is_heir: bool, change: GroupChange },
}

impl Detector {
    /// Folds all that is changed.
    pub(super) async fn fold(
        &mut self,
        writing: &mut Writing,
        rows: &[EventRow],
        (touched, mut left): (Touched, BTreeMap<(usize, i64), GroupChange>),
        last_seq: i64,
        now: DateTime<Utc>,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let mut changed: Vec<Changed> =
            touched.into_iter().map(|(pair, events)| (pair, events, left.remove(&pair))).collect();
        changed.extend(left.into_iter().map(|(pair, left)| (pair, Vec::new(), Some(left))));
        let mut changed = changed.into_iter();
        loop {
            let some: Vec<Changed> = changed.by_ref().take(AT_ONCE).collect();
            if some.is_empty() {
                return Ok(());
            }
            let mut writes = std::mem::take(&mut self.writes);
            let (written, steps) =
                tokio::join!(writes.flush_some(writing), self.steps(rows, &some));
            written?;
            self.writes = writes;
            for ((pair, ..), step) in some.into_iter().zip(steps) {
                match step {
                    Step::Stays => {}
                    Step::Goes { from, outcome } => {
                        self.settle(writing, pair, from, outcome, None, now, found).await?;
                    }
                    Step::GoesBack { tail, is_heir, change } => {
                        let tail = (tail, is_heir);
                        self.again(writing, pair, tail, change, last_seq, now, found).await?;
                    }
                }
            }
        }
    }

    async fn steps(&mut self, rows: &[EventRow], changed: &[Changed]) -> Vec<Step> {
        let mut steps = Vec::with_capacity(changed.len());
        for some in changed.chunks(IN_A_ROW) {
            steps.extend(some.iter().map(|changed| self.step(rows, changed)));
            tokio::task::yield_now().await;
        }
        steps
    }

    fn step(&mut self, rows: &[EventRow], (pair, events, left): &Changed) -> Step {
        let (pair, left) = (*pair, *left);
        let (tail, nothing_to) = self.tails.take(pair);
        let came = GroupChange::came(rows, events);
        let Some(change) = came.into_iter().chain(left).reduce(GroupChange::and) else {
            return Step::Stays;
        };
        let role = |event: &Touch| self.meanings.get(event.meaning).role;
        if tail.is_none() && events.iter().all(|event| role(event) == Role::Breaks) {
            // Nothing has begun that could end.
            self.tails.nothing(pair, nothing_to, change.last);
            return Step::Stays;
        }
        let is_next = change.left == 0 && tail.as_ref().is_some_and(|tail| tail.key < change.first);
        // Events that ended nothing left no checkpoint, so without one there may be some behind these.
        // Of a rule that has seen nothing yet, all there is stands in this chunk.
        let sees_all =
            self.rules[pair.0].seen_seq == 0 || nothing_to.is_some_and(|key| key < change.first);
        let kind = &self.matcher.rules[pair.0].kind;
        let is_heir = tail.is_none() && !self.of_name(pair.0, change.identity_id).is_empty();
        let is_first = tail.is_none() && !is_heir && (sees_all || !kind.can_be_broken());
        if is_next || is_first {
            let outcome = self.go_on(pair, tail.as_ref(), rows, events);
            return Step::Goes { from: tail, outcome };
        }
        Step::GoesBack { tail, is_heir, change }
    }

    /// Folds events that come after all others of their group.
    fn go_on(
        &self,
        pair: (usize, i64),
        tail: Option<&Put>,
        rows: &[EventRow],
        events: &[Touch],
    ) -> Outcome {
        let kind = &self.matcher.rules[pair.0].kind;
        let rule_id = self.rules[pair.0].id;
        let last_new = events[events.len() - 1].row(rows).key();
        let mut replay = Replay::begin(kind, self.pace.spacing, tail, (Vec::new(), last_new));
        for event in events {
            let (row, meaning) = (event.row(rows), self.meanings.get(event.meaning));
            replay.step(&Occurrence {
                at: row.created_at,
                id: row.id,
                identity: row.identity_id,
                resource: row.resource_id,
                code: row.error_code,
                value: Cow::Borrowed(self.meanings.value(meaning.value)),
                role: meaning.role,
                is_inherited: event.is_inherited,
                which: meaning.which,
            });
        }
        replay.end(false, |state| self.feeds.judged(rule_id, kind, state))
    }
}
