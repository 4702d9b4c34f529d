//! Correlations of correlations: each finding of the inner rule is an event of its group, at the instant at which
//! it was detected. What they find is a function of the findings that stand, and so of the events.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::amend::apply;
use super::fields::{Field, tuple};
use super::kinds::{Kind, Occurrence, Role, Which};
use super::pass::Found;
use super::replay::compare;
use super::rule::Rule;
use super::rulebook::Rulebook;
use super::stage::Detector;
use crate::model::{Draft, EventId};
use crate::store::counted::{self, CountedFinding};
use crate::store::findings::{self, NewGroup};
use crate::store::{StoreError, Writing, micros};

/// Finds the correlations that name correlations, says how deep each is, and which of those they name find
/// for them alone. Gives what is wrong.
pub(super) fn link(
    book: &mut Rulebook,
    files: &BTreeMap<&str, &Path>,
    generated: &[String],
) -> Vec<(PathBuf, String)> {
    let mut faults = Vec::new();
    let mut fault = |rule: &str, sentence: String| {
        let file = files.get(rule).copied().unwrap_or(Path::new(rule)).to_path_buf();
        faults.push((file, sentence));
    };
    let is_counted = |name: &String| files.contains_key(name.as_str());
    let chained: Vec<Rule> =
        book.rules.values().filter(|rule| rule.references().any(is_counted)).cloned().collect();
    let mut depths: BTreeMap<&str, usize> =
        book.rules.values().map(|rule| (rule.name.as_str(), 0)).collect();
    for _ in 0..=chained.len() {
        for rule in &chained {
            let inner = rule.counted.iter().filter_map(|name| depths.get(name.as_str()));
            let depth = 1 + inner.max().copied().unwrap_or(0);
            depths.insert(&rule.name, depth);
        }
    }
    let depths: BTreeMap<String, usize> =
        depths.into_iter().map(|(name, depth)| (name.to_owned(), depth)).collect();
    for rule in &chained {
        if depths[&rule.name] > chained.len() {
            let sentence =
                "`rules` counts findings that rest on its own, in a circle: take one out";
            fault(&rule.name, sentence.to_owned());
        }
        for sentence in misfits(rule, book, is_counted) {
            fault(&rule.name, sentence);
        }
        for name in &rule.counted {
            if let Some(inner) = book.rules.get_mut(name) {
                inner.is_quiet = !generated.contains(name);
            }
        }
    }
    for rule in book.rules.values_mut() {
        rule.depth = depths.get(&rule.name).copied().unwrap_or(0);
    }
    faults
}

/// Why findings cannot be counted as a rule asks for.
fn misfits(rule: &Rule, book: &Rulebook, is_counted: impl Fn(&String) -> bool) -> Vec<String> {
    let mut sentences = Vec::new();
    if !rule.references().all(&is_counted) {
        sentences.push(
            "names both detection rules and correlations: make a correlation of each detection \
             (`event_count` with `gte: 1`)"
                .to_owned(),
        );
        return sentences;
    }
    if !matches!(
        rule.kind,
        Kind::EventCount(_)
            | Kind::ValueCount(_)
            | Kind::ValueStatistic(_)
            | Kind::Temporal(_)
            | Kind::TemporalOrdered(_)
    ) {
        let kind = rule.kind.name();
        sentences.push(format!("`kind: {kind}` is of events: name detection rules"));
    }
    for (place, name) in rule.counted.iter().enumerate() {
        let Some(inner) = book.rules.get(name) else { continue };
        let wanted =
            rule.group_by.iter().map(|key| key.of(place)).chain(rule.values.iter().copied());
        for field in wanted.filter(|field| place_of(inner, *field).is_none()) {
            let field = field.name();
            sentences.push(format!(
                "`{field}` is no value of what `{name}` finds: that has those of its `group-by`"
            ));
        }
    }
    sentences
}

/// Where a field stands in the text of a rule's groups.
fn place_of(rule: &Rule, field: Field) -> Option<usize> {
    rule.group_by.iter().position(|key| key.by_rule.is_empty() && key.field == field)
}

/// A finding as an event of a group of the outer rule.
struct Counted {
    group: NewGroup,
    value: String,
    which: Which,
    /// So that what one event brought about has one order.
    inner_group: String,
    draft: Draft,
}

impl Detector {
    /// The rules, by their numbers in the database, whose findings only other rules count.
    pub(super) fn quiet(&self) -> Vec<i64> {
        let rules = self.matcher.rules.iter().zip(&self.rules);
        rules.filter(|(rule, _)| rule.is_quiet).map(|(_, row)| row.id).collect()
    }

    /// What can only be said once all events that arrived were seen.
    pub(super) async fn end_of_events(
        &mut self,
        writing: &mut Writing,
        now: DateTime<Utc>,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        self.judge_overdue(writing, now, found).await?;
        let withdrawn = findings::withdraw_unconfirmed(writing, micros(now)).await?;
        found.withdrawn += withdrawn;
        self.judge_chained(writing, withdrawn > 0, now, found).await
    }

    /// Judges the rules that count findings of others: the groups in which those changed, or all.
    pub(super) async fn judge_chained(
        &mut self,
        writing: &mut Writing,
        all: bool,
        now: DateTime<Utc>,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let rules = &self.matcher.rules;
        let mut order: Vec<usize> =
            (0..rules.len()).filter(|place| rules[*place].depth > 0).collect();
        order.sort_by_key(|place| rules[*place].depth);
        if order.is_empty() {
            self.stirred.clear();
            return Ok(());
        }
        for outer in order {
            // A rule that has seen nothing yet was not told what others found before it was there.
            let all = all || self.rules[outer].seen_seq == 0;
            for (group, members) in self.counted(writing, outer, all).await? {
                self.judge_group(writing, outer, group, members, now, found).await?;
            }
        }
        self.stirred.clear();
        counted::quiet(writing, &self.quiet()).await
    }

    /// The findings that a rule counts, by the groups that are to be judged.
    async fn counted(
        &self,
        writing: &mut Writing,
        outer: usize,
        all: bool,
    ) -> Result<BTreeMap<String, Vec<Counted>>, StoreError> {
        let rule = &self.matcher.rules[outer];
        let place = |name: &String| self.matcher.rules.iter().position(|it| it.name == *name);
        let inner: Vec<usize> = rule.counted.iter().filter_map(place).collect();
        let stirred: Vec<(usize, i64)> =
            self.stirred.iter().filter(|(rule, _)| inner.contains(rule)).copied().collect();
        let mut groups = BTreeMap::new();
        if !all && stirred.is_empty() {
            return Ok(groups);
        }
        let numbers: Vec<i64> = stirred.iter().map(|(_, group)| *group).collect();
        let known: BTreeMap<i64, NewGroup> =
            counted::groups_of(writing, &numbers).await?.into_iter().collect();
        let mut identities = Vec::new();
        for (place, number) in stirred.iter().filter(|_| !all) {
            let Some(group) = known.get(number) else { continue };
            identities.extend(group.identity_id);
            for which in (0..inner.len()).filter(|which| inner[*which] == *place) {
                if let Some((group, _)) = self.seen_by(outer, *place, which, group) {
                    groups.insert(group.key, Vec::new());
                }
            }
        }
        let identities = (!all && self.matcher.is_by_identity(outer)).then_some(&identities[..]);
        let ids: Vec<i64> = inner.iter().map(|place| self.rules[*place].id).collect();
        for CountedFinding { rule_id, group: of, draft } in
            counted::findings_of_rules(writing, &ids, identities).await?
        {
            for (which, place) in
                inner.iter().enumerate().filter(|(which, _)| ids[*which] == rule_id)
            {
                let Some((group, value)) = self.seen_by(outer, *place, which, &of) else {
                    continue;
                };
                let (which, draft) = (Which::one(which), draft.clone());
                let members = if all {
                    Some(groups.entry(group.key.clone()).or_default())
                } else {
                    groups.get_mut(&group.key)
                };
                if let Some(members) = members {
                    let inner_group = of.key.clone();
                    members.push(Counted { group, value, which, inner_group, draft });
                }
            }
        }
        Ok(groups)
    }

    /// The group of the outer rule that a group of an inner one is of, and the value that counts there.
    fn seen_by(
        &self,
        outer: usize,
        inner: usize,
        which: usize,
        group: &NewGroup,
    ) -> Option<(NewGroup, String)> {
        let (outer_rule, inner) = (&self.matcher.rules[outer], &self.matcher.rules[inner]);
        let (_, text) = group.key.split_once('\n')?;
        let values: Vec<&str> = text.split('\n').collect();
        let value = |field| place_of(inner, field).and_then(|place| values.get(place).copied());
        let mut texts = Vec::new();
        for key in &outer_rule.group_by {
            texts.push(value(key.of(which))?);
        }
        let names: Vec<&str> = outer_rule.group_by.iter().map(|key| key.name.as_str()).collect();
        let identity_id = self.matcher.is_by_identity(outer).then_some(group.identity_id).flatten();
        let key = format!("{}\n{}", names.join(","), texts.join("\n"));
        let counted: Option<Vec<&str>> =
            outer_rule.values.iter().map(|field| value(*field)).collect();
        let counted = tuple(&counted.unwrap_or_default());
        Some((NewGroup { key, identity_id }, counted))
    }

    /// Folds the findings of a group anew, and makes what is stored what comes out.
    async fn judge_group(
        &mut self,
        writing: &mut Writing,
        outer: usize,
        key: String,
        members: Vec<Counted>,
        now: DateTime<Utc>,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let identity_id = members.first().and_then(|it| it.group.identity_id);
        let group = NewGroup { key, identity_id };
        let number = findings::group_numbers(writing, &[group]).await?;
        let (Some(number), rule_id) = (number.first().copied(), self.rules[outer].id) else {
            return Ok(());
        };
        let drafts = folded(&self.matcher.rules[outer].kind, members);
        let stored = findings::findings_since(writing, (rule_id, number), i64::MIN).await?;
        for change in compare(stored, drafts) {
            self.stirred.insert((outer, number));
            let new = &mut self.new_findings;
            apply(writing, new, (rule_id, number), change, None, now, found).await?;
        }
        // The next deeper one counts them.
        self.new_findings.flush(writing).await
    }
}

/// What a kind finds among findings. Those that one event brought about are one event.
fn folded(kind: &Kind, mut counted: Vec<Counted>) -> Vec<Draft> {
    let key = |it: &Counted| (it.draft.detected_at, it.draft.detected_by);
    counted.sort_by(|one, other| {
        let order = |it: &Counted| (key(it), it.which);
        order(one).cmp(&order(other)).then_with(|| one.inner_group.cmp(&other.inner_group))
    });
    let (mut state, mut drafts) = (kind.start(), Vec::new());
    for same in counted.chunk_by(|one, other| key(one) == key(other)) {
        let which = same.iter().fold(Which::default(), |which, it| which.and(it.which));
        let Counted { draft, value, .. } = &same[0];
        let most =
            draft.codes.iter().max_by_key(|(code, count)| (**count, std::cmp::Reverse(**code)));
        let (at, id): (i64, EventId) = (draft.detected_at, draft.detected_by);
        let occurrence = Occurrence {
            at,
            id,
            identity: draft.identities.first().copied().unwrap_or_default(),
            resource: draft.resources.first().copied().unwrap_or_default(),
            code: most.map_or(0, |(code, _)| *code),
            value: value.as_str().into(),
            role: Role::Counted,
            is_inherited: false,
            which,
        };
        kind.step(&mut state, &occurrence, &mut drafts);
    }
    drafts.extend(kind.open(&state));
    drafts.sort_by_key(|draft| (draft.started_at, draft.first_event));
    drafts
}

/// The rules that a rule counts findings of, and theirs, with itself.
pub(super) fn with_inner(book: &Rulebook, rule: &Rule) -> BTreeMap<String, Rule> {
    let mut rules = BTreeMap::from([(rule.name.clone(), rule.clone())]);
    let mut wanted: BTreeSet<&String> = rule.counted.iter().collect();
    while let Some(name) = wanted.pop_first() {
        if let Some(inner) = book.rules.get(name).filter(|inner| !rules.contains_key(&inner.name)) {
            wanted.extend(&inner.counted);
            rules.insert(name.clone(), inner.clone());
        }
    }
    rules
}
