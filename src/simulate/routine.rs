//! Everyday life: tokens asked for in each one's rhythm, and the small faults that cure themselves.

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use super::chance::Chance;
use super::fleet::{Cadence, Identity, SignIn};
use super::names::Service;

/// Adds what one identity does by itself in a day.
pub(super) fn day(
    (place, identity): (usize, &Identity),
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    chance: &mut Chance,
    sign_ins: &mut Vec<SignIn>,
) {
    for (service, cadence) in &identity.asks {
        for at in times(*cadence, (from, to), chance) {
            if identity.is_at_work(at) {
                ask(identity, place, *service, at, chance, sign_ins);
            }
        }
    }
    // A deployment restarts it: every token is asked for anew, a few times within a minute.
    if chance.per_mille(30) {
        let at = from + TimeDelta::hours(8) + chance.span(TimeDelta::hours(9));
        for (service, _) in &identity.asks {
            for instance in 0..=chance.below(3) {
                let at = at + TimeDelta::seconds(i64::try_from(instance * 7).unwrap_or(0));
                if identity.is_at_work(at) {
                    ask(identity, place, *service, at, chance, sign_ins);
                }
            }
        }
    }
}

fn ask(
    identity: &Identity,
    place: usize,
    resource: Service,
    at: DateTime<Utc>,
    chance: &mut Chance,
    sign_ins: &mut Vec<SignIn>,
) {
    let good = SignIn {
        at,
        identity: place,
        kind: identity.sign_in_type(),
        resource,
        code: 0,
        app_id: None,
        ip_address: None,
        country: "NL",
        credential_key_id: None,
        user: None,
    };
    if chance.per_mille(identity.flaky) {
        let code = *chance.pick(&[90033, 90033, 50196, 90025]);
        let again = at + TimeDelta::seconds(2) + chance.span(TimeDelta::seconds(20));
        sign_ins.push(SignIn { code, ..good.clone() });
        sign_ins.push(SignIn { at: again, ..good });
    } else {
        sign_ins.push(good);
    }
}

/// When a cadence asks within a day.
fn times(
    cadence: Cadence,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    chance: &mut Chance,
) -> Vec<DateTime<Utc>> {
    let regular = |every: TimeDelta, chance: &mut Chance| {
        let mut times = Vec::new();
        let mut at = from + chance.span(every);
        while at < to {
            times.push(at);
            at += every * 9 / 10 + chance.span(every / 5);
        }
        times
    };
    match cadence {
        Cadence::Every { hours } => regular(TimeDelta::hours(i64::from(hours)), chance),
        Cadence::Restless { minutes } => regular(TimeDelta::minutes(i64::from(minutes)), chance),
        Cadence::Nightly { hour } => {
            vec![
                midnight(from)
                    + TimeDelta::hours(i64::from(hour))
                    + chance.span(TimeDelta::minutes(5)),
            ]
        }
        Cadence::Weekly { weekday, hour, tasks }
            if from.weekday().num_days_from_monday() == weekday =>
        {
            (0..tasks)
                .map(|_| {
                    midnight(from)
                        + TimeDelta::hours(i64::from(hour))
                        + chance.span(TimeDelta::minutes(20))
                })
                .collect()
        }
        Cadence::Weekly { .. } => Vec::new(),
    }
    .into_iter()
    .map(|at| if at < from { at + TimeDelta::days(1) } else { at })
    .filter(|at| *at < to)
    .collect()
}

fn midnight(at: DateTime<Utc>) -> DateTime<Utc> {
    at.date_naive().and_hms_opt(0, 0, 0).map_or(at, |at| at.and_utc())
}
