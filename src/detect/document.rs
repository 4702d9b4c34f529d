//! The document of a rule file: what Sigma's parser or compiler would refuse is found piece by piece and taken out,
//! so that all of it is told at once, and with it what else is wrong.

use rsigma_parser::SigmaCollection;
use serde::Deserialize;
use yaml_serde::{Mapping, Value};

use super::pieces::{condition_fault, item_fault, parsed, refusal, shown, stands, yaml};
use super::places::Place;

/// What is wrong at a place in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slip {
    /// The keys that lead there; empty where the words of the sentence do.
    pub(super) at: Vec<String>,
    /// Where no keys can be told apart.
    pub(super) place: Option<Place>,
    pub(super) sentence: String,
}

impl Slip {
    pub(super) fn at(at: &[&str], sentence: impl Into<String>) -> Self {
        let at = at.iter().map(|key| (*key).to_owned()).collect();
        Self { at, place: None, sentence: sentence.into() }
    }
}

/// A document without what is wrong in it.
#[derive(Default)]
pub(super) struct Document {
    pub(super) rules: SigmaCollection,
    pub(super) slips: Vec<Slip>,
    /// The keys of a correlation for which something else stands.
    pub(super) replaced: Vec<&'static str>,
}

/// The levels and states that Sigma knows.
const LEVELS: [&str; 5] = ["informational", "low", "medium", "high", "critical"];
const STATES: [&str; 5] = ["stable", "test", "experimental", "deprecated", "unsupported"];

/// What must be said of a key of a correlation that is missing or wrong, with something that stands for it.
const OF_CORRELATION: [(&str, &str, &str); 6] = [
    ("type", "event_count", "take `event_count`, `value_count`, `temporal` or another of Sigma's"),
    ("timespan", "1h", "write a number and a unit, such as `10m`, `6h` or `7d`"),
    ("timeframe", "1h", "write a number and a unit, such as `10m`, `6h` or `7d`"),
    ("condition", "{gte: 1}", "compare with a number, such as `gte: 10`"),
    ("window", "sliding", "leave it out for a sliding window"),
    ("gap", "", "leave it out: it is for windows that are not evaluated here"),
];

impl Document {
    pub(super) fn read(text: &str) -> Self {
        match parsed(text) {
            Ok(rules) => Self::of_one(rules),
            Err(_) => Self::mended(text),
        }
    }

    fn of_one(rules: SigmaCollection) -> Self {
        let mut document = Self::default();
        match rules.len() {
            1 => document.rules = rules,
            several => return Self::of_several(several),
        }
        document
    }

    /// A file has the name of its one rule.
    fn of_several(number: usize) -> Self {
        let mut document = Self::default();
        document.slip(
            &[],
            match number {
                0 => "holds no rule: write one, or take the file away".to_owned(),
                _ => format!(
                    "holds {number} rules: write each in a file of its own, named as the rule"
                ),
            },
        );
        document
    }

    /// Looks at each piece of a text that does not stand as a whole.
    fn mended(text: &str) -> Self {
        let mut document = Self::default();
        let mut values = Vec::new();
        for one in yaml_serde::Deserializer::from_str(text) {
            match Value::deserialize(one) {
                Ok(Value::Null) => {}
                Ok(value) => values.push(value),
                Err(error) => {
                    let place =
                        error.location().map(|at| Place { line: at.line(), column: at.column() });
                    let sentence =
                        format!("is no YAML: {error}; mend it to see what else there is");
                    document.slips.push(Slip { place, ..Slip::at(&[], sentence) });
                    return document;
                }
            }
        }
        match &mut values[..] {
            [value] => document.mend(value),
            several => return Self::of_several(several.len()),
        }
        document
    }

    fn mend(&mut self, value: &mut Value) {
        let Some(map) = value.as_mapping_mut() else {
            return self.slip(&[], "holds no rule: write keys such as `title:` and `detection:`");
        };
        self.heads(map);
        if let Some(correlation) = map.get_mut("correlation") {
            self.correlation(correlation);
        } else if let Some(filter) = map.get_mut("filter") {
            self.detection("filter", filter);
        } else if let Some(detection) = map.get_mut("detection") {
            self.detection("detection", detection);
        } else {
            return self.slip(
                &[],
                "has neither `detection:` nor `correlation:` nor `filter:`: say what it looks for",
            );
        }
        match refusal(value) {
            Ok(rules) => self.rules = rules,
            // Whatever else there is: at least it is not silent.
            Err(sentence) => self.slip(&[], sentence),
        }
    }

    fn slip(&mut self, at: &[&str], sentence: impl Into<String>) {
        self.slips.push(Slip::at(at, sentence));
    }

    /// What every document begins with.
    fn heads(&mut self, map: &mut Mapping) {
        if map.get("title").and_then(Value::as_str).is_none_or(str::is_empty) {
            self.slip(&["title"], "`title` is missing: say in a few words what it looks for");
            map.insert("title".into(), "untitled".into());
        }
        for (key, known) in [("level", LEVELS), ("status", STATES)] {
            let Some(value) = map.get(key) else { continue };
            if !value.as_str().is_some_and(|text| known.contains(&text)) {
                let text = shown(value);
                self.slip(
                    &[key],
                    format!("`{key}: {text}` is unknown: take one of {}", known.join(", ")),
                );
                map.remove(key);
            }
        }
        if let Some(other) = map.get("logsource").filter(|value| !value.is_mapping()) {
            let text = shown(other);
            self.slip(
                &["logsource"],
                format!("`logsource: {text}` is no list of keys: write `product: azure` below it"),
            );
            map.insert("logsource".into(), Mapping::new().into());
        }
    }

    fn correlation(&mut self, value: &mut Value) {
        let Some(map) = value.as_mapping_mut() else {
            self.slip(&["correlation"], "`correlation` is no list of keys: write `type:` below it");
            *value =
                yaml(&[("type", "event_count"), ("timespan", "1h"), ("condition", "{gte: 1}")]);
            return;
        };
        for (key, instead, advice) in OF_CORRELATION {
            let said = map.get(key).cloned();
            let alternative = match key {
                "timespan" => map.contains_key("timeframe"),
                "timeframe" | "window" | "gap" => true,
                _ => false,
            };
            let is_temporal = map
                .get("type")
                .and_then(Value::as_str)
                .is_some_and(|kind| kind.starts_with("temporal"));
            let sentence = match &said {
                None if alternative || key == "condition" && is_temporal => continue,
                None => format!("`correlation.{key}` is missing: {advice}"),
                Some(said) if stands(map, key, said) => continue,
                Some(said) => format!("`{key}: {}` cannot be: {advice}", shown(said)),
            };
            self.slip(&["correlation", key], sentence);
            self.replaced.push(key);
            if instead.is_empty() {
                map.remove(key);
            } else {
                map.insert(key.into(), yaml_serde::from_str(instead).unwrap_or_default());
            }
        }
    }

    /// The parts of a detection or a filter, and the condition that names them.
    fn detection(&mut self, section: &str, value: &mut Value) {
        let Some(map) = value.as_mapping_mut() else {
            self.slip(
                &[section],
                format!("`{section}` is no list of keys: write parts and a `condition`"),
            );
            return;
        };
        let mut kept = Mapping::new();
        for (name, mut tree) in std::mem::take(map) {
            let key = name.as_str().unwrap_or_default().to_owned();
            if !matches!(&*key, "condition" | "rules" | "timeframe") {
                self.tree(&[section, &key], &mut tree);
            }
            kept.insert(name, tree);
        }
        let sentence = match kept.get("condition") {
            None => {
                Some("is missing: name the parts that must be met, as in `selection`".to_owned())
            }
            Some(said) => condition_fault(said, &kept),
        };
        if let Some(sentence) = sentence {
            self.slip(&[section, "condition"], format!("`condition` {sentence}"));
            let instead = if kept.len() > 1 { "1 of them" } else { "nothing" };
            kept.insert("condition".into(), instead.into());
        }
        *map = kept;
    }

    /// Takes out of a part what does not stand for itself.
    fn tree(&mut self, at: &[&str], value: &mut Value) {
        match value {
            Value::Sequence(list) if list.iter().any(Value::is_mapping) => {
                for (number, value) in list.iter_mut().enumerate() {
                    let number = number.to_string();
                    self.tree(&[at, &[&number]].concat(), value);
                }
            }
            Value::Mapping(map) => {
                let mut kept = Mapping::new();
                for (key, value) in std::mem::take(map) {
                    let name = key.as_str().unwrap_or_default().to_owned();
                    match item_fault(&key, &value) {
                        Some(sentence) => self.slip(&[at, &[&name]].concat(), sentence),
                        None => {
                            kept.insert(key, value);
                        }
                    }
                }
                if kept.is_empty() {
                    kept.insert("id".into(), "left out".into());
                }
                *map = kept;
            }
            _ => {}
        }
    }
}
