//! Whatever the order of arrival, the cut into passes, repeats and restarts: the findings are those of
//! an evaluator that looks at the whole history at once and knows no shortcuts.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use signinel::detect::{CodeClasses, Detector, Matcher, Pace, Rulebook};
use signinel::store::{Fetched, Store};

use crate::oracle::{Seen, Small, oracle};

/// Correlations: name, type, rules, group-by, timespan, and what else there is to say of them.
const CORRELATIONS: &[[&str; 7]] = &[
    ["spike", "event_count", "failed", "identity", "10m", "condition: {gte: 3}", ""],
    ["exactly", "event_count", "failed", "identity", "10m", "condition: {eq: 2}", ""],
    [
        "variety",
        "value_count",
        "failed",
        "identity",
        "15m",
        "condition: {field: resourceId, gte: 3}",
        "",
    ],
    [
        "streak",
        "event_count",
        "failed",
        "identity, resource",
        "1d",
        "condition: {gte: 3}",
        "kind: streak, broken_by: [good]",
    ],
    [
        "long streak",
        "event_count",
        "failed",
        "identity",
        "1d",
        "condition: {gte: 2}",
        "kind: streak, broken_by: [good], at_least: 6m",
    ],
    [
        "first",
        "value_count",
        "failed, good",
        "identity",
        "10m",
        "condition: {field: resourceId, gte: 1}",
        "kind: first_seen, learn_for: 20m, learn_events: 4",
    ],
    [
        "variety of pairs",
        "value_count",
        "failed",
        "identity",
        "15m",
        "condition: {field: [resourceId, userPrincipalName], gte: 4}",
        "",
    ],
    [
        "first pair",
        "value_count",
        "failed, good",
        "identity",
        "10m",
        "condition: {field: [resourceId, userPrincipalName], gte: 1}",
        "kind: first_seen, learn_for: 20m, learn_events: 4",
    ],
    [
        "first twice",
        "value_count",
        "failed, good",
        "identity",
        "10m",
        "condition: {field: resourceId, gte: 2}",
        "kind: first_seen, learn_for: 20m, learn_events: 4",
    ],
    [
        "first and lasting",
        "value_count",
        "failed, good",
        "identity",
        "10m",
        "condition: {field: resourceId, gte: 2}",
        "kind: first_seen, learn_for: 20m, learn_events: 4, at_least: 3m",
    ],
    [
        "newcomer",
        "event_count",
        "failed",
        "identity",
        "8m",
        "condition: {gte: 2}",
        "kind: newcomer, learn_from: [good]",
    ],
    [
        "awake",
        "event_count",
        "failed, good",
        "identity",
        "5m",
        "condition: {gte: 1}",
        "kind: awakening, at_least: 9m, factor: 2, learn_events: 3",
    ],
    [
        "odd hour",
        "event_count",
        "failed, good",
        "identity",
        "30m",
        "condition: {gte: 2}",
        "kind: rhythm, learn_for: 1d, learn_events: 2",
    ],
    [
        "first of its name",
        "value_count",
        "failed, good",
        "identity",
        "10m",
        "condition: {field: resourceId, gte: 1}",
        "kind: first_seen, learn_for: 20m, learn_events: 4, inherits: true",
    ],
    [
        "failed first of its name",
        "value_count",
        "failed",
        "identity",
        "10m",
        "condition: {field: resourceId, gte: 1}",
        "kind: first_seen, learn_from: [good], learn_for: 10m, learn_events: 3, inherits: true",
    ],
    [
        "odd hour of its name",
        "event_count",
        "failed, good",
        "identity",
        "30m",
        "condition: {gte: 2}",
        "kind: rhythm, learn_for: 1d, learn_events: 2, inherits: true",
    ],
    [
        "odd hour there of its name",
        "event_count",
        "failed, good",
        "identity, resource",
        "30m",
        "condition: {gte: 2}",
        "kind: rhythm, learn_for: 1d, learn_events: 2, inherits: true",
    ],
    [
        "busy for its name",
        "event_count",
        "failed, good",
        "identity",
        "28d",
        "condition: {gte: 3}",
        "kind: baseline, factor: 1, rare: 100, learn_for: 7d, inherits: true",
    ],
    ["fleet", "event_count", "failed", "tenantId", "5m", "condition: {gte: 4}", ""],
    [
        "sum",
        "value_sum",
        "failed",
        "identity",
        "10m",
        "condition: {field: autonomousSystemNumber, gte: 600}",
        "",
    ],
    [
        "average",
        "value_avg",
        "failed",
        "identity",
        "10m",
        "condition: {field: autonomousSystemNumber, gt: 201}",
        "",
    ],
    [
        "percentile",
        "value_percentile",
        "failed",
        "identity",
        "12m",
        "condition: {field: autonomousSystemNumber, gte: 300, percentile: 75}",
        "",
    ],
    [
        "median",
        "value_median",
        "failed",
        "identity",
        "12m",
        "condition: {field: autonomousSystemNumber, lt: 150}",
        "",
    ],
    ["together", "temporal", "failed, zero, one", "identity", "6m", "", ""],
    [
        "either",
        "temporal",
        "failed, zero, one",
        "identity",
        "6m",
        "condition: zero and (failed or not one)",
        "",
    ],
    ["ordered", "temporal_ordered", "zero, failed, one", "identity", "10m", "", ""],
    [
        "aliased",
        "temporal",
        "zero, one, failed",
        "who",
        "8m",
        "aliases: {who: {zero: servicePrincipalId, one: userPrincipalName, failed: ipAddress}}",
        "",
    ],
    [
        "share",
        "event_count",
        "failed",
        "identity",
        "10m",
        "condition: {gte: 2}",
        "kind: ratio, of: [good], percent: 60, turns: 2",
    ],
    [
        "silence",
        "event_count",
        "failed, good",
        "identity",
        "28m",
        "condition: {gte: 1}",
        "kind: absence, factor: 2, at_least: 3m, at_most: 30m, learn_for: 10m, learn_events: 3",
    ],
    [
        "busy",
        "event_count",
        "failed, good",
        "identity",
        "28d",
        "condition: {gte: 3}",
        "kind: baseline, factor: 1, rare: 100, learn_for: 7d",
    ],
    ["twice", "event_count", "streak", "identity", "30m", "condition: {gte: 2}", ""],
    [
        "spread",
        "value_count",
        "streak",
        "tenantId",
        "20m",
        "condition: {field: identity, gte: 2}",
        "",
    ],
    ["beside", "temporal", "variety, spike", "identity", "20m", "", ""],
    ["after", "temporal_ordered", "spike, first", "identity", "40m", "", ""],
    ["deserted", "event_count", "silence", "tenantId", "40m", "condition: {gte: 2}", ""],
    ["deep", "event_count", "twice, beside, fleet", "tenantId", "50m", "condition: {gte: 2}", ""],
];

/// Detections: name, and what is looked for.
const DETECTIONS: &[[&str; 2]] = &[
    ["failed", "outcome: failure"],
    ["good", "outcome: success"],
    ["zero", "resourceId: r-0"],
    ["one", "resourceId: r-1"],
];

/// The rules of the small world, file by file.
pub(crate) fn rules() -> Vec<(PathBuf, String)> {
    let detections = DETECTIONS.iter().map(|[name, wanted]| {
        let text = format!(
            "title: {name}\nlogsource: {{product: azure, service: signinlogs}}\ndetection:\n  it:\n    \
             {wanted}\n  condition: it\nlevel: low\nsigninel: {{category: building_block}}\n"
        );
        (PathBuf::from(format!("{name}.yml")), text)
    });
    let correlations =
        CORRELATIONS.iter().map(|[name, kind, rules, group, timespan, more, ours]| {
            let text = format!(
                "title: {name}\nlevel: high\ncorrelation:\n  type: {kind}\n  rules: [{rules}]\n  \
             group-by: [{group}]\n  timespan: {timespan}\n  {more}\n\
             signinel: {{category: test, {ours}}}\n"
            );
            (PathBuf::from(format!("{name}.yml")), text)
        });
    detections.chain(correlations).collect()
}

pub(crate) fn rulebook() -> Rulebook {
    Rulebook::read(&rules()).unwrap()
}

/// Walks arrivals along the path, with a new process before each of which `restarts` says so.
async fn walk(arrivals: &[Vec<Small>], restarts: &[bool], pace: Pace) -> Vec<Seen> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("sqlite://{}", folder.path().join("test.db").display()))
        .await
        .unwrap();
    let book = rulebook();
    let fresh = || Detector::paced(Matcher::new(&book, CodeClasses::new()).unwrap(), pace);
    let now = DateTime::<Utc>::from_timestamp(1_800_000_000, 0).unwrap();
    let mut detector = fresh();
    for (place, arrived) in arrivals.iter().enumerate() {
        if restarts.get(place).copied().unwrap_or(false) {
            detector = fresh();
        }
        let mut fetched = Fetched::default();
        for event in arrived {
            fetched.batch.push(&event.event(), 0..0);
        }
        store.add(("test", "test"), fetched, None, now).await.unwrap();
        detector.run(&store, now, |_| ()).await.unwrap();
    }
    let mut found: Vec<Seen> = store
        .findings_in_force()
        .await
        .unwrap()
        .into_iter()
        .map(|finding| Seen {
            rule: finding.rule,
            group: finding.group,
            started_at: finding.draft.started_at,
            first: finding.draft.first_event,
            detected_at: finding.draft.detected_at,
            detected_by: finding.draft.detected_by,
            last_at: finding.draft.last_at,
            last: finding.draft.last_event,
            count: finding.draft.event_count,
        })
        .collect();
    found.sort();
    store.close().await;
    found
}

fn small() -> impl Strategy<Value = Small> {
    (0_i64..60, any::<u8>(), 0_u8..3, 0_u8..4, prop::bool::weighted(0.7)).prop_map(
        |(minute, id, identity, resource, failed)| Small { minute, id, identity, resource, failed },
    )
}

/// Three hours of two days of six weeks.
fn of_weeks() -> impl Strategy<Value = Small> {
    let hour = prop::sample::select(vec![0_i64, 1, 6]);
    (0_i64..6, 0_i64..2, hour, small()).prop_map(|(week, day, hour, small)| Small {
        minute: ((week * 7 + day) * 24 + hour) * 60 + small.minute,
        ..small
    })
}

/// Events, each with its own id, then some of them again.
fn history(
    event: impl Strategy<Value = Small>,
    at_most: usize,
) -> impl Strategy<Value = Vec<Small>> {
    prop::collection::btree_map(any::<u8>(), event, 1..at_most).prop_flat_map(|by_id| {
        let events: Vec<Small> =
            by_id.into_iter().map(|(id, event)| Small { id, ..event }).collect();
        let again = prop::sample::subsequence(events.clone(), 0..=events.len() / 3);
        again.prop_flat_map(move |again| Just([events.clone(), again].concat()).prop_shuffle())
    })
}

/// Small worlds that differ, the same ones each time.
pub(crate) fn worlds() -> impl Iterator<Item = Vec<Small>> {
    let mut state = 1_u32;
    let mut draw = move |below: u8| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u8::try_from((state >> 8) % u32::from(below)).unwrap()
    };
    (0..50).map(move |round| {
        let span = if round % 2 == 0 { 1 } else { 12 };
        (0..[60, 150, 60, 12][round % 4])
            .map(|id| Small {
                minute: i64::from(draw(60)) + i64::from(draw(span)) * 7 * 24 * 60 / 2,
                id,
                identity: draw(3),
                resource: draw(4),
                failed: draw(10) < 7,
            })
            .collect()
    })
}

/// A comparison in which a rule never finds anything says nothing of that rule.
#[test]
fn the_small_worlds_meet_every_rule() {
    let met: BTreeSet<String> =
        worlds().flat_map(|events| oracle(&events)).map(|seen| seen.rule).collect();
    let all: BTreeSet<String> = CORRELATIONS.iter().map(|[name, ..]| (*name).to_owned()).collect();
    assert_eq!(met, all);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn findings_do_not_depend_on_how_events_arrived(
        events in prop_oneof![2 => history(small(), 60), 1 => history(of_weeks(), 150)],
        cuts in prop::collection::vec(1_usize..12, 1..20),
        restarts in prop::collection::vec(any::<bool>(), 0..20),
        pace in (1_i64..20, 1_i64..9, 1_i64..9, prop_oneof![Just(0_usize), 1..9_usize, Just(1_000)])
            .prop_map(|(chunk, page, spacing, remembered)| Pace { chunk, page, spacing, remembered }),
    ) {
        let mut rest = events.as_slice();
        let mut arrivals = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            arrivals.push(now.to_vec());
            rest = later;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let found = runtime.block_on(walk(&arrivals, &restarts, pace));
        prop_assert_eq!(found, oracle(&events));
    }
}
