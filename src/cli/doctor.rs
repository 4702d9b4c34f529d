//! `signinel doctor`: what is missing, and how to mend it.

use std::fmt::Write as _;
use std::sync::Arc;

use clap::Args as ClapArgs;
use serde::Serialize;

use super::screen::Screen;
use super::settings::Global;
use crate::app::{self, BuildError};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::detect::Matcher;
use crate::diagnose::phrase;
use crate::store::deliveries::DeliveryCounts;
use crate::store::overview::SourceOverview;
use crate::store::{Store, Tally};

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  signinel doctor --config signinel.toml        everything, with a request to each source and channel
  signinel doctor --offline                     what can be checked without the network

Exit code 0: all is well. 1: something is not, and the line says what to do.")]
pub(super) struct Args {
    /// Ask no source and no channel
    #[arg(long)]
    offline: bool,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    what: String,
    is_well: bool,
    sentence: String,
}

/// What was looked at so far.
#[derive(Default)]
struct Round(Vec<Check>);

impl Round {
    fn add(&mut self, what: impl Into<String>, outcome: Result<String, String>) {
        let is_well = outcome.is_ok();
        let sentence = outcome.unwrap_or_else(|sentence| sentence);
        self.0.push(Check { what: what.into(), is_well, sentence });
    }

    /// Several faults of one thing, a line each.
    fn faults(&mut self, what: &str, error: &impl ToString) {
        for line in error.to_string().lines() {
            self.add(what, Err(line.trim().to_owned()));
        }
    }
}

pub(super) async fn run(global: &Global, args: &Args, screen: &mut Screen) -> anyhow::Result<()> {
    let mut round = Round::default();
    let config = match global.config() {
        Ok(config) => {
            round.add("configuration", Ok(summary(&config)));
            config
        }
        Err(error) => {
            round.faults("configuration", &error);
            Config::default()
        }
    };
    rules(global, &mut round);
    database(global, &mut round).await;
    sources(&config, args.offline, &mut round).await;
    channels(&config, args.offline, &mut round).await;
    let wrong = round.0.iter().filter(|check| !check.is_well).count();
    if global.is_json() {
        screen.json(&round.0)?;
    } else {
        screen.text(&text(&round.0, screen.style.colour))?;
    }
    match wrong {
        0 => Ok(()),
        1 => anyhow::bail!("one thing is not as it should be"),
        _ => anyhow::bail!("{wrong} things are not as they should be"),
    }
}

fn summary(config: &Config) -> String {
    let counts = [
        (config.sources.len(), "source"),
        (config.channels.len(), "channel"),
        (config.routes.len(), "route"),
    ];
    counts.map(|(number, noun)| phrase::count(number as u64, noun)).join(", ")
}

fn rules(global: &Global, round: &mut Round) {
    let folder = global.rules.as_deref();
    let catalogue = match app::read_catalogue(folder) {
        Ok(catalogue) => catalogue,
        Err(error) => return round.faults("rules", &error),
    };
    let mut rulebook = match app::read_rules(folder) {
        Ok(rulebook) => rulebook,
        Err(error) => return round.faults("rules", &error),
    };
    // What is wrong with the configuration itself was told before.
    if let Ok(config) = global.config()
        && let Err(faults) = app::shade(&mut rulebook, &config.rules)
    {
        round.faults("rules", &BuildError::Config(faults));
    }
    match Matcher::new(&rulebook, catalogue.classes()) {
        Ok(_) => {
            let origin =
                folder.map_or("in the program".to_owned(), |folder| folder.display().to_string());
            round.add(
                "rules",
                Ok(format!(
                    "{} rules and {} error codes, {origin}{}",
                    rulebook.rules.len(),
                    catalogue.entries().count(),
                    match rulebook.dataless.len() {
                        0 => String::new(),
                        more => format!("; {more} more rules are without data (`signinel rules check`)"),
                    }
                )),
            );
        }
        Err(faults) => round.faults("rules", &BuildError::Rules(faults)),
    }
}

async fn database(global: &Global, round: &mut Round) {
    let store = match Store::open(&global.db).await {
        Ok(store) => store,
        Err(error) => return round.add("database", Err(error.to_string())),
    };
    let path = store.path().display().to_string();
    round.add(
        "database",
        store
            .check()
            .await
            .map(|events| format!("{path}: {events} events"))
            .map_err(|error| error.to_string()),
    );
    match store.source_overviews().await {
        Ok(overviews) => {
            for source in overviews {
                round.add(format!("records of {}", source.name), Ok(records(&source)));
            }
        }
        Err(error) => round.add("database", Err(error.to_string())),
    }
    match store.unaccounted().await {
        Ok(faults) if faults.is_empty() => {
            round.add("conservation", Ok("every record read is accounted for".to_owned()));
        }
        Ok(faults) => {
            for fault in faults {
                let remedy = "this is a fault of Signinel: keep the database and report it";
                round.add("conservation", Err(format!("{fault}; {remedy}")));
            }
        }
        Err(error) => round.add("conservation", Err(error.to_string())),
    }
    match store.count_deliveries().await {
        Ok(DeliveryCounts { pending, sent, dead: 0 }) => {
            round.add("deliveries", Ok(format!("{sent} sent, {pending} waiting")));
        }
        Ok(DeliveryCounts { dead, .. }) => round.add(
            "deliveries",
            Err(format!("{dead} could not be delivered: `signinel deliveries list --state dead`, then `signinel deliveries retry ID`")),
        ),
        Err(error) => round.add("deliveries", Err(error.to_string())),
    }
    for channel in store.disabled_channels().await.unwrap_or_default() {
        let name = &channel.name;
        round.add(
            format!("channel {name}"),
            Err(format!("its receiver switched it off: {}; `signinel deliveries enable {name}` when that is mended", channel.reason)),
        );
    }
    store.close().await;
}

/// What became of the records of a source that are not stored.
fn records(source: &SourceOverview) -> String {
    let Tally { read, rejected, other, .. } = source.tally;
    let mut sentence = format!("{read} records read, {rejected} of them set aside");
    if other > 0 {
        let others: Vec<String> =
            source.others.iter().map(|(log, count)| format!("{count} {log}")).collect();
        write!(sentence, ", {other} left out ({})", others.join(", "))
            .expect("a string takes everything");
    }
    sentence
}

async fn sources(config: &Config, offline: bool, round: &mut Round) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    for section in &config.sources {
        let what = format!("source {}", section.name);
        let source = match crate::sources::build(section, &clock) {
            Ok(source) => source,
            Err(faults) => {
                round.faults(&what, &BuildError::Config(faults));
                continue;
            }
        };
        let outcome = if offline {
            Ok("configured; not asked".to_owned())
        } else {
            source.check(clock.now()).await.map_err(|error| error.to_string())
        };
        round.add(what, outcome);
    }
    if config.sources.is_empty() {
        let sentence = "none: only `signinel import` brings records in; config.example.toml shows a [[source]]";
        round.add("sources", Ok(sentence.to_owned()));
    }
}

async fn channels(config: &Config, offline: bool, round: &mut Round) {
    for section in &config.channels {
        let what = format!("channel {}", section.name);
        let channel = match crate::notify::build(section, &config.notify) {
            Ok(channel) => channel,
            Err(faults) => {
                round.faults(&what, &BuildError::Config(faults));
                continue;
            }
        };
        let outcome = if offline {
            Ok("configured; not asked".to_owned())
        } else {
            channel.check().await.map_err(|error| error.to_string())
        };
        round.add(what, outcome);
    }
    if config.channels.is_empty() {
        let sentence =
            "none: incidents are kept and nobody is told; config.example.toml shows a [[channel]]";
        round.add("channels", Ok(sentence.to_owned()));
    }
}

fn text(checks: &[Check], colour: bool) -> String {
    let width = checks.iter().map(|check| check.what.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Check { what, is_well, sentence } in checks {
        let mark = match (is_well, colour) {
            (true, true) => "\u{1b}[32mok  \u{1b}[0m",
            (false, true) => "\u{1b}[31mno  \u{1b}[0m",
            (true, false) => "ok  ",
            (false, false) => "no  ",
        };
        writeln!(text, "{mark}{what:width$}  {}", crate::view::clean(sentence))
            .expect("a string takes everything");
    }
    text
}
