//! Walks the path over stored events as if each pass had been made at its time.

use std::sync::Arc;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::report::Report;
use crate::app::{App, Ruleset};
use crate::clock::FixedClock;
use crate::config::Config;
use crate::detect::Matcher;
use crate::notify::Outbox;
use crate::pipeline;
use crate::store::{History, Store, StoreError};

/// A pass is made at the end of each stretch of this length in which something happened.
const STEP: TimeDelta = TimeDelta::minutes(15);

/// Why there is nothing to report.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    #[error("no folder can be made for a database of its own: {0}; TMPDIR names where")]
    Folder(#[source] std::io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is to be lived through again.
#[derive(Clone, Copy, Debug)]
pub struct Backtest<'a> {
    /// Where the events are; it is only read.
    pub store: &'a Store,
    pub config: &'a Config,
    /// What was found before is not counted: it only tells the rules what is usual.
    pub since: Option<DateTime<Utc>>,
    pub until: DateTime<Utc>,
}

/// What came of it, with the database that it is in until this is dropped.
pub struct Lived {
    pub report: Report,
    pub(super) store: Store,
    pub(super) since: DateTime<Utc>,
    _folder: tempfile::TempDir,
}

impl Lived {
    /// Lets the database go.
    pub async fn end(self) -> Report {
        self.store.close().await;
        self.report
    }
}

/// Lives through the history. `progress` is told the events so far and all there are.
pub async fn live(
    backtest: &Backtest<'_>,
    rules: (Ruleset, Matcher),
    progress: impl Fn(u64, u64),
) -> Result<Lived, BacktestError> {
    let folder = tempfile::tempdir().map_err(BacktestError::Folder)?;
    let address = format!("sqlite://{}", folder.path().join("backtest.db").display());
    let store = Store::open(&address).await?;
    let config = backtest.config.clone();
    let clock = Arc::new(FixedClock::at(backtest.until));
    let app = App::over(store, rules, Outbox::mute(&config), config, clock);
    let mut history = app.store.history_of(backtest.store, backtest.until).await?;
    let mut walk = Walk { app: &app, events: 0, all: history.count().await?, at: None };
    walk.warm_up(&mut history, backtest.since, &progress).await?;
    let before = walk.events;
    let begun_at = walk.at.or(history.next(None).await?).unwrap_or(backtest.until);
    walk.on(&mut history, backtest.until, &progress).await?;
    history.end().await?;
    let events = walk.events;
    let span = (begun_at, backtest.until);
    let report = Report::of(&app, (events, events - before), span).await?;
    let App { store, .. } = app;
    Ok(Lived { report, store, since: begun_at, _folder: folder })
}

struct Walk<'a> {
    app: &'a App,
    events: u64,
    all: u64,
    /// Events before this were taken.
    at: Option<DateTime<Utc>>,
}

impl Walk<'_> {
    /// What was before is evaluated at once, and left untold.
    async fn warm_up(
        &mut self,
        history: &mut History,
        since: Option<DateTime<Utc>>,
        progress: &impl Fn(u64, u64),
    ) -> Result<(), StoreError> {
        let Some(since) = since else { return Ok(()) };
        let (before, all) = (self.events, self.all);
        self.events += history.take(None, since).await?;
        pipeline::evaluate_untold(self.app, since, |done| progress(before + done, all)).await?;
        self.at = Some(since);
        Ok(())
    }

    async fn on(
        &mut self,
        history: &mut History,
        until: DateTime<Utc>,
        progress: &impl Fn(u64, u64),
    ) -> Result<(), StoreError> {
        loop {
            let next = history.next(self.at).await?;
            let due = self.app.store.next_judgement().await?;
            let due = due.filter(|due| self.at.is_none_or(|at| *due > at));
            // Whichever of the two is first decides when there is next something to do.
            let Some(first) = next.into_iter().chain(due).min() else { return Ok(()) };
            let pass_at = end_of_step(first);
            if next.is_none() && pass_at > until {
                return Ok(());
            }
            self.events += history.take(self.at, pass_at).await?;
            pipeline::evaluate(self.app, pass_at, |_| ()).await?;
            self.at = Some(pass_at);
            progress(self.events, self.all);
        }
    }
}

/// The first end of a step after a moment.
fn end_of_step(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(STEP).unwrap_or(at) + STEP
}
