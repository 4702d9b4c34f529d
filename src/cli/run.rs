//! `signinel run`: polls until stopped, or with `--once` until everything is caught up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use clap::Args as ClapArgs;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::screen;
use super::settings::{Global, Wrong};
use crate::app::Watch;
use crate::pipeline;

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  signinel run --config signinel.toml           watch, until Ctrl-C or SIGTERM
  signinel run --rules ./my-rules               watch with your own rules
  signinel run --once                           catch up, tell what is due, end

Rules that are edited in `--rules DIR` while it runs are taken up within seconds, or at SIGHUP: rules that were not changed go
on where they are, others begin again over all that is stored. A file with a fault is named in the log, and the rule stays as
it was until the file is mended. The configuration is read once, at the start.")]
pub(super) struct Args {
    /// Walk until every source is caught up and every due delivery was tried, then end
    #[arg(long)]
    once: bool,
}

pub(super) async fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let app = global.app().await?;
    // With a channel alone it still sends what is due of what was imported.
    if app.sources.is_empty() && app.outbox.channels().next().is_none() {
        return Err(Wrong(
            "there is no source to poll and no channel to tell: add a [[source]] to the configuration, as in \
             config.example.toml; `signinel import FILE` needs none"
                .to_owned(),
        )
        .into());
    }
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    let read_again = Arc::new(Notify::new());
    read_on_signal(Arc::clone(&read_again))?;
    if args.once {
        let bar = screen::spinner();
        let began = Mutex::new(BTreeMap::new());
        let on_page = |source: &str, head: &str, read_to: DateTime<Utc>, until: DateTime<Utc>| {
            let name = format!("{source} {head}");
            let mut began = began.lock().unwrap_or_else(PoisonError::into_inner);
            let began = *began.entry(name.clone()).or_insert(read_to);
            bar.set_message(format!(
                "{name}: read to {} of {}, {} %",
                read_to.format("%Y-%m-%d %H:%M"),
                until.format("%Y-%m-%d %H:%M"),
                share(began, read_to, until)
            ));
        };
        let caught_up = pipeline::catch_up(&app, &stop, &on_page).await;
        bar.finish_and_clear();
        let delivered = caught_up?;
        tracing::info!(
            sent = delivered.sent,
            retried = delivered.retried,
            dead = delivered.dead,
            "{}",
            if stop.is_cancelled() { "stopped before it was caught up" } else { "caught up" }
        );
    } else {
        tracing::info!(
            sources = app.sources.len(),
            rules = app.rules().rulebook.rules.len(),
            db = %app.store.path().display(),
            "watching"
        );
        let mut watch = Watch::new(global.rules.clone());
        pipeline::run(&app, &mut watch, &read_again, &stop).await?;
        tracing::info!("stopped");
    }
    app.store.close().await;
    Ok(())
}

/// How much of a way is behind, in percent.
fn share(began: DateTime<Utc>, read_to: DateTime<Utc>, until: DateTime<Utc>) -> i64 {
    let whole = (until - began).num_seconds().max(1);
    ((read_to - began).num_seconds() * 100 / whole).clamp(0, 100)
}

/// SIGHUP asks to read the rules again.
fn read_on_signal(read_again: Arc<Notify>) -> anyhow::Result<()> {
    let mut asked = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
    tokio::spawn(async move {
        while asked.recv().await.is_some() {
            read_again.notify_one();
        }
    });
    Ok(())
}

/// Ctrl-C and SIGTERM ask to stop; what is under way is finished first.
pub(super) fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_a_way_is_told_in_percent() {
        let day = |day: &str| format!("2026-03-{day}T00:00:00Z").parse().unwrap();
        assert_eq!(share(day("01"), day("01"), day("05")), 0);
        assert_eq!(share(day("01"), day("04"), day("05")), 75);
        assert_eq!(share(day("01"), day("05"), day("05")), 100);
        assert_eq!(share(day("05"), day("05"), day("05")), 0);
    }
}
