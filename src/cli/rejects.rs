//! `signinel rejects`: records that could not be read.

use std::collections::BTreeMap;

use anyhow::Context;
use clap::Subcommand;
use serde::Serialize;

use super::screen::{Screen, mention};
use super::settings::Global;
use crate::ingest::retry::{Retried, retry as read_again};
use crate::pipeline;
use crate::store::rejects::RejectOverview;
use crate::view::clean;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Where each was, and what is wrong with it
    List {
        /// As many at most
        #[arg(long, default_value_t = 1000)]
        limit: u32,
    },
    /// Where it was, what is wrong with it, and the record itself, its first 64 KiB
    Show {
        /// The rejected record's number
        id: i64,
    },
    /// Read them again, after an update or a change of the configuration
    #[command(after_help = "Examples:\n  signinel rejects retry\n  signinel rejects retry 12")]
    Retry {
        /// The rejected record's number; without it, all of them
        id: Option<i64>,
    },
}

pub(super) async fn run(
    global: &Global,
    command: Command,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let store = global.store().await?;
    match command {
        Command::Retry { id } => {
            store.close().await;
            return retry(global, id, screen).await;
        }
        Command::List { limit } => {
            screen.rows(&store.reject_overviews(limit).await?, global.is_json())?;
        }
        Command::Show { id } => {
            let found = store.reject_overview(id).await?.zip(store.rejected_record(id).await?);
            let (overview, record) = found.with_context(|| {
                format!("there is no rejected record {id}; `signinel rejects list` shows those there are")
            })?;
            if global.is_json() {
                let record = String::from_utf8_lossy(&record).into_owned();
                screen.json(&Kept { overview, record })?;
            } else {
                mention(&described(&overview));
                screen.bytes(&record)?;
            }
        }
    }
    store.close().await;
    Ok(())
}

/// What `show --format json` prints.
#[derive(Serialize)]
struct Kept {
    #[serde(flatten)]
    overview: RejectOverview,
    record: String,
}

fn described(reject: &RejectOverview) -> String {
    let RejectOverview { origin, place, reason, .. } = reject;
    format!("{}, line or record {place}: {}", clean(origin), clean(reason))
}

/// Reads them again, and walks what came of it along the path.
async fn retry(global: &Global, id: Option<i64>, screen: &mut Screen) -> anyhow::Result<()> {
    let app = global.app().await?;
    let now = app.clock.now();
    if let Some(id) = id
        && app.store.rejected_record(id).await?.is_none()
    {
        anyhow::bail!(
            "there is no rejected record {id}; `signinel rejects list` shows those there are"
        );
    }
    let tenant_ids: BTreeMap<String, String> = app
        .sources
        .iter()
        .map(|source| (source.name().to_owned(), source.tenant_id().to_owned()))
        .collect();
    let retried = read_again(&app.store, id, &tenant_ids, now).await?;
    pipeline::evaluate(&app, now, |_| ()).await?;
    app.store.close().await;
    if global.is_json() {
        return screen.json(&retried);
    }
    let Retried { stored, duplicates, other, rejected } = retried;
    screen.text(&format!(
        "{stored} stored, {duplicates} known already, {other} of other logs, {rejected} still set aside\n"
    ))
}
