//! What a fold costs when events are late, what it lets go where there are too many, and that a change of the clocks
//! does not mislead it.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use signinel::detect::{CodeClasses, Detector, Found, Matcher, Pace, Rulebook};
use signinel::model::{Event, EventId, Facet, Finding, Identity, Resource};

use signinel::store::{Fetched, Store};

const FAILED: &str = "title: failed\nlogsource: {product: azure}\ndetection:\n  it:\n    outcome: failure\n  \
                      condition: it\nsigninel: {category: building_block}\n";

/// A database, and a detector over it with one correlation of all failures.
struct Folds {
    folder: tempfile::TempDir,
    store: Store,
    detector: Detector,
}

impl Folds {
    async fn new(correlation: &str, ours: &str, pace: Pace) -> Self {
        let text = format!(
            "title: it\nlevel: high\ncorrelation:\n  rules: [failed]\n{correlation}\n\
             signinel: {{category: test{ours}}}\n"
        );
        let files = [("failed", FAILED.to_owned()), ("it", text)];
        let files = files.map(|(name, text)| (PathBuf::from(format!("{name}.yml")), text));
        Self::over(&Rulebook::read(&files).unwrap(), pace).await
    }

    async fn over(book: &Rulebook, pace: Pace) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).await;
        let matcher = Matcher::new(book, CodeClasses::new()).unwrap();
        Self { folder, store, detector: Detector::paced(matcher, pace) }
    }

    async fn take(&mut self, events: impl IntoIterator<Item = Event<'static>>) -> Found {
        let now = DateTime::from_timestamp(1_900_000_000, 0).unwrap();
        let mut fetched = Fetched::default();
        for event in events {
            fetched.batch.push(&event, 0..0);
        }
        self.store.add(("test", "test"), fetched, None, now).await.unwrap();
        self.detector.run(&self.store, now, |_| ()).await.unwrap()
    }

    async fn found(&self) -> Vec<Finding> {
        self.store.findings_in_force().await.unwrap()
    }
}

async fn open(folder: &Path) -> Store {
    Store::open(&format!("sqlite://{}", folder.join("folds.db").display())).await.unwrap()
}

/// A failure of an identity at a resource so many seconds after the beginning.
fn event(id: u128, second: i64, identity: u128, resource: u128) -> Event<'static> {
    Event {
        id: EventId(id.to_be_bytes()),
        created_at: DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap(),
        identity: Identity {
            tenant_id: "t".into(),
            service_principal_id: format!("sp-{identity}").into(),
            ..Identity::default()
        },
        resource: Resource { id: format!("r-{resource}").into(), ..Resource::default() },
        facet: Facet { sign_in_type: "servicePrincipal".into(), ..Facet::default() },
        error_code: 700_016,
        ip_address: format!("192.0.2.{}", identity % 200).into(),
        user: String::new().into(),
    }
}

const VARIETY: &str = "  type: value_count\n  group-by: [identity]\n  timespan: 1h\n  \
                       condition: {field: resourceId, gte: 2}";

#[tokio::test]
async fn one_late_event_sends_one_fold_back_and_touches_the_rows_of_its_group_alone() {
    let pace = Pace { spacing: 8, ..Pace::default() };
    let mut folds = Folds::new(VARIETY, "", pace).await;
    // Forty identities, each thirty times, over two hours.
    let early = (0..1_200_u32).map(|n| {
        event(u128::from(n), i64::from(n) * 6, u128::from(n % 40), u128::from(n / 40 % 2))
    });
    let found = folds.take(early).await;
    assert_eq!((found.new, found.replays), (40, 0));
    log_writes(folds.folder.path()).await;
    let found = folds.take([event(9_999, 3_000, 7, 5)]).await;
    assert_eq!((found.replays, found.new, found.changed, found.withdrawn), (1, 0, 1, 0));
    let written = writes(folds.folder.path()).await;
    assert!(!written.is_empty());
    for (table, group) in &written {
        assert!(group.ends_with("sp-7"), "{table}: {group:?}");
    }
    assert!(written.len() < 10, "{written:?}");
}

/// Notes each row that is written from now on where folds and findings lie.
async fn log_writes(folder: &Path) {
    let pool = pool(folder).await;
    sqlx::query("create table written (place text, of integer)").execute(&pool).await.unwrap();
    for table in ["tails", "checkpoints", "findings"] {
        for (verb, row) in [("insert", "new"), ("update", "new"), ("delete", "old")] {
            let sql = format!(
                "create trigger log_{table}_{verb} after {verb} on {table} begin \
                 insert into written values ('{table}', {row}.group_id); end"
            );
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
        }
    }
    pool.close().await;
}

async fn writes(folder: &Path) -> Vec<(String, String)> {
    let pool = pool(folder).await;
    let sql = "select place, key from written join groups on groups.id = written.of";
    let rows = sqlx::query_as(sql).fetch_all(&pool).await.unwrap();
    pool.close().await;
    rows
}

async fn pool(folder: &Path) -> sqlx::SqlitePool {
    sqlx::SqlitePool::connect(&format!("sqlite://{}", folder.join("folds.db").display()))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_window_that_is_full_lets_the_oldest_go_and_counts_them_in_the_finding() {
    let mut folds = Folds::new(VARIETY, "", Pace::default()).await;
    // One resource over and over, and at last another.
    let many = 50_010_u32;
    let events =
        (0..many).map(|n| event(u128::from(n), i64::from(n / 20), 1, u128::from(n == many - 1)));
    folds.take(events).await;
    let found = folds.found().await;
    assert_eq!(found.len(), 1);
    let draft = &found[0].draft;
    assert_eq!((draft.event_count, draft.measures["evicted"].as_str()), (50_000, "10"));
    assert_eq!(draft.detected_by, EventId(u128::from(many - 1).to_be_bytes()));
}

#[tokio::test]
async fn a_group_that_showed_a_thousand_values_has_nothing_new() {
    let first = "  type: value_count\n  group-by: [identity]\n  timespan: 1h\n  \
                 condition: {field: resourceId, gte: 1}";
    for (known, finds) in [(999, 1), (1_000, 0)] {
        let ours = ", kind: first_seen, learn_for: 1d, learn_events: 5";
        let mut folds = Folds::new(first, ours, Pace::default()).await;
        let events = (0..known).map(|n| event(n, 0, 1, n));
        folds.take(events.chain([event(5_000, 90_000, 1, 5_000)])).await;
        let found = folds.found().await;
        assert_eq!(found.len(), finds, "{known} values");
    }
}

#[tokio::test]
async fn what_is_forgotten_is_counted_and_changes_nothing() {
    let mut all = Vec::new();
    for remembered in [200_000, 10] {
        let pace = Pace { remembered, chunk: 50, ..Pace::default() };
        let mut folds = Folds::new(VARIETY, "", pace).await;
        let events = (0..600_u32).map(|n| {
            // Every seventh is an hour late.
            let second = i64::from(n) * 10 - i64::from(n.is_multiple_of(7)) * 3_600;
            event(u128::from(n), second, u128::from(n % 30), u128::from(n / 30 % 3))
        });
        folds.take(events).await;
        assert_eq!(folds.detector.evicted > 0, remembered == 10, "{}", folds.detector.evicted);
        let found = folds.found().await;
        all.push(
            found
                .into_iter()
                .map(|it| (it.group, it.draft.started_at, it.draft.event_count))
                .collect::<Vec<_>>(),
        );
    }
    assert!(!all[0].is_empty());
    assert_eq!(all[0], all[1]);
}

#[tokio::test]
async fn a_group_goes_on_where_it_was_when_groups_are_forgotten_and_what_events_mean_is_not() {
    let three =
        "  type: event_count\n  group-by: [identity]\n  timespan: 1h\n  condition: {gte: 3}";
    let pace = Pace { remembered: 10, ..Pace::default() };
    let mut folds = Folds::new(three, "", pace).await;
    // Of one group, and all different: their meanings are forgotten. Then as many groups as are forgotten.
    folds.take((0..11_u32).map(|n| event(n.into(), i64::from(n) * 7_200, 0, n.into()))).await;
    folds.take((1..=10_u32).map(|n| event((100 + n).into(), 200_000, n.into(), 0))).await;
    // One that is like another that was met, and one that is not.
    folds.take([event(201, 200_010, 1, 0), event(202, 200_020, 1, 99)]).await;
    let found = folds.found().await;
    let counts: Vec<u64> = found.iter().map(|finding| finding.draft.event_count).collect();
    assert_eq!(counts, [3]);
}

#[tokio::test]
async fn a_value_of_several_fields_is_shown_with_all_of_them() {
    let first = "  type: value_count\n  group-by: [tenantId]\n  timespan: 1h\n  \
                 condition: {field: [ipAddress, resourceId], gte: 1}";
    let ours = ", kind: first_seen, learn_for: 1d, learn_events: 2";
    let mut folds = Folds::new(first, ours, Pace::default()).await;
    // Each address and each resource was there before, and not together; who has no address is no pair.
    let without = Event { ip_address: String::new().into(), ..event(5, 90_001, 9, 9) };
    let known = [event(1, 0, 1, 1), event(2, 0, 2, 2), event(3, 90_000, 1, 1)];
    folds.take(known.into_iter().chain([event(4, 90_000, 1, 2), without])).await;
    let found = folds.found().await;
    let shown: Vec<&str> = found.iter().map(|it| it.draft.measures["value"].as_str()).collect();
    assert_eq!(shown, ["192.0.2.1, r-2"]);
}

/// A job that begins at half past two by the clocks of Berlin, when these are changed: by its UTC, an hour off.
#[tokio::test]
async fn a_baseline_is_not_misled_by_a_change_of_the_clocks() {
    for (changed, before, after) in [("2026-03-29", 1, 0), ("2026-10-25", 0, 1)] {
        let day = |days: i64, hour: i64| -> DateTime<Utc> {
            let noon: DateTime<Utc> = format!("{changed}T00:00:00Z").parse().unwrap();
            noon + TimeDelta::days(days) + TimeDelta::hours(hour)
        };
        let mut id = 0_u128;
        let mut burst = |from: DateTime<Utc>, tokens: i64| -> Vec<Event<'static>> {
            let tokens = (0..tokens).map(|turn| {
                id += 1;
                let created_at = from + TimeDelta::seconds(turn * 15);
                Event { created_at, error_code: 0, ..event(id, 0, 1, 1) }
            });
            tokens.collect()
        };
        let mut events = Vec::new();
        for days in -28..14 {
            let hour = if days < 0 { before } else { after };
            events.extend(burst(day(days, hour) + TimeDelta::minutes(30), 60));
        }
        let book = Rulebook::embedded().unwrap();
        let mut folds = Folds::over(&book, Pace::default()).await;
        folds.take(events).await;
        let busy = |found: Vec<Finding>| -> Vec<i64> {
            let busy = found.into_iter().filter(|finding| finding.rule.starts_with("unusual_"));
            busy.map(|finding| finding.draft.started_at).collect()
        };
        assert_eq!(busy(folds.found().await), Vec::<i64>::new(), "{changed}");
        // What is out of the ordinary at an hour beside it is found all the same.
        let real = day(2, 12);
        folds.take(burst(real, 200)).await;
        let found = busy(folds.found().await);
        assert!(!found.is_empty(), "{changed}");
        assert!(found.iter().all(|at| *at == real.timestamp_micros()), "{found:?}");
    }
}
