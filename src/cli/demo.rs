//! `signinel demo`: the whole path at work on a simulated fortnight, without an account and without a
//! network beyond this machine.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::{TimeDelta, Timelike};
use clap::Args as ClapArgs;

use super::screen::{Screen, mention};
use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::model::Incident;
use crate::simulate::{Label, Scenarios, Settings, Simulation, TENANT_ID};
use crate::standin::graph::{Faults, GraphStandin, Options, Running, Shown};
use crate::standin::mailbox::{Mail, Mailbox};
use crate::standin::receiver::Receiver;
use crate::store::Store;
use crate::view::{self, IncidentRow};

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  signinel demo
  signinel demo --identities 200 --seed 7 --dir /tmp/demo")]
pub(super) struct Args {
    /// Where the database and the configuration are left
    #[arg(long, default_value = "demo", value_name = "DIR")]
    dir: PathBuf,
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    identities: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Any base64 will do where nobody listens but we.
const SECRET: &str = "whsec_c2lnbmluZWwtZGVtb25zdHJhdGlvbi1zZWNyZXQ=";

const DAYS: u32 = 14;

/// A recovery is told after it has held; the demonstration does not wait for that.
const CONFIG: &str = r#"# Written by `signinel demo`.
[[source]]
kind = "graph"
name = "harbourline"
tenant_id = "TENANT"
endpoint = "ENDPOINT"
sign_in_types = ["managedIdentity", "servicePrincipal", "nonInteractiveUser"]
backfill = "14d"
window = "3d"
requests_per_10s = 1000
retry_wait = "100ms"
credential = { kind = "managed_identity" }

[[channel]]
kind = "email"
name = "on-call"
from = "signinel@harbourline.example"
to = ["on-call@harbourline.example"]
host = "MAIL_HOST"
port = MAIL_PORT
security = "none"

[[channel]]
kind = "webhook"
name = "automation"
url = "RECEIVER"
secret = "SECRET"

[notify]
hold_resolved_for = "0s"
host = "harbourline.example"
"#;

/// What stands in for the world outside.
struct World {
    graph: Running,
    mailbox: Mailbox,
    receiver: Receiver,
    labels: Vec<Label>,
    records: usize,
}

pub(super) async fn run(args: &Args, screen: &mut Screen) -> anyhow::Result<()> {
    let begun = Instant::now();
    prepare(&args.dir)?;
    mention(&format!(
        "Making up a fortnight of {} workload identities at Harbourline Freight …",
        args.identities
    ));
    let world = world(args).await?;
    let config = args.dir.join("signinel.toml");
    let text = CONFIG
        .replace("TENANT", TENANT_ID)
        .replace("ENDPOINT", world.graph.endpoint())
        .replace("MAIL_HOST", &world.mailbox.address().ip().to_string())
        .replace("MAIL_PORT", &world.mailbox.address().port().to_string())
        .replace("RECEIVER", &world.receiver.url())
        .replace("SECRET", SECRET);
    std::fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
    let db = format!("sqlite://{}", args.dir.join("signinel.db").display());
    mention(&format!(
        "{} sign-ins wait behind a Graph on loopback; `signinel run --once` reads, detects, groups and tells …",
        world.records
    ));
    poll(&world, &config, &db).await?;
    let store = Store::open(&db).await?;
    let told = story(&store, &world, args, begun.elapsed(), screen).await;
    store.close().await;
    told
}

/// A folder of its own, without what an earlier demonstration left.
fn prepare(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir)
        .with_context(|| format!("cannot make the folder {}", dir.display()))?;
    for name in ["signinel.db", "signinel.db-wal", "signinel.db-shm", "signinel.toml"] {
        match std::fs::remove_file(dir.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("cannot replace {}", dir.join(name).display()));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn world(args: &Args) -> anyhow::Result<World> {
    let now = SystemClock.now();
    let end = now.with_second(0).and_then(|at| at.with_nanosecond(0)).unwrap_or(now);
    let simulation = Simulation::new(&Settings {
        days: DAYS,
        identities: args.identities,
        seed: args.seed,
        end,
        scenarios: Scenarios::All,
        intensity: 1.0,
    });
    // Graph gives what is older than its backfill to nobody, and what arrives late when it has arrived.
    let shown: Vec<Shown> = simulation
        .records()
        .filter(|record| record.created_at > now - TimeDelta::days(i64::from(DAYS)))
        .map(|record| Shown::from(record.json).late(record.arrived_at))
        .collect();
    let records = shown.len();
    let options = Options {
        clock: Arc::new(SystemClock),
        seed: args.seed,
        faults: Faults::each(0.01),
        ..Options::default()
    };
    Ok(World {
        graph: GraphStandin::start(shown, options)?,
        mailbox: Mailbox::start().context("no mailbox can be started on loopback")?,
        receiver: Receiver::start().await.context("no receiver can be started on loopback")?,
        labels: simulation.labels(),
        records,
    })
}

/// Runs this program as anybody would, with the managed identity of the stand-in.
async fn poll(world: &World, config: &Path, db: &str) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("this program cannot find itself")?;
    let mut command = tokio::process::Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SIGNINEL_") {
            command.env_remove(name);
        }
    }
    let status = command
        .args(["run", "--once", "--config"])
        .arg(config)
        .args(["--db", db])
        .env("IDENTITY_ENDPOINT", world.graph.identity_endpoint())
        .env("IDENTITY_HEADER", world.graph.identity_header())
        .env("SIGNINEL_LOG", "error")
        .stdin(Stdio::null())
        .status()
        .await
        .context("this program cannot be run again")?;
    anyhow::ensure!(status.success(), "`signinel run --once` failed; what it said stands above");
    Ok(())
}

async fn story(
    store: &Store,
    world: &World,
    args: &Args,
    took: Duration,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let style = screen.style;
    let incidents = store.incidents().await?;
    let rows: Vec<IncidentRow> = incidents.iter().map(IncidentRow::from).collect();
    screen.text(&heading("What it found"))?;
    screen.text(&view::table(&rows, &style))?;
    let chosen =
        incidents.iter().find(|incident| is_the_story(incident)).or_else(|| incidents.first());
    if let Some(incident) = chosen {
        let rulebook = app::read_rules(None)?;
        let catalogue = app::read_catalogue(None)?;
        let timeline = view::timeline(store, &rulebook, &catalogue, incident).await?;
        screen.text(&heading(&format!("The story of incident {}", incident.id)))?;
        screen.text(&view::text::timeline(&timeline, &style))?;
        if let Some(mail) = mail_of(&world.mailbox.mails(), incident) {
            screen.text(&heading("The mail that the person on call got first"))?;
            screen.text(&mail)?;
        }
    }
    screen.text(&heading("In numbers"))?;
    screen.text(&numbers(store, world, &incidents, took).await?)?;
    screen.text(&heading("Go on from here"))?;
    screen.text(&next(&args.dir, chosen))
}

/// An identity that was deleted and made again, and works again.
fn is_the_story(incident: &Incident) -> bool {
    incident.error_codes.first() == Some(&700_016)
        && incident.resolved_at.is_some()
        && incident.identities.len() == 1
}

fn heading(text: &str) -> String {
    format!("\n── {text} {}\n", "─".repeat(76_usize.saturating_sub(text.chars().count())))
}

/// The plain text of the first mail about an incident, with what a mail program shows above it.
fn mail_of(mails: &[Mail], incident: &Incident) -> Option<String> {
    let wanted = incident.id.to_string();
    let mail = mails
        .iter()
        .find(|mail| mail.header("X-Signinel-Incident-Id").as_deref() == Some(&wanted))?;
    let from = mail.header("From").unwrap_or_default();
    let to = mail.header("To").unwrap_or_default();
    let subject = mail.header("Subject").unwrap_or_default();
    Some(format!("From: {from}\nTo: {to}\nSubject: {subject}\n\n{}", mail.plain_text()?))
}

async fn numbers(
    store: &Store,
    world: &World,
    incidents: &[Incident],
    took: Duration,
) -> anyhow::Result<String> {
    let labels = world.labels.as_slice();
    let is_told = |label: &&Label| incidents.iter().any(|incident| label.is_told_by(incident));
    let of_rules: Vec<&Label> = labels.iter().filter(|label| !label.rules.is_empty()).collect();
    let found = of_rules.iter().filter(|label| is_told(label)).count();
    let mut text = format!(
        "{} sign-ins in {:.1} s: {} findings, {} incidents, {} mails and {} signed webhooks.\n\
         {} of {} scenarios that the rules look for were found.\n\
         Graph answered {} requests and refused or spoilt {} of them.\n",
        store.last_seq().await?,
        took.as_secs_f64(),
        store.count_findings().await?,
        incidents.len(),
        world.mailbox.mails().len(),
        world.receiver.received().len(),
        found,
        of_rules.len(),
        world.graph.requests(),
        world.graph.mishaps(),
    );
    for label in of_rules.iter().filter(|label| !is_told(label)) {
        writeln!(
            text,
            "Not found: {} ({})",
            label.family,
            label.identities.first().map_or("", |identity| &identity.name)
        )?;
    }
    Ok(text)
}

fn next(dir: &Path, incident: Option<&Incident>) -> String {
    let db = format!("--db sqlite://{}", dir.join("signinel.db").display());
    let id = incident.map_or_else(|| "1".to_owned(), |incident| incident.id.to_string());
    format!(
        "signinel incidents list {db} --state open\n\
         signinel incidents show {id} {db}\n\
         signinel timeline {id} {db} --format html > incident.html\n\
         signinel deliveries list {db}\n\
         signinel rules list\n\
         signinel doctor --offline {db} --config {}\n",
        dir.join("signinel.toml").display()
    )
}
