//! How well the default rules find what is there and leave alone what is not, over labelled tenants.
//!
//! `cargo bench --bench quality` prints the tables of `BENCHMARKS.md`. `SIGNINEL_QUALITY_SEEDS` says how many tenants
//! are made up, `SIGNINEL_QUALITY_FIRST_SEED` the seed of the first.
#![expect(clippy::print_stdout, reason = "the tables are what it is for")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]
#![expect(clippy::cast_precision_loss, reason = "shares for people")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use signinel::app::{App, Settings};
use signinel::clock::FixedClock;
use signinel::config::Config;
use signinel::ingest::import::{Import, import};
use signinel::model::{NamedIdentity, ResolvedBy};
use signinel::pipeline;
use signinel::simulate::{self, Family, Label, Scenarios, Simulation};
use tokio_util::sync::CancellationToken;

const IDENTITIES: u32 = 80;
const WEEKS: u32 = 2;
const QUIET_WEEKS: u32 = 8;

fn main() {
    // `cargo test --benches` only wants to know that it builds and starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap())
}

async fn measure() {
    let first = number("SIGNINEL_QUALITY_FIRST_SEED", 1_001);
    let seeds = number("SIGNINEL_QUALITY_SEEDS", 20);
    let (mut ours, mut threshold) = (Score::default(), Score::default());
    for seed in first..first + seeds {
        let tenant = Tenant::new(seed, WEEKS, Scenarios::All);
        ours.add(seed, &tenant.labels, &tenant.incidents().await);
        threshold.add(seed, &tenant.labels, &tenant.crossings());
    }
    println!(
        "{seeds} tenants (seeds {first} to {}), {IDENTITIES} identities, {WEEKS} weeks each.\n",
        first + seeds - 1
    );
    ours.compare(&threshold, seeds);
    ours.families();
    ours.list_mistaken();
    quiet(first).await;
}

/// A tenant in which nothing happens.
async fn quiet(seed: u64) {
    let tenant = Tenant::new(seed, QUIET_WEEKS, Scenarios::None);
    let incidents = tenant.incidents().await;
    println!(
        "\nA tenant without scenarios, {IDENTITIES} identities, {QUIET_WEEKS} weeks: {} incidents.",
        incidents.len()
    );
    for incident in &incidents {
        println!("- {} ({}): {}", incident.started_at, incident.rules.join(", "), incident.title);
    }
}

/// The records of one made-up tenant, in a file, and what is true of them.
struct Tenant {
    folder: tempfile::TempDir,
    labels: Vec<Label>,
    end: DateTime<Utc>,
}

impl Tenant {
    fn new(seed: u64, weeks: u32, scenarios: Scenarios) -> Self {
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

    /// What Signinel makes of them, with the default rules and the usual configuration.
    async fn incidents(&self) -> Vec<Claim> {
        let app = app(&self.folder.path().join("signinel.db"), self.end).await;
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

    /// What a fixed threshold makes of them: ten failures of one identity within ten minutes, crossings within an
    /// hour of each other being one.
    fn crossings(&self) -> Vec<Claim> {
        let text = std::fs::read_to_string(self.file()).unwrap();
        let mut failures: BTreeMap<String, Vec<(DateTime<Utc>, NamedIdentity)>> = BTreeMap::new();
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            if record["status"]["errorCode"] == 0 {
                continue;
            }
            let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
            let who = NamedIdentity {
                service_principal_id: text("servicePrincipalId"),
                app_id: text("appId"),
                name: text("appDisplayName"),
            };
            let at = text("createdDateTime").parse().unwrap();
            let key = if who.service_principal_id.is_empty() {
                &who.app_id
            } else {
                &who.service_principal_id
            };
            failures.entry(key.clone()).or_default().push((at, who));
        }
        failures.values().flat_map(|all| crossings(all)).collect()
    }
}

/// Ten failures within ten minutes, and what follows within an hour of them.
fn crossings(failures: &[(DateTime<Utc>, NamedIdentity)]) -> Vec<Claim> {
    let mut found: Vec<Claim> = Vec::new();
    for window in failures.windows(10) {
        let ((from, who), (at, _)) = (&window[0], &window[9]);
        if *at - *from >= TimeDelta::minutes(10) {
            continue;
        }
        match found.last_mut() {
            Some(last) if *from - last.last_seen_at < TimeDelta::hours(1) => {
                last.last_seen_at = *at;
            }
            _ => found.push(Claim {
                title: format!("10 failures within 10 minutes: {}", who.name),
                identities: vec![who.clone()],
                rules: Vec::new(),
                started_at: *from,
                detected_at: *at,
                last_seen_at: *at,
            }),
        }
    }
    found
}

/// What somebody is woken up with.
struct Claim {
    title: String,
    identities: Vec<NamedIdentity>,
    /// Empty where there is but one.
    rules: Vec<String>,
    started_at: DateTime<Utc>,
    detected_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
}

impl Claim {
    fn is_of(&self, label: &Label) -> bool {
        label.covers(&self.identities, self.started_at, self.last_seen_at)
    }

    /// Of this scenario, and by a rule that is meant to find it.
    fn tells_of(&self, label: &Label) -> bool {
        let is_meant = |rule: &String| self.rules.contains(rule);
        self.is_of(label) && (self.rules.is_empty() || label.rules.iter().any(is_meant))
    }
}

/// What became of the scenarios of one family.
#[derive(Default)]
struct OfFamily {
    scenarios: usize,
    found: usize,
    claims: usize,
    /// Event time from the first record that tells of it to the detection.
    delays: Vec<TimeDelta>,
}

#[derive(Default)]
struct Score {
    families: BTreeMap<Family, OfFamily>,
    claims: usize,
    /// Those of no scenario, or of one that only looks like trouble.
    mistaken: Vec<String>,
}

impl Score {
    fn add(&mut self, seed: u64, labels: &[Label], claims: &[Claim]) {
        for label in labels.iter().filter(|label| !label.rules.is_empty()) {
            let family = self.families.entry(label.family).or_default();
            family.scenarios += 1;
            let detections = claims.iter().filter(|claim| claim.tells_of(label));
            if let Some(at) = detections.map(|claim| claim.detected_at).min() {
                family.found += 1;
                let is_its_own = |claim: &&Claim| {
                    claim.tells_of(label)
                        || claim.is_of(label) && !labels.iter().any(|other| claim.tells_of(other))
                };
                family.claims += claims.iter().filter(is_its_own).count();
                family.delays.push(at - label.started_at);
            }
        }
        for claim in claims {
            let of = |is_benign: bool| {
                labels.iter().find(|label| label.is_benign == is_benign && claim.is_of(label))
            };
            let is_tolerated = |label: &Label| {
                !claim.rules.is_empty()
                    && claim.rules.iter().all(|rule| label.tolerated_rules.contains(rule))
            };
            match (of(false), of(true)) {
                (Some(_), _) => self.claims += 1,
                (None, Some(label)) if is_tolerated(label) => {}
                (None, _) => {
                    self.claims += 1;
                    self.mistaken.push(format!(
                        "seed {seed}, {}, {}: {}",
                        claim.started_at.format("%F %R"),
                        claim.rules.join(" "),
                        claim.title
                    ));
                }
            }
        }
    }

    fn sum(&self, of: impl Fn(&OfFamily) -> usize) -> f64 {
        self.families.values().map(of).sum::<usize>() as f64
    }

    fn recall(&self) -> f64 {
        self.sum(|family| family.found) / self.sum(|family| family.scenarios)
    }

    fn precision(&self) -> f64 {
        1.0 - self.mistaken.len() as f64 / self.claims as f64
    }

    fn false_ones(&self, seeds: u64) -> f64 {
        self.mistaken.len() as f64 / (seeds as f64 * f64::from(IDENTITIES * WEEKS))
    }

    fn claims_each(&self) -> f64 {
        self.sum(|family| family.claims) / self.sum(|family| family.found)
    }

    fn delay(&self, is_meant: impl Fn(Family) -> bool) -> f64 {
        let families = self.families.iter().filter(|(family, _)| is_meant(**family));
        median(families.flat_map(|(_, of)| of.delays.iter().copied()).collect())
    }

    fn compare(&self, threshold: &Self, seeds: u64) {
        let is_700016 =
            |family| matches!(family, Family::RecreatedIdentity | Family::DeletedIdentity);
        println!("| | asked | Signinel | 10 failures in 10 minutes |");
        println!("|---|---|---|---|");
        let row = |what: &str, asked: &str, of: &dyn Fn(&Self) -> f64| {
            println!("| {what} | {asked} | {:.3} | {:.3} |", of(self), of(threshold));
        };
        row("recall", "at least 0.97", &Self::recall);
        row("precision", "at least 0.90", &Self::precision);
        row("false incidents per identity and week", "at most 0.02", &|score| {
            score.false_ones(seeds)
        });
        row("minutes to detect a 700016 spike, median", "under 3", &|score| score.delay(is_700016));
        row("minutes to detect anything, median", "", &|score| score.delay(|_| true));
        row("incidents for a scenario, mean", "at most 1.1", &Self::claims_each);
    }

    fn families(&self) {
        println!("\n| scenario | played | found | incidents each | minutes to detect, median |");
        println!("|---|---|---|---|---|");
        for (family, of) in &self.families {
            println!(
                "| `{family}` | {} | {} | {:.2} | {:.1} |",
                of.scenarios,
                of.found,
                of.claims as f64 / of.found.max(1) as f64,
                median(of.delays.clone())
            );
        }
    }

    fn list_mistaken(&self) {
        println!("\nIncidents that tell of no trouble: {}.", self.mistaken.len());
        for claim in self.mistaken.iter().take(30) {
            println!("- {claim}");
        }
    }
}

/// In minutes; not a number where there is none.
fn median(mut delays: Vec<TimeDelta>) -> f64 {
    delays.sort_unstable();
    delays.get(delays.len() / 2).map_or(f64::NAN, |delay| delay.num_seconds() as f64 / 60.0)
}

async fn app(db: &Path, now: DateTime<Utc>) -> App {
    let settings = Settings {
        db: format!("sqlite://{}", db.display()),
        rules: None,
        config: Config::default(),
    };
    App::build(settings, Arc::new(FixedClock::at(now))).await.unwrap()
}
