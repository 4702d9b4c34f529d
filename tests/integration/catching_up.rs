//! What went by is read oldest first, and in windows as long as the source bears.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use signinel::clock::Clock;
use signinel::ingest::poll::HeadRead;
use signinel::standin::graph::{Faults, Options, Wanted};

use crate::moody::{World, midnight, records};

const DAY: TimeDelta = TimeDelta::days(1);

fn hours(window: &Wanted) -> f64 {
    f64::from(i32::try_from((window.to - window.from).num_minutes()).unwrap()) / 60.0
}

/// The windows that a pass asks for.
async fn asked(world: &World) -> Vec<Wanted> {
    let before = world.graph.wanted().len();
    let polled = world.pass().await;
    assert_eq!(polled.heads[0].1, HeadRead::CaughtUp, "{polled:?}");
    world.graph.wanted().split_off(before)
}

/// A window that was refused is asked for again from where it began, at half its length.
fn assert_halved(windows: &[Wanted]) {
    for pair in windows.windows(2).filter(|pair| pair[0].is_refused) {
        assert_eq!(pair[1].from, pair[0].from);
        assert!((hours(&pair[1]) * 2.0 - hours(&pair[0])).abs() < 0.1, "{pair:?}");
    }
}

#[tokio::test]
async fn windows_that_are_too_long_are_halved_and_grow_again_when_longer_ones_are_borne() {
    let tires = Some((TimeDelta::hours(5), midnight() + DAY * 22));
    let faults = Faults { tires, ..Faults::default() };
    let options = Options { faults, ..Options::default() };
    let tenant = "00000000-0000-4000-8000-0000000002a1";
    let shown = records(24 * 60, 60, |_| 0);
    let world = World::with(tenant, shown, options, "sweeps = []").await;
    let first = asked(&world).await;
    let lengths: Vec<(f64, bool)> =
        first.iter().take(5).map(|it| (hours(it), it.is_refused)).collect();
    assert_eq!(
        lengths,
        [(24.0, true), (12.0, true), (6.0, true), (3.0, false), (3.0, false)],
        "{first:?}"
    );
    assert_halved(&first);

    // What was learnt is not learnt anew, and what was not borne is tried ever more seldom.
    world.clock.advance(DAY * 21);
    let second = asked(&world).await;
    assert_eq!((hours(&second[0]), second[0].is_refused), (3.0, false), "{:?}", second[0]);
    assert_halved(&second);
    let refused = second.iter().filter(|it| it.is_refused).count();
    assert!(refused > 0, "no longer window was tried among {}", second.len());
    assert!(refused * 10 < second.len(), "{refused} of {} windows were refused", second.len());

    world.clock.advance(DAY * 21);
    let third = asked(&world).await;
    let lengths: Vec<f64> = third.iter().map(hours).collect();
    let (last, whole) = lengths.split_last().unwrap();
    assert!(whole.is_sorted() && third.iter().all(|it| !it.is_refused), "{lengths:?}");
    assert_eq!((whole[0], whole[whole.len() - 1]), (3.0, 24.0), "{lengths:?}");
    assert!(*last <= 24.0, "{lengths:?}");
    let until_now = u64::try_from((world.clock.now() - (midnight() - DAY)).num_hours()).unwrap();
    assert_eq!(world.stored().await, until_now, "all up to now");
    assert!(world.store.gaps().await.unwrap().iter().all(|gap| gap.ended_at.is_some()));
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn after_days_away_the_oldest_is_read_first_and_it_is_said_how_far_it_came() {
    let tenant = "00000000-0000-4000-8000-0000000002a2";
    let more = "window = \"6h\"\nsweeps = []\noverlap = \"1h\"";
    let shown = records(24 * 7, 60, |_| 0);
    let world = World::new(tenant, shown, Faults::default(), more).await;
    world.pass().await;
    let left_at = world.clock.now();
    world.clock.advance(DAY * 5);
    let before = world.graph.wanted().len();
    let (said, pages) = (Said::default(), Mutex::new(Vec::new()));
    let on_page = |source: &str, head: &str, to: DateTime<Utc>, of: DateTime<Utc>| {
        assert_eq!((source, head), ("contoso", "managedIdentity"));
        pages.lock().unwrap().push((to, of));
    };
    let writer = said.clone();
    let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let logged = tracing::subscriber::set_default(log);
    world.pass_saying(&on_page).await;
    drop(logged);

    let windows = world.graph.wanted().split_off(before);
    let now = world.clock.now();
    assert_eq!(windows.len(), 21, "five days and an hour in windows of six hours");
    assert_eq!((windows[0].from, windows[20].to), (left_at - TimeDelta::hours(1), now));
    assert!(windows.windows(2).all(|pair| pair[0].to == pair[1].from), "{windows:?}");
    assert_eq!(world.stored().await, 24 * 6);

    let pages = pages.into_inner().unwrap();
    assert!(pages.is_sorted() && pages.iter().all(|(_, of)| *of == now), "{pages:?}");
    assert_eq!(pages.last(), Some(&(now, now)));
    let said = String::from_utf8(said.0.lock().unwrap().clone()).unwrap();
    let shares: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("read to 2026-03-"))
        .map(|line| line.split(", ").nth(1).unwrap().split(" %").next().unwrap())
        .collect();
    assert_eq!(shares.len(), windows.len(), "{said}");
    let shares: Vec<u32> = shares.iter().map(|share| share.trim().parse().unwrap()).collect();
    assert!(shares.is_sorted() && shares[0] == 4 && shares[20] == 100, "{shares:?}");
}
