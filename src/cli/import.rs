//! `signinel import`: exported files through the whole path.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args as ClapArgs;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::run::stop_on_signal;
use super::screen::{self, Screen, mention};
use super::settings::{Global, Wrong};
use crate::app::App;
use crate::ingest::import::{Import, Imported, Progress};
use crate::ingest::poll::HeadRead;
use crate::pipeline;
use crate::sources::folder::Folder;
use crate::store::Tally;

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  signinel import sign-ins.json                   a page or an array of Graph, or one object per line
  signinel import insights-logs/ --no-notify      every file of a folder, telling nobody
  az monitor log-analytics query … | signinel import -
  signinel import --follow /mnt/logs              keep reading what is appended, until Ctrl-C

Forms are recognised: Graph JSON, diagnostic-settings records, Log Analytics JSON and CSV, portal
exports; each also as gzip. Records are found inside what queries, queues and log shippers put around them. Those
that cannot be read are set aside: `signinel rejects list`. Text before a record on its line is passed over.

A time without a zone is UTC, unless the head of its column says another (`[UTC+02:00]`). Where `04/02/2026` could be
both, the month comes first, as in Azure's own exports; before dots (`04.02.2026`) stands the day.

With --follow, files of records, one a line, are read as they grow wherever they lie in the folder, such as a copy of
the hourly blobs that diagnostic settings write. What was read is remembered with its records, so that it goes on where
it stopped; a file that is written anew is read from its beginning. Lists, pages, CSV and gzip are read whole, once two
looks saw no change. Files called other than .json, .ndjson, .jsonl, .csv, .log or .txt (and .gz) are named and left out.")]
pub(super) struct Args {
    /// Files and folders; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Plan no deliveries: incidents found so far are never told
    #[arg(long)]
    no_notify: bool,
    /// Whose logs these are where the records do not say, as Graph's do not; by default the tenant of
    /// the sources, where they have but one
    #[arg(long, value_name = "TENANT_ID")]
    tenant: Option<String>,
    /// Keep reading a folder of files to which records are appended, until it is stopped
    #[arg(long)]
    follow: bool,
    /// With --follow: how often the folder is looked at
    #[arg(long, value_name = "SPAN", default_value = "5s", requires = "follow", value_parser = humantime::parse_duration)]
    every: Duration,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Summary {
    read: u64,
    stored: u64,
    duplicates: u64,
    rejected: u64,
    other: u64,
    findings: u64,
    incidents: u64,
}

pub(super) async fn run(global: &Global, args: Args, screen: &mut Screen) -> anyhow::Result<()> {
    let app = global.app().await?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    if args.follow {
        return follow(app, &args, &stop).await;
    }
    let (bar, no_notify) = (screen::spinner(), args.no_notify);
    let on_batch = |Progress { tally, .. }: &Progress| {
        bar.set_message(format!("{} records read, {} new", tally.read, tally.stored));
    };
    let imported = pipeline::import(
        &app,
        args.files,
        Import {
            store: &app.store,
            tenant_id: args.tenant.unwrap_or_else(|| only_tenant(&app)),
            now: app.clock.now(),
            stop: &stop,
            on_batch: &on_batch,
        },
    )
    .await?;
    evaluate(&app, no_notify, &bar).await?;
    bar.finish_and_clear();
    answer(global, &app, &imported, screen).await?;
    app.store.close().await;
    if imported.is_stopped {
        anyhow::bail!(
            "stopped before the end; what was read is kept, and importing the same files again goes on"
        );
    }
    if imported.unreadable.is_empty() {
        return Ok(());
    }
    anyhow::bail!("{}", imported.unreadable.join("\n"))
}

/// Reads what is appended to the files of a folder, and evaluates it, until it is stopped.
async fn follow(app: App, args: &Args, stop: &CancellationToken) -> anyhow::Result<()> {
    let [root] = args.files.as_slice() else {
        return Err(Wrong("`--follow` follows one folder; name one".to_owned()).into());
    };
    let tenant_id = args.tenant.clone().unwrap_or_else(|| only_tenant(&app));
    let folder = Folder::new(root, tenant_id, args.every.max(Duration::from_millis(100)));
    let folder = folder.map_err(|error| {
        Wrong(format!("`{}` cannot be followed: {error}; name a folder", root.display()))
    })?;
    mention(&format!("Following {}, until Ctrl-C", root.display()));
    let (bar, mut total) = (screen::spinner(), Tally::default());
    loop {
        let on_page = |_: &str, _: &str, _: DateTime<Utc>, _: DateTime<Utc>| ();
        let polled = pipeline::poll(&app, &folder, true, stop, &on_page).await?;
        total += polled.tally;
        for (_, read) in &polled.heads {
            if let HeadRead::Failed { sentence, .. } = read {
                mention(sentence);
            }
        }
        evaluate(&app, args.no_notify, &bar).await?;
        bar.set_message(format!("{} records read, {} new", total.read, total.stored));
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(args.every) => {}
        }
    }
    bar.finish_and_clear();
    mention(&format!(
        "{} records read, {} new, {} set aside",
        total.read, total.stored, total.rejected
    ));
    app.store.close().await;
    Ok(())
}

/// The tenant that every source is of.
fn only_tenant(app: &App) -> String {
    let tenants: BTreeSet<&str> = app.sources.iter().map(|source| source.tenant_id()).collect();
    match (tenants.len(), tenants.first()) {
        (1, Some(only)) => (*only).to_owned(),
        _ => String::new(),
    }
}

async fn evaluate(app: &App, no_notify: bool, bar: &indicatif::ProgressBar) -> anyhow::Result<()> {
    let now = app.clock.now();
    let progress = |events| bar.set_message(format!("{events} events evaluated"));
    if no_notify {
        pipeline::evaluate_untold(app, now, progress).await?;
        return Ok(());
    }
    pipeline::evaluate(app, now, progress).await?;
    bar.set_message("telling");
    app.outbox.deliver(&app.store, now).await?;
    Ok(())
}

async fn answer(
    global: &Global,
    app: &App,
    imported: &Imported,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let Tally { read, stored, duplicates, rejected, other } = imported.tally;
    let findings = app.store.count_findings().await?;
    let incidents = app.store.incidents().await?.len() as u64;
    if global.is_json() {
        return screen.json(&Summary {
            read,
            stored,
            duplicates,
            rejected,
            other,
            findings,
            incidents,
        });
    }
    let mut text = format!(
        "{read} records read from {}: {stored} stored, {duplicates} known already, {rejected} set aside, {other} of other logs\n",
        counted(imported.files, "file"),
    );
    for (log, count) in &imported.others {
        writeln!(text, "  other      {count} {log}")?;
    }
    for reject in &imported.rejected {
        writeln!(text, "  set aside  {}", crate::view::clean(reject))?;
    }
    if rejected > imported.rejected.len() as u64 {
        text.push_str("  and more: `signinel rejects list` shows them all\n");
    }
    if read == 0 && imported.files > 0 {
        text.push_str(
            "  nothing was in it: look whether the export has ended, and is of the right time\n",
        );
    }
    writeln!(text, "{}, {}", counted(findings, "finding"), counted(incidents, "incident"))?;
    if incidents > 0 {
        text.push_str("\nNext: signinel incidents list\n");
    }
    screen.text(&text)
}

fn counted(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
