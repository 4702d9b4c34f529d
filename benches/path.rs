//! How fast the path is, beside the floor and beside DuckDB, in one run on one machine.
//!
//! `cargo bench` prints the table of `BENCHMARKS.md`. `SIGNINEL_BENCH_IDENTITIES` sets the size (400 identities
//! are about 200,000 records), `SIGNINEL_BENCH_PYTHON` names a Python with `duckdb`. `cargo bench --bench path -- detect`
//! measures detection alone, to look at it with a profiler.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use signinel::app::{App, Settings};
use signinel::clock::FixedClock;
use signinel::config::Config;
use signinel::ingest::import::{Import, import};
use signinel::ingest::{Provenance, fetched};
use signinel::pipeline;
use signinel::simulate::{self, Scenarios, Simulation};
use signinel::sources::files::{More, RecordBatch, Records, cut_page};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tokio_util::sync::CancellationToken;

/// Each measurement is made so often; the fastest counts, for everything that disturbs only slows.
const TURNS: usize = 3;

struct Bench {
    folder: tempfile::TempDir,
    file: PathBuf,
    records: u64,
    identities: u32,
}

fn main() {
    // `cargo test --benches` only wants to know that it builds and starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let bench = bench();
    let is_asked = |what: &str| std::env::args().any(|argument| argument == what);
    if is_asked("detect") {
        runtime.block_on(measure_detection(&bench));
    } else if is_asked("live") {
        runtime.block_on(measure_live(&bench));
    } else {
        runtime.block_on(measure(&bench));
    }
}

fn end() -> DateTime<Utc> {
    "2026-11-23T08:00:00Z".parse().unwrap()
}

/// One file of simulated records, in the order of time.
fn bench() -> Bench {
    let identities =
        std::env::var("SIGNINEL_BENCH_IDENTITIES").map_or(400, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sign-ins.ndjson");
    let simulation = Simulation::new(&simulate::Settings {
        days: 14,
        identities,
        seed: 1,
        end: end(),
        scenarios: Scenarios::All,
        intensity: 1.0,
    });
    let mut out = std::io::BufWriter::new(File::create(&file).unwrap());
    let (mut records, begun) = (0_u64, Instant::now());
    for record in simulation.records() {
        out.write_all(record.json.as_bytes()).unwrap();
        out.write_all(b"\n").unwrap();
        records += 1;
    }
    drop(out);
    let bytes = fs::metadata(&file).unwrap().len();
    println!(
        "{records} records of {} bytes, made in {:.1} s\n",
        bytes / records,
        begun.elapsed().as_secs_f64()
    );
    Bench { folder, file, records, identities }
}

async fn measure(bench: &Bench) {
    println!("| what | seconds | records/s | of the floor |");
    println!("|---|---|---|---|");
    let floor = fastest(async |turn| floor(bench, turn).await).await;
    bench.row("floor: fastest parse and bare insert", floor, floor);
    let read = fastest(async |_| read_only(&bench.file)).await;
    bench.row("reading alone: cut, parse, normalise", read, floor);
    let stored = fastest(async |turn| import_only(bench, turn).await).await;
    bench.row("import without rules", stored, floor);
    let whole = fastest(async |turn| import_whole(bench, turn).await).await;
    bench.row("import with the default rules", whole, floor);
    let detected = fastest(async |turn| detect_only(bench, turn).await.0).await;
    bench.row("detection alone", detected, floor);
    match duckdb(bench) {
        Some(duckdb) => {
            bench.row("DuckDB read_ndjson into a table", duckdb, floor);
            println!(
                "\nImport with rules takes {:.2} times as long as DuckDB's load.",
                ratio(whole, duckdb)
            );
        }
        None => {
            println!("\nDuckDB is not there: set SIGNINEL_BENCH_PYTHON to a Python that has it.");
        }
    }
    tell_live(bench).await;
}

/// What a live page takes, alone.
async fn measure_live(bench: &Bench) {
    import_whole(bench, 0).await;
    tell_live(bench).await;
}

async fn tell_live(bench: &Bench) {
    let Live { pages, size } = live(bench).await;
    let median = |part: fn(&Page) -> Duration| {
        let mut took: Vec<Duration> = pages.iter().map(part).collect();
        took.sort_unstable();
        took[took.len() / 2].as_secs_f64() * 1e3
    };
    let worst = pages.iter().map(Page::whole).max().unwrap_or_default();
    println!(
        "\nA live page of 1,000 behind {} events: committed, evaluated and planned in {:.1} ms (median; committed \
         {:.1}, detected {:.1}, grouped and planned {:.1}), {:.1} ms (worst of {}).",
        bench.records,
        median(Page::whole),
        median(|page| page.committed),
        median(|page| page.detected),
        median(|page| page.planned),
        worst.as_secs_f64() * 1e3,
        pages.len()
    );
    println!("On disk: {} bytes an event.", size / bench.records);
}

/// What detection alone takes, and what both cores together spend on it.
async fn measure_detection(bench: &Bench) {
    // More than of the others, for a median.
    const MORE_TURNS: usize = 9;
    const FIRST: usize = 100;
    import_only(bench, FIRST).await;
    let stored = fs::read(bench.db("stored", FIRST)).unwrap();
    let mut turns = Vec::new();
    for turn in 0..MORE_TURNS {
        fs::write(bench.db("stored", turn), &stored).unwrap();
        turns.push(detect_only(bench, turn).await);
        fs::remove_file(bench.db("stored", turn)).unwrap();
    }
    turns.sort_unstable();
    let fastest = turns[0].0;
    bench.row("detection alone, fastest", fastest, fastest);
    bench.row("detection alone, median", turns[MORE_TURNS / 2].0, fastest);
    let spent: Option<Duration> = turns.iter().map(|(_, spent)| *spent).sum();
    if let Some(spent) = spent {
        bench.row(
            "its time on all cores, mean",
            spent / u32::try_from(MORE_TURNS).unwrap(),
            fastest,
        );
    }
}

/// What this process has spent of all cores, where the system tells: the 14th and 15th field of `/proc/self/stat`, in
/// hundredths of a second.
fn processor_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let fields = fields.split_whitespace().skip(11).take(2);
    let ticks: Option<u64> = fields.map(|field| field.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(10 * ticks?))
}

impl Bench {
    fn row(&self, what: &str, took: Duration, floor: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = self.records as f64 / took.as_secs_f64();
        println!("| {what} | {:.2} | {rate:.0} | {:.2} |", took.as_secs_f64(), ratio(took, floor));
    }

    fn db(&self, name: &str, turn: usize) -> PathBuf {
        self.folder.path().join(format!("{name}-{turn}.db"))
    }
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

async fn fastest(mut once: impl AsyncFnMut(usize) -> Duration) -> Duration {
    let mut least = Duration::MAX;
    for turn in 0..TURNS {
        least = least.min(once(turn).await);
    }
    least
}

/// The nine values that a row of `events` is made of, and no more.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bare<'a> {
    id: &'a str,
    created_date_time: &'a str,
    service_principal_id: &'a str,
    app_id: &'a str,
    resource_id: &'a str,
    ip_address: &'a str,
    status: Status,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    error_code: i64,
}

/// Parses every line with the fastest parser and inserts as many rows in one transaction: no dictionary, no
/// duplicates, no records kept, no rules.
async fn floor(bench: &Bench, turn: usize) -> Duration {
    const ROWS: usize = 500;
    let begun = Instant::now();
    let mut connection = SqliteConnectOptions::new()
        .filename(bench.db("floor", turn))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .connect()
        .await
        .unwrap();
    sqlx::raw_sql(
        "create table events (seq integer primary key, created_at integer, id blob, principal blob, app blob, \
         resource blob, address text, error_code integer) strict; begin",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let values = vec!["(?, ?, ?, ?, ?, ?, ?)"; ROWS].join(", ");
    let sql = format!(
        "insert into events (created_at, id, principal, app, resource, address, error_code) values {values}"
    );
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut input = BufReader::with_capacity(1 << 20, File::open(&bench.file).unwrap());
    loop {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line).unwrap() == 0 {
            break;
        }
        lines.push(line);
        if lines.len() == ROWS {
            let mut query = sqlx::query(AssertSqlSafe(sql.as_str()));
            for line in &lines {
                let bare: Bare<'_> = sonic_rs::from_slice(line).unwrap();
                let at = DateTime::parse_from_rfc3339(bare.created_date_time)
                    .unwrap()
                    .timestamp_micros();
                query = query.bind(at);
                for id in [bare.id, bare.service_principal_id, bare.app_id, bare.resource_id] {
                    query = query
                        .bind(uuid::Uuid::try_parse(id).unwrap_or_default().into_bytes().to_vec());
                }
                query = query.bind(bare.ip_address.to_owned()).bind(bare.status.error_code);
            }
            query.execute(&mut connection).await.unwrap();
            lines.clear();
        }
    }
    sqlx::raw_sql("commit").execute(&mut connection).await.unwrap();
    begun.elapsed()
}

fn read_only(file: &Path) -> Duration {
    let begun = Instant::now();
    let mut records = Records::open(File::open(file).unwrap()).unwrap();
    loop {
        let mut batch = RecordBatch::default();
        let more = records.fill(&mut batch).unwrap();
        assert!(fetched(batch, &Provenance::of("bench", "")).rejects.is_empty());
        if more == More::No {
            return begun.elapsed();
        }
    }
}

async fn app(db: &Path) -> App {
    let settings = Settings {
        db: format!("sqlite://{}", db.display()),
        rules: None,
        config: Config::default(),
    };
    App::build(settings, Arc::new(FixedClock::at(end()))).await.unwrap()
}

fn with<'a>(app: &'a App, stop: &'a CancellationToken) -> Import<'a> {
    Import { store: &app.store, tenant_id: String::new(), now: end(), stop, on_batch: &|_| () }
}

async fn import_only(bench: &Bench, turn: usize) -> Duration {
    let app = app(&bench.db("stored", turn)).await;
    let (files, stop) = (vec![bench.file.clone()], CancellationToken::new());
    let begun = Instant::now();
    let imported = import(files, with(&app, &stop)).await.unwrap();
    assert_eq!(imported.tally.stored, imported.tally.read);
    let took = begun.elapsed();
    // So that the file holds all of it.
    app.store.close().await;
    took
}

async fn import_whole(bench: &Bench, turn: usize) -> Duration {
    let app = app(&bench.db("whole", turn)).await;
    let (files, stop) = (vec![bench.file.clone()], CancellationToken::new());
    let begun = Instant::now();
    pipeline::import(&app, files, with(&app, &stop)).await.unwrap();
    pipeline::evaluate(&app, end(), |_| ()).await.unwrap();
    let took = begun.elapsed();
    // So that the file holds what is measured of it later.
    app.store.close().await;
    took
}

/// The database of `import_only`, which no rule has seen: read back, matched, folded, and committed.
async fn detect_only(bench: &Bench, turn: usize) -> (Duration, Option<Duration>) {
    let app = app(&bench.db("stored", turn)).await;
    let (begun, spent) = (Instant::now(), processor_time());
    app.detector.lock().await.run(&app.store, end(), |_| ()).await.unwrap();
    let (took, now_spent) = (begun.elapsed(), processor_time());
    app.store.close().await;
    (took, now_spent.zip(spent).map(|(now, before)| now.saturating_sub(before)))
}

/// What the stages of one page took.
struct Page {
    committed: Duration,
    detected: Duration,
    planned: Duration,
}

impl Page {
    fn whole(&self) -> Duration {
        self.committed + self.detected + self.planned
    }
}

struct Live {
    pages: Vec<Page>,
    /// Bytes of the database before them.
    size: u64,
}

/// Pages of 1,000 new records behind all others.
async fn live(bench: &Bench) -> Live {
    let db = bench.db("whole", 0);
    let app = app(&db).await;
    let size = fs::metadata(&db).unwrap().len();
    let mut pages = Vec::new();
    for page in 0..30 {
        let body = next_page(bench, page);
        let begun = Instant::now();
        let records = fetched(cut_page(body), &Provenance::of("live", ""));
        app.store.add(("live", "graph"), records, None, end()).await.unwrap();
        let committed = begun.elapsed();
        let mut detected = committed;
        pipeline::evaluate(&app, end(), |_| detected = begun.elapsed()).await.unwrap();
        pages.push(Page {
            committed,
            detected: detected.saturating_sub(committed),
            planned: begun.elapsed().saturating_sub(detected),
        });
    }
    Live { pages, size }
}

/// A page of Graph: records of a stretch after the file's end.
fn next_page(bench: &Bench, page: i64) -> Vec<u8> {
    let later = end() + chrono::TimeDelta::days(1);
    let simulation = Simulation::new(&simulate::Settings {
        days: 15,
        identities: bench.identities,
        seed: 1,
        end: later,
        scenarios: Scenarios::None,
        intensity: 1.0,
    });
    let from = end() + chrono::TimeDelta::minutes(page * 40);
    let records: Vec<String> =
        simulation.records_between(from, later).take(1_000).map(|record| record.json).collect();
    format!(r#"{{"@odata.context":"x","value":[{}]}}"#, records.join(",")).into_bytes()
}

fn duckdb(bench: &Bench) -> Option<Duration> {
    let python = std::env::var("SIGNINEL_BENCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    // Types are given: guessed ones fail where an id that was always a GUID is empty once.
    let script = "import duckdb, json, sys, time\n\
        first = json.loads(open(sys.argv[1]).readline())\n\
        kind = lambda v: 'JSON' if isinstance(v, (dict, list)) else 'BOOLEAN' if isinstance(v, bool) else \
        'BIGINT' if isinstance(v, int) else 'VARCHAR'\n\
        columns = {name: kind(value) for name, value in first.items()}\n\
        best = 1e9\n\
        for turn in range(3):\n\
        \x20   connection = duckdb.connect(sys.argv[2] + str(turn))\n\
        \x20   begun = time.time()\n\
        \x20   connection.execute(f\"create table t as select * from read_ndjson('{sys.argv[1]}', columns={columns})\")\n\
        \x20   connection.execute('checkpoint')\n\
        \x20   best = min(best, time.time() - begun)\n\
        print(best)";
    let output = Command::new(python)
        .args(["-c", script])
        .arg(&bench.file)
        .arg(bench.folder.path().join("duck"))
        .stderr(std::process::Stdio::inherit())
        .output()
        .ok()?;
    let seconds: f64 = String::from_utf8(output.stdout).ok()?.trim().parse().ok()?;
    Some(Duration::from_secs_f64(seconds))
}
