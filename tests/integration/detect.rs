//! Whatever the order of arrival, the cut into passes, repeats and restarts: the findings are those of
//! an evaluator that looks at the whole history at once and knows no shortcuts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use signinel::detect::{CodeClasses, Detector, Matcher, Pace, Rulebook};
use signinel::model::{Event, EventId, Facet, Identity, Resource};
use signinel::store::{Fetched, Store};

const MINUTE: i64 = 60_000_000;

/// A sign-in of the small world of this test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Small {
    minute: i64,
    id: u8,
    identity: u8,
    resource: u8,
    failed: bool,
}

impl Small {
    fn at(&self) -> i64 {
        self.minute * MINUTE + 1_700_000_000_000_000
    }

    fn event_id(&self) -> EventId {
        EventId([self.id; 16])
    }

    fn event(&self) -> Event<'static> {
        Event {
            id: self.event_id(),
            created_at: DateTime::<Utc>::from_timestamp_micros(self.at()).unwrap(),
            identity: Identity {
                tenant_id: "t".into(),
                service_principal_id: format!("sp-{}", self.identity).into(),
                ..Identity::default()
            },
            resource: Resource { id: format!("r-{}", self.resource).into(), ..Resource::default() },
            facet: Facet { sign_in_type: "managedIdentity".into(), ..Facet::default() },
            error_code: if self.failed { 700_016 } else { 0 },
            ip_address: "".into(),
            user: "".into(),
        }
    }
}

/// What a finding is, apart from the numbers of a database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    rule: String,
    group: String,
    started_at: i64,
    first: EventId,
    detected_at: i64,
    last_at: i64,
    last: EventId,
    count: u64,
}

fn seen(rule: &str, group: &str, evidence: &[Small], detected: &Small) -> Seen {
    let (first, last) = (evidence.first().unwrap(), evidence.last().unwrap());
    Seen {
        rule: rule.to_owned(),
        group: group.to_owned(),
        started_at: first.at(),
        first: first.event_id(),
        detected_at: detected.at(),
        last_at: last.at(),
        last: last.event_id(),
        count: evidence.len() as u64,
    }
}

/// Groups of events in the order of time.
fn groups(events: &[Small], key: impl Fn(&Small) -> String) -> BTreeMap<String, Vec<Small>> {
    let mut groups: BTreeMap<String, Vec<Small>> = BTreeMap::new();
    for event in events {
        groups.entry(key(event)).or_default().push(*event);
    }
    for group in groups.values_mut() {
        group.sort_by_key(|event| (event.at(), event.event_id()));
    }
    groups
}

/// Windows `(t - timespan, t]` that meet a condition; those that share an event make one finding.
fn windows(
    rule: &str,
    group: &str,
    events: &[Small],
    minutes: i64,
    is_met: impl Fn(&[Small]) -> bool,
) -> Vec<Seen> {
    let mut found: Vec<(BTreeSet<usize>, usize)> = Vec::new();
    for end in 0..events.len() {
        let window: BTreeSet<usize> = (0..=end)
            .filter(|place| events[*place].at() > events[end].at() - minutes * MINUTE)
            .collect();
        let members: Vec<Small> = window.iter().map(|place| events[*place]).collect();
        if !is_met(&members) {
            continue;
        }
        match found.last_mut() {
            Some((evidence, _)) if !evidence.is_disjoint(&window) => evidence.extend(window),
            _ => found.push((window, end)),
        }
    }
    found
        .into_iter()
        .map(|(evidence, detected)| {
            let members: Vec<Small> = evidence.iter().map(|place| events[*place]).collect();
            seen(rule, group, &members, &events[detected])
        })
        .collect()
}

fn streaks(group: &str, events: &[Small], length: usize) -> Vec<Seen> {
    events
        .split(|event| !event.failed)
        .filter(|run| run.len() >= length)
        .map(|run| seen("streak", group, run, &run[length - 1]))
        .collect()
}

fn firsts(
    group: &str,
    events: &[Small],
    learn_minutes: i64,
    learn_events: usize,
    minutes: i64,
) -> Vec<Seen> {
    let mut found = Vec::new();
    for (place, event) in events.iter().enumerate() {
        let is_new = events[..place].iter().all(|earlier| earlier.resource != event.resource);
        let is_known =
            event.at() - events[0].at() >= learn_minutes * MINUTE && place >= learn_events;
        if is_new && is_known {
            let evidence: Vec<Small> = events[place..]
                .iter()
                .filter(|later| {
                    later.resource == event.resource && later.at() < event.at() + minutes * MINUTE
                })
                .copied()
                .collect();
            found.push(seen("first", group, &evidence, event));
        }
    }
    found
}

/// The evaluator that knows no shortcuts.
fn oracle(events: &[Small]) -> Vec<Seen> {
    let unique: BTreeSet<Small> = events.iter().copied().collect();
    let all: Vec<Small> = unique.into_iter().collect();
    let failed: Vec<Small> = all.iter().filter(|event| event.failed).copied().collect();
    let identity = |event: &Small| format!("TenantId,Identity\nt\nsp-{}", event.identity);
    let both = |event: &Small| {
        format!("TenantId,Identity,Resource\nt\nsp-{}\nr-{}", event.identity, event.resource)
    };
    let mut found = Vec::new();
    for (group, events) in groups(&failed, identity) {
        found.extend(windows("spike", &group, &events, 10, |window| window.len() >= 3));
        found.extend(windows("exactly", &group, &events, 10, |window| window.len() == 2));
        found.extend(windows("variety", &group, &events, 15, |window| {
            window.iter().map(|event| event.resource).collect::<BTreeSet<_>>().len() >= 3
        }));
    }
    for (group, events) in groups(&all, both) {
        found.extend(streaks(&group, &events, 3));
    }
    for (group, events) in groups(&all, identity) {
        found.extend(firsts(&group, &events, 20, 4, 10));
    }
    for (group, events) in groups(&failed, |_| "TenantId\nt".to_owned()) {
        found.extend(windows("fleet", &group, &events, 5, |window| window.len() >= 4));
    }
    found.sort();
    found
}

fn correlation(
    name: &str,
    kind: &str,
    rules: &str,
    group: &str,
    timespan: &str,
    condition: &str,
    more: &str,
) -> String {
    format!(
        "title: {name}\nid: 00000000-0000-4000-8000-{:012}\nlevel: high\ncorrelation:\n  type: {kind}\n  \
         rules: [{rules}]\n  group-by: [{group}]\n  timespan: {timespan}\n  condition: {condition}\n\
         signinel:\n  category: test\n{more}",
        name.len()
    )
}

fn rulebook() -> Rulebook {
    let detection = |name: &str, outcome: &str| {
        format!(
            "title: {name}\nlogsource: {{product: azure, service: signinlogs}}\ndetection:\n  it:\n    \
             outcome: {outcome}\n  condition: it\nlevel: low\nsigninel:\n  category: building_block\n"
        )
    };
    let texts = [
        ("failed", detection("failed", "failure")),
        ("good", detection("good", "success")),
        ("spike", correlation("spike", "event_count", "failed", "identity", "10m", "{gte: 3}", "")),
        (
            "exactly",
            correlation("exactly", "event_count", "failed", "identity", "10m", "{eq: 2}", ""),
        ),
        (
            "variety",
            correlation(
                "variety",
                "value_count",
                "failed",
                "identity",
                "15m",
                "{field: resourceId, gte: 3}",
                "",
            ),
        ),
        (
            "streak",
            correlation(
                "streak",
                "event_count",
                "failed",
                "identity, resource",
                "1d",
                "{gte: 3}",
                "  kind: streak\n  broken_by: [good]\n",
            ),
        ),
        (
            "first",
            correlation(
                "first",
                "value_count",
                "failed, good",
                "identity",
                "10m",
                "{field: resourceId, gte: 1}",
                "  kind: first_seen\n  learn_for: 20m\n  learn_events: 4\n",
            ),
        ),
        ("fleet", correlation("fleet", "event_count", "failed", "tenantId", "5m", "{gte: 4}", "")),
    ];
    let files: Vec<(PathBuf, String)> = texts
        .into_iter()
        .map(|(name, text)| (PathBuf::from(format!("{name}.yml")), text))
        .collect();
    Rulebook::read(&files).unwrap()
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
    (0_i64..60, any::<u8>(), 0_u8..2, 0_u8..4, prop::bool::weighted(0.7)).prop_map(
        |(minute, id, identity, resource, failed)| Small { minute, id, identity, resource, failed },
    )
}

/// Events, each with its own id, then some of them again.
fn history() -> impl Strategy<Value = Vec<Small>> {
    prop::collection::btree_map(any::<u8>(), small(), 1..60).prop_flat_map(|by_id| {
        let events: Vec<Small> =
            by_id.into_iter().map(|(id, event)| Small { id, ..event }).collect();
        let again = prop::sample::subsequence(events.clone(), 0..=events.len() / 3);
        again.prop_flat_map(move |again| Just([events.clone(), again].concat()).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn findings_do_not_depend_on_how_events_arrived(
        events in history(),
        cuts in prop::collection::vec(1_usize..12, 1..20),
        restarts in prop::collection::vec(any::<bool>(), 0..20),
        pace in (1_i64..20, 1_i64..9, 1_i64..9)
            .prop_map(|(chunk, page, spacing)| Pace { chunk, page, spacing }),
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
