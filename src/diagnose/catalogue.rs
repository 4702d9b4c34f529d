//! The catalogue of AADSTS codes: read from a data file, the shipped one as the ground.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fmt, fs, io};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// The catalogue as it ships.
const SHIPPED: &str = include_str!("../../rules/errors.toml");

/// What sort of trouble a code tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorClass {
    Configuration,
    Credential,
    Federation,
    Security,
    Policy,
    Throttling,
    Transient,
    User,
    Unknown,
}

impl ErrorClass {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Credential => "credential",
            Self::Federation => "federation",
            Self::Security => "security",
            Self::Policy => "policy",
            Self::Throttling => "throttling",
            Self::Transient => "transient",
            Self::User => "user",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How well an entry is founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// On Microsoft's page of error codes.
    Reference,
    /// Said by the token service itself, absent from that page.
    Service,
    /// Known only from records and reports of others.
    Field,
}

/// One code, explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorEntry {
    pub code: i64,
    /// Microsoft's name for it; some codes have none.
    pub name: Option<String>,
    /// Completes the sentence "the sign-in failed because …".
    pub meaning: String,
    pub class: ErrorClass,
    pub cause: String,
    /// Steps in order, with placeholders.
    pub remedy: Vec<String>,
    /// Whether the same request may succeed later, with nothing changed.
    pub retryable: bool,
    pub source: Origin,
}

/// One thing that is wrong with a catalogue file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CatalogueFault(pub String);

#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    #[error("cannot read the error catalogue `{path}`: {source}")]
    Unreadable { path: String, source: io::Error },
    #[error("the error catalogue `{path}` has {} fault(s):\n  {}", faults.len(), listed(faults))]
    Faulty { path: String, faults: Vec<CatalogueFault> },
}

fn listed(faults: &[CatalogueFault]) -> String {
    faults.iter().map(|fault| fault.0.as_str()).collect::<Vec<_>>().join("\n  ")
}

/// Every code that can be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    entries: BTreeMap<i64, ErrorEntry>,
}

impl Catalogue {
    /// The catalogue that ships with the program.
    #[must_use]
    pub fn shipped() -> Self {
        let entries = read(SHIPPED).expect("a unit test reads the shipped catalogue");
        Self { entries }
    }

    /// The shipped catalogue with the entries of a text laid over it.
    ///
    /// All faults of the text come together.
    pub fn with(text: &str) -> Result<Self, Vec<CatalogueFault>> {
        let mut catalogue = Self::shipped();
        catalogue.entries.extend(read(text)?);
        Ok(catalogue)
    }

    /// The shipped catalogue with the entries of a file laid over it.
    pub fn load(path: &Path) -> Result<Self, CatalogueError> {
        let shown = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|source| CatalogueError::Unreadable { path: shown.clone(), source })?;
        Self::with(&text).map_err(|faults| CatalogueError::Faulty { path: shown, faults })
    }

    #[must_use]
    pub fn get(&self, code: i64) -> Option<&ErrorEntry> {
        self.entries.get(&code)
    }

    /// A token issued (0) is known.
    #[must_use]
    pub fn is_known(&self, code: i64) -> bool {
        code == 0 || self.entries.contains_key(&code)
    }

    #[must_use]
    pub fn class_of(&self, code: i64) -> ErrorClass {
        self.get(code).map_or(ErrorClass::Unknown, |entry| entry.class)
    }

    /// What the code means, in a clause; honest where nobody knows.
    #[must_use]
    pub fn meaning(&self, code: i64) -> &str {
        self.get(code).map_or("the catalogue does not know this code", |entry| &entry.meaning)
    }

    /// The class of every code by its number, as rules read it.
    #[must_use]
    pub fn classes(&self) -> BTreeMap<i64, String> {
        self.entries().map(|entry| (entry.code, entry.class.as_str().to_owned())).collect()
    }

    pub fn entries(&self) -> impl Iterator<Item = &ErrorEntry> {
        self.entries.values()
    }

    /// Microsoft's own page about a code.
    #[must_use]
    pub fn link(code: i64) -> String {
        format!("https://login.microsoftonline.com/error?code={code}")
    }
}

fn read(text: &str) -> Result<BTreeMap<i64, ErrorEntry>, Vec<CatalogueFault>> {
    let table: Table = text.parse().map_err(|fault: toml::de::Error| {
        let sentence = fault.to_string();
        vec![CatalogueFault(sentence.trim_end().to_owned())]
    })?;
    let mut faults: Vec<CatalogueFault> = table
        .keys()
        .filter(|key| *key != "error")
        .map(|key| CatalogueFault(format!("`{key}` is not a key here: write `[[error]]` entries")))
        .collect();
    let mut entries = BTreeMap::new();
    match table.get("error") {
        Some(Value::Array(values)) => {
            for (place, value) in values.iter().enumerate() {
                read_entry(place + 1, value, &mut entries, &mut faults);
            }
        }
        Some(_) => faults.push(CatalogueFault("`error` has to be `[[error]]` entries".to_owned())),
        None => {}
    }
    if faults.is_empty() { Ok(entries) } else { Err(faults) }
}

/// Reads the entry at a 1-based place, or says what is wrong with it.
fn read_entry(
    place: usize,
    value: &Value,
    entries: &mut BTreeMap<i64, ErrorEntry>,
    faults: &mut Vec<CatalogueFault>,
) {
    let code = value.get("code").and_then(Value::as_integer);
    let place = match code {
        Some(code) => format!("entry {place} (code {code})"),
        None => format!("entry {place}"),
    };
    let entry: ErrorEntry = match value.clone().try_into() {
        Ok(entry) => entry,
        Err(fault) => {
            let sentence = fault.to_string();
            return faults.push(CatalogueFault(format!("{place}: {}", sentence.trim_end())));
        }
    };
    let mut fault = |sentence: &str| faults.push(CatalogueFault(format!("{place}: {sentence}")));
    if entry.code <= 0 {
        fault("`code` has to be above 0; 0 is a token issued");
    }
    for (key, text) in [("meaning", &entry.meaning), ("cause", &entry.cause)] {
        if text.trim().is_empty() {
            fault(&format!("`{key}` is empty"));
        }
    }
    if entry.remedy.is_empty() || entry.remedy.iter().any(|step| step.trim().is_empty()) {
        fault("`remedy` needs at least one step, and none may be empty");
    }
    if entries.insert(entry.code, entry).is_some() {
        fault("the code is there twice: keep one entry");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"
        [[error]]
        code = 7999999
        meaning = "the moon is full"
        class = "transient"
        cause = "The moon."
        remedy = ["Wait."]
        retryable = true
        source = "field"
    "#;

    #[test]
    fn the_shipped_catalogue_reads_and_knows_what_it_should() {
        let catalogue = Catalogue::shipped();
        assert!(catalogue.entries().count() > 70);
        assert_eq!(catalogue.class_of(700_016), ErrorClass::Configuration);
        assert_eq!(catalogue.class_of(7_000_222), ErrorClass::Credential);
        assert_eq!(catalogue.class_of(90_033), ErrorClass::Transient);
        assert_eq!(catalogue.class_of(50_020), ErrorClass::User);
        assert!(catalogue.is_known(0));
    }

    #[test]
    fn every_meaning_completes_a_sentence() {
        for entry in Catalogue::shipped().entries() {
            let (code, meaning) = (entry.code, &entry.meaning);
            assert!(!meaning.ends_with('.'), "{code}: {meaning}");
            assert!(meaning.starts_with(char::is_lowercase), "{code}: {meaning}");
            assert!(entry.cause.ends_with('.'), "{code}: {}", entry.cause);
        }
    }

    #[test]
    fn an_unknown_code_is_said_to_be_unknown() {
        let catalogue = Catalogue::shipped();
        assert!(!catalogue.is_known(7_999_999));
        assert_eq!(catalogue.class_of(7_999_999), ErrorClass::Unknown);
        assert!(catalogue.meaning(7_999_999).contains("does not know"));
        assert_eq!(
            Catalogue::link(7_999_999),
            "https://login.microsoftonline.com/error?code=7999999"
        );
    }

    #[test]
    fn a_file_adds_to_the_shipped_catalogue_and_wins_over_it() {
        let text = format!("{ONE}{}", ONE.replace("7999999", "700016"));
        let catalogue = Catalogue::with(&text).unwrap();
        assert_eq!(catalogue.meaning(7_999_999), "the moon is full");
        assert_eq!(catalogue.meaning(700_016), "the moon is full");
        assert!(catalogue.is_known(7_000_222));
    }

    #[test]
    fn all_faults_come_at_once() {
        let bad_class = ONE.replace("transient", "lunar").replace("7999999", "1");
        let empty = ONE.replace("the moon is full", " ").replace("7999999", "2");
        let no_steps = ONE.replace("\"Wait.\"", "").replace("7999999", "-3");
        let typo = ONE.replace("retryable", "retriable").replace("7999999", "4");
        let text = [bad_class, empty, no_steps, typo, ONE.to_owned(), ONE.to_owned()].concat();
        let faults = Catalogue::with(&text).unwrap_err();
        let sentences = listed(&faults);
        for part in [
            "entry 1 (code 1)",
            "lunar",
            "entry 2 (code 2): `meaning` is empty",
            "entry 3 (code -3): `code` has to be above 0",
            "entry 3 (code -3): `remedy` needs",
            "retriable",
            "entry 6 (code 7999999): the code is there twice",
        ] {
            assert!(sentences.contains(part), "no `{part}` in:\n{sentences}");
        }
    }

    #[test]
    fn text_that_is_no_toml_is_one_fault_with_its_line() {
        let faults = Catalogue::with("[[error]]\ncode = = 1\n").unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].0.contains("line 2"), "{}", faults[0]);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Catalogue::load(Path::new("no/such/errors.toml")).unwrap_err();
        assert!(error.to_string().contains("`no/such/errors.toml`"), "{error}");
    }
}
