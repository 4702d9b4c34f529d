//! All rules of a folder, or those in the binary: read, checked, and every fault of every file told.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rsigma_parser::{CorrelationRule, FilterRule, FilterRuleTarget, SigmaRule, parse_sigma_yaml};

use super::chained;
use super::data::{self, Dataless};
use super::extension::{self, Extension, ExtensionKind};
use super::files::{embedded_files, rule_files};
use super::rule::{self, Detection, Rule};
use super::text;
use crate::model::{EventId, RuleFacts};

/// Goes into every fingerprint: what a fold means is part of what a rule finds.
const SEMANTICS: &str = "3";

/// One thing that is wrong with a rule file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {sentence}", file.display())]
pub struct RuleFault {
    pub file: PathBuf,
    pub sentence: String,
}

/// The rules in force, by name.
#[derive(Clone, Debug, Default)]
pub struct Rulebook {
    pub detections: BTreeMap<String, Detection>,
    pub filters: Vec<FilterRule>,
    pub rules: BTreeMap<String, Rule>,
    /// Rules over data that does not come: read, shown, and in none of the above.
    pub dataless: BTreeMap<String, Dataless>,
}

impl Rulebook {
    /// The rules in the binary. They are tested, so a fault here is a broken build.
    pub fn embedded() -> Result<Self, Vec<RuleFault>> {
        Self::read(&embedded_files())
    }

    /// The rules of a folder and the folders in it.
    pub fn folder(folder: &Path) -> Result<Self, Vec<RuleFault>> {
        let (files, faults) = rule_files(folder)?;
        match (Self::read(&files), faults.is_empty()) {
            (read, true) => read,
            (Ok(_), false) => Err(faults),
            (Err(more), false) => Err(faults.into_iter().chain(more).collect()),
        }
    }

    /// Reads files given as path and text.
    pub fn read(files: &[(PathBuf, String)]) -> Result<Self, Vec<RuleFault>> {
        let mut reading = Reading::default();
        for (file, text) in files {
            reading.file(file, text);
        }
        reading.finish()
    }

    /// What later stages need to know of each rule that finds, by its name.
    #[must_use]
    pub fn facts(&self) -> BTreeMap<String, RuleFacts> {
        self.rules.iter().map(|(name, rule)| (name.clone(), rule.facts())).collect()
    }

    /// Puts rules in shadow, or out of it whatever their status. Gives the names that are no rule.
    pub fn shade(&mut self, shadow: &[String], live: &[String]) -> Vec<String> {
        let mut unknown = Vec::new();
        for (names, is_shadow) in [(shadow, true), (live, false)] {
            for name in names {
                match self.rules.get_mut(name) {
                    Some(rule) => rule.is_shadow = is_shadow,
                    None => unknown.push(name.clone()),
                }
            }
        }
        unknown
    }

    /// The name a correlation or a filter means: a rule may be referred to by name, id or title.
    fn resolve(&self, reference: &str) -> Option<&Detection> {
        self.detections.get(reference).or_else(|| {
            self.detections
                .values()
                .find(|detection| detection.known_as.iter().any(|known| known == reference))
        })
    }
}

/// A correlation before the rules are known that it names.
struct Correlation {
    file: PathBuf,
    name: String,
    rule: CorrelationRule,
    extension: Extension,
}

impl Correlation {
    fn is_known_as(&self, reference: &str) -> bool {
        let Self { name, rule, .. } = self;
        let known_as = [Some(name), rule.id.as_ref(), rule.name.as_ref(), Some(&rule.title)];
        known_as.into_iter().flatten().any(|known| known == reference)
    }

    /// Every rule it names.
    fn references(&self) -> impl Iterator<Item = &String> {
        let ours = &self.extension;
        self.rule.rules.iter().chain(&ours.broken_by).chain(&ours.learn_from).chain(&ours.of)
    }
}

#[derive(Default)]
struct Reading {
    book: Rulebook,
    correlations: Vec<Correlation>,
    filters: Vec<(PathBuf, FilterRule)>,
    faults: Vec<RuleFault>,
}

impl Reading {
    fn fault(&mut self, file: &Path, sentence: impl Into<String>) {
        self.faults.push(RuleFault { file: file.to_path_buf(), sentence: sentence.into() });
    }

    fn file(&mut self, file: &Path, text: &str) {
        let collection = match parse_sigma_yaml(text) {
            Ok(collection) => collection,
            Err(error) => return self.fault(file, error.to_string()),
        };
        for error in &collection.errors {
            self.fault(file, error.clone());
        }
        if collection.is_empty() && collection.errors.is_empty() {
            return self.fault(file, "holds no rule");
        }
        let name =
            file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if self.book.detections.contains_key(&name)
            || self.correlations.iter().any(|correlation| correlation.name == name)
        {
            return self.fault(
                file,
                format!("there are two rules named `{name}`; the file's name is the rule's"),
            );
        }
        for rule in collection.rules {
            match extension::extension(&rule.custom_attributes) {
                Ok(extension) => self.detection(&name, rule, extension),
                Err(sentence) => self.fault(file, sentence),
            }
        }
        for rule in collection.correlations {
            match extension::extension(&rule.custom_attributes) {
                Ok(extension) => {
                    let (file, name) = (file.to_path_buf(), name.clone());
                    self.correlations.push(Correlation { file, name, rule, extension });
                }
                Err(sentence) => self.fault(file, sentence),
            }
        }
        self.filters
            .extend(collection.filters.into_iter().map(|filter| (file.to_path_buf(), filter)));
    }

    fn detection(&mut self, name: &str, mut rule: SigmaRule, extension: Extension) {
        let data::Reads { fields, lacks } = data::of_detection(&rule);
        let known_as = [rule.id.take(), rule.name.clone(), Some(rule.title.clone())];
        // The engine tells matches by id; the name is one that is always there and only once.
        rule.id = Some(name.to_owned());
        let known_as = known_as.into_iter().flatten().collect();
        let detection =
            Detection { name: name.to_owned(), known_as, rule, extension, fields, lacks };
        self.book.detections.insert(name.to_owned(), detection);
    }

    /// Ties filters and correlations to their detections and lets detections that none refers to stand
    /// alone.
    fn finish(mut self) -> Result<Rulebook, Vec<RuleFault>> {
        self.filters();
        let mut referred = self.correlations_without_data();
        let mut generated = Vec::new();
        let correlations = std::mem::take(&mut self.correlations);
        for correlation in &correlations {
            let read =
                rule::correlation(&correlation.name, &correlation.rule, &correlation.extension);
            let file = &correlation.file;
            match read {
                Ok(mut rule) => {
                    self.tie(file, &mut rule, &correlations);
                    referred.extend(rule.references().cloned());
                    if correlation.rule.generate {
                        generated.extend(rule.counted.iter().cloned());
                    }
                    self.book.rules.insert(rule.name.clone(), rule);
                }
                Err(sentences) => {
                    for sentence in sentences {
                        self.fault(file, sentence);
                    }
                }
            }
        }
        let is_alone = |detection: &&Detection| {
            detection.extension.category != "building_block"
                && (!referred.contains(&detection.name) || generated.contains(&detection.name))
        };
        for detection in self.book.detections.values().filter(is_alone) {
            if detection.lacks.is_empty() {
                let rule = rule::standalone(detection);
                self.book.rules.insert(rule.name.clone(), rule);
            } else if !self.book.dataless.contains_key(&detection.name) {
                let dataless = detection.dataless();
                self.book.dataless.insert(detection.name.clone(), dataless);
            }
        }
        self.check_hidden(&correlations);
        let files = correlations.iter().map(|it| (it.name.as_str(), it.file.as_path())).collect();
        self.faults.extend(chained::link(&mut self.book, &files, &generated));
        self.book.print_fingers();
        if self.faults.is_empty() { Ok(self.book) } else { Err(self.faults) }
    }

    /// Gives the rules that a correlation names the names of their files.
    fn tie(&mut self, file: &Path, rule: &mut Rule, correlations: &[Correlation]) {
        let lists = [&mut rule.counted, &mut rule.broken_by, &mut rule.learn_from, &mut rule.of];
        for reference in lists.into_iter().flatten() {
            if let Some(detection) = self.book.resolve(reference) {
                reference.clone_from(&detection.name);
            } else {
                match correlations.iter().find(|other| other.is_known_as(reference)) {
                    Some(other) => reference.clone_from(&other.name),
                    None => self.fault(file, nowhere(reference)),
                }
            }
        }
    }

    /// What a rule hides, hides nothing itself: of two causes neither is a symptom. It may have been taken away.
    fn check_hidden(&mut self, correlations: &[Correlation]) {
        for Correlation { file, extension, .. } in correlations {
            for hidden in &extension.hides {
                if self.book.rules.get(hidden).is_some_and(|rule| !rule.hides.is_empty()) {
                    let sentence =
                        format!("`hides`: `{hidden}` hides others itself, so it cannot be hidden");
                    self.fault(file, sentence);
                }
            }
        }
    }

    /// Sets correlations aside that name a rule without data, directly or by another correlation. Gives
    /// the detections that they name.
    fn correlations_without_data(&mut self) -> Vec<String> {
        let mut referred = Vec::new();
        loop {
            let lacking = self.correlations.iter().position(|correlation| {
                correlation.references().any(|reference| self.lack_of(reference).is_some())
            });
            let Some(place) = lacking else { return referred };
            let correlation = self.correlations.remove(place);
            let named = correlation.references().filter_map(|name| self.book.resolve(name));
            referred.extend(named.map(|detection| detection.name.clone()));
            let lacks = correlation.references().filter_map(|name| self.lack_of(name)).collect();
            let Correlation { name, rule, extension, .. } = correlation;
            let dataless = Dataless {
                title: rule.title.clone(),
                level: rule::severity(rule.level),
                category: extension.category,
                kind: extension.kind.map_or(rule.correlation_type.as_str(), ExtensionKind::as_str),
                status: text::status(rule.status),
                name,
                lacks,
            };
            self.book.dataless.insert(dataless.name.clone(), dataless);
        }
    }

    /// What is missing for a rule that a correlation names.
    fn lack_of(&self, reference: &str) -> Option<String> {
        let detection = self.book.resolve(reference).map(|it| (&it.name, &it.lacks));
        let (name, lacks) = detection
            .or_else(|| self.book.dataless.get(reference).map(|it| (&it.name, &it.lacks)))
            .filter(|(_, lacks)| !lacks.is_empty())?;
        Some(format!("its rule `{name}` is without data: {}", lacks.join("; ")))
    }

    /// Ties filters to their detections. What a filter reads decides the verdict of those, too.
    fn filters(&mut self) {
        for (file, mut filter) in std::mem::take(&mut self.filters) {
            let mut reads = data::of_trees(filter.detection.named.values());
            let lack = filter.logsource.as_ref().and_then(data::lack_of_log);
            reads.lacks.extend(lack);
            if !reads.lacks.is_empty() {
                let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let dataless = Dataless {
                    title: filter.title.clone(),
                    level: rule::severity(filter.level),
                    category: String::new(),
                    kind: "filter",
                    status: text::status(filter.status),
                    name: name.clone(),
                    lacks: reads.lacks,
                };
                self.book.dataless.insert(name, dataless);
                continue;
            }
            let mut meant: Vec<String> = self.book.detections.keys().cloned().collect();
            if let FilterRuleTarget::Specific(references) = &mut filter.rules {
                for reference in &mut *references {
                    match self.book.resolve(reference).map(|detection| detection.name.clone()) {
                        Some(name) => *reference = name,
                        None => self.fault(&file, nowhere(reference)),
                    }
                }
                meant.clone_from(references);
            }
            for name in meant {
                if let Some(detection) = self.book.detections.get_mut(&name) {
                    detection.fields.extend(&reads.fields);
                }
            }
            self.book.filters.push(filter);
        }
    }
}

impl Rulebook {
    /// Gives every rule the digest of all that decides what it finds.
    fn print_fingers(&mut self) {
        let filters: Vec<String> = self.filters.iter().map(filter_text).collect();
        let mut rules: Vec<&mut Rule> = self.rules.values_mut().collect();
        rules.sort_by_key(|rule| rule.depth);
        let mut fingers = BTreeMap::<String, String>::new();
        for rule in rules {
            let lists = [&rule.counted, &rule.broken_by, &rule.learn_from, &rule.of];
            let mut text = format!(
                "{SEMANTICS} {:?} {:?} {} {:?} {lists:?} {filters:?}",
                rule.kind, rule.group_by, rule.inherits, rule.value
            );
            for name in rule.references() {
                let Some(detection) = self.detections.get(name) else {
                    write!(text, " {:?}", fingers.get(name)).expect("a string takes everything");
                    continue;
                };
                let named: BTreeMap<_, _> = detection.rule.detection.named.iter().collect();
                write!(text, " {named:?} {:?}", detection.rule.detection.conditions)
                    .expect("a string takes everything");
            }
            rule.fingerprint = EventId::digest(text.as_bytes()).to_string();
            fingers.insert(rule.name.clone(), rule.fingerprint.clone());
        }
    }
}

/// All of a filter that decides what it takes away, the same in every run.
fn filter_text(filter: &FilterRule) -> String {
    let named: BTreeMap<_, _> = filter.detection.named.iter().collect();
    let source = filter.logsource.as_ref().map(|it| (&it.product, &it.service, &it.category));
    format!("{:?} {source:?} {named:?} {:?}", filter.rules, filter.detection.conditions)
}

/// What is said of a reference that leads to no rule.
fn nowhere(reference: &str) -> String {
    format!("refers to `{reference}`, and there is no such detection rule or correlation")
}
