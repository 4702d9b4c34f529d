//! Rule files on their way into a rulebook: each read, all tied together, and every fault of every file told at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rsigma_parser::{CorrelationRule, FilterRule, FilterRuleTarget, SigmaRule};

use super::chained;
use super::data::{self, Dataless};
use super::document::{Document, Slip};
use super::extension::{self, Extension, ExtensionKind};
use super::files;
use super::places::Places;
use super::rule::{self, Detection, Rule};
use super::rulebook::{RuleFault, Rulebook};
use super::text;

/// A correlation before the rules are known that it names.
struct Correlation {
    file: PathBuf,
    name: String,
    rule: CorrelationRule,
    extension: Extension,
    /// Keys that are wrong, and for which something else stands.
    replaced: Vec<&'static str>,
}

impl Correlation {
    fn is_known_as(&self, reference: &str) -> bool {
        let Self { name, rule, .. } = self;
        let known_as = [Some(name), rule.id.as_ref(), rule.name.as_ref(), Some(&rule.title)];
        known_as.into_iter().flatten().any(|known| known == reference)
    }

    /// Every rule it names, with the keys under which it does.
    fn named(&self) -> impl Iterator<Item = ([&'static str; 2], &String)> {
        let ours = &self.extension;
        let lists = [
            (["correlation", "rules"], &self.rule.rules),
            (["signinel", "broken_by"], &ours.broken_by),
            (["signinel", "learn_from"], &ours.learn_from),
            (["signinel", "of"], &ours.of),
        ];
        lists.into_iter().flat_map(|(at, names)| names.iter().map(move |name| (at, name)))
    }

    fn references(&self) -> impl Iterator<Item = &String> {
        self.named().map(|(_, name)| name)
    }
}

#[derive(Default)]
pub(super) struct Reading<'t> {
    book: Rulebook,
    texts: BTreeMap<&'t Path, &'t str>,
    correlations: Vec<Correlation>,
    filters: Vec<(PathBuf, FilterRule)>,
    /// The files of all rules, by their names.
    files: BTreeMap<String, PathBuf>,
    /// Files of which nothing could be read, so that nobody knows what rules they hold.
    unread: Vec<&'t Path>,
    /// By what a rule can be named, the key that says it, and where: that must be one alone.
    claims: Vec<(String, &'static str, PathBuf)>,
    slips: Vec<(PathBuf, Slip)>,
}

impl<'t> Reading<'t> {
    pub(super) fn of(files: &'t [(PathBuf, String)]) -> Self {
        let mut reading = Self::default();
        for (file, text) in files {
            reading.texts.insert(file, text);
            reading.file(file, text);
        }
        reading
    }

    fn slip(&mut self, file: &Path, slip: Slip) {
        self.slips.push((file.to_path_buf(), slip));
    }

    fn file(&mut self, file: &'t Path, text: &str) {
        let name =
            file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(first) = self.files.get(&name) {
            let sentence = format!(
                "there are two rules named `{name}`: the other is in {}; the file's name is the rule's",
                first.display()
            );
            return self.slip(file, Slip::at(&[], sentence));
        }
        let Document { rules, slips, replaced } = Document::read(text);
        self.slips.extend(slips.into_iter().map(|slip| (file.to_path_buf(), slip)));
        if rules.is_empty() {
            self.unread.push(file);
        }
        self.files.insert(name.clone(), file.to_path_buf());
        for rule in rules.rules {
            self.claim(file, &name, [("id", rule.id.as_ref()), ("name", rule.name.as_ref())]);
            let extension = self.extension(file, &rule.custom_attributes);
            for sentence in rule::misfits_of_detection(&extension) {
                self.slip(file, Slip::at(&[], sentence));
            }
            self.detection(&name, rule, extension);
        }
        for rule in rules.correlations {
            self.claim(file, &name, [("id", rule.id.as_ref()), ("name", rule.name.as_ref())]);
            let extension = self.extension(file, &rule.custom_attributes);
            let (file, name, replaced) = (file.to_path_buf(), name.clone(), replaced.clone());
            self.correlations.push(Correlation { file, name, rule, extension, replaced });
        }
        for filter in rules.filters {
            self.claim(file, &name, [("id", filter.id.as_ref()), ("name", filter.name.as_ref())]);
            self.filters.push((file.to_path_buf(), filter));
        }
    }

    fn claim(&mut self, file: &Path, name: &str, keys: [(&'static str, Option<&String>); 2]) {
        let stem = name.to_owned();
        for (key, value) in [("", Some(&stem))].into_iter().chain(keys) {
            if let Some(value) = value {
                self.claims.push((value.clone(), key, file.to_path_buf()));
            }
        }
    }

    fn extension(
        &mut self,
        file: &Path,
        attributes: &std::collections::HashMap<String, yaml_serde::Value>,
    ) -> Extension {
        let (extension, slips) = extension::extension(attributes);
        self.slips.extend(slips.into_iter().map(|slip| (file.to_path_buf(), slip)));
        extension
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
    pub(super) fn finish(mut self) -> Result<Rulebook, Vec<RuleFault>> {
        self.filters();
        self.check_references();
        self.check_claims();
        let mut referred = self.correlations_without_data();
        let mut generated = Vec::new();
        let correlations = std::mem::take(&mut self.correlations);
        for correlation in &correlations {
            let Correlation { file, name, rule, extension, replaced } = correlation;
            match rule::correlation(name, rule, extension, replaced) {
                Ok(mut made) => {
                    self.tie(&mut made, &correlations);
                    referred.extend(made.references().cloned());
                    if rule.generate {
                        generated.extend(made.counted.iter().cloned());
                    }
                    self.book.rules.insert(made.name.clone(), made);
                }
                Err(sentences) => {
                    for sentence in sentences {
                        self.slip(file, Slip::at(&[], sentence));
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
        for (file, sentence) in chained::link(&mut self.book, &files, &generated) {
            self.slip(&file, Slip::at(&[], sentence));
        }
        self.book.print_fingers();
        let faults = self.faults();
        if faults.is_empty() { Ok(self.book) } else { Err(faults) }
    }

    /// All faults with their places, each once, in the order of files and lines.
    fn faults(&self) -> Vec<RuleFault> {
        let mut places = BTreeMap::new();
        let mut faults = BTreeSet::new();
        for (file, Slip { at, place, sentence }) in &self.slips {
            let places = places.entry(file).or_insert_with(|| {
                Places::of(self.texts.get(file.as_path()).copied().unwrap_or_default())
            });
            let place = place
                .or_else(|| places.of_path(at))
                .or_else(|| places.of_sentence(sentence).filter(|_| at.is_empty()))
                .or_else(|| places.start());
            let (line, column) = (place.map(|it| it.line), place.map(|it| it.column));
            faults.insert(RuleFault { line, column, ..RuleFault::of(file, sentence) });
        }
        faults.into_iter().collect()
    }

    /// Gives the rules that a correlation names the names of their files.
    fn tie(&self, rule: &mut Rule, correlations: &[Correlation]) {
        let lists = [&mut rule.counted, &mut rule.broken_by, &mut rule.learn_from, &mut rule.of];
        for reference in lists.into_iter().flatten() {
            if let Some(detection) = self.book.resolve(reference) {
                reference.clone_from(&detection.name);
            } else if let Some(other) = correlations.iter().find(|it| it.is_known_as(reference)) {
                reference.clone_from(&other.name);
            }
        }
    }

    /// Says which rules are named and are not there.
    fn check_references(&mut self) {
        let mut slips = Vec::new();
        for correlation in &self.correlations {
            for ([section, key], reference) in correlation.named() {
                let is_known = self.book.resolve(reference).is_some()
                    || self.correlations.iter().any(|other| other.is_known_as(reference));
                if !is_known && !self.may_be_unread(reference) {
                    slips.push((
                        correlation.file.clone(),
                        Slip::at(&[section, key, reference], nowhere(reference)),
                    ));
                }
            }
        }
        self.slips.extend(slips);
    }

    /// Whether a name may be that of a rule in a file that could not be read.
    fn may_be_unread(&self, reference: &str) -> bool {
        self.unread.iter().any(|file| {
            file.file_stem().is_some_and(|stem| stem == reference)
                || self.texts.get(file).is_some_and(|text| text.contains(reference))
        })
    }

    /// Says where two files claim one id or name.
    fn check_claims(&mut self) {
        let mut first: BTreeMap<String, PathBuf> = BTreeMap::new();
        let claims = std::mem::take(&mut self.claims);
        for (value, key, file) in claims {
            let of = first.entry(value.clone()).or_insert_with(|| file.clone()).clone();
            if of != file {
                let said = if key.is_empty() { "the file's name" } else { &format!("`{key}`") };
                let sentence = format!(
                    "{said} is `{value}`, and so a rule of {} is known: give each its own",
                    of.display()
                );
                self.slip(&file, Slip::at(&[key], sentence));
            }
        }
    }

    /// What a rule hides, hides nothing itself: of two causes neither is a symptom.
    fn check_hidden(&mut self, correlations: &[Correlation]) {
        for Correlation { file, extension, .. } in correlations {
            for hidden in &extension.hides {
                // A rule that ships may have been taken away; what never was there is a slip.
                let is_known = self.files.contains_key(hidden) || files::is_shipped(hidden);
                let sentence = match self.book.rules.get(hidden) {
                    Some(rule) if !rule.hides.is_empty() => {
                        format!("`hides`: `{hidden}` hides others itself, so it cannot be hidden")
                    }
                    None if !is_known => format!(
                        "`hides`: there is no rule `{hidden}`: take the name out, or bring its file back"
                    ),
                    _ => continue,
                };
                self.slip(file, Slip::at(&["signinel", "hides", hidden], sentence));
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
                self.tie_filter(&file, references);
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

    /// Gives the rules that a filter names the names of their files.
    fn tie_filter(&mut self, file: &Path, references: &mut [String]) {
        for reference in references {
            if let Some(name) = self.book.resolve(reference).map(|it| it.name.clone()) {
                *reference = name;
            } else if !self.may_be_unread(reference) {
                let at = ["filter", "rules", reference.as_str()];
                self.slip(file, Slip::at(&at, nowhere(reference)));
            }
        }
    }
}

/// What is said of a reference that leads to no rule.
fn nowhere(reference: &str) -> String {
    format!(
        "refers to `{reference}`, and there is no such detection rule or correlation: write its name, \
         or bring its file"
    )
}
