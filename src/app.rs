//! Everything that a pass works with, put together in one place for the program and the tests alike.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::config::{Config, Fault};
use crate::detect::{Detector, Matcher, RuleFault, Rulebook};
use crate::diagnose::{Catalogue, CatalogueError};
use crate::model::RuleFacts;
use crate::notify::Outbox;
use crate::sources::Source;
use crate::store::{Store, StoreError};

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

/// What a pass works with.
pub struct App {
    pub clock: Arc<dyn Clock>,
    pub config: Config,
    pub store: Store,
    pub rulebook: Rulebook,
    pub facts: BTreeMap<String, RuleFacts>,
    pub catalogue: Catalogue,
    pub sources: Vec<Box<dyn Source>>,
    pub outbox: Outbox,
    pub detector: Mutex<Detector>,
}

impl App {
    /// Opens the database and makes what the configuration asks for.
    pub async fn build(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, BuildError> {
        let Settings { db, rules, config } = settings;
        let sources = each(&config.sources, crate::sources::build);
        let channels =
            each(&config.channels, |section| crate::notify::build(section, &config.notify));
        let (sources, channels) = match (sources, channels) {
            (Ok(sources), Ok(channels)) => (sources, channels),
            (sources, channels) => {
                let faults = sources.err().into_iter().chain(channels.err()).flatten().collect();
                return Err(BuildError::Config(faults));
            }
        };
        let (rulebook, catalogue) =
            (read_rules(rules.as_deref())?, read_catalogue(rules.as_deref())?);
        let matcher = Matcher::new(&rulebook, catalogue.classes()).map_err(BuildError::Rules)?;
        let store = Store::open(&db).await?;
        for fault in store.unaccounted().await? {
            tracing::error!("{fault}: a fault of Signinel; keep the database and report it");
        }
        Ok(Self {
            clock,
            store,
            facts: rulebook.facts(),
            rulebook,
            catalogue,
            sources,
            outbox: Outbox::new(channels, &config),
            detector: Mutex::new(Detector::new(matcher)),
            config,
        })
    }
}

/// What is wrong with the sources and channels of a configuration.
pub fn faults(config: &Config) -> Vec<Fault> {
    let sources = each(&config.sources, crate::sources::build).err();
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

/// The catalogue in the binary, with `errors.toml` of a rules folder over it.
pub fn read_catalogue(folder: Option<&Path>) -> Result<Catalogue, BuildError> {
    match folder.map(|folder| folder.join("errors.toml")).filter(|file| file.exists()) {
        Some(file) => Ok(Catalogue::load(&file)?),
        None => Ok(Catalogue::shipped()),
    }
}
