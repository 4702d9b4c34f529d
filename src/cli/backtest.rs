//! `signinel backtest`: what a set of rules would have found and told over the stored history.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args as ClapArgs;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::incidents::moment;
use super::run::stop_on_signal;
use super::screen::{self, Screen};
use super::settings::{Global, Wrong};
use crate::app::{self, Ruleset};
use crate::backtest::{Apart, Backtest, Report, compare, live};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, RulesConfig};
use crate::detect::Matcher;
use crate::store::{Store, time};
use crate::view;

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  signinel backtest                                   the rules in force, over all that is stored
  signinel backtest --rules ./my-rules --against shipped --since 2026-11-01
  signinel backtest --format json > before.json

The stored events are evaluated once more in a temporary database (in TMPDIR, about 150 bytes an event, twice with
`--against`); yours is only read, and `run` may go on meanwhile. Passes are made in the order of event time, at the
end of each quarter of an hour in which something happened, with that time as their own; so findings, incidents,
silences, routes, holds and deliveries are those of a `run` that had read every sign-in within this quarter.
What is not counted: gaps of sources, what people acknowledged or resolved, and deliveries that fail and are tried again.")]
pub(super) struct Args {
    /// Other rules to compare with: a folder, or `shipped` for those in the program
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Count what was found from this day or time on (UTC); what was before tells the rules what is usual
    #[arg(long, value_parser = moment)]
    since: Option<DateTime<Utc>>,
    /// Leave out sign-ins from this day or time on (UTC) [default: just behind the last sign-in stored]
    #[arg(long, value_parser = moment)]
    until: Option<DateTime<Utc>>,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Against>,
}

#[derive(Serialize)]
struct Against {
    report: Report,
    difference: Apart,
}

pub(super) async fn run(global: &Global, args: &Args, screen: &mut Screen) -> anyhow::Result<()> {
    let config = global.config()?;
    if let (Some(since), Some(until)) = (args.since, args.until)
        && since >= until
    {
        return Err(Wrong("`--since` is not before `--until`".to_owned()).into());
    }
    let rules = Ruleset::read(global.rules.as_deref(), &config.rules)?;
    let others = args.against.as_deref().map(|folder| others(folder, &config)).transpose()?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    let store = global.store().await?;
    let sets = (rules, others);
    let until = end(&store, args).await?;
    let done = tokio::select! {
        done = evaluate(&store, &config, (args.since, until), sets) => Some(done?),
        // What was made for it is taken away when it is dropped.
        () = stop.cancelled() => None,
    };
    store.close().await;
    let Some((report, against)) = done else { anyhow::bail!("stopped; nothing was changed") };
    if global.is_json() {
        return screen.json(&Answer { report, against });
    }
    let difference = against.as_ref().map(|against| &against.difference);
    screen.text(&view::backtest(&report, difference, &screen.style.clone()))
}

/// Where the history ends: behind its last sign-in, unless another time was given that has been.
async fn end(store: &Store, args: &Args) -> anyhow::Result<DateTime<Utc>> {
    let now = SystemClock.now();
    if let Some(until) = args.until {
        return Ok(until.min(now));
    }
    let last = store.latest_at().await?;
    Ok(last.map_or(now, |last| time(last) + TimeDelta::microseconds(1)))
}

type Set = (Ruleset, Matcher);

async fn evaluate(
    store: &Store,
    config: &Config,
    (since, until): (Option<DateTime<Utc>>, DateTime<Utc>),
    (rules, others): (Set, Option<Set>),
) -> anyhow::Result<(Report, Option<Against>)> {
    let backtest = Backtest { store, config, since, until };
    let bar = screen::bar();
    let progress = |done: u64, all: u64| {
        bar.set_length(all);
        bar.set_position(done);
    };
    let lived = live(&backtest, rules, progress).await?;
    let mut against = None;
    if let Some(others) = others {
        bar.reset();
        let other = live(&backtest, others, progress).await?;
        let difference = compare(&lived, &other).await?;
        against = Some(Against { report: other.end().await, difference });
    }
    bar.finish_and_clear();
    Ok((lived.end().await, against))
}

/// The rules to compare with. Names of the configuration that only the first set has mean nothing here.
fn others(folder: &Path, config: &Config) -> anyhow::Result<Set> {
    let folder = (folder.exists() || folder != Path::new("shipped")).then_some(folder);
    let rulebook = app::read_rules(folder)?;
    let known = |names: &[String]| {
        names.iter().filter(|name| rulebook.rules.contains_key(*name)).cloned().collect()
    };
    let RulesConfig { shadow, live } = &config.rules;
    let config = RulesConfig { shadow: known(shadow), live: known(live) };
    Ok(Ruleset::read(folder, &config)?)
}
