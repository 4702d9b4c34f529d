//! Whether an incident is told to a channel now, and why. Pure: it knows only what it is given.

use chrono::{DateTime, TimeDelta, Utc};

use super::message::topic;
use crate::config::Route;
use crate::model::{Incident, ResolvedBy, TellReason};
use crate::store::judgements::{Held, LeftUntold, Told};

/// So many times the events that were told are worth telling again.
const MUCH_MORE: u64 = 10;

/// What has only become more is told no more often than this.
const MORE_APART: TimeDelta = TimeDelta::hours(1);

/// What follows for one incident and one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    Tell(TellReason),
    /// Not yet: to be judged again then, though nothing changes.
    Wait(DateTime<Utc>),
    Nothing,
}

/// All that the judgement rests on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) incident: &'a Incident,
    /// It turned out to be part of another incident.
    pub(super) merged: bool,
    /// The last telling to this channel.
    pub(super) last: Option<&'a Told>,
    /// How it stood when it was left untold on purpose.
    pub(super) left: Option<LeftUntold>,
    /// Whether a route leads it to this channel.
    pub(super) fits: bool,
    /// It was judged before this channel was known.
    pub(super) before_channel: bool,
    pub(super) hold_resolved_for: TimeDelta,
    /// The end of a silence that it is of.
    pub(super) silent_until: Option<DateTime<Utc>>,
    /// What held it back when it was last judged.
    pub(super) held: Option<Held>,
    pub(super) now: DateTime<Utc>,
}

/// Whether the routes lead an incident to a channel. Without any route, all go to all.
#[must_use]
pub(super) fn fits(routes: &[Route], channel: &str, incident: &Incident) -> bool {
    routes.is_empty()
        || routes.iter().any(|route| {
            route.channels.iter().any(|name| name == channel)
                && incident.severity >= route.min_severity
                && (route.categories.is_empty()
                    || route
                        .categories
                        .iter()
                        .any(|category| incident.categories.contains(category)))
        })
}

/// Judges one incident for one channel. What a silence holds back is judged again at its end, by how things
/// stand then.
#[must_use]
pub(super) fn judge(case: &Case<'_>) -> Judgement {
    match (aloud(case), case.silent_until) {
        (Judgement::Tell(_), Some(until)) => Judgement::Wait(until),
        (judgement, _) => judgement,
    }
}

/// What would be told if there were no silences.
fn aloud(case: &Case<'_>) -> Judgement {
    let is_gone = case.merged
        || matches!(case.incident.resolved_by, Some(ResolvedBy::Merged | ResolvedBy::Withdrawn));
    match (case.last, is_gone) {
        (None, true) => Judgement::Nothing,
        (Some(last), true) if last.reason == TellReason::Resolved => Judgement::Nothing,
        (Some(_), true) => Judgement::Tell(TellReason::Resolved),
        (None, false) if case.incident.is_shadow => Judgement::Nothing,
        // Its rules were put in shadow since: of what was told, the end is told.
        (Some(last), false) if case.incident.is_shadow => {
            let is_over = case.incident.resolved_at.is_some();
            if is_over && last.reason != TellReason::Resolved {
                Judgement::Tell(TellReason::Resolved)
            } else {
                Judgement::Nothing
            }
        }
        (None, false) => first(case),
        (Some(last), false) => again(case, last),
    }
}

/// Never told to this channel so far.
fn first(case: &Case<'_>) -> Judgement {
    let incident = case.incident;
    let is_over = incident.resolved_at.is_some();
    let is_let_be = case.left.is_some_and(|left| {
        let is_reopened = left.resolved && !is_over;
        !is_reopened
            && incident.severity <= left.severity
            && incident.event_count < much_more(left.event_count)
    });
    // What came and went in silence or in shadow was not to be told.
    let is_past = is_over && (case.before_channel || case.held.is_some());
    if !case.fits || is_let_be || is_past {
        Judgement::Nothing
    } else {
        Judgement::Tell(TellReason::Opened)
    }
}

/// Told before. Who heard of an incident hears how it goes on, even where no route leads there now.
fn again(case: &Case<'_>, last: &Told) -> Judgement {
    let incident = case.incident;
    let was_over = last.reason == TellReason::Resolved;
    match incident.resolved_at {
        None if was_over => Judgement::Tell(TellReason::Reopened),
        Some(at) if !was_over => {
            let held_at = at + case.hold_resolved_for;
            if incident.resolved_by == Some(ResolvedBy::Person) || held_at <= case.now {
                return Judgement::Tell(TellReason::Resolved);
            }
            match worse(case, last) {
                Judgement::Nothing => Judgement::Wait(held_at),
                Judgement::Wait(until) => Judgement::Wait(until.min(held_at)),
                tell @ Judgement::Tell(_) => tell,
            }
        }
        _ => worse(case, last),
    }
}

fn worse(case: &Case<'_>, last: &Told) -> Judgement {
    let incident = case.incident;
    if last.reason == TellReason::Resolved && incident.event_count <= last.event_count {
        // The same that was told as over: only its rule is another now.
        return Judgement::Nothing;
    }
    if incident.severity > last.severity {
        return Judgement::Tell(TellReason::Worse);
    }
    let has_owner = incident.acknowledged_at.is_some() && incident.resolved_at.is_none();
    if has_owner || incident.event_count < much_more(last.event_count) {
        return Judgement::Nothing;
    }
    let from = last.planned_at + MORE_APART;
    if from <= case.now { Judgement::Tell(TellReason::Worse) } else { Judgement::Wait(from) }
}

fn much_more(told: u64) -> u64 {
    told.max(1).saturating_mul(MUCH_MORE)
}

/// The telling that a judgement leads to, as the next judgement will find it.
#[must_use]
pub(super) fn told(case: &Case<'_>, channel: &str, reason: TellReason) -> Told {
    Told {
        channel: channel.to_owned(),
        number: case.last.map_or(1, |last| last.number + 1),
        reason,
        topic: case.last.map_or_else(|| topic(case.incident), |last| last.topic.clone()),
        severity: case.incident.severity,
        event_count: case.incident.event_count,
        revision: case.incident.revision,
        planned_at: case.now,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sample;
    use super::*;
    use crate::model::{Severity, SilenceId};

    fn at(minute: i64) -> DateTime<Utc> {
        sample::at(minute)
    }

    fn case<'a>(incident: &'a Incident, last: Option<&'a Told>, now: DateTime<Utc>) -> Case<'a> {
        Case {
            incident,
            merged: false,
            last,
            left: None,
            fits: true,
            before_channel: false,
            hold_resolved_for: TimeDelta::minutes(5),
            silent_until: None,
            held: None,
            now,
        }
    }

    fn incident(
        severity: Severity,
        event_count: u64,
        ended: Option<(i64, ResolvedBy)>,
    ) -> Incident {
        Incident {
            severity,
            event_count,
            resolved_at: ended.map(|(minute, _)| at(minute)),
            resolved_by: ended.map(|(_, by)| by),
            ..sample::incident()
        }
    }

    fn last(reason: TellReason, severity: Severity, event_count: u64, minute: i64) -> Told {
        let incident = incident(severity, event_count, None);
        told(&case(&incident, None, at(minute)), "on call", reason)
    }

    #[test]
    fn a_new_incident_is_told_once() {
        let open = incident(Severity::High, 12, None);
        let first = judge(&case(&open, None, at(0)));
        assert_eq!(first, Judgement::Tell(TellReason::Opened));
        let told = told(&case(&open, None, at(0)), "on call", TellReason::Opened);
        assert_eq!(judge(&case(&open, Some(&told), at(9_000))), Judgement::Nothing);
    }

    #[test]
    fn it_is_worse_when_graver_or_ten_times_as_much_an_hour_later() {
        let opened = last(TellReason::Opened, Severity::Medium, 12, 0);
        let judged = |severity, count, minute| {
            judge(&case(&incident(severity, count, None), Some(&opened), at(minute)))
        };
        assert_eq!(judged(Severity::High, 12, 1), Judgement::Tell(TellReason::Worse));
        assert_eq!(judged(Severity::Medium, 119, 600), Judgement::Nothing);
        assert_eq!(judged(Severity::Medium, 120, 59), Judgement::Wait(at(60)));
        assert_eq!(judged(Severity::Medium, 120, 60), Judgement::Tell(TellReason::Worse));
    }

    #[test]
    fn of_an_acknowledged_incident_only_graver_is_told() {
        let opened = last(TellReason::Opened, Severity::Medium, 12, 0);
        let mine = |severity| Incident {
            acknowledged_at: Some(at(3)),
            ..incident(severity, 100_000, None)
        };
        assert_eq!(
            judge(&case(&mine(Severity::Medium), Some(&opened), at(600))),
            Judgement::Nothing
        );
        assert_eq!(
            judge(&case(&mine(Severity::High), Some(&opened), at(600))),
            Judgement::Tell(TellReason::Worse)
        );
    }

    #[test]
    fn a_recovery_is_told_when_it_held_and_the_word_of_a_person_at_once() {
        let opened = last(TellReason::Opened, Severity::High, 12, 0);
        let recovered = incident(Severity::High, 12, Some((20, ResolvedBy::Recovered)));
        assert_eq!(judge(&case(&recovered, Some(&opened), at(24))), Judgement::Wait(at(25)));
        let resolved = Judgement::Tell(TellReason::Resolved);
        assert_eq!(judge(&case(&recovered, Some(&opened), at(25))), resolved);
        let by_person = incident(Severity::High, 12, Some((20, ResolvedBy::Person)));
        assert_eq!(judge(&case(&by_person, Some(&opened), at(20))), resolved);
    }

    #[test]
    fn what_was_told_as_over_and_goes_on_is_reopened() {
        let resolved = last(TellReason::Resolved, Severity::High, 12, 30);
        let open = incident(Severity::High, 13, None);
        assert_eq!(
            judge(&case(&open, Some(&resolved), at(31))),
            Judgement::Tell(TellReason::Reopened)
        );
    }

    #[test]
    fn merged_and_withdrawn_incidents_are_taken_back_only_from_those_who_heard_of_them() {
        let opened = last(TellReason::Opened, Severity::High, 12, 0);
        let withdrawn = incident(Severity::High, 12, Some((20, ResolvedBy::Withdrawn)));
        let open = incident(Severity::High, 12, None);
        let merged = |last| Case { merged: true, ..case(&open, last, at(20)) };
        for judged in
            [judge(&case(&withdrawn, Some(&opened), at(20))), judge(&merged(Some(&opened)))]
        {
            assert_eq!(judged, Judgement::Tell(TellReason::Resolved));
        }
        assert_eq!(judge(&case(&withdrawn, None, at(20))), Judgement::Nothing);
        assert_eq!(judge(&merged(None)), Judgement::Nothing);
        let resolved = last(TellReason::Resolved, Severity::High, 12, 0);
        assert_eq!(judge(&merged(Some(&resolved))), Judgement::Nothing);
    }

    #[test]
    fn what_was_left_untold_is_told_when_it_grows_worse_or_opens_again() {
        let left = LeftUntold { severity: Severity::Medium, event_count: 5, resolved: true };
        let judged = |incident: Incident, resolved| {
            let left = Some(LeftUntold { resolved, ..left });
            judge(&Case { left, ..case(&incident, None, at(0)) })
        };
        let told = Judgement::Tell(TellReason::Opened);
        assert_eq!(judged(incident(Severity::Medium, 6, None), false), Judgement::Nothing);
        assert_eq!(judged(incident(Severity::Medium, 6, None), true), told);
        assert_eq!(judged(incident(Severity::High, 6, None), false), told);
        assert_eq!(judged(incident(Severity::Medium, 50, None), false), told);
    }

    #[test]
    fn a_silence_holds_back_until_its_end_and_what_was_over_by_then_is_never_told() {
        let silent = |incident, last| {
            judge(&Case { silent_until: Some(at(60)), ..case(incident, last, at(30)) })
        };
        let opened = last(TellReason::Opened, Severity::Medium, 12, 0);
        let open = incident(Severity::High, 12, None);
        let over = incident(Severity::High, 12, Some((20, ResolvedBy::Recovered)));
        assert_eq!(silent(&open, None), Judgement::Wait(at(60)));
        assert_eq!(silent(&open, Some(&opened)), Judgement::Wait(at(60)));
        assert_eq!(silent(&over, Some(&opened)), Judgement::Wait(at(60)));
        let same = incident(Severity::Medium, 12, None);
        assert_eq!(silent(&same, Some(&opened)), Judgement::Nothing);
        let after = |incident, last| {
            judge(&Case { held: Some(Held::By(SilenceId(1))), ..case(incident, last, at(60)) })
        };
        assert_eq!(after(&open, None), Judgement::Tell(TellReason::Opened));
        assert_eq!(after(&over, None), Judgement::Nothing);
        assert_eq!(after(&over, Some(&opened)), Judgement::Tell(TellReason::Resolved));
    }

    #[test]
    fn what_is_over_is_not_told_again_because_its_rule_was_edited() {
        let over = |severity, count| incident(severity, count, Some((20, ResolvedBy::Recovered)));
        let resolved = last(TellReason::Resolved, Severity::Medium, 12, 30);
        let judged = |incident| judge(&case(&incident, Some(&resolved), at(900)));
        assert_eq!(judged(over(Severity::Critical, 12)), Judgement::Nothing);
        assert_eq!(judged(over(Severity::Critical, 13)), Judgement::Tell(TellReason::Worse));
        // Out of the shadow comes what is open, not what was.
        let promoted =
            |incident| judge(&Case { held: Some(Held::InShadow), ..case(incident, None, at(900)) });
        let was = over(Severity::High, 12);
        assert_eq!(promoted(&was), Judgement::Nothing);
        let open = incident(Severity::High, 12, None);
        assert_eq!(promoted(&open), Judgement::Tell(TellReason::Opened));
    }

    #[test]
    fn of_an_incident_in_shadow_nothing_is_told_but_the_end_of_what_was() {
        let shadow =
            |ended| Incident { is_shadow: true, ..incident(Severity::Critical, 5_000, ended) };
        let over = shadow(Some((20, ResolvedBy::Recovered)));
        let (open, opened) = (shadow(None), last(TellReason::Opened, Severity::Low, 1, 0));
        assert_eq!(judge(&case(&open, None, at(900))), Judgement::Nothing);
        assert_eq!(judge(&case(&over, None, at(900))), Judgement::Nothing);
        assert_eq!(judge(&case(&open, Some(&opened), at(900))), Judgement::Nothing);
        let told = Judgement::Tell(TellReason::Resolved);
        assert_eq!(judge(&case(&over, Some(&opened), at(900))), told);
        let resolved = last(TellReason::Resolved, Severity::Low, 1, 0);
        assert_eq!(judge(&case(&over, Some(&resolved), at(900))), Judgement::Nothing);
        assert_eq!(judge(&case(&open, Some(&resolved), at(900))), Judgement::Nothing);
    }

    #[test]
    fn a_new_channel_hears_of_what_is_open_and_not_of_what_was_over() {
        let open = incident(Severity::High, 12, None);
        let over = incident(Severity::High, 12, Some((1, ResolvedBy::Recovered)));
        let judged =
            |incident| judge(&Case { before_channel: true, ..case(incident, None, at(9)) });
        assert_eq!(judged(&open), Judgement::Tell(TellReason::Opened));
        assert_eq!(judged(&over), Judgement::Nothing);
    }

    #[test]
    fn routes_choose_by_severity_and_category_and_none_means_all() {
        let incident = Incident { categories: vec!["spike".to_owned()], ..sample::incident() };
        let route = |min_severity, categories: &[&str]| Route {
            channels: vec!["on call".to_owned()],
            min_severity,
            categories: categories.iter().map(|&text| text.to_owned()).collect(),
        };
        assert!(fits(&[], "anyone", &incident));
        assert!(fits(&[route(Severity::High, &[])], "on call", &incident));
        assert!(!fits(&[route(Severity::High, &[])], "anyone", &incident));
        assert!(!fits(&[route(Severity::Critical, &[])], "on call", &incident));
        assert!(!fits(&[route(Severity::Low, &["absence"])], "on call", &incident));
        assert!(fits(&[route(Severity::Low, &["absence", "spike"])], "on call", &incident));
    }

    fn some_incident() -> impl Strategy<Value = Incident> {
        let ends = prop::option::of((
            0..300_i64,
            prop::sample::select(vec![
                ResolvedBy::Recovered,
                ResolvedBy::Quiet,
                ResolvedBy::Person,
                ResolvedBy::Merged,
                ResolvedBy::Withdrawn,
            ]),
        ));
        let severities = prop::sample::select(Severity::ALL.to_vec());
        (severities, 1..5_000_u64, ends, any::<bool>()).prop_map(
            |(severity, count, ended, owned)| Incident {
                acknowledged_at: owned.then(|| at(0)),
                ..incident(severity, count, ended)
            },
        )
    }

    proptest! {
        /// However an incident changes: the tellings of one state come to an end, an end is told only
        /// after a beginning, the two alternate, and waiting leads on.
        #[test]
        fn tellings_make_sense_in_order(states in prop::collection::vec((some_incident(), 0..90_i64), 1..12)) {
            let mut tellings: Vec<Told> = Vec::new();
            let mut minute = 0;
            for (incident, later) in &states {
                minute += later;
                for round in 0.. {
                    prop_assert!(round < 4, "never at rest: {tellings:#?}");
                    let case = case(incident, tellings.last(), at(minute));
                    match judge(&case) {
                        Judgement::Tell(reason) => { let told = told(&case, "on call", reason); tellings.push(told); }
                        Judgement::Wait(until) => { prop_assert!(until > at(minute)); break; }
                        Judgement::Nothing => break,
                    }
                }
            }
            for (place, telling) in tellings.iter().enumerate() {
                let before = place.checked_sub(1).map(|place| tellings[place].reason);
                prop_assert_eq!(telling.number, i64::try_from(place).unwrap() + 1);
                prop_assert_eq!(telling.reason == TellReason::Opened, before.is_none());
                if telling.reason == TellReason::Reopened {
                    prop_assert_eq!(before, Some(TellReason::Resolved));
                }
                if telling.reason == TellReason::Resolved {
                    prop_assert_ne!(before, Some(TellReason::Resolved));
                }
            }
        }

        /// In the end everybody who heard of an incident hears that it is over.
        #[test]
        fn an_end_is_told_at_last(state in some_incident(), ended in 0..300_i64) {
            let open = Incident { resolved_at: None, resolved_by: None, ..state };
            let first = case(&open, None, at(0));
            let opened = told(&first, "on call", TellReason::Opened);
            let over = Incident { resolved_at: Some(at(ended)), resolved_by: Some(ResolvedBy::Recovered), ..open.clone() };
            prop_assert_eq!(judge(&case(&over, Some(&opened), at(ended + 5))), Judgement::Tell(TellReason::Resolved));
        }
    }
}
