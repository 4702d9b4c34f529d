//! The folds of one identity's groups, or of one group of several identities, while their events go by.

use std::borrow::Cow;
use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::change::GroupChange;
use super::feeds::Feeds;
use super::kinds::{Occurrence, Role};
use super::lineage::Lineages;
use super::matching::Matcher;
use super::meanings::{Meaning, Meanings};
use super::replay::{Outcome, Put, Replay};
use super::stage::Detector;
use super::tails::Tails;
use crate::store::EventRow;
use crate::store::checkpoints::CheckpointWrites;
use crate::store::findings::{Key, RuleRow};

/// What is left to be done for a rule and group.
pub(super) enum Step {
    /// What was found in it may be new.
    Goes(Outcome),
    /// It has to be folded again from before its first change.
    GoesBack { tail: Option<Put>, is_heir: bool, change: GroupChange },
}

/// How far a group has been followed.
enum Fold<'k> {
    /// Nothing has begun that its events could end. Those before are all known, up to this one; `None` where they
    /// are not.
    Idle {
        known_to: Option<Key>,
    },
    Going(Replay<'k>),
    GoingBack {
        tail: Option<Put>,
        is_heir: bool,
    },
}

struct Open<'k> {
    pair: (usize, i64),
    change: GroupChange,
    /// Events in a row, to the last, that end what others began.
    breaks: usize,
    fold: Fold<'k>,
}

impl Open<'_> {
    /// Adds an event to what changes the group. Of those that end what others began, one after the other, only the
    /// first can end anything and only the last tells how far it went.
    fn add(&mut self, key: Key, role: Role) {
        self.breaks = if role == Role::Breaks { self.breaks + 1 } else { 0 };
        if self.breaks > 2 {
            self.change.last = self.change.last.max(key);
        } else {
            self.change.add(key);
        }
    }
}

/// What folds need to know, and those that are under way.
pub(super) struct Folds<'d> {
    matcher: &'d Matcher,
    meanings: &'d Meanings,
    rules: &'d [RuleRow],
    /// The last event that any of them has seen.
    seen_by_any: i64,
    feeds: &'d mut Feeds,
    lineages: &'d Lineages,
    tails: &'d mut Tails,
    found_before: &'d HashSet<(i64, i64), RandomState>,
    writes: &'d mut CheckpointWrites,
    spacing: i64,
    open: Vec<Open<'d>>,
}

impl<'d> Folds<'d> {
    pub(super) fn of(detector: &'d mut Detector) -> Self {
        let Detector { matcher, meanings, rules, feeds, lineages, .. } = detector;
        let Detector { tails, found_before, writes, pace, .. } = detector;
        let (spacing, open) = (pace.spacing, Vec::new());
        let seen_by_any = rules.iter().map(|rule| rule.seen_seq).max().unwrap_or(0);
        Self {
            matcher,
            meanings,
            rules,
            seen_by_any,
            feeds,
            lineages,
            tails,
            found_before,
            writes,
            spacing,
            open,
        }
    }

    pub(super) fn meanings(&self) -> &'d Meanings {
        self.meanings
    }

    /// Whether a rule has seen an event already.
    pub(super) fn is_seen(&self, rule: u32, row: &EventRow) -> bool {
        row.seq <= self.seen_by_any && row.seq <= self.rules[rule as usize].seen_seq
    }

    /// Begins to follow a group at an event, or at what changes it otherwise; gives its place.
    pub(super) fn begin(
        &mut self,
        pair: (usize, i64),
        change: GroupChange,
        role: Option<Role>,
    ) -> usize {
        let (tail, known_to) = self.tails.take(pair);
        let fold = match role {
            // Nothing has begun that could end.
            None | Some(Role::Breaks) if tail.is_none() => Fold::Idle { known_to },
            _ => self.fold(pair, &change, (tail, known_to)),
        };
        let breaks = usize::from(role == Some(Role::Breaks));
        self.open.push(Open { pair, change, breaks, fold });
        self.open.len() - 1
    }

    fn fold(
        &self,
        pair: (usize, i64),
        change: &GroupChange,
        (tail, known_to): (Option<Put>, Option<Key>),
    ) -> Fold<'d> {
        let matcher: &'d Matcher = self.matcher;
        let (rule, kind) = (&self.rules[pair.0], &matcher.rules[pair.0].kind);
        let is_next = change.left == 0 && tail.as_ref().is_some_and(|tail| tail.key < change.first);
        // Events that ended nothing left no checkpoint, so without one there may be some behind these.
        // Of a rule that has seen nothing yet, all there is stands in this chunk.
        let sees_all = rule.seen_seq == 0 || known_to.is_some_and(|key| key < change.first);
        let is_heir = tail.is_none()
            && matcher.rules[pair.0].inherits
            && !self.lineages.of(change.identity_id).is_empty();
        let is_first = tail.is_none() && !is_heir && (sees_all || !kind.can_be_broken());
        if is_next || is_first {
            let judged = |state: &_| self.feeds.judged(rule.id, kind, state);
            Fold::Going(Replay::begin((kind, self.spacing), tail, judged))
        } else {
            Fold::GoingBack { tail, is_heir }
        }
    }

    /// Takes the next event of the group at a place. `is_first` says that it is the one at which the group was begun,
    /// and which its change has already.
    pub(super) fn take(
        &mut self,
        place: usize,
        meaning: &Meaning,
        event: &mut Occurrence<'d>,
        is_first: bool,
    ) {
        let open = &mut self.open[place];
        if !matches!(open.fold, Fold::Going(_)) {
            if !is_first {
                open.add((event.at, event.id), meaning.role);
            }
            let Fold::Idle { known_to } = open.fold else { return };
            if meaning.role == Role::Breaks {
                return;
            }
            let (pair, change) = (open.pair, open.change);
            self.open[place].fold = self.fold(pair, &change, (None, known_to));
        }
        if let Fold::Going(replay) = &mut self.open[place].fold {
            event.value = Cow::Borrowed(self.meanings.value(meaning.value));
            (event.role, event.which) = (meaning.role, meaning.which);
            replay.step(event);
        }
    }

    /// Ends them all. What is left to be done goes to `steps`.
    pub(super) fn end(&mut self, steps: &mut Vec<((usize, i64), Step)>) {
        let mut open = std::mem::take(&mut self.open);
        for Open { pair, change, fold, .. } in open.drain(..) {
            match fold {
                Fold::Idle { known_to } => self.tails.nothing(pair, known_to, change.last),
                Fold::Going(replay) => {
                    let left = self.put_away(pair, replay);
                    steps.extend(left.map(|outcome| (pair, Step::Goes(outcome))));
                }
                Fold::GoingBack { tail, is_heir } => {
                    steps.push((pair, Step::GoesBack { tail, is_heir, change }));
                }
            }
        }
        self.open = open;
    }

    /// Puts away where a fold has come to, if that is all there is to do; or gives what it came to.
    fn put_away(&mut self, pair: (usize, i64), replay: Replay<'_>) -> Option<Outcome> {
        let (ids, kind) = ((self.rules[pair.0].id, pair.1), &self.matcher.rules[pair.0].kind);
        let outcome = replay.end(false, |state| self.feeds.judged(ids.0, kind, state));
        let is_all = outcome.is_quiet()
            && (outcome.start.is_some() || !self.found_before.contains(&ids))
            && outcome.tail.as_ref().is_some_and(|tail| self.feeds.knows(ids.0, kind, &tail.state));
        if !is_all {
            return Some(outcome);
        }
        let tail = outcome.tail?;
        let due = self.feeds.due(ids.0, kind, &tail.state);
        let stays = outcome.start.and_then(|start| start.stays);
        self.writes.checkpoints.extend(stays.map(|stays| (ids, stays)));
        self.writes.tails.push(((ids, tail.pack()), due));
        self.tails.put(pair, Some(tail));
        None
    }

    /// Whether some are not at their end.
    pub(super) fn are_under_way(&self) -> bool {
        !self.open.is_empty()
    }

    /// How many are put away.
    pub(super) fn put_away_so_far(&self) -> usize {
        self.writes.tails.len()
    }
}
