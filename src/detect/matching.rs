//! Which rules a single event is of, and in which group: Sigma's matcher, asked once for all events
//! that are alike in what the rules read.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use foldhash::fast::RandomState;
use rsigma_eval::Engine;
use rsigma_parser::SigmaCollection;

use super::fields::{CodeClass, Field, Part, Parts, Seen, tuple};
use super::kinds::{Kind, Occurrence, Role, Which};
use super::rule::Rule;
use super::rulebook::{RuleFault, Rulebook};
use crate::store::{EventRow, Names};

/// Verdicts remembered at most; past that they are found again.
const REMEMBERED_AT_MOST: usize = 100_000;

/// A rule that an event is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Its place in [`Matcher::rules`].
    pub rule: usize,
    /// What the event is to it.
    pub role: Role,
    /// Which of its counted detections the event is of.
    pub which: Which,
}

impl Hit {
    /// Adds what the same event is by another detection of the same rule.
    pub(super) fn join(&mut self, other: Self) {
        if self.role == other.role {
            self.which = self.which.and(other.which);
        } else {
            // Counted comes after Breaks and Learns, and prevails.
            *self = (*self).max(other);
        }
    }
}

/// Detections that read the same parts of an event, and their verdicts so far.
struct Ward {
    parts: Parts,
    engine: Engine,
    /// What a match of each detection means, by its name.
    meanings: HashMap<String, Vec<Hit>, RandomState>,
    verdicts: HashMap<[i64; 6], Arc<[Hit]>, RandomState>,
}

/// What the catalogue knows of error codes.
pub type CodeClasses = BTreeMap<i64, String>;

/// All rules, ready to be asked.
pub struct Matcher {
    /// In the order of their names, so that a place means the same in every run.
    pub rules: Vec<Rule>,
    /// What decides the group under a rule, for each grouping that its aliases make.
    group_parts: Vec<Vec<Parts>>,
    /// For each rule the first that groups as it does.
    groups_as: Vec<usize>,
    wards: Vec<Ward>,
    reads_own: bool,
    codes: CodeClasses,
    /// Verdicts forgotten because there were too many.
    pub evicted: u64,
}

/// A ward before its detections are compiled.
struct Draft {
    parts: Parts,
    collection: SigmaCollection,
    meanings: HashMap<String, Vec<Hit>, RandomState>,
}

impl Matcher {
    /// Compiles a rulebook.
    pub fn new(book: &Rulebook, codes: CodeClasses) -> Result<Self, Vec<RuleFault>> {
        let rules: Vec<Rule> = book.rules.values().cloned().collect();
        let mut wards: BTreeMap<u8, Draft> = BTreeMap::new();
        for detection in book.detections.values() {
            let meanings = meanings(&rules, &detection.name);
            if meanings.is_empty() {
                continue;
            }
            let parts = parts(&detection.fields);
            let ward = wards.entry(parts.number()).or_insert_with(|| Draft {
                parts,
                collection: SigmaCollection::new(),
                meanings: HashMap::default(),
            });
            ward.collection.rules.push(detection.rule.clone());
            ward.meanings.insert(detection.name.clone(), meanings);
        }
        let mut faults = Vec::new();
        let wards = wards
            .into_values()
            .filter_map(|Draft { parts, mut collection, meanings }| {
                collection.filters.clone_from(&book.filters);
                let mut engine = Engine::new();
                engine
                    .add_collection(&collection)
                    .map_err(|error| {
                        // Each was compiled when it was read, so this is of several together.
                        let names = collection.rules.iter().filter_map(|rule| rule.id.clone());
                        let file = names.collect::<Vec<_>>().join(", ");
                        faults.push(RuleFault::of(Path::new(&file), error.to_string()));
                    })
                    .ok()?;
                Some(Ward { parts, engine, meanings, verdicts: HashMap::default() })
            })
            .collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        let group_parts: Vec<Vec<Parts>> = rules.iter().map(groupings).collect();
        let groups_as = rules
            .iter()
            .filter_map(|rule| rules.iter().position(|first| first.group_by == rule.group_by))
            .collect();
        let wards: Vec<Ward> = wards;
        let values = rules.iter().flat_map(|rule| &rule.values).map(|field| field.part());
        let read = wards.iter().map(|ward| ward.parts).chain(group_parts.iter().flatten().copied());
        let reads_own = values.fold(Parts::default(), Parts::with).has(Part::Own)
            || read.into_iter().any(|parts| parts.has(Part::Own));
        Ok(Self { rules, group_parts, groups_as, wards, reads_own, codes, evicted: 0 })
    }

    /// What the catalogue says of a code.
    #[must_use]
    pub fn class(&self, code: i64) -> CodeClass<'_> {
        match self.codes.get(&code) {
            _ if code == 0 => CodeClass { class: "success", known: true },
            Some(class) => CodeClass { class, known: true },
            None => CodeClass { class: "unknown", known: false },
        }
    }

    /// Gives the rules that an event is of. An event that counts for a rule does not break it.
    pub fn hits(&mut self, row: &EventRow, names: &Names, hits: &mut Vec<Hit>) {
        hits.clear();
        let class = match self.codes.get(&row.error_code) {
            _ if row.error_code == 0 => CodeClass { class: "success", known: true },
            Some(class) => CodeClass { class, known: true },
            None => CodeClass { class: "unknown", known: false },
        };
        for ward in &mut self.wards {
            let key = ward.parts.of(row);
            let is_remembered = !ward.parts.has(Part::Own);
            if is_remembered && let Some(verdict) = ward.verdicts.get(&key) {
                hits.extend_from_slice(verdict);
                continue;
            }
            let Some(seen) = Seen::new(row, names, class) else { continue };
            let verdict = ward.ask(&seen);
            hits.extend_from_slice(&verdict);
            if is_remembered {
                if ward.verdicts.len() >= REMEMBERED_AT_MOST {
                    self.evicted += ward.verdicts.len() as u64;
                    ward.verdicts.clear();
                }
                ward.verdicts.insert(key, verdict);
            }
        }
        if hits.len() > 1 {
            hits.sort_unstable();
            hits.dedup_by(|later, earlier| {
                // Under aliases the event may be in another group for each detection.
                let same = later.rule == earlier.rule && self.group_parts[later.rule].len() == 1;
                if same {
                    earlier.join(*later);
                }
                same
            });
        }
    }

    /// What of an event decides its group under a rule: the rules that group as this one does, their grouping, and
    /// the event's numbers.
    #[must_use]
    pub fn deciding(&self, hit: Hit, row: &EventRow) -> (usize, usize, [i64; 6]) {
        let grouping = self.grouping(hit);
        (self.groups_as[hit.rule], grouping, self.group_parts[hit.rule][grouping].of(row))
    }

    /// Which grouping of the rule the event is in: there are several only under aliases.
    #[must_use]
    pub fn grouping(&self, hit: Hit) -> usize {
        let last = self.group_parts[hit.rule].len() - 1;
        hit.which.places().next().unwrap_or(0).min(last)
    }

    /// The text of an event's group under a rule, the same in every database; `None` where a field of
    /// the group is absent and that would put strangers together.
    #[must_use]
    pub fn group_text(&self, hit: Hit, row: &EventRow, names: &Names) -> Option<String> {
        let seen = Seen::new(row, names, self.class(row.error_code))?;
        let mut text = String::new();
        let grouping = self.grouping(hit);
        for key in &self.rules[hit.rule].group_by {
            let field = key.of(grouping);
            let value = field.text(&seen);
            // A tenant may be unknown in an export, and a resource in a refusal; the key beside it still tells
            // identities apart.
            let may_be_absent = match field {
                Field::TenantId => true,
                Field::Resource | Field::ResourceId => self.is_by_identity(hit.rule),
                _ => false,
            };
            if value.is_empty() && !may_be_absent {
                return None;
            }
            text.push_str(&value);
            text.push('\n');
        }
        text.pop();
        Some(text)
    }

    /// Whether the groups of a rule are each of one identity.
    #[must_use]
    pub fn is_by_identity(&self, rule: usize) -> bool {
        self.rules[rule].is_by_identity()
    }

    /// The value of the rule's fields, for kinds that have such; empty where one is absent. For kinds with deadlines, the
    /// feed that the event came by.
    pub(super) fn value<'e>(&self, hit: Hit, row: &'e EventRow, names: &'e Names) -> Cow<'e, str> {
        let rule = &self.rules[hit.rule];
        // The class of a code is not a value that rules count.
        let seen = || Seen::new(row, names, CodeClass { class: "", known: true });
        let value = match (&rule.kind, &rule.values[..]) {
            (Kind::Absence(_), _) => seen().map(|seen| {
                let (identity, facet) = (&seen.identity.identity, seen.facet);
                Cow::Owned(format!("{}\n{}", identity.tenant_id, facet.sign_in_type))
            }),
            (_, []) => None,
            (_, [field]) => seen().map(|seen| field.text(&seen)),
            (_, fields) => seen().map(|seen| {
                let values: Vec<_> = fields.iter().map(|field| field.text(&seen)).collect();
                Cow::Owned(tuple(&values))
            }),
        };
        value.unwrap_or(Cow::Borrowed(""))
    }

    /// Whether some rule reads what no two events share, so that no meaning can be remembered.
    pub(super) fn reads_what_is_of_one_event(&self) -> bool {
        self.reads_own
    }

    /// An event as the fold of a rule takes it.
    #[must_use]
    pub fn occurrence<'e>(&self, hit: Hit, row: &'e EventRow, names: &'e Names) -> Occurrence<'e> {
        let value = self.value(hit, row, names);
        Occurrence { value, role: hit.role, which: hit.which, ..Occurrence::of(row) }
    }
}

impl Ward {
    fn ask(&self, seen: &Seen<'_>) -> Arc<[Hit]> {
        self.engine
            .evaluate(seen)
            .iter()
            .filter_map(|result| self.meanings.get(result.header.rule_id.as_deref()?))
            .flatten()
            .copied()
            .collect()
    }
}

/// What a match of a detection means to each rule that refers to it.
fn meanings(rules: &[Rule], detection: &str) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        let mut hit = |role, which| hits.push(Hit { rule: place, role, which });
        let names = |names: &[String]| names.iter().any(|name| name == detection);
        let counted = rule.counted.iter().enumerate().filter(|(_, name)| *name == detection);
        let places: Vec<usize> = counted.map(|(place, _)| place).collect();
        if !places.is_empty() {
            for place in places {
                hit(Role::Counted, Which::one(place));
            }
        } else if names(&rule.broken_by) {
            hit(Role::Breaks, Which::default());
        } else if names(&rule.of) {
            hit(Role::Compares, Which::default());
        } else if names(&rule.learn_from) {
            hit(Role::Learns, Which::default());
        }
    }
    hits
}

/// What decides the group of an event under a rule; under aliases, for each of its detections.
fn groupings(rule: &Rule) -> Vec<Parts> {
    let is_aliased = rule.group_by.iter().any(|key| !key.by_rule.is_empty());
    let groupings = if is_aliased { rule.counted.len() } else { 1 };
    (0..groupings)
        .map(|place| parts(&rule.group_by.iter().map(|key| key.of(place)).collect::<Vec<_>>()))
        .collect()
}

fn parts(fields: &[Field]) -> Parts {
    fields.iter().fold(Parts::default(), |parts, field| parts.with(field.part()))
}
