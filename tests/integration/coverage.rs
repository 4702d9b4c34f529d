//! What was read, what was not, and that late records are found: with a clock that runs fast, against a
//! Graph that shows records when they have arrived.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use signinel::clock::Clock;
use signinel::ingest::poll::{HeadRead, Polled};
use signinel::model::IncidentState;
use signinel::sources::FetchError;
use signinel::standin::graph::{Faults, Options};
use signinel::store::gaps::GapState;

use crate::moody::{HEAD, World, midnight, records, records_of};

#[tokio::test]
async fn records_that_come_hours_late_are_found_and_how_late_is_known() {
    // Most come within five minutes, every fiftieth up to six hours late, a few after two days.
    let late = |place: i64| match place {
        _ if place % 501 == 500 => 49 * 60,
        _ if place % 50 == 49 => 60 + (place * 7) % 300,
        _ => place % 5,
    };
    let count = 24 * 60 + 30 * 60;
    let tenant = "00000000-0000-4000-8000-0000000000c1";
    // A throttled request would make the test wait a second.
    let faults = Faults { throttled: 0.0, ..Faults::each(0.02) };
    let shown = records(count, 1, late);
    let world = World::new(tenant, shown, faults, "interval = \"10m\"").await;
    world.pass().await;
    world.pass_until(midnight() + TimeDelta::hours(30), TimeDelta::minutes(10)).await;
    assert!(world.stored().await < count.unsigned_abs(), "all came at once, so nothing is tested");
    world.pass_until(midnight() + TimeDelta::hours(30 + 24 * 5), TimeDelta::minutes(30)).await;
    assert_eq!(world.stored().await, count.unsigned_abs());
    assert!(world.graph.mishaps() > 0);

    let coverage = world.store.coverage().await.unwrap();
    let head = &coverage[0];
    assert_eq!(head.complete_to, Some(world.clock.now()));
    assert_eq!(head.begins, Some(midnight() - TimeDelta::days(1)));
    let (half, most) = (head.lateness.p50_seconds.unwrap(), head.lateness.most_seconds.unwrap());
    assert!(half <= 15 * 60, "half came within {half} s");
    assert!(most >= 49 * 3600, "the latest came after {most} s");
    assert!(head.requests > head.failed_requests && head.failed_requests > 0, "{head:?}");
    assert!(world.store.gaps().await.unwrap().is_empty());
    assert!(head.intervals.iter().any(|one| one.settled == Duration::from_hours(72)), "{head:?}");
}

#[tokio::test]
async fn a_day_without_the_program_is_a_gap_that_is_filled_and_nobody_is_woken() {
    let tenant = "00000000-0000-4000-8000-0000000000c2";
    let world = World::new(tenant, records(72, 60, |_| 2), Faults::default(), "").await;
    world.pass().await;
    let left_at = world.clock.now();
    world.clock.advance(TimeDelta::hours(26));
    world.pass().await;
    let gaps = world.store.gaps().await.unwrap();
    assert_eq!((gaps.len(), gaps[0].state), (1, GapState::Filled), "{gaps:?}");
    assert_eq!((gaps[0].from, gaps[0].to), (left_at, Some(world.clock.now())));
    assert_eq!(gaps[0].reason, "");
    assert!(world.store.incidents().await.unwrap().is_empty());
    assert_eq!(world.store.coverage().await.unwrap()[0].complete_to, Some(world.clock.now()));
    assert_eq!(world.stored().await, 24 + 26);
}

#[tokio::test]
async fn a_day_of_refusals_is_an_incident_that_ends_when_it_was_read_again() {
    let tenant = "00000000-0000-4000-8000-0000000000c3";
    let world = World::new(tenant, records(72, 60, |_| 2), Faults::default(), "").await;
    world.pass().await;
    let left_at = world.clock.now();
    world.refuse("the application lacks `AuditLog.Read.All`: grant it");
    world.pass_until(left_at + TimeDelta::minutes(25), TimeDelta::minutes(5)).await;
    assert!(world.store.incidents().await.unwrap().is_empty(), "it is not stale yet");
    world.pass_until(left_at + TimeDelta::hours(24), TimeDelta::minutes(20)).await;
    let incidents = world.store.incidents().await.unwrap();
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    assert_eq!(incidents[0].categories, ["coverage"]);
    assert_eq!((incidents[0].state(), incidents[0].started_at), (IncidentState::Open, left_at));
    let gaps = world.store.gaps_of(incidents[0].id).await.unwrap();
    assert_eq!((gaps.len(), gaps[0].state, gaps[0].to), (1, GapState::Open, None));
    assert!(gaps[0].reason.contains("AuditLog.Read.All"), "{gaps:?}");

    world.mend();
    world.pass_until(left_at + TimeDelta::hours(25), TimeDelta::minutes(20)).await;
    let incident = &world.store.incidents().await.unwrap()[0];
    assert_eq!(incident.state(), IncidentState::Resolved);
    assert!(incident.resolved_why.as_ref().unwrap().starts_with("read again at"), "{incident:?}");
    assert_eq!(world.store.gaps().await.unwrap()[0].state, GapState::Filled);
    assert_eq!(world.stored().await, 24 + 26);
}

#[tokio::test]
async fn what_the_source_no_longer_has_is_lost_and_said_to_be() {
    let tenant = "00000000-0000-4000-8000-0000000000c4";
    let shown = records(24 * 12, 60, |_| 2);
    let world = World::new(tenant, shown, Faults::default(), "reach = \"3d\"").await;
    world.pass().await;
    let left_at = world.clock.now();
    world.clock.advance(TimeDelta::days(5));
    world.refuse("no");
    world.pass().await;
    world.clock.advance(TimeDelta::hours(6));
    world.pass().await;
    world.clock.advance(TimeDelta::hours(6));
    world.mend();
    world.pass().await;
    let now = world.clock.now();
    let gaps = world.store.gaps().await.unwrap();
    let states: Vec<(GapState, DateTime<Utc>, Option<DateTime<Utc>>)> =
        gaps.iter().rev().map(|gap| (gap.state, gap.from, gap.to)).collect();
    let reach = now - TimeDelta::days(3);
    assert_eq!(
        states,
        [(GapState::Lost, left_at, Some(reach)), (GapState::Filled, reach, Some(now)),],
    );
    let incidents = world.store.incidents().await.unwrap();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].state(), IncidentState::Resolved);
    assert!(incidents[0].resolved_why.as_ref().unwrap().contains("lost for good"));
    let head = &world.store.coverage().await.unwrap()[0];
    assert_eq!(head.complete_to, Some(left_at), "what comes after the hole is not complete");
    assert_eq!(head.intervals.last().unwrap().interval.to, now);
}

#[tokio::test]
async fn a_head_that_fails_holds_up_no_other() {
    let tenant = "00000000-0000-4000-8000-0000000000c5";
    let (fails, goes_on) = (HEAD, "servicePrincipal");
    let mut shown = records(48, 60, |_| 2);
    shown.extend(records_of(goes_on, 48, 60, |_| 2));
    let more = format!("sign_in_types = [\"{fails}\", \"{goes_on}\"]\nstale_after = \"45m\"");
    let world = World::new(tenant, shown, Faults::default(), &more).await;
    let no = FetchError::Permanent { sentence: "no".to_owned() };
    world.fail(Some(fails), no, TimeDelta::zero());
    let polled = world.pass().await;
    let read = |polled: &Polled, head: &str| {
        polled.heads.iter().find(|(name, _)| name == head).unwrap().1.clone()
    };
    let refused = read(&polled, fails);
    assert!(matches!(refused, HeadRead::Failed { is_permanent: true, .. }), "{polled:?}");
    assert_eq!(read(&polled, goes_on), HeadRead::CaughtUp);
    world.clock.advance(TimeDelta::seconds(50));
    let polled = world.pass().await;
    let waits = read(&polled, fails);
    assert!(matches!(waits, HeadRead::Waiting { .. }), "asked again too soon: {polled:?}");

    for _ in 0..12 {
        world.clock.advance(TimeDelta::minutes(30));
        let polled = world.pass().await;
        assert!(!matches!(read(&polled, fails), HeadRead::CaughtUp), "{polled:?}");
        assert_eq!(read(&polled, goes_on), HeadRead::CaughtUp);
    }
    let coverage = world.store.coverage().await.unwrap();
    let complete: Vec<_> = coverage.iter().map(|head| (&*head.head, head.complete_to)).collect();
    assert_eq!(complete, [(fails, None), (goes_on, Some(world.clock.now()))]);
    assert_eq!(world.stored().await, 24 + 6, "all of the one, and none of the other");
    let gaps = world.store.gaps().await.unwrap();
    assert!(gaps.iter().all(|gap| gap.head == fails) && !gaps.is_empty(), "{gaps:?}");
}

#[tokio::test]
async fn what_the_source_counts_and_did_not_give_is_read_again_and_what_stays_out_is_shown() {
    // One record shows after four hours, when neither overlap nor sweep looks; one never does.
    let late = |place: i64| match place {
        24 => 4 * 60,
        26 => 60 * 24 * 365,
        _ => 2,
    };
    let tenant = "00000000-0000-4000-8000-0000000000c6";
    let more = "interval = \"10m\"\nreconcile = true\nsweeps = []\noverlap = \"10m\"";
    let world = World::new(tenant, records(36, 60, late), Faults::default(), more).await;
    world.pass().await;
    world.pass_until(midnight() + TimeDelta::hours(30), TimeDelta::minutes(10)).await;
    let head = &world.store.coverage().await.unwrap()[0];
    assert_eq!((head.missing, world.stored().await), (1, 35), "{head:?}");
    assert!(head.compared_hours > 24, "{head:?}");
    let lacking = world.store.lacking("contoso", HEAD).await.unwrap();
    assert_eq!(lacking[0].hour, midnight() + TimeDelta::hours(2));
    assert_eq!((lacking.len(), lacking[0].counted, lacking[0].tries), (1, 1, 3));
}

#[tokio::test]
async fn a_backfill_as_long_as_the_age_of_a_sweep_is_noted_by_a_clock_that_counts_nanoseconds() {
    for (place, backfill) in ["2h", "24h", "1d", "3d", "72h"].into_iter().enumerate() {
        let tenant = format!("00000000-0000-4000-8000-0000000001{place:02}");
        let more = format!("backfill = \"{backfill}\"");
        let world = World::with(&tenant, records(48, 60, |_| 0), Options::default(), &more).await;
        world.clock.advance(TimeDelta::nanoseconds(777));
        for _ in 0..2 {
            let polled = world.pass().await;
            assert_eq!(polled.heads[0].1, HeadRead::CaughtUp, "{backfill}: {polled:?}");
            world.clock.advance(TimeDelta::nanoseconds(60_000_000_333));
        }
    }
}

#[tokio::test]
async fn a_tenant_that_keeps_a_week_is_read_as_far_back_as_it_does_and_the_rest_is_lost_by_name() {
    let tenant = "00000000-0000-4000-8000-0000000000d1";
    // A moment less than what it says, as the time goes on while a request is under way.
    let keeps = TimeDelta::days(7) - TimeDelta::seconds(1);
    let options = Options { keeps: Some(keeps), ..Options::default() };
    let shown = records(24 * 14, 60, |_| 0);
    let world =
        World::with(tenant, shown, options, "backfill = \"7d\"\nretry_wait = \"1ms\"").await;
    let polled = world.pass().await;
    assert_eq!(polled.heads[0].1, HeadRead::CaughtUp, "{polled:?}");
    assert!(world.store.gaps().await.unwrap().is_empty(), "nothing was there to lose");
    let left_at = world.clock.now();
    let before = world.graph.requests();

    world.clock.advance(TimeDelta::days(10));
    let polled = world.pass().await;
    assert_eq!(polled.heads[0].1, HeadRead::CaughtUp, "{polled:?}");
    let gaps = world.store.gaps().await.unwrap();
    let lost = gaps.iter().find(|gap| gap.state == GapState::Lost).unwrap();
    let reach = world.clock.now() - keeps;
    assert_eq!(lost.from, left_at);
    let beyond = lost.to.unwrap() - reach;
    assert!(beyond >= TimeDelta::zero() && beyond <= TimeDelta::minutes(15), "{beyond} too much");
    assert!(world.graph.requests() - before < 60, "{} requests", world.graph.requests() - before);
    assert!(gaps.iter().any(|gap| gap.state == GapState::Filled), "{gaps:?}");
}

#[tokio::test]
async fn a_clock_that_was_set_back_keeps_no_head_waiting_and_claims_nothing_of_the_time_to_come() {
    for fails_first in [false, true] {
        let tenant = format!("00000000-0000-4000-8000-0000000000e{}", u8::from(fails_first));
        let world = World::with(&tenant, records(48, 60, |_| 0), Options::default(), "").await;
        world.pass().await;
        if fails_first {
            world.clock.advance(TimeDelta::minutes(2));
            world.refuse("no");
            world.pass().await;
            world.mend();
        }
        world.clock.advance(TimeDelta::days(-1));
        let polled = world.pass().await;
        assert_eq!(polled.heads[0].1, HeadRead::CaughtUp, "{polled:?}");
        let now = world.clock.now();
        assert_eq!(world.store.coverage().await.unwrap()[0].complete_to, Some(now));
        assert_eq!(world.store.head("contoso", HEAD).await.unwrap().unwrap().read_to, now);
    }
}

#[tokio::test]
async fn the_wait_after_a_failure_begins_with_the_failure() {
    let tenant = "00000000-0000-4000-8000-0000000000d2";
    let world = World::with(tenant, records(24, 60, |_| 0), Options::default(), "").await;
    world.pass().await;
    world.clock.advance(TimeDelta::minutes(2));
    // The answer takes more than a minute, and asks for another.
    let told = FetchError::Transient {
        sentence: "busy".to_owned(),
        retry_after: Some(Duration::from_secs(65)),
    };
    world.fail(None, told, TimeDelta::seconds(72));
    let polled = world.pass().await;
    let HeadRead::Failed { until, .. } = &polled.heads[0].1 else { panic!("{polled:?}") };
    let wait = *until - world.clock.now();
    assert!(wait >= TimeDelta::seconds(65) && wait <= TimeDelta::seconds(78), "{wait}");
}

#[tokio::test]
async fn a_source_that_does_not_count_is_asked_for_counts_once_a_day() {
    let tenant = "00000000-0000-4000-8000-0000000000d3";
    let more = "interval = \"10m\"\nreconcile = true\nsweeps = []";
    let options = Options { counts: false, ..Options::default() };
    let world = World::with(tenant, records(48, 60, |_| 0), options, more).await;
    world.pass().await;
    let before = world.graph.requests();
    world.pass_until(midnight() + TimeDelta::hours(23), TimeDelta::minutes(10)).await;
    assert_eq!(world.graph.requests() - before, 23 * 6, "one page each pass and no count");
    world.pass_until(midnight() + TimeDelta::hours(25), TimeDelta::minutes(10)).await;
    assert_eq!(world.graph.requests() - before, 25 * 6 + 1, "and one count a day later");
}
