//! Reads events in the order of arrival, folds them into the groups they touch, and commits findings,
//! checkpoints and how far it came together.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use foldhash::fast::RandomState;

use super::amend::{Late, apply};
use super::arrived::Arrived;
use super::feeds::Feeds;
use super::going_back::Histories;
use super::groups::Groups;
use super::lineage::Lineages;
use super::matching::Matcher;
use super::meanings::Meanings;
use super::pass::{Found, Pace};
use super::replay::{Outcome, compare, just_after, spoken_of};
use super::tails::Tails;
use crate::model::EventId;
use crate::store::checkpoints::{self, CheckpointWrites};
use crate::store::counted;
use crate::store::findings::{self, NewFindings, RuleRow};
use crate::store::{Names, Store, StoreError, Writing};

/// The rules at work, with what they remember between passes. The memory is never more than a copy of
/// rows: without it the findings are the same.
pub struct Detector {
    pub(super) matcher: Matcher,
    pub(super) pace: Pace,
    pub(super) names: Names,
    /// The database's number of each rule, once known.
    pub(super) rules: Vec<RuleRow>,
    pub(super) groups: Groups,
    pub(super) meanings: Meanings,
    pub(super) feeds: Feeds,
    pub(super) tails: Tails,
    pub(super) lineages: Lineages,
    /// Of the chunk at hand, too.
    pub(super) histories: Histories,
    /// Checkpoints of the chunk at hand.
    pub(super) writes: CheckpointWrites,
    /// Findings of the chunk at hand that have no rows yet.
    pub(super) new_findings: NewFindings,
    /// Rules and groups that have findings, by their numbers in the database.
    pub(super) found_before: HashSet<(i64, i64), RandomState>,
    /// Rules and groups whose findings changed since others that count them were judged.
    pub(super) stirred: BTreeSet<(usize, i64)>,
    pub evicted: u64,
}

impl Detector {
    #[must_use]
    pub fn new(matcher: Matcher) -> Self {
        Self::paced(matcher, Pace::default())
    }

    #[must_use]
    pub fn paced(matcher: Matcher, pace: Pace) -> Self {
        Self {
            matcher,
            pace,
            names: Names::default(),
            rules: Vec::new(),
            groups: Groups::default(),
            meanings: Meanings::default(),
            feeds: Feeds::default(),
            tails: Tails::default(),
            lineages: Lineages::default(),
            histories: Histories::default(),
            writes: CheckpointWrites::default(),
            new_findings: NewFindings::default(),
            found_before: HashSet::default(),
            stirred: BTreeSet::new(),
            evicted: 0,
        }
    }

    #[must_use]
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// Evaluates every event that no rule has seen yet. `progress` is told the events so far.
    pub async fn run(
        &mut self,
        store: &Store,
        now: DateTime<Utc>,
        mut progress: impl FnMut(u64),
    ) -> Result<Found, StoreError> {
        let mut found = Found::default();
        loop {
            let (mut writing, arrived) = self.begin(store, self.pace.chunk).await?;
            if arrived.rows.is_empty() {
                // In one transaction with having seen that nothing more is there.
                let ended = Box::pin(self.end_of_events(&mut writing, now, &mut found)).await;
                if ended.is_err() {
                    self.forget();
                }
                ended?;
                self.commit(writing).await?;
                return Ok(found);
            }
            self.evaluate(writing, arrived, now, &mut found).await?;
            progress(found.events);
        }
    }

    /// Evaluates the next so many events that no rule has seen yet. What has to be known of the end of the events
    /// is left to [`run`](Self::run).
    pub async fn run_beside(
        &mut self,
        store: &Store,
        events: i64,
        now: DateTime<Utc>,
    ) -> Result<Found, StoreError> {
        let mut found = Found::default();
        let (writing, arrived) = self.begin(store, events).await?;
        self.evaluate(writing, arrived, now, &mut found).await?;
        Ok(found)
    }

    /// The next events that no rule has seen yet, in the order of arrival.
    async fn begin(
        &mut self,
        store: &Store,
        events: i64,
    ) -> Result<(Writing, Arrived), StoreError> {
        // While it is ours to write, nothing is committed: what others read is all there is.
        let mut readers = [store.reader().await?, store.reader().await?];
        let mut writing = store.write().await?;
        let begun = async {
            self.sync(&mut writing).await?;
            self.feeds = Feeds::load(&mut writing).await?;
            self.arrived((&mut readers, &mut writing), events).await
        };
        let begun = begun.await;
        if begun.is_err() {
            self.forget();
        }
        Ok((writing, begun?))
    }

    async fn evaluate(
        &mut self,
        mut writing: Writing,
        arrived: Arrived,
        now: DateTime<Utc>,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let Some(last) = arrived.rows.last().map(|row| row.seq) else {
            return self.commit(writing).await;
        };
        found.events += arrived.rows.len() as u64;
        let ids: Vec<i64> = self.rules.iter().map(|rule| rule.id).collect();
        let mut done = Box::pin(self.chunk(&mut writing, &arrived, last, now, found)).await;
        if done.is_ok() {
            done = findings::advance_rules(&mut writing, &ids, last).await;
        }
        if done.is_err() {
            // What is remembered may be of rows that were not committed.
            self.forget();
        }
        done?;
        self.commit(writing).await?;
        self.rules.iter_mut().for_each(|rule| rule.seen_seq = rule.seen_seq.max(last));
        Ok(())
    }

    async fn commit(&mut self, writing: Writing) -> Result<(), StoreError> {
        let committed = writing.commit().await;
        if committed.is_err() {
            self.forget();
        }
        Ok(committed?)
    }

    /// Forgets all rows: they are read again when needed.
    fn forget(&mut self) {
        self.rules.clear();
        self.groups = Groups::default();
        self.meanings = Meanings::default();
        self.tails = Tails::default();
        self.lineages = Lineages::default();
        self.histories = Histories::default();
        self.writes = CheckpointWrites::default();
        self.new_findings = NewFindings::default();
        self.found_before.clear();
        self.stirred.clear();
        self.names = Names::default();
    }

    /// Makes sure that what is remembered is what the database has, which another process may have
    /// moved on.
    async fn sync(&mut self, writing: &mut Writing) -> Result<(), StoreError> {
        if !self.rules.is_empty() {
            let seen = findings::seen_by_rules(writing).await?;
            if self.rules.iter().all(|rule| seen.get(&rule.id) == Some(&rule.seen_seq)) {
                return Ok(());
            }
        }
        self.forget();
        let rules: Vec<(&str, &str)> = self
            .matcher
            .rules
            .iter()
            .map(|rule| (rule.name.as_str(), rule.fingerprint.as_str()))
            .collect();
        self.rules = findings::sync_rules(writing, &rules).await?;
        counted::hear_and_quiet(writing, &self.quiet()).await?;
        self.found_before = findings::pairs_with_findings(writing).await?.into_iter().collect();
        self.tails = Tails::begin(&self.rules);
        Ok(())
    }

    async fn chunk(
        &mut self,
        writing: &mut Writing,
        arrived: &Arrived,
        last_seq: i64,
        now: DateTime<Utc>,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let Arrived { rows, meant } = arrived;
        self.meanings.settle(&mut self.groups, writing).await?;
        let touched = self.meanings.pairs_of(meant);
        self.load_tails(writing, touched.into_iter()).await?;
        let mut others = self.left(writing, last_seq).await?;
        let order = arrived.by_identity();
        self.late_of_namesakes(writing, (rows, &order), &mut others).await?;
        self.fold(writing, (arrived, &order), others, last_seq, now, found).await?;
        self.histories = Histories::default();
        self.new_findings.sort();
        self.new_findings.flush(writing).await?;
        self.judge_chained(writing, false, now, found).await?;
        self.writes.flush(writing).await?;
        self.feeds.flush(writing).await?;
        let remembered = self.pace.remembered;
        self.evicted += self.tails.bound(&self.rules, remembered);
        self.evicted += self.lineages.bound();
        let groups = self.groups.bound(remembered);
        // Met again, a group would be another pair to meanings that know it already.
        self.evicted += groups + self.meanings.bound(if groups == 0 { remembered } else { 0 });
        Ok(())
    }

    /// Writes what a fold came to.
    pub(super) async fn settle(
        &mut self,
        writing: &mut Writing,
        pair: (usize, i64),
        mut outcome: Outcome,
        late: Option<Late>,
        now: DateTime<Utc>,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let ids = (self.rules[pair.0].id, pair.1);
        let start = outcome.start.as_ref();
        let since = start.map_or(i64::MIN, |start| {
            start.standing().map(|open| open.started_at).fold(start.key.0, i64::min)
        });
        let is_quiet = outcome.is_quiet();
        let may_be_known = self.found_before.contains(&ids);
        if !is_quiet || may_be_known && (late.is_some() || start.is_none()) {
            let stored = if may_be_known {
                findings::findings_since(writing, ids, since).await?
            } else {
                Vec::new()
            };
            let kind = &self.matcher.rules[pair.0].kind;
            let stored = spoken_of(kind, stored, &outcome);
            for change in compare(stored, std::mem::take(&mut outcome.drafts)) {
                self.found_before.insert(ids);
                self.stirred.insert(pair);
                let new = &mut self.new_findings;
                apply(writing, new, ids, change, late.as_ref(), now, found).await?;
            }
        }
        self.put_away(writing, pair, outcome, late.is_some()).await
    }

    /// Puts away where the fold has come to, in place of what it went over again.
    async fn put_away(
        &mut self,
        writing: &mut Writing,
        pair: (usize, i64),
        outcome: Outcome,
        is_late: bool,
    ) -> Result<(), StoreError> {
        let ids = (self.rules[pair.0].id, pair.1);
        let stays = outcome.start.and_then(|start| start.stays);
        if is_late {
            let begin = stays.map_or((i64::MIN, EventId([0; 16])), |stays| just_after(stays.key));
            let end = outcome.converged.as_ref().map(|put| put.key);
            checkpoints::drop_checkpoints(writing, ids, begin, end).await?;
        } else {
            self.writes.checkpoints.extend(stays.map(|stays| (ids, stays)));
        }
        if outcome.converged.is_none() {
            match &outcome.tail {
                Some(tail) => {
                    let kind = &self.matcher.rules[pair.0].kind;
                    self.feeds.meet(writing, ids.0, kind, &tail.state).await?;
                    let due = self.feeds.due(ids.0, kind, &tail.state);
                    self.writes.tails.push(((ids, tail.pack()), due));
                }
                // No event of the group is left.
                None => checkpoints::drop_tail(writing, ids).await?,
            }
            self.tails.put(pair, outcome.tail);
        }
        self.writes.checkpoints.extend(outcome.puts.iter().map(|put| (ids, put.pack())));
        Ok(())
    }
}
