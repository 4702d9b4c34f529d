//! A made-up tenant: its records in a file, what is true of them, and what Signinel makes of them.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use signinel::app::{App, Settings};
use signinel::clock::FixedClock;
use signinel::config::Config;
use signinel::ingest::import::{Import, import};
use signinel::model::ResolvedBy;
use signinel::pipeline;
use signinel::simulate::{self, Label, Scenarios, Simulation};
use tokio_util::sync::CancellationToken;

use crate::IDENTITIES;
use crate::peers::Record;
use crate::score::Claim;

/// The records of one made-up tenant, in a file, and what is true of them.
pub(crate) struct Tenant {
    folder: tempfile::TempDir,
    pub(crate) labels: Vec<Label>,
    end: DateTime<Utc>,
}

impl Tenant {
    pub(crate) fn new(seed: u64, weeks: u32, scenarios: Scenarios) -> Self {
        let end = "2026-11-23T08:00:00Z".parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let simulation = Simulation::new(&simulate::Settings {
            days: weeks * 7,
            identities: IDENTITIES,
            seed,
            end,
            scenarios,
            intensity: 1.0,
        });
        let file = std::fs::File::create(folder.path().join("sign-ins.ndjson")).unwrap();
        let mut out = std::io::BufWriter::new(file);
        for record in simulation.records() {
            writeln!(out, "{}", record.json).unwrap();
        }
        out.flush().unwrap();
        Self { folder, labels: simulation.labels(), end }
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("sign-ins.ndjson")
    }

    /// What Signinel makes of them, with the default rules or those of a folder, and the usual configuration.
    pub(crate) async fn incidents(&self, rules: Option<&Path>) -> Vec<Claim> {
        let name = if rules.is_some() { "theirs.db" } else { "signinel.db" };
        let app = app(&self.folder.path().join(name), rules, self.end).await;
        let with = Import {
            store: &app.store,
            tenant_id: String::new(),
            now: self.end,
            stop: &CancellationToken::new(),
            on_batch: &|_| (),
        };
        import(vec![self.file()], with).await.unwrap();
        pipeline::evaluate(&app, self.end, |_| ()).await.unwrap();
        let incidents = app.store.incidents().await.unwrap();
        app.store.close().await;
        let is_void = |by| matches!(by, ResolvedBy::Merged | ResolvedBy::Withdrawn);
        incidents
            .into_iter()
            .filter(|incident| !incident.resolved_by.is_some_and(is_void))
            .map(|incident| Claim {
                title: incident.title,
                identities: incident.identities,
                rules: incident.rules,
                started_at: incident.started_at,
                detected_at: incident.detected_at,
                last_seen_at: incident.last_seen_at,
            })
            .collect()
    }

    /// The records, in the order of time.
    pub(crate) fn records(&self) -> Vec<Record> {
        let text = std::fs::read_to_string(self.file()).unwrap();
        let mut records: Vec<Record> =
            text.lines().map(|line| Record::of(&serde_json::from_str(line).unwrap())).collect();
        records.sort_by_key(|record| record.at);
        records
    }
}

async fn app(db: &Path, rules: Option<&Path>, now: DateTime<Utc>) -> App {
    let settings = Settings {
        db: format!("sqlite://{}", db.display()),
        rules: rules.map(Path::to_path_buf),
        config: Config::default(),
    };
    App::build(settings, Arc::new(FixedClock::at(now))).await.unwrap()
}
