//! The small world of the property tests, and an evaluator that looks at the whole history at once and
//! knows no shortcuts.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use signinel::model::{Event, EventId, Facet, Identity, Resource};

const MINUTE: i64 = 60_000_000;

/// A sign-in of the small world of this test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Small {
    pub(crate) minute: i64,
    pub(crate) id: u8,
    pub(crate) identity: u8,
    pub(crate) resource: u8,
    pub(crate) failed: bool,
}

impl Small {
    fn at(&self) -> i64 {
        self.minute * MINUTE + 1_700_000_000_000_000
    }

    fn event_id(&self) -> EventId {
        EventId([self.id; 16])
    }

    /// Its autonomous system's number, which some have not.
    fn number(&self) -> Option<i64> {
        (!self.id.is_multiple_of(6))
            .then(|| i64::from(self.id % 5) * 100 + i64::from(self.resource))
    }

    /// Users and addresses are named like identities, so that aliases can put them together.
    fn user(&self) -> String {
        if self.id.is_multiple_of(7) { String::new() } else { format!("sp-{}", self.id % 2) }
    }

    /// Where it was, and for whom.
    fn pair(&self) -> Option<(u8, String)> {
        Some((self.resource, self.user())).filter(|(_, user)| !user.is_empty())
    }

    fn address(&self) -> String {
        format!("sp-{}", self.id % 3)
    }

    /// The groups that the aliases of the rule `aliased` put it into, with the rules it is counted for there.
    fn aliased(&self) -> BTreeMap<String, BTreeSet<usize>> {
        let mut groups: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (rule, who) in [
            (0, (self.resource == 0).then(|| format!("sp-{}", self.identity))),
            (1, (self.resource == 1).then(|| self.user())),
            (2, self.failed.then(|| self.address())),
        ] {
            if let Some(who) = who.filter(|who| !who.is_empty()) {
                groups.entry(who).or_default().insert(rule);
            }
        }
        groups
    }

    /// Two of the three have one name.
    fn name(&self) -> String {
        format!("name-{}", self.identity.min(1))
    }

    pub(crate) fn event(&self) -> Event<'static> {
        Event {
            id: self.event_id(),
            created_at: DateTime::<Utc>::from_timestamp_micros(self.at()).unwrap(),
            identity: Identity {
                tenant_id: "t".into(),
                service_principal_id: format!("sp-{}", self.identity).into(),
                name: self.name().into(),
                ..Identity::default()
            },
            resource: Resource { id: format!("r-{}", self.resource).into(), ..Resource::default() },
            facet: Facet {
                sign_in_type: "managedIdentity".into(),
                autonomous_system_number: self
                    .number()
                    .map_or_else(String::new, |number| number.to_string())
                    .into(),
                ..Facet::default()
            },
            error_code: if self.failed { 700_016 } else { 0 },
            ip_address: self.address().into(),
            user: self.user().into(),
        }
    }
}

/// What a finding is, apart from the numbers of a database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    pub(crate) rule: String,
    pub(crate) group: String,
    pub(crate) started_at: i64,
    pub(crate) first: EventId,
    pub(crate) detected_at: i64,
    pub(crate) detected_by: EventId,
    pub(crate) last_at: i64,
    pub(crate) last: EventId,
    pub(crate) count: u64,
}

/// What has a place in the order of time.
trait Timed: Clone {
    fn at(&self) -> i64;
    fn event_id(&self) -> EventId;
}

impl Timed for Small {
    fn at(&self) -> i64 {
        Small::at(self)
    }

    fn event_id(&self) -> EventId {
        Small::event_id(self)
    }
}

/// Findings of other rules that were detected by one event, at one instant, in one group.
#[derive(Clone)]
struct Met {
    at: i64,
    id: EventId,
    rules: BTreeSet<String>,
    /// The identity of the first of them.
    identity: String,
}

impl Timed for Met {
    fn at(&self) -> i64 {
        self.at
    }

    fn event_id(&self) -> EventId {
        self.id
    }
}

fn seen<E: Timed>(rule: &str, group: &str, evidence: &[E], detected: &E) -> Seen {
    let (first, last) = (evidence.first().unwrap(), evidence.last().unwrap());
    Seen {
        rule: rule.to_owned(),
        group: group.to_owned(),
        started_at: first.at(),
        first: first.event_id(),
        detected_at: detected.at(),
        detected_by: detected.event_id(),
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
fn windows<E: Timed>(
    rule: &str,
    group: &str,
    events: &[E],
    minutes: i64,
    is_met: impl Fn(&[E]) -> bool,
) -> Vec<Seen> {
    let mut found: Vec<(BTreeSet<usize>, usize)> = Vec::new();
    for end in 0..events.len() {
        let window: BTreeSet<usize> = (0..=end)
            .filter(|place| events[*place].at() > events[end].at() - minutes * MINUTE)
            .collect();
        let members: Vec<E> = window.iter().map(|place| events[*place].clone()).collect();
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
            let members: Vec<E> = evidence.iter().map(|place| events[*place].clone()).collect();
            seen(rule, group, &members, &events[detected])
        })
        .collect()
}

fn streaks(
    rule: &str,
    group: &str,
    events: &[Small],
    (length, minutes): (usize, i64),
) -> Vec<Seen> {
    let mut found = Vec::new();
    for run in events.split(|event| !event.failed) {
        let enough = (0..run.len())
            .find(|last| last + 1 >= length && run[*last].at() - run[0].at() >= minutes * MINUTE);
        found.extend(enough.map(|last| seen(rule, group, run, &run[last])));
    }
    found
}

fn firsts(
    group: &str,
    (events, inherited): (&[Small], usize),
    learn_minutes: i64,
    learn_events: usize,
    minutes: i64,
    (rule, least, lasting): (&str, usize, i64),
) -> Vec<Seen> {
    let mut found = Vec::new();
    for (place, event) in events.iter().enumerate().skip(inherited) {
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
            let enough = (0..evidence.len()).find(|last| {
                last + 1 >= least && evidence[*last].at() - event.at() >= lasting * MINUTE
            });
            found.extend(enough.map(|last| seen(rule, group, &evidence, &evidence[last])));
        }
    }
    found
}

/// Resources that an identity was not at with the same user before; who has none is no pair.
fn first_pairs(group: &str, events: &[Small]) -> Vec<Seen> {
    let mut found = Vec::new();
    for (place, event) in events.iter().enumerate().filter(|(_, event)| event.pair().is_some()) {
        let is_new = events[..place].iter().all(|earlier| earlier.pair() != event.pair());
        if is_new && event.at() - events[0].at() >= 20 * MINUTE && place >= 4 {
            let is_of_it = |later: &&Small| {
                later.pair() == event.pair() && later.at() < event.at() + 10 * MINUTE
            };
            let evidence: Vec<Small> = events[place..].iter().filter(is_of_it).copied().collect();
            found.push(seen("first pair", group, &evidence, event));
        }
    }
    found
}

/// The events of an identity behind those that another of its name had before, and how many these are.
fn with_inherited(all: &[Small], own: &[Small]) -> (Vec<Small>, usize) {
    let is_before = |event: &&Small| {
        event.identity != own[0].identity
            && event.name() == own[0].name()
            && (event.at(), event.event_id()) < (own[0].at(), own[0].event_id())
    };
    let mut inherited: Vec<Small> = all.iter().filter(is_before).copied().collect();
    inherited.sort_by_key(|event| (event.at(), event.event_id()));
    (inherited.iter().chain(own).copied().collect(), inherited.len())
}

/// Resources that nobody of the name failed at before; good ones make it known as well.
fn failed_firsts(group: &str, (events, inherited): (&[Small], usize)) -> Vec<Seen> {
    let mut found = Vec::new();
    for (place, event) in events.iter().enumerate().skip(inherited) {
        let failed_there = |other: &&Small| other.failed && other.resource == event.resource;
        let is_known = event.at() - events[0].at() >= 10 * MINUTE && place >= 3;
        if event.failed && is_known && !events[..place].iter().any(|it| failed_there(&it)) {
            let until = event.at() + 10 * MINUTE;
            let evidence: Vec<Small> = events[place..]
                .iter()
                .filter(|it| failed_there(it) && it.at() < until)
                .copied()
                .collect();
            found.push(seen("failed first of its name", group, &evidence, event));
        }
    }
    found
}

/// What an identity fails at within eight minutes of its first event.
fn newcomers(group: &str, events: &[Small]) -> Vec<Seen> {
    let young = events.iter().filter(|event| event.at() - events[0].at() < 8 * MINUTE);
    let failed: Vec<Small> = young.filter(|event| event.failed).copied().collect();
    if failed.len() < 2 { Vec::new() } else { vec![seen("newcomer", group, &failed, &failed[1])] }
}

/// Events after a silence of nine minutes, twice as long as any before, and those of the five minutes after it.
fn awakenings(group: &str, events: &[Small]) -> Vec<Seen> {
    let mut found: Vec<Seen> = Vec::new();
    for place in 3..events.len() {
        let gap = |at: usize| events[at].at() - events[at - 1].at();
        let longest = (1..place).map(gap).max().unwrap_or(0);
        if gap(place) >= 9 * MINUTE && gap(place) >= 2 * longest {
            let until = events[place].at() + 5 * MINUTE;
            let evidence: Vec<Small> =
                events[place..].iter().filter(|event| event.at() < until).copied().collect();
            found.push(seen("awake", group, &evidence, &events[place]));
        }
    }
    found
}

/// Two events within half an hour, the first more than two hours of the day from any that were known.
fn odd_hours(rule: &str, group: &str, (events, inherited): (&[Small], usize)) -> Vec<Seen> {
    let hour = |event: &Small| event.at() / (60 * MINUTE) % 24;
    let day = |event: &Small| event.at() / (24 * 60 * MINUTE);
    let mut known: BTreeSet<i64> = events[..inherited].iter().map(hour).collect();
    let (mut found, mut place) = (Vec::new(), inherited);
    while place < events.len() {
        let event = &events[place];
        let days: BTreeSet<i64> = events[..place].iter().map(day).collect();
        let is_known =
            event.at() - events[0].at() >= 24 * 60 * MINUTE && days.len() >= 2 && known.len() <= 12;
        let is_near = (-2..=2).any(|by| known.contains(&((hour(event) + by + 24) % 24)));
        if !is_known || is_near {
            known.insert(hour(event));
            place += 1;
            continue;
        }
        let until = event.at() + 30 * MINUTE;
        let evidence: Vec<Small> =
            events[place..].iter().filter(|event| event.at() < until).copied().collect();
        if evidence.len() >= 2 {
            found.push(seen(rule, group, &evidence, &evidence[1]));
        }
        known.extend(evidence.iter().map(hour));
        place += evidence.len();
    }
    found
}

/// Between two of the sorted numbers the percentile lies in proportion.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the numbers of the small world are small"
)]
fn percentile(numbers: &mut [i64], percent: f64) -> f64 {
    numbers.sort_unstable();
    let rank = percent / 100.0 * (numbers.len() - 1) as f64;
    let (low, high) = (rank.floor() as usize, rank.ceil() as usize);
    numbers[low] as f64 + (numbers[high] - numbers[low]) as f64 * rank.fract()
}

fn statistics(group: &str, failed: &[Small]) -> Vec<Seen> {
    let events: Vec<Small> =
        failed.iter().filter(|event| event.number().is_some()).copied().collect();
    let numbers = |window: &[Small]| window.iter().filter_map(Small::number).collect::<Vec<_>>();
    let mut found =
        windows("sum", group, &events, 10, |window| numbers(window).iter().sum::<i64>() >= 600);
    found.extend(windows("average", group, &events, 10, |window| {
        let numbers = numbers(window);
        numbers.iter().sum::<i64>() > 201 * i64::try_from(numbers.len()).unwrap()
    }));
    found.extend(windows("percentile", group, &events, 12, |window| {
        percentile(&mut numbers(window), 75.0) >= 300.0
    }));
    found.extend(windows("median", group, &events, 12, |window| {
        percentile(&mut numbers(window), 50.0) < 150.0
    }));
    found
}

/// Whether the rules are met one after the other by different events.
fn is_ordered(window: &[Small], rules: &[fn(&Small) -> bool]) -> bool {
    match rules.split_first() {
        None => true,
        Some((rule, rest)) => (0..window.len())
            .any(|place| rule(&window[place]) && is_ordered(&window[place + 1..], rest)),
    }
}

fn temporals(group: &str, all: &[Small]) -> Vec<Seen> {
    let failed = |event: &Small| event.failed;
    let zero = |event: &Small| event.resource == 0;
    let one = |event: &Small| event.resource == 1;
    let of = |events: &[Small]| -> Vec<Small> {
        events.iter().filter(|event| failed(event) || zero(event) || one(event)).copied().collect()
    };
    let events = of(all);
    let mut found = windows("together", group, &events, 6, |window| {
        window.iter().any(failed) && window.iter().any(zero) && window.iter().any(one)
    });
    found.extend(windows("either", group, &events, 6, |window| {
        window.iter().any(zero) && (window.iter().any(failed) || !window.iter().any(one))
    }));
    found.extend(windows("ordered", group, &events, 10, |window| {
        is_ordered(window, &[zero, failed, one])
    }));
    found
}

fn aliased(all: &[Small]) -> Vec<Seen> {
    let mut groups: BTreeMap<String, Vec<Small>> = BTreeMap::new();
    for event in all {
        for group in event.aliased().into_keys() {
            groups.entry(group).or_default().push(*event);
        }
    }
    let mut found = Vec::new();
    for (who, mut events) in groups {
        events.sort_by_key(|event| (event.at(), event.event_id()));
        let group = format!("who[ServicePrincipalId, User, Address]\n{who}");
        found.extend(windows("aliased", &group, &events, 8, |window| {
            let met = window.iter().flat_map(|event| event.aliased().remove(&who).unwrap());
            met.collect::<BTreeSet<_>>().len() == 3
        }));
    }
    found
}

/// Of the events that count, so many in a hundred of all in the window.
fn shares(group: &str, events: &[Small]) -> Vec<Seen> {
    let failed: Vec<Small> = events.iter().filter(|event| event.failed).copied().collect();
    windows("share", group, &failed, 10, |window| {
        let last = window.last().unwrap();
        let all = events
            .iter()
            .filter(|event| event.at() > last.at() - 10 * MINUTE)
            .filter(|event| (event.at(), event.event_id()) <= (last.at(), last.event_id()))
            .count();
        let is_turn = |event: &&Small| {
            let place = events.iter().position(|other| other.id == event.id).unwrap();
            place > 0 && !events[place - 1].failed
        };
        let turns = window.iter().filter(is_turn).count();
        window.len() >= 2 && window.len() * 100 >= all * 60 && turns >= 2
    })
}

/// Silences after which an event came, and the one at the end that `horizon` is beyond.
fn silences(group: &str, events: &[Small], horizon: i64) -> Vec<Seen> {
    let mut found = Vec::new();
    for (place, event) in events.iter().enumerate() {
        let known = &events[..=place];
        let mut gaps: Vec<i64> = known
            .windows(2)
            .filter(|pair| pair[1].at() / MINUTE > event.at() / MINUTE - 28)
            .map(|pair| pair[1].at() - pair[0].at())
            .collect();
        gaps.sort_unstable();
        if event.failed || event.at() - events[0].at() < 10 * MINUTE || gaps.len() < 3 {
            continue;
        }
        let but = usize::from(event.at() - events[0].at() >= 20 * MINUTE);
        let patience = (gaps[gaps.len() - 1 - but] * 2).max(3 * MINUTE);
        let due = event.at() + patience;
        let next = events.get(place + 1);
        if patience > 30 * MINUTE || next.map_or(due > horizon, |next| due >= next.at()) {
            continue;
        }
        let evidence: Vec<Small> = std::iter::once(event).chain(next).copied().collect();
        let mut silence = seen("silence", group, &evidence, event);
        silence.detected_at = due;
        silence.last_at = next.map_or(due, Small::at);
        found.push(silence);
    }
    found
}

/// Hours that were busier than those like them and than nearly all.
fn busy_hours(rule: &str, group: &str, (events, inherited): (&[Small], usize)) -> Vec<Seen> {
    let hour = |event: &Small| event.at() / (60 * MINUTE);
    let first = hour(&events[0]);
    // Of what is inherited, the hour in which it took over is left out.
    let counts =
        |place: usize| place >= inherited || hour(&events[place]) != hour(&events[inherited]);
    let counted: Vec<Small> =
        (0..events.len()).filter(|place| counts(*place)).map(|place| events[place]).collect();
    let of = |wanted: i64| -> Vec<Small> {
        counted.iter().filter(|event| hour(event) == wanted).copied().collect()
    };
    let mut found: Vec<(Vec<Small>, Small)> = Vec::new();
    let hours: BTreeSet<i64> = events[inherited..].iter().map(hour).collect();
    for now in hours {
        let mut alike: Vec<usize> = (1..=4)
            .flat_map(|week| [-1, 0, 1].map(|beside| now - week * 168 + beside))
            .filter(|hour| *hour >= first)
            .map(|hour| of(hour).len())
            .collect();
        alike.sort_unstable();
        let known = first.max(now - 4 * 168)..now;
        let as_many = |count: usize| known.clone().filter(|hour| of(*hour).len() >= count).count();
        let members = of(now);
        let is_busy = |count: usize| {
            count >= 3
                && alike.len() > 1
                && count > alike[alike.len() - 2]
                && as_many(count) <= known.clone().count() / 100
        };
        let met = (1..=members.len()).find(|count| is_busy(*count));
        let Some(met) = met.filter(|_| now * 60 * MINUTE - events[0].at() >= 7 * 24 * 60 * MINUTE)
        else {
            continue;
        };
        match found.last_mut() {
            Some((before, _)) if hour(before.last().unwrap()) + 1 == now => before.extend(members),
            _ => {
                let detected = members[met - 1];
                found.push((members, detected));
            }
        }
    }
    found.iter().map(|(members, detected)| seen(rule, group, members, detected)).collect()
}

/// The findings of some rules as events, by the first values of their groups.
fn met(found: &[Seen], rules: &[&str], values: usize) -> BTreeMap<String, Vec<Met>> {
    let mut met: BTreeMap<(String, i64, EventId), (usize, String, Met)> = BTreeMap::new();
    for seen in found {
        let Some(place) = rules.iter().position(|rule| *rule == seen.rule) else { continue };
        let texts: Vec<&str> = seen.group.lines().skip(1).collect();
        let names = ["TenantId", "TenantId,Identity"][values - 1];
        let group = format!("{names}\n{}", texts[..values].join("\n"));
        let identity = texts.get(1).copied().unwrap_or_default().to_owned();
        let one = Met {
            at: seen.detected_at,
            id: seen.detected_by,
            rules: [seen.rule.clone()].into(),
            identity,
        };
        let key = (group, seen.detected_at, seen.detected_by);
        match met.get_mut(&key) {
            None => {
                met.insert(key, (place, seen.group.clone(), one));
            }
            Some((first, text, all)) => {
                all.rules.extend(one.rules);
                if (place, &seen.group) < (*first, text) {
                    (*first, *text, all.identity) = (place, seen.group.clone(), one.identity);
                }
            }
        }
    }
    let mut groups: BTreeMap<String, Vec<Met>> = BTreeMap::new();
    for ((group, ..), (.., met)) in met {
        groups.entry(group).or_default().push(met);
    }
    groups
}

/// What rules find that count the findings of others.
fn chained(found: &mut Vec<Seen>) {
    let has = |met: &Met, rule: &str| met.rules.contains(rule);
    let mut more = Vec::new();
    for (group, events) in met(found, &["streak"], 2) {
        more.extend(windows("twice", &group, &events, 30, |window| window.len() >= 2));
    }
    for (group, events) in met(found, &["streak"], 1) {
        more.extend(windows("spread", &group, &events, 20, |window| {
            window.iter().map(|met| &met.identity).collect::<BTreeSet<_>>().len() >= 2
        }));
    }
    for (group, events) in met(found, &["variety", "spike"], 2) {
        more.extend(windows("beside", &group, &events, 20, |window| {
            ["variety", "spike"].iter().all(|rule| window.iter().any(|met| has(met, rule)))
        }));
    }
    for (group, events) in met(found, &["spike", "first"], 2) {
        more.extend(windows("after", &group, &events, 40, |window| {
            (0..window.len()).any(|place| {
                has(&window[place], "spike")
                    && window[place + 1..].iter().any(|met| has(met, "first"))
            })
        }));
    }
    for (group, events) in met(found, &["silence"], 1) {
        more.extend(windows("deserted", &group, &events, 40, |window| window.len() >= 2));
    }
    found.extend(more);
    let mut deep = Vec::new();
    for (group, events) in met(found, &["twice", "beside", "fleet"], 1) {
        deep.extend(windows("deep", &group, &events, 50, |window| window.len() >= 2));
    }
    found.extend(deep);
}

/// The evaluator that knows no shortcuts.
pub(crate) fn oracle(events: &[Small]) -> Vec<Seen> {
    let unique: BTreeSet<Small> = events.iter().copied().collect();
    let all: Vec<Small> = unique.into_iter().collect();
    let horizon = all.iter().map(Small::at).max().unwrap_or(0);
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
    for (group, events) in groups(&failed, identity) {
        let paired: Vec<Small> =
            events.iter().filter(|event| event.pair().is_some()).copied().collect();
        found.extend(windows("variety of pairs", &group, &paired, 15, |window| {
            window.iter().map(Small::pair).collect::<BTreeSet<_>>().len() >= 4
        }));
        found.extend(statistics(&group, &events));
    }
    for (group, events) in groups(&all, identity) {
        found.extend(temporals(&group, &events));
        found.extend(shares(&group, &events));
        found.extend(silences(&group, &events, horizon));
        found.extend(busy_hours("busy", &group, (&events, 0)));
        found.extend(newcomers(&group, &events));
        found.extend(awakenings(&group, &events));
        found.extend(odd_hours("odd hour", &group, (&events, 0)));
    }
    found.extend(aliased(&all));
    for (group, events) in groups(&all, both) {
        found.extend(streaks("streak", &group, &events, (3, 0)));
        let is_there = |event: &&Small| event.resource == events[0].resource;
        let there: Vec<Small> = all.iter().filter(is_there).copied().collect();
        let (lineage, inherited) = with_inherited(&there, &events);
        found.extend(odd_hours("odd hour there of its name", &group, (&lineage, inherited)));
    }
    for (group, events) in groups(&all, identity) {
        found.extend(streaks("long streak", &group, &events, (2, 6)));
        found.extend(first_pairs(&group, &events));
        found.extend(firsts(&group, (&events, 0), 20, 4, 10, ("first", 1, 0)));
        found.extend(firsts(&group, (&events, 0), 20, 4, 10, ("first twice", 2, 0)));
        found.extend(firsts(&group, (&events, 0), 20, 4, 10, ("first and lasting", 2, 3)));
        let (lineage, inherited) = with_inherited(&all, &events);
        let events = (lineage.as_slice(), inherited);
        found.extend(firsts(&group, events, 20, 4, 10, ("first of its name", 1, 0)));
        found.extend(odd_hours("odd hour of its name", &group, events));
        found.extend(busy_hours("busy for its name", &group, events));
        found.extend(failed_firsts(&group, events));
    }
    for (group, events) in groups(&failed, |_| "TenantId\nt".to_owned()) {
        found.extend(windows("fleet", &group, &events, 5, |window| window.len() >= 4));
    }
    chained(&mut found);
    found.sort();
    found
}
