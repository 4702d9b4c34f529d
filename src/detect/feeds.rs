//! How much time has passed, by the events themselves, and the groups whose next event is overdue.
//!
//! A group that has stopped sends nothing that could touch it. So each fold of a rule about absence is put
//! away with its deadline, and when a feed has come further, the folds that are due by it are taken up.

use super::kinds::{Deadline, Kind, State};
use super::pass::Found;
use super::replay::{Put, Replay};
use super::stage::Detector;
use crate::model::believable;
use crate::store::checkpoints::Due;
use crate::store::feeds::{self, FeedRow};
use crate::store::{StoreError, Writing};

/// The feeds of all rules, few: as many as tenants have types of sign-ins.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    rows: Vec<FeedRow>,
    /// Those that have come further than their rows say.
    moved: Vec<i64>,
}

impl Feeds {
    pub(super) async fn load(writing: &mut Writing) -> Result<Self, StoreError> {
        Ok(Self { rows: feeds::feeds(writing).await?, moved: Vec::new() })
    }

    fn find(&self, rule_id: i64, name: &str) -> Option<&FeedRow> {
        self.rows.iter().find(|feed| feed.rule_id == rule_id && feed.name == name)
    }

    /// Up to which time the findings of a fold that may still grow are told: a deadline that was not
    /// judged yet is no finding. Of other kinds all are.
    pub(super) fn judged(&self, rule_id: i64, kind: &Kind, state: &State) -> i64 {
        match kind.last_of_feed(state) {
            None => i64::MAX,
            Some(Deadline { feed, .. }) => {
                self.find(rule_id, feed).map_or(i64::MIN, |feed| feed.judged_at)
            }
        }
    }

    /// Whether the feed of a fold has a row already, or it has none.
    pub(super) fn knows(&self, rule_id: i64, kind: &Kind, state: &State) -> bool {
        kind.last_of_feed(state).is_none_or(|last| self.find(rule_id, last.feed).is_some())
    }

    /// Makes a row for the feed of a fold, if it is new.
    pub(super) async fn meet(
        &mut self,
        writing: &mut Writing,
        rule_id: i64,
        kind: &Kind,
        state: &State,
    ) -> Result<(), StoreError> {
        if let Some(Deadline { at, feed }) = kind.last_of_feed(state)
            && self.find(rule_id, feed).is_none()
        {
            self.rows.push(feeds::new_feed(writing, rule_id, feed, at).await?);
        }
        Ok(())
    }

    /// The deadline of a fold that is to be put away, with its feed, which is known; `None` where it has none, or
    /// where it is behind us. Notes how far the feed has come.
    pub(super) fn due(&mut self, rule_id: i64, kind: &Kind, state: &State) -> Option<Due> {
        let Deadline { at, feed } = kind.last_of_feed(state)?;
        let row = self.rows.iter_mut().find(|row| row.rule_id == rule_id && row.name == feed)?;
        if row.latest_at < at {
            row.latest_at = at;
            if !self.moved.contains(&row.id) {
                self.moved.push(row.id);
            }
        }
        let is_open = |deadline: &Deadline<'_>| deadline.at > row.judged_at;
        kind.deadline(state).filter(is_open).map(|deadline| (deadline.at, row.id))
    }

    /// Writes how far they have come.
    pub(super) async fn flush(&mut self, writing: &mut Writing) -> Result<(), StoreError> {
        for feed in self.rows.iter().filter(|feed| self.moved.contains(&feed.id)) {
            feeds::put_feed(writing, feed).await?;
        }
        self.moved.clear();
        Ok(())
    }
}

impl Detector {
    /// Judges the groups whose deadline the events of their feed have passed, once all events that arrived
    /// are folded: one that was read already and only waits its turn is not missing.
    pub(super) async fn judge_overdue(
        &mut self,
        writing: &mut Writing,
        now: chrono::DateTime<chrono::Utc>,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        for place in 0..self.feeds.rows.len() {
            let feed = self.feeds.rows[place].clone();
            let Some(rule) = self.rules.iter().position(|rule| rule.id == feed.rule_id) else {
                continue;
            };
            if feed.latest_at <= feed.judged_at {
                continue;
            }
            let sign_in_type = feed.name.lines().last().unwrap_or_default();
            let read_to = feeds::read_to(writing, sign_in_type).await?;
            let until = believable(feed.latest_at, now).min(read_to.unwrap_or(i64::MAX));
            if until <= feed.judged_at {
                continue;
            }
            self.feeds.rows[place].judged_at = until;
            feeds::put_feed(writing, &self.feeds.rows[place]).await?;
            loop {
                let due = feeds::due_tails(writing, feed.id, until).await?;
                if due.is_empty() {
                    break;
                }
                for (group, tail) in due {
                    let tail = Put::unpack(&tail)?;
                    let kind = &self.matcher.rules[rule].kind;
                    let judged = |state: &_| self.feeds.judged(feed.rule_id, kind, state);
                    let replay = Replay::begin((kind, self.pace.spacing), Some(tail), judged);
                    let outcome = replay.end(false, |_| until);
                    self.settle(writing, (rule, group), outcome, None, now, found).await?;
                }
                self.new_findings.flush(writing).await?;
                self.writes.flush(writing).await?;
            }
        }
        Ok(())
    }
}
