//! The only file that knows the order of the stages.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::app::{App, LOOK_EVERY, Ruleset, Watch};
use crate::detect::Found;
use crate::incidents::{self, Grouped};
use crate::ingest;
use crate::ingest::import::{Import, Imported, Progress};
use crate::ingest::poll::{HeadRead, OnPage, Poll, Polled};
use crate::notify::{Delivered, Planned};
use crate::sources::Source;
use crate::store::{StoreError, Tally};

/// The longest sleep of a loop of [`run`]: what is due by the time alone (a recovery that has held) is
/// seen no later than this.
const TICK: Duration = Duration::from_secs(15);

/// A wait as long as this is said, so that nobody takes it for a hang.
const SAID_FROM: Duration = Duration::from_secs(5);

/// Events of an import that are evaluated together while it goes on.
const BESIDE: u64 = 40_000;

/// Reads of a source that fail in a row before [`catch_up`] gives it up.
const GIVE_UP_AFTER: u32 = 3;

/// What became of the events that no stage had seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evaluated {
    pub found: Found,
    pub grouped: Grouped,
    pub planned: Planned,
}

/// Detects, groups and plans what is to be told, over all that was stored. `progress` is told the
/// events evaluated so far.
pub async fn evaluate(
    app: &App,
    now: DateTime<Utc>,
    progress: impl FnMut(u64),
) -> Result<Evaluated, StoreError> {
    let rules = app.rules();
    let (found, grouped) = find(app, &rules, now, progress).await?;
    let planned = app.outbox.plan(&app.store, &rules.rulebook, &rules.catalogue, now).await?;
    Ok(Evaluated { found, grouped, planned })
}

/// Detects and groups, and lets later walks tell of what there is now only when it grows worse.
pub async fn evaluate_untold(
    app: &App,
    now: DateTime<Utc>,
    progress: impl FnMut(u64),
) -> Result<Evaluated, StoreError> {
    let (found, grouped) = find(app, &app.rules(), now, progress).await?;
    app.outbox.plan_nothing(&app.store, now).await?;
    Ok(Evaluated { found, grouped, planned: Planned::default() })
}

async fn find(
    app: &App,
    rules: &Ruleset,
    now: DateTime<Utc>,
    progress: impl FnMut(u64),
) -> Result<(Found, Grouped), StoreError> {
    let found = app.detector.lock().await.run(&app.store, now, progress).await?;
    let mut grouped = incidents::run(&app.store, &rules.facts, &app.config.incidents, now).await?;
    grouped += incidents::watch(&app.store, now).await?;
    Ok((found, grouped))
}

/// Imports files and, as long as their records come in the order of time, detects beside the reading. What comes
/// out of order is left for [`evaluate`], which puts it into order first.
pub async fn import(
    app: &App,
    paths: Vec<PathBuf>,
    with: Import<'_>,
) -> Result<Imported, StoreError> {
    let (enough, ended) = (Notify::new(), CancellationToken::new());
    let (waiting, stored_before) = (AtomicU64::new(0), AtomicU64::new(0));
    let (now, tell) = (with.now, with.on_batch);
    let on_batch = |progress: &Progress| {
        let stored = progress.tally.stored;
        let new = stored - stored_before.swap(stored, Ordering::Relaxed);
        let waits = waiting.fetch_add(new, Ordering::Relaxed) + new;
        if waits >= BESIDE && !progress.is_out_of_order {
            enough.notify_one();
        }
        tell(progress);
    };
    let reading = async {
        let imported = ingest::import::import(paths, Import { on_batch: &on_batch, ..with }).await;
        ended.cancel();
        imported
    };
    let detecting = async {
        let mut detector = app.detector.lock().await;
        loop {
            tokio::select! {
                biased;
                () = ended.cancelled() => return Ok(()),
                () = enough.notified() => {}
            }
            let events = waiting.swap(0, Ordering::Relaxed);
            let events = i64::try_from(events).unwrap_or(i64::MAX);
            detector.run_beside(&app.store, events, now).await?;
        }
    };
    let (imported, detected): (_, Result<(), StoreError>) = tokio::join!(reading, detecting);
    detected.and(imported)
}

/// Why a walk to the end did not get there.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One sentence for each head that could not be read to its end.
    #[error("{}", .0.join("\n"))]
    Behind(Vec<String>),
}

/// Walks until every source is caught up and every delivery that is due was tried.
pub async fn catch_up(
    app: &App,
    stop: &CancellationToken,
    on_page: OnPage<'_>,
) -> Result<Delivered, CatchUpError> {
    let reads = heads(app).map(|head| read_to_end(app, head, stop, on_page));
    let mut behind = Vec::new();
    for read in futures_util::future::join_all(reads).await {
        behind.extend(read?);
    }
    let now = app.clock.now();
    evaluate(app, now, |_| ()).await?;
    let delivered = app.outbox.deliver(&app.store, now).await?;
    retain(app, now).await?;
    if behind.is_empty() { Ok(delivered) } else { Err(CatchUpError::Behind(behind)) }
}

/// Reads one head until it is caught up; gives a sentence where it is not.
async fn read_to_end(
    app: &App,
    (source, head): (&dyn Source, &str),
    stop: &CancellationToken,
    on_page: OnPage<'_>,
) -> Result<Option<String>, StoreError> {
    let mut failures = 0;
    loop {
        let polled = poll_head(app, (source, head), true, stop, on_page).await?;
        let at = match polled {
            HeadRead::CaughtUp | HeadRead::Stopped => return Ok(None),
            HeadRead::Waiting { until } => until,
            HeadRead::Failed { sentence, is_permanent, until } => {
                failures += 1;
                if is_permanent || failures == GIVE_UP_AFTER {
                    return Ok(Some(format!("{} {head}: {sentence}", source.name())));
                }
                until
            }
        };
        let wait = (at - app.clock.now()).to_std().unwrap_or_default();
        if wait >= SAID_FROM {
            tracing::info!(source = source.name(), head, until = %at, "waiting after a failure before asking again");
        }
        if !sleep(app, wait, stop).await {
            return Ok(None);
        }
    }
}

/// The heads of all sources: each is read by itself, so that one that fails holds up no other.
fn heads(app: &App) -> impl Iterator<Item = (&dyn Source, &str)> {
    app.sources
        .iter()
        .flat_map(|source| source.plan().heads.iter().map(|head| (source.as_ref(), head.as_str())))
}

/// Reads what every head of a source has, and says what of it could not be read.
pub async fn poll(
    app: &App,
    source: &dyn Source,
    is_eager: bool,
    stop: &CancellationToken,
    on_page: OnPage<'_>,
) -> Result<Polled, StoreError> {
    let (now, clock) = (app.clock.now(), &*app.clock);
    let polled =
        Poll { store: &app.store, source, now, clock, is_eager, stop, on_page }.run().await?;
    app.store.settle().await?;
    for (head, read) in &polled.heads {
        say(source, head, read);
    }
    count(source, polled.tally);
    Ok(polled)
}

/// As [`poll`], of one head.
async fn poll_head(
    app: &App,
    (source, head): (&dyn Source, &str),
    is_eager: bool,
    stop: &CancellationToken,
    on_page: OnPage<'_>,
) -> Result<HeadRead, StoreError> {
    let (now, clock) = (app.clock.now(), &*app.clock);
    let poll = Poll { store: &app.store, source, now, clock, is_eager, stop, on_page };
    let (_, tally, read) = poll.head(head).await?;
    app.store.settle().await?;
    say(source, head, &read);
    count(source, tally);
    Ok(read)
}

/// Says what could not be read.
fn say(source: &dyn Source, head: &str, read: &HeadRead) {
    if let HeadRead::Failed { sentence, is_permanent, until } = read {
        let source = source.name();
        if *is_permanent {
            tracing::error!(source, %head, again_at = %until, "{sentence}");
        } else {
            tracing::warn!(source, %head, again_at = %until, "{sentence}");
        }
    }
}

/// Says what was new.
fn count(source: &dyn Source, tally: Tally) {
    if tally.stored > 0 {
        tracing::info!(
            source = source.name(),
            stored = tally.stored,
            duplicates = tally.duplicates,
            rejected = tally.rejected,
            other = tally.other,
            "records read"
        );
    }
}

/// Polls, detects, groups and tells until it is stopped. The loops, one for each head, one for each of the
/// others, meet only in the database, so a slow head holds up no delivery and no other head, and a slow mail
/// server no source. Each finishes what it is at.
///
/// Rules that are edited meanwhile, or that `read_again` asks to be read, are taken up between two passes.
pub async fn run(
    app: &App,
    watch: &mut Watch,
    read_again: &Notify,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let (stored, planned) = (Notify::new(), Notify::new());
    let (heads, evaluating, delivering) = tokio::join!(
        read(app, &stored, stop),
        ending(evaluate_loop(app, (watch, read_again), &stored, &planned, stop), stop),
        ending(deliver_loop(app, &planned, stop), stop),
    );
    heads.and(evaluating).and(delivering)
}

/// Reads every head of every source until it is stopped, each by itself; `stored` is told of each page.
pub async fn read(app: &App, stored: &Notify, stop: &CancellationToken) -> Result<(), StoreError> {
    let loops = heads(app).map(|head| ending(head_loop(app, head, stored, stop), stop));
    let ended = futures_util::future::join_all(loops).await;
    ended.into_iter().collect()
}

/// A loop that fails stops the others.
async fn ending(
    of: impl Future<Output = Result<(), StoreError>>,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let result = of.await;
    if result.is_err() {
        stop.cancel();
    }
    result
}

async fn head_loop(
    app: &App,
    (source, head): (&dyn Source, &str),
    stored: &Notify,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let on_page = |_: &str, _: &str, _: DateTime<Utc>, _: DateTime<Utc>| stored.notify_one();
    loop {
        let read = poll_head(app, (source, head), false, stop, &on_page).await?;
        let wait = match read {
            HeadRead::Waiting { until } | HeadRead::Failed { until, .. } => {
                (until - app.clock.now()).to_std().unwrap_or_default()
            }
            HeadRead::CaughtUp | HeadRead::Stopped => source.plan().interval,
        };
        // Never a tight loop, whatever the rows say.
        if !sleep(app, wait.max(Duration::from_millis(200)), stop).await {
            return Ok(());
        }
    }
}

async fn evaluate_loop(
    app: &App,
    (watch, read_again): (&mut Watch, &Notify),
    stored: &Notify,
    planned: &Notify,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let mut retained_at = None;
    loop {
        watch.look(app).await;
        let now = app.clock.now();
        let evaluated = evaluate(app, now, |_| ()).await?;
        let Evaluated { found, grouped, planned: new } = evaluated;
        if found.new + found.changed + grouped.opened + grouped.changed > 0 {
            tracing::info!(
                findings = found.new,
                amended = found.changed,
                withdrawn = found.withdrawn,
                opened = grouped.opened,
                resolved = grouped.resolved,
                reopened = grouped.reopened,
                "evaluated"
            );
        }
        if new.deliveries > 0 {
            planned.notify_one();
        }
        if retained_at.is_none_or(|at| now - at >= chrono::TimeDelta::hours(1)) {
            retain(app, now).await?;
            retained_at = Some(now);
        }
        if !next_pass(app, (watch, read_again), stored, stop).await {
            return Ok(());
        }
    }
}

/// Waits until there may be something to evaluate; `false` when it is to stop.
async fn next_pass(
    app: &App,
    (watch, read_again): (&mut Watch, &Notify),
    stored: &Notify,
    stop: &CancellationToken,
) -> bool {
    let tick = tokio::time::sleep(TICK);
    tokio::pin!(tick);
    loop {
        tokio::select! {
            () = stop.cancelled() => return false,
            () = stored.notified() => return true,
            () = &mut tick => return true,
            () = read_again.notified() => if watch.read_again(app).await { return true },
            () = tokio::time::sleep(LOOK_EVERY) => if watch.look(app).await { return true },
        }
    }
}

async fn deliver_loop(
    app: &App,
    planned: &Notify,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    loop {
        app.outbox.deliver(&app.store, app.clock.now()).await?;
        let now = app.clock.now();
        let due = app.outbox.next_due(&app.store).await?;
        let wait = due.map_or(TICK, |due| (due - now).to_std().unwrap_or_default().min(TICK));
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = planned.notified() => {}
            () = tokio::time::sleep(wait.max(Duration::from_millis(200))) => {}
        }
    }
}

/// Deletes what is older than the configuration keeps.
async fn retain(app: &App, now: DateTime<Utc>) -> Result<(), StoreError> {
    let Some(keep) = app.config.retention.keep_events_for else { return Ok(()) };
    let before = now - chrono::TimeDelta::from_std(keep.0).unwrap_or(chrono::TimeDelta::MAX);
    let deleted = app.store.delete_events_before(before).await?;
    if deleted > 0 {
        tracing::info!(deleted, before = %before, "events past their age deleted");
    }
    Ok(())
}

/// `false` when it was stopped before the time was over.
async fn sleep(app: &App, wait: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = app.clock.sleep(wait) => true,
    }
}
