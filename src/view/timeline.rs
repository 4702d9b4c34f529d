//! What happened when: the evidence by its own time, and beside it what this program did.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::growth;
use super::met::rules_met;
use super::noted::{LATE, arrivals, notes, told};
use super::phrase::{clean, moment};
use crate::detect::Rulebook;
use crate::diagnose::phrase;
use crate::diagnose::{self, Card, Catalogue};
use crate::model::{EventId, Incident, ResolvedBy};
use crate::store::incidents::IncidentFinding;
use crate::store::story::Scope;
use crate::store::{Store, StoreError, time};

/// Entries of one rule or of one delivery that are shown one by one; those between are summed up.
const SHOWN_ONE_BY_ONE: usize = 5;

/// An incident with its story.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    pub card: Card,
    /// In the order of time.
    pub entries: Vec<Entry>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub at: DateTime<Utc>,
    pub clock: ClockOf,
    pub kind: EntryKind,
    pub sentence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Sign-ins, or attempts, that the entry stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The sign-in that the entry is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
}

/// By whose clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "&'static str")]
pub enum ClockOf {
    /// That of the sign-ins.
    Event,
    /// That of this program.
    Signinel,
}

/// What an entry is, in the order in which entries of one moment stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "&'static str")]
pub enum EntryKind {
    LastGood,
    First,
    Growth,
    RuleMet,
    GoodBetween,
    Last,
    Recovered,
    Arrived,
    Amended,
    Change,
    Planned,
    Attempt,
    Sent,
    Dead,
}

impl ClockOf {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Signinel => "signinel",
        }
    }
}

impl From<ClockOf> for &'static str {
    fn from(clock: ClockOf) -> Self {
        clock.as_str()
    }
}

impl EntryKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LastGood => "last_good",
            Self::First => "first",
            Self::Growth => "growth",
            Self::RuleMet => "rule_met",
            Self::GoodBetween => "good_between",
            Self::Last => "last",
            Self::Recovered => "recovered",
            Self::Arrived => "arrived",
            Self::Amended => "amended",
            Self::Change => "change",
            Self::Planned => "planned",
            Self::Attempt => "attempt",
            Self::Sent => "sent",
            Self::Dead => "dead",
        }
    }
}

impl From<EntryKind> for &'static str {
    fn from(kind: EntryKind) -> Self {
        kind.as_str()
    }
}

impl Entry {
    pub(super) fn new(at: DateTime<Utc>, kind: EntryKind, sentence: String) -> Self {
        let clock = if kind < EntryKind::Arrived { ClockOf::Event } else { ClockOf::Signinel };
        Self { at, clock, kind, sentence, detail: None, count: None, event_id: None }
    }

    pub(super) fn with_detail(self, detail: impl Into<Option<String>>) -> Self {
        Self { detail: detail.into().filter(|text| !text.is_empty()), ..self }
    }

    pub(super) fn with_count(self, count: u64) -> Self {
        Self { count: Some(count), ..self }
    }
}

/// Tells the story of an incident from what the database holds of it.
pub async fn timeline(
    store: &Store,
    rulebook: &Rulebook,
    catalogue: &Catalogue,
    incident: &Incident,
) -> Result<Timeline, StoreError> {
    let card = diagnose::card(store, rulebook, catalogue, incident).await?;
    let findings = store.findings_of(incident.id).await?;
    let scope = scope(incident, &findings);
    let mut entries = last_good(&card);
    entries.extend(edges(store, catalogue, &findings).await?);
    entries.extend(grown(store, incident, &scope).await?);
    let value_names = diagnose::value_names(store, rulebook, &findings).await?;
    entries.extend(rules_met(rulebook, &value_names, &findings, incident));
    let late = LATE.num_microseconds().unwrap_or(0);
    entries.extend(arrivals(&store.arrivals(&scope, late).await?));
    entries.extend(good_between(store, incident, (rulebook, &findings)).await?);
    entries.extend(recovered(store, incident, &findings).await?);
    entries.extend(notes(&store.notes_of(incident.id).await?));
    entries.extend(store.tellings_of(incident.id).await?.iter().flat_map(told));
    entries.sort_by_key(|entry| (entry.at, entry.kind));
    Ok(Timeline { card, entries })
}

/// The numbers that the findings name. Those of a group name at most as many as a finding can.
fn scope(incident: &Incident, findings: &[IncidentFinding]) -> Scope {
    let drafts = || findings.iter().map(|row| &row.finding.draft);
    Scope {
        identities: distinct(drafts().flat_map(|draft| draft.identities.iter().copied())),
        resources: distinct(drafts().flat_map(|draft| draft.resources.iter().copied())),
        codes: distinct(drafts().flat_map(|draft| draft.codes.keys().copied())),
        from: incident.started_at,
        to: incident.last_seen_at,
    }
}

fn distinct(numbers: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut numbers: Vec<i64> = numbers.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn last_good(card: &Card) -> Vec<Entry> {
    let is_one = card.who.len() == 1;
    card.who
        .iter()
        .filter_map(|who| {
            let at = who.last_good_at?;
            let name = [&who.name, &who.app_id, &who.service_principal_id]
                .into_iter()
                .find(|text| !text.is_empty())
                .filter(|_| !is_one)
                .map_or_else(String::new, |name| format!(" of {}", phrase::quoted(name)));
            let sentence = format!("Last good sign-in{name} before it");
            let earlier = format!("{} earlier", phrase::span(card.incident.started_at - at));
            Some(Entry::new(at, EntryKind::LastGood, sentence).with_detail(earlier))
        })
        .collect()
}

/// The first and the last sign-in of the evidence.
async fn edges(
    store: &Store,
    catalogue: &Catalogue,
    findings: &[IncidentFinding],
) -> Result<Vec<Entry>, StoreError> {
    let drafts = || findings.iter().map(|row| &row.finding.draft);
    let first = drafts().map(|draft| (draft.started_at, draft.first_event)).min();
    let last = drafts().map(|draft| (draft.last_at, draft.last_event)).max();
    let mut entries = Vec::new();
    if let Some(key) = first {
        entries.extend(edge(store, catalogue, key, EntryKind::First).await?);
    }
    if let Some(key) = last.filter(|last| Some(*last) != first) {
        entries.extend(edge(store, catalogue, key, EntryKind::Last).await?);
    }
    Ok(entries)
}

async fn edge(
    store: &Store,
    catalogue: &Catalogue,
    (at, id): (i64, EventId),
    kind: EntryKind,
) -> Result<Option<Entry>, StoreError> {
    let Some(row) = store.event_at(at, id).await? else { return Ok(None) };
    let names = store.names_of(&[row]).await?;
    let target = names
        .resource(row.resource_id)
        .map(|resource| resource.label())
        .filter(|label| !label.is_empty())
        .map_or_else(String::new, |label| format!(" for {}", phrase::quoted(label)));
    let who = names
        .identity(row.identity_id)
        .map_or_else(|| "an identity".to_owned(), |known| phrase::quoted(known.identity.label()));
    let ordinal = if kind == EntryKind::First { "First" } else { "Last" };
    let outcome = match row.error_code {
        0 => format!("{who} was given a token{target}"),
        code => format!("{who} was refused a token{target}, AADSTS{code}"),
    };
    let sentence = format!("{ordinal} sign-in of it: {outcome}");
    let told = names.facet(row.facet_id).map(|facet| clean(&facet.failure_reason));
    let why = (row.error_code != 0).then(|| {
        told.filter(|text| !text.is_empty() && !has_blanks(text))
            .unwrap_or_else(|| catalogue.meaning(row.error_code).to_owned())
    });
    let entry = Entry::new(time(at), kind, sentence).with_detail(why);
    Ok(Some(Entry { event_id: Some(id.to_string()), ..entry }))
}

/// Why the sign-ins that are counted here are not as many as the incident says.
fn apart(counted: u64, of_incident: u64) -> Option<String> {
    let named = "counted over the identities, resources and codes that the findings name";
    match counted.cmp(&of_incident) {
        Ordering::Equal => None,
        Ordering::Less => Some(format!("{named}: {counted} of {of_incident}")),
        Ordering::Greater => Some(format!(
            "{named}, those of symptoms too: {counted}; the incident itself rests on {of_incident}"
        )),
    }
}

/// Whether a message was left with names where values belong: `{appIdentifier}`.
fn has_blanks(text: &str) -> bool {
    text.split('{').skip(1).any(|after| {
        let word = after.split('}').next().unwrap_or_default();
        after.len() > word.len() && word.chars().all(char::is_alphanumeric)
    })
}

async fn grown(
    store: &Store,
    incident: &Incident,
    scope: &Scope,
) -> Result<Vec<Entry>, StoreError> {
    let length = (scope.to - scope.from).num_microseconds().unwrap_or(i64::MAX);
    let width = growth::width_to_read(length);
    let (buckets, width) = growth::coarsen(store.growth(scope, width).await?, width);
    let counted: u64 = buckets.iter().map(|bucket| bucket.count).sum();
    if counted < 2 {
        return Ok(Vec::new());
    }
    let of_all = apart(counted, incident.event_count);
    let entries = growth::lines(&buckets, width).into_iter().enumerate().map(|(place, line)| {
        let detail = if place == 0 { of_all.clone() } else { line.quiet };
        Entry::new(time(line.at), EntryKind::Growth, line.sentence)
            .with_detail(detail)
            .with_count(line.count)
    });
    Ok(entries.collect())
}

/// Keeps the first entries and the last one, and makes one of all between.
pub(super) fn summed_up(mut entries: Vec<Entry>, sentence: impl Fn(u64) -> String) -> Vec<Entry> {
    if entries.len() <= SHOWN_ONE_BY_ONE + 1 {
        return entries;
    }
    entries.sort_by_key(|entry| entry.at);
    let last = entries.pop();
    let between = entries.split_off(SHOWN_ONE_BY_ONE - 1);
    if let (Some(first), Some(until)) = (between.first(), between.last()) {
        let counts: u64 = between.iter().filter_map(|entry| entry.count).sum();
        let entry = Entry::new(first.at, first.kind, sentence(between.len() as u64))
            .with_detail(format!("until {}", moment(until.at)));
        entries.push(Entry { count: first.count.map(|_| counts), ..entry });
    }
    entries.extend(last);
    entries
}

/// The good sign-ins that ended one run of failures and were before another: evidence that came late may cut a run in two.
async fn good_between(
    store: &Store,
    incident: &Incident,
    (rulebook, findings): (&Rulebook, &[IncidentFinding]),
) -> Result<Vec<Entry>, StoreError> {
    let Some(identity_id) = store.identity_of_incident(incident.id).await? else {
        return Ok(Vec::new());
    };
    let is_streak = |row: &&IncidentFinding| {
        rulebook.rules.get(&row.rule).is_some_and(|rule| rule.kind_name() == "streak")
    };
    let mut entries: Vec<Entry> = Vec::new();
    for row in findings.iter().filter(is_streak) {
        let draft = &row.finding.draft;
        let last_at = time(draft.last_at);
        let Some((at, _)) = store.recovery(identity_id, &draft.resources, last_at).await? else {
            continue;
        };
        if at < incident.last_seen_at && entries.iter().all(|entry| entry.at != at) {
            let detail = format!("{} after the failure before it", phrase::span(at - last_at));
            let sentence = "Good sign-in between the failures".to_owned();
            entries.push(Entry::new(at, EntryKind::GoodBetween, sentence).with_detail(detail));
        }
    }
    Ok(summed_up(entries, |number| {
        format!("Good sign-ins between the failures, {}", phrase::times(number))
    }))
}

/// The first good sign-in after the failures. Tokens that were given are not healed by more of them.
async fn recovered(
    store: &Store,
    incident: &Incident,
    findings: &[IncidentFinding],
) -> Result<Option<Entry>, StoreError> {
    let Some(identity_id) = store.identity_of_incident(incident.id).await? else {
        let is_recovered = incident.resolved_by == Some(ResolvedBy::Recovered);
        let at = incident.resolved_at.filter(|_| is_recovered);
        return Ok(at.map(|at| {
            let sentence = "The last of its identities signed in again".to_owned();
            Entry::new(at, EntryKind::Recovered, sentence).with_detail(after_last(incident, at))
        }));
    };
    let drafts = || findings.iter().map(|row| &row.finding.draft);
    let refused = || drafts().filter(|draft| draft.codes.keys().any(|code| *code != 0));
    let Some(last_at) = refused().map(|draft| draft.last_at).max() else { return Ok(None) };
    // Tokens beside the failures are healed only where they are how it ended, as with a new credential.
    let is_all_failure = refused().count() == findings.len();
    if !is_all_failure && incident.resolved_by != Some(ResolvedBy::Recovered) {
        return Ok(None);
    }
    let failed = distinct(refused().flat_map(|draft| draft.resources.iter().copied()));
    let found = store.recovery(identity_id, &failed, time(last_at)).await?;
    Ok(found.map(|(at, by)| {
        let by = if by == identity_id { "" } else { " by another identity of the same name" };
        let detail = format!("{} after the last failure", phrase::span(at - time(last_at)));
        Entry::new(at, EntryKind::Recovered, format!("First good sign-in again{by}"))
            .with_detail(detail)
    }))
}

fn after_last(incident: &Incident, at: DateTime<Utc>) -> String {
    format!("{} after the last failure", phrase::span(at - incident.last_seen_at))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::diagnose::Confidence;
    use crate::view::night::{self, Night, at};

    #[test]
    fn every_kind_of_entry_stands_in_the_order_of_time() {
        let told = night::block_on(async { night::whole("build-agent").await.timeline().await });
        let mut kinds: Vec<EntryKind> = told.entries.iter().map(|entry| entry.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        // All but the good sign-in between failures, which has a night of its own.
        assert_eq!(kinds.len(), 13, "{kinds:?}");
        assert!(told.entries.is_sorted_by_key(|entry| entry.at));
        let grown = told.entries.iter().filter(|entry| entry.kind == EntryKind::Growth);
        assert_eq!(grown.filter_map(|entry| entry.count).sum::<u64>(), 16);
    }

    #[test]
    fn a_late_good_sign_in_that_cuts_a_run_in_two_is_told() {
        let told = night::block_on(async {
            let mut night = Night::of("orders").await;
            let failed: Vec<_> =
                (0..12).map(|place| at("23 02:00:00") + TimeDelta::minutes(5 * place)).collect();
            night.pass(&failed, 53_003, at("23 03:00:00")).await;
            night.pass(&[at("23 02:27:00")], 0, at("23 04:30:00")).await;
            night.timeline().await
        });
        let between: Vec<_> = told
            .entries
            .iter()
            .filter(|entry| entry.kind == EntryKind::GoodBetween)
            .map(|entry| (entry.at, entry.detail.as_deref()))
            .collect();
        assert_eq!(between, [(at("23 02:27:00"), Some("2 min after the failure before it"))]);
    }

    #[test]
    fn an_identity_of_two_ids_is_named_once() {
        let told = night::block_on(async {
            let mut night = Night::of("orders").await;
            let mut refused = Vec::new();
            for minute in 0..12 {
                let mut event =
                    night.event(at("23 02:00:00") + TimeDelta::seconds(20 * minute), 700_016);
                // Entra leaves the ids of what it does not know out of some records.
                if minute % 2 == 0 {
                    event.identity.service_principal_id = "".into();
                    event.identity.name = "".into();
                }
                refused.push(event);
            }
            night.pass_of(&refused, at("23 02:10:00")).await;
            night.timeline().await
        });
        let who = &told.card.who;
        assert_eq!(who.len(), 1, "{who:#?}");
        assert_eq!((who[0].name.as_str(), told.card.identity_count), ("orders", 1));
        assert!(told.card.what.starts_with("The managed identity `orders`"), "{}", told.card.what);
    }

    #[test]
    fn late_evidence_is_dated_by_itself_and_not_by_the_newest() {
        let told = night::block_on(async {
            let mut night = Night::of("orders").await;
            let prompt: Vec<_> =
                (0..12).map(|place| at("23 02:00:00") + TimeDelta::seconds(20 * place)).collect();
            night.pass(&prompt, 700_016, at("23 02:10:00")).await;
            night.pass(&[at("23 02:02:10")], 700_016, at("23 04:30:00")).await;
            night.pass(&[at("23 05:10:00")], 700_016, at("23 05:12:00")).await;
            night.timeline().await
        });
        assert_eq!(told.card.incident.event_count, 14);
        let arrived: Vec<_> = told
            .entries
            .iter()
            .filter(|entry| entry.kind == EntryKind::Arrived)
            .map(|entry| (entry.at, entry.count))
            .collect();
        assert_eq!(arrived, [(at("23 04:30:00"), Some(1))]);
    }

    #[test]
    fn a_group_of_many_identities_is_told_by_those_its_findings_name() {
        let told = night::block_on(async {
            let mut night = Night::of("guess").await;
            let mut events = Vec::new();
            for minute in 0..6 {
                let mut event =
                    night.event(at("23 02:00:00") + TimeDelta::minutes(minute), 700_016);
                event.identity.service_principal_id = "".into();
                event.identity.app_id =
                    format!("10000000-0000-4000-8000-00000000000{minute}").into();
                event.ip_address = "203.0.113.7".into();
                event.facet.sign_in_type = "servicePrincipal".into();
                events.push(event);
            }
            night.pass_of(&events, at("23 02:10:00")).await;
            night.timeline().await
        });
        let grown = told.entries.iter().filter(|entry| entry.kind == EntryKind::Growth);
        assert_eq!(grown.filter_map(|entry| entry.count).sum::<u64>(), 6);
        let met: Vec<&str> = told
            .entries
            .iter()
            .filter(|entry| entry.kind == EntryKind::RuleMet)
            .map(|entry| entry.sentence.as_str())
            .collect();
        assert_eq!(
            met,
            [
                "Rule `application_id_spray` was met: Many unknown application ids from one address (high)"
            ]
        );
        assert!(told.entries.iter().all(|entry| entry.kind != EntryKind::Recovered));
    }

    /// Six identities that Entra refuses within some minutes, and the good sign-ins of these minutes after.
    async fn outage(passes: &[&[i64]]) -> Timeline {
        let mut night = Night::of("runner").await;
        let of = |night: &mut Night, place: i64, minute: i64, code: i64| {
            let mut event = night.event(at("23 02:00:00") + TimeDelta::minutes(minute), code);
            let id = format!("{place}0000000-0000-4000-8000-000000000000");
            event.identity.service_principal_id = id.clone().into();
            event.identity.app_id = id.into();
            event.identity.name = format!("runner-{place}").into();
            event
        };
        let failed: Vec<_> = (1..7).map(|place| of(&mut night, place, place, 90_033)).collect();
        night.pass_of(&failed, at("23 02:10:00")).await;
        for places in passes {
            let good: Vec<_> =
                places.iter().map(|place| of(&mut night, *place, 10 + place, 0)).collect();
            night.pass_of(&good, at("23 02:30:00")).await;
        }
        night.timeline().await
    }

    #[test]
    fn an_outage_is_over_when_the_last_of_its_identities_signs_in_again() {
        let over = Some((at("23 02:16:00"), ResolvedBy::Recovered));
        let ends: [(&[&[i64]], _); 4] = [
            (&[&[1, 2, 3, 4, 5]], None),
            (&[&[1, 2, 3, 4, 5], &[6]], over),
            (&[&[6], &[3, 1], &[2, 4, 5]], over),
            (&[&[1, 2, 3, 4, 5, 6]], over),
        ];
        for (passes, end) in ends {
            let told = night::block_on(outage(passes));
            let incident = &told.card.incident;
            assert_eq!(incident.resolved_at.zip(incident.resolved_by), end, "{passes:?}");
            let last = told.entries.iter().find(|entry| entry.kind == EntryKind::Recovered);
            assert_eq!(last.map(|entry| entry.at), end.map(|(at, _)| at), "{passes:?}");
        }
    }

    #[test]
    fn an_id_that_is_refused_without_its_name_is_known_by_its_good_sign_ins() {
        let told = night::block_on(async {
            let mut night = Night::of("orders").await;
            let good: Vec<_> =
                (0..4).map(|hour| at("22 20:00:00") + TimeDelta::hours(hour)).collect();
            night.pass(&good, 0, at("22 23:05:00")).await;
            let mut refused = Vec::new();
            for minute in 0..12 {
                let mut event =
                    night.event(at("23 02:00:00") + TimeDelta::seconds(20 * minute), 700_016);
                event.identity.service_principal_id = "".into();
                event.identity.name = "".into();
                refused.push(event);
            }
            night.pass_of(&refused, at("23 02:10:00")).await;
            night.timeline().await
        });
        let card = &told.card;
        assert!(
            card.what.starts_with("The managed identity `orders` was refused"),
            "{}",
            card.what
        );
        assert_eq!(card.who[0].last_good_at, Some(at("22 23:00:00")));
        assert_eq!(card.causes[0].confidence, Confidence::High);
        assert!(card.causes[0].sentence.starts_with("`orders` was deleted"), "{:?}", card.causes);
        assert!(card.unknown.iter().all(|text| !text.starts_with("Whether it ever worked")));
    }

    #[test]
    fn a_part_is_told_of_a_whole_that_is_larger() {
        assert_eq!(apart(12, 12), None);
        assert!(apart(9, 12).unwrap().ends_with("name: 9 of 12"));
        let told = apart(166, 12).unwrap();
        assert!(told.ends_with("symptoms too: 166; the incident itself rests on 12"), "{told}");
    }

    #[test]
    fn many_of_one_kind_are_summed_up_and_none_is_lost() {
        let many: Vec<Entry> = (0..20)
            .map(|minute| {
                let at = at("23 02:00:00") + TimeDelta::minutes(minute);
                Entry::new(at, EntryKind::RuleMet, format!("{minute}")).with_count(2)
            })
            .collect();
        let few = summed_up(many.clone(), |number| format!("{number} more"));
        let sentences: Vec<&str> = few.iter().map(|entry| entry.sentence.as_str()).collect();
        assert_eq!(sentences, ["0", "1", "2", "3", "15 more", "19"]);
        assert_eq!(few.iter().filter_map(|entry| entry.count).sum::<u64>(), 40);
        assert_eq!(summed_up(many[..6].to_vec(), |number| number.to_string()).len(), 6);
    }

    #[test]
    fn an_incident_whose_findings_were_taken_back_still_tells_what_was_done() {
        let told = night::block_on(async {
            let mut night = Night::of("build-agent").await;
            let failures: Vec<_> =
                (0..6).map(|hour| at("23 02:00:00") + TimeDelta::hours(hour)).collect();
            night.pass(&failures, 501_051, at("23 07:05:00")).await;
            let incident = night.incident().await;
            night.pass(&[at("23 04:30:00")], 0, at("23 09:00:00")).await;
            let incident = night.store.incident(incident.id).await.unwrap().unwrap();
            timeline(&night.store, &night.rulebook, &night.catalogue, &incident).await.unwrap()
        });
        let said: Vec<&str> = told.entries.iter().map(|entry| entry.sentence.as_str()).collect();
        assert!(
            said.contains(&"Incident withdrawn: late events showed that nothing was wrong"),
            "{said:?}"
        );
        assert!(
            said.iter().any(|text| text.starts_with("The finding of `failure_streak` changed")),
            "{said:?}"
        );
    }
}
