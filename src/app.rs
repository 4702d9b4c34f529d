//! Everything that a pass works with, put together in one place for the program and the tests alike.

mod memory;
mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use tokio::sync::Mutex;

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Fault, RulesConfig, meant};
use crate::detect::{Detector, Matcher, RuleFault, Rulebook};
use crate::diagnose::{Catalogue, CatalogueError};
use crate::model::RuleFacts;
use crate::notify::Outbox;
use crate::sources::{Memory, Source};
use crate::store::{Store, StoreError};

pub use watch::{LOOK_EVERY, Watch};

/// Where things are.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The database's address, `sqlite://FILE`.
    pub db: String,
    /// A folder of rules in place of those in the binary.
    pub rules: Option<PathBuf>,
    pub config: Config,
}

/// Why it could not be put together; all that is wrong with what a person wrote comes at once.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("{}", lines(.0))]
    Config(Vec<Fault>),
    #[error("{}", lines(.0))]
    Rules(Vec<RuleFault>),
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BuildError {
    /// Whether what a person wrote is wrong, rather than the machine.
    #[must_use]
    pub fn is_of_the_operator(&self) -> bool {
        match self {
            Self::Config(_) | Self::Rules(_) | Self::Catalogue(_) => true,
            Self::Store(error) => matches!(error, StoreError::Address(_)),
        }
    }
}

fn lines(faults: &[impl std::fmt::Display]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What is looked for, and what is known of it: as one read of the files had it.
#[derive(Debug)]
pub struct Ruleset {
    pub rulebook: Rulebook,
    pub facts: BTreeMap<String, RuleFacts>,
    pub catalogue: Catalogue,
}

impl Ruleset {
    /// The rules and the catalogue of a folder, or those in the binary, ready to be asked.
    pub fn read(
        folder: Option<&Path>,
        config: &RulesConfig,
    ) -> Result<(Self, Matcher), BuildError> {
        let mut rulebook = read_rules(folder)?;
        shade(&mut rulebook, config).map_err(BuildError::Config)?;
        Self::of(rulebook, read_catalogue(folder)?)
    }

    fn of(rulebook: Rulebook, catalogue: Catalogue) -> Result<(Self, Matcher), BuildError> {
        let matcher = Matcher::new(&rulebook, catalogue.classes()).map_err(BuildError::Rules)?;
        Ok((Self::over(rulebook, catalogue), matcher))
    }

    fn over(rulebook: Rulebook, catalogue: Catalogue) -> Self {
        Self { facts: rulebook.facts(), rulebook, catalogue }
    }
}

/// What a pass works with.
pub struct App {
    pub clock: Arc<dyn Clock>,
    pub config: Config,
    pub store: Store,
    /// Those in force: a pass takes them once.
    rules: RwLock<Arc<Ruleset>>,
    pub sources: Vec<Box<dyn Source>>,
    pub outbox: Outbox,
    pub detector: Mutex<Detector>,
}

impl App {
    /// Opens the database and makes what the configuration asks for.
    pub async fn build(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, BuildError> {
        let Settings { db, rules, config } = settings;
        let sources = each(&config.sources, |section| crate::sources::build(section, &clock));
        let channels =
            each(&config.channels, |section| crate::notify::build(section, &config.notify));
        let (sources, channels) = match (sources, channels) {
            (Ok(sources), Ok(channels)) => (sources, channels),
            (sources, channels) => {
                let faults = sources.err().into_iter().chain(channels.err()).flatten().collect();
                return Err(BuildError::Config(faults));
            }
        };
        let (rules, matcher) = Ruleset::read(rules.as_deref(), &config.rules)?;
        let store = Store::open(&db).await?;
        for fault in store.unaccounted().await? {
            tracing::error!("{fault}: a fault of Signinel; keep the database and report it");
        }
        let outbox = Outbox::new(channels, &config);
        let mut app = Self::over(store, (rules, matcher), outbox, config, clock);
        for source in sources {
            app.read_from(source);
        }
        Ok(app)
    }

    /// Reads from a source too, which remembers in the database what it has to.
    pub fn read_from(&mut self, source: Box<dyn Source>) {
        let memory: Arc<dyn Memory> = Arc::new(self.store.allowances());
        source.remember(&memory);
        self.sources.push(source);
    }

    /// What it takes to evaluate what a database holds, with nothing to read from.
    #[must_use]
    pub fn over(
        store: Store,
        (rules, matcher): (Ruleset, Matcher),
        outbox: Outbox,
        config: Config,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            clock,
            config,
            store,
            rules: RwLock::new(Arc::new(rules)),
            sources: Vec::new(),
            outbox,
            detector: Mutex::new(Detector::new(matcher)),
        }
    }

    fn put_rules(&self, rules: Ruleset) {
        *self.rules.write().expect("nobody panics while holding the rules") = Arc::new(rules);
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> Arc<Ruleset> {
        Arc::clone(&self.rules.read().expect("nobody panics while holding the rules"))
    }
}

/// What is wrong with the sources and channels of a configuration.
#[must_use]
pub fn faults(config: &Config) -> Vec<Fault> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let sources = each(&config.sources, |section| crate::sources::build(section, &clock)).err();
    let channels =
        each(&config.channels, |section| crate::notify::build(section, &config.notify)).err();
    sources.into_iter().chain(channels).flatten().collect()
}

/// Builds all of a list, or gives every fault of every one.
fn each<S, T>(
    all: &[S],
    build: impl Fn(&S) -> Result<T, Vec<Fault>>,
) -> Result<Vec<T>, Vec<Fault>> {
    let mut made = Vec::new();
    let mut faults = Vec::new();
    for one in all {
        match build(one) {
            Ok(one) => made.push(one),
            Err(more) => faults.extend(more),
        }
    }
    if faults.is_empty() { Ok(made) } else { Err(faults) }
}

/// The rules of a folder, or those in the binary.
pub fn read_rules(folder: Option<&Path>) -> Result<Rulebook, BuildError> {
    folder.map_or_else(Rulebook::embedded, Rulebook::folder).map_err(BuildError::Rules)
}

/// Puts rules in shadow as a configuration says; its faults are the names that are no rule.
pub fn shade(rulebook: &mut Rulebook, config: &RulesConfig) -> Result<(), Vec<Fault>> {
    let unknown = rulebook.shade(&config.shadow, &config.live);
    let names: Vec<&str> = rulebook.rules.keys().map(String::as_str).collect();
    let fault = |name: &String| {
        let why = if rulebook.detections.contains_key(name) {
            "is not found by itself, only counted by other rules: name these".to_owned()
        } else {
            format!("is no rule{}", meant(name, &names))
        };
        Fault(format!("[rules]: `{name}` {why}"))
    };
    let faults: Vec<Fault> = unknown.iter().map(fault).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// The catalogue in the binary, with `errors.toml` of a rules folder over it.
pub fn read_catalogue(folder: Option<&Path>) -> Result<Catalogue, BuildError> {
    match folder.map(|folder| folder.join("errors.toml")).filter(|file| file.exists()) {
        Some(file) => Ok(Catalogue::load(&file)?),
        None => Ok(Catalogue::shipped()),
    }
}
