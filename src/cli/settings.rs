//! What every command can be told, and what it opens.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::app::{self, App, BuildError, Settings};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::store::Store;

/// What a person asked for cannot be asked for; exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Wrong(pub(super) String);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    #[default]
    Text,
    Json,
    Markdown,
    Html,
    Csv,
    Timesketch,
}

/// The options that every command takes.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// Configuration file; where it is not given and `signinel.toml` is absent, the defaults hold
    #[arg(long, global = true, env = "SIGNINEL_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Database
    #[arg(
        long,
        global = true,
        env = "SIGNINEL_DB",
        value_name = "URL",
        default_value = "sqlite://signinel.db"
    )]
    pub(super) db: String,
    /// Rules in place of those in the program
    #[arg(long, global = true, env = "SIGNINEL_RULES", value_name = "DIR")]
    pub(super) rules: Option<PathBuf>,
    /// Text or JSON; `timeline` also markdown, html, csv, timesketch
    #[arg(
        long,
        global = true,
        env = "SIGNINEL_FORMAT",
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    pub(super) format: Format,
    /// Say more about what is going on; twice for everything
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

const DEFAULT_CONFIG: &str = "signinel.toml";

impl Global {
    /// Refuses a format that only the timeline has.
    pub(super) fn allows(&self, is_timeline: bool) -> Result<(), Wrong> {
        if is_timeline || matches!(self.format, Format::Text | Format::Json) {
            return Ok(());
        }
        Err(Wrong("this command writes `--format text` or `--format json`".to_owned()))
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// The configuration: of the file that was named, else of `signinel.toml` if it is there.
    pub(super) fn config(&self) -> Result<Config, BuildError> {
        let variables: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let default = PathBuf::from(DEFAULT_CONFIG);
        match &self.config {
            Some(file) => Config::load(file, &variables),
            None if default.exists() => Config::load(&default, &variables),
            None => Config::parse("", &variables),
        }
        .map_err(|broken| {
            // All that is wrong at once, in the tables themselves as well.
            let within = app::faults(&broken.rest);
            BuildError::Config(broken.faults.into_iter().chain(within).collect())
        })
    }

    /// Everything that a pass works with.
    pub(super) async fn app(&self) -> Result<App, BuildError> {
        let settings =
            Settings { db: self.db.clone(), rules: self.rules.clone(), config: self.config()? };
        App::build(settings, Arc::new(SystemClock)).await
    }

    /// A database that exists already: looking at one that does not would only hide a wrong path.
    pub(super) async fn store(&self) -> anyhow::Result<Store> {
        let file = self.db.strip_prefix("sqlite://").or_else(|| self.db.strip_prefix("sqlite:"));
        if let Some(file) = file.map(|file| file.split('?').next().unwrap_or(file))
            && !file.is_empty()
            && !file.contains(":memory:")
            && !PathBuf::from(file).exists()
        {
            anyhow::bail!(
                "there is no database at {file}: `signinel import FILE` or `signinel run` make one, and `--db` names another"
            );
        }
        Ok(Store::open(&self.db).await.map_err(BuildError::Store)?)
    }
}
