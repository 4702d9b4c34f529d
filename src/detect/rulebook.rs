//! All rules of a folder, or those in the binary: read, checked, and every fault of every file told.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use rsigma_parser::{Detection as Tree, FilterRule, parse_sigma_yaml};

use super::fields::Field;
use super::rule::{self, Detection, Rule};
use crate::model::{EventId, RuleFacts};

/// The rules that come with the program.
static DEFAULT_RULES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/rules");

/// Goes into every fingerprint: what a fold means is part of what a rule finds.
const SEMANTICS: &str = "1";

/// One thing that is wrong with a rule file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {sentence}", file.display())]
pub struct RuleFault {
    pub file: PathBuf,
    pub sentence: String,
}

/// A file by its path, and its text.
pub(super) type RuleFile = (PathBuf, String);

/// The rules in force, by name.
#[derive(Clone, Debug, Default)]
pub struct Rulebook {
    pub detections: BTreeMap<String, Detection>,
    pub filters: Vec<FilterRule>,
    pub rules: BTreeMap<String, Rule>,
}

impl Rulebook {
    /// The rules in the binary. They are tested, so a fault here is a broken build.
    pub fn embedded() -> Result<Self, Vec<RuleFault>> {
        let mut files = Vec::new();
        embedded_files(&DEFAULT_RULES, &mut files);
        Self::read(&files)
    }

    /// The rules of a folder and the folders in it.
    pub fn folder(folder: &Path) -> Result<Self, Vec<RuleFault>> {
        let (files, faults) = Self::files(folder)?;
        match (Self::read(&files), faults.is_empty()) {
            (read, true) => read,
            (Ok(_), false) => Err(faults),
            (Err(more), false) => Err(faults.into_iter().chain(more).collect()),
        }
    }

    /// The texts of the rule files of a folder and the folders in it, in order, and which cannot be read.
    pub(super) fn files(folder: &Path) -> Result<(Vec<RuleFile>, Vec<RuleFault>), Vec<RuleFault>> {
        let mut files = Vec::new();
        let mut faults = Vec::new();
        folder_files(folder, &mut files, &mut faults).map_err(|error| {
            vec![RuleFault {
                file: folder.to_path_buf(),
                sentence: format!("cannot be read: {error}; name a folder of rule files"),
            }]
        })?;
        if files.is_empty() && faults.is_empty() {
            faults.push(RuleFault {
                file: folder.to_path_buf(),
                sentence: "holds no rule file (.yml or .yaml), so nothing would ever be found"
                    .to_owned(),
            });
        }
        files.sort();
        Ok((files, faults))
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

    /// The name a correlation means: a rule may be referred to by name, id or title.
    fn resolve(&self, reference: &str) -> Option<&Detection> {
        self.detections.get(reference).or_else(|| {
            self.detections.values().find(|detection| {
                detection.rule.id.as_deref() == Some(reference)
                    || detection.rule.name.as_deref() == Some(reference)
            })
        })
    }
}

fn embedded_files(folder: &Dir<'_>, files: &mut Vec<(PathBuf, String)>) {
    for file in folder.files().filter(|file| is_rule(file.path())) {
        let text = file.contents_utf8().unwrap_or_default().to_owned();
        files.push((Path::new("rules").join(file.path()), text));
    }
    for folder in folder.dirs() {
        embedded_files(folder, files);
    }
}

/// Reads what can be read; the rest becomes faults, so that all of them are told at once.
fn folder_files(
    folder: &Path,
    files: &mut Vec<(PathBuf, String)>,
    faults: &mut Vec<RuleFault>,
) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let read = if path.is_dir() {
            folder_files(&path, files, faults)
        } else if is_rule(&path) {
            fs::read_to_string(&path).map(|text| files.push((path.clone(), text)))
        } else {
            Ok(())
        };
        if let Err(error) = read {
            faults.push(RuleFault { file: path, sentence: format!("cannot be read: {error}") });
        }
    }
    Ok(())
}

fn is_rule(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml")
}

#[derive(Default)]
struct Reading {
    book: Rulebook,
    correlations: Vec<(PathBuf, Rule, bool)>,
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
            || self.correlations.iter().any(|(_, rule, _)| rule.name == name)
        {
            return self.fault(
                file,
                format!("there are two rules named `{name}`; the file's name is the rule's"),
            );
        }
        for rule in collection.rules {
            match rule::extension(&rule.custom_attributes) {
                Ok(extension) => self.detection(&name, rule, extension),
                Err(sentence) => self.fault(file, sentence),
            }
        }
        for correlation in &collection.correlations {
            let read = rule::extension(&correlation.custom_attributes)
                .map_err(|sentence| vec![sentence])
                .and_then(|extension| rule::correlation(&name, correlation, &extension));
            match read {
                Ok(rule) => {
                    self.correlations.push((file.to_path_buf(), rule, correlation.generate));
                }
                Err(sentences) => {
                    for sentence in sentences {
                        self.fault(file, sentence);
                    }
                }
            }
        }
        self.book.filters.extend(collection.filters);
    }

    fn detection(
        &mut self,
        name: &str,
        mut rule: rsigma_parser::SigmaRule,
        extension: rule::Extension,
    ) {
        let mut names = Vec::new();
        rule.detection.named.values().for_each(|tree| field_names(tree, &mut names));
        let fields = names.iter().filter_map(|name| Field::named(name)).collect();
        let unknown_fields =
            names.into_iter().filter(|name| Field::named(name).is_none()).collect();
        // The engine tells matches by id; the name is one that is always there and only once.
        rule.id = Some(name.to_owned());
        let detection =
            Detection { name: name.to_owned(), rule, extension, fields, unknown_fields };
        self.book.detections.insert(name.to_owned(), detection);
    }

    /// Ties correlations to their detections and lets detections that none refers to stand alone.
    fn finish(mut self) -> Result<Rulebook, Vec<RuleFault>> {
        let mut referred = Vec::new();
        let mut generated = Vec::new();
        let correlations = std::mem::take(&mut self.correlations);
        let names: Vec<String> =
            correlations.iter().map(|(_, rule, _)| rule.name.clone()).collect();
        for (file, mut rule, generate) in correlations {
            let lists =
                [&mut rule.counted, &mut rule.broken_by, &mut rule.learn_from, &mut rule.of];
            for reference in lists.into_iter().flatten() {
                if let Some(detection) = self.book.resolve(reference) {
                    reference.clone_from(&detection.name);
                } else {
                    self.fault(&file, nowhere(reference, names.contains(reference)));
                }
            }
            referred.extend(rule.references().cloned());
            if generate {
                generated.extend(rule.counted.iter().cloned());
            }
            self.book.rules.insert(rule.name.clone(), rule);
        }
        let alone: Vec<Rule> = self
            .book
            .detections
            .values()
            .filter(|detection| detection.extension.category != "building_block")
            .filter(|detection| {
                !referred.contains(&detection.name) || generated.contains(&detection.name)
            })
            .map(rule::standalone)
            .collect();
        self.book.rules.extend(alone.into_iter().map(|rule| (rule.name.clone(), rule)));
        self.book.print_fingers();
        if self.faults.is_empty() { Ok(self.book) } else { Err(self.faults) }
    }
}

impl Rulebook {
    /// Gives every rule the digest of all that decides what it finds.
    fn print_fingers(&mut self) {
        let filters = format!("{:?}", self.filters);
        for rule in self.rules.values_mut() {
            let lists = [&rule.counted, &rule.broken_by, &rule.learn_from, &rule.of];
            let mut text = format!(
                "{SEMANTICS} {:?} {:?} {:?} {lists:?} {filters}",
                rule.kind, rule.group_by, rule.value
            );
            for name in rule.references() {
                let Some(detection) = self.detections.get(name) else { continue };
                let named: BTreeMap<_, _> = detection.rule.detection.named.iter().collect();
                write!(text, " {named:?} {:?}", detection.rule.detection.conditions)
                    .expect("a string takes everything");
            }
            rule.fingerprint = EventId::digest(text.as_bytes()).to_string();
        }
    }
}

/// What is said of a reference that leads to no detection.
fn nowhere(reference: &str, is_correlation: bool) -> String {
    if is_correlation {
        format!(
            "refers to `{reference}`, which is a correlation itself: name the detection rules it is of"
        )
    } else {
        format!("refers to `{reference}`, and there is no such detection rule")
    }
}

/// Every field that a detection names.
fn field_names(tree: &Tree, names: &mut Vec<String>) {
    match tree {
        Tree::AllOf(items) => {
            names.extend(items.iter().filter_map(|item| item.field.name.clone()));
        }
        Tree::AnyOf(trees) | Tree::And(trees) => {
            for tree in trees {
                field_names(tree, names);
            }
        }
        // A keyword may stand in any field, so such a rule reads them all, the event's own id too.
        Tree::Keywords(_) => names.push("id".to_owned()),
        Tree::ArrayMatch { field, .. } => names.push(field.clone()),
        Tree::Conditional { named, .. } => named.values().for_each(|tree| field_names(tree, names)),
    }
}
