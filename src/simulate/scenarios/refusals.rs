//! Refusals that are not about credentials: policies, switches, wrong resources, faults of Entra.

use std::sync::Arc;

use super::act::Act;
use crate::simulate::fleet::Identity;
use crate::simulate::place::{Address, SAO_PAULO};
use crate::simulate::target::{OTHER_CLOUD, UNKNOWN};
use crate::simulate::tick::{HOUR, MINUTE, SECOND};

/// A code that stands in no list, and not in ours.
pub(super) const UNKNOWN_CODE: i64 = 7_000_941;

pub(super) fn application_disabled(act: &mut Act) {
    let who = act.hero();
    let back = act.at + act.draw.between(150 * MINUTE, 4 * HOUR);
    act.refused_until(
        back - 10 * SECOND,
        &(4 * MINUTE..6 * MINUTE),
        &who,
        who.targets[0],
        7_000_112,
    );
    act.recovered(back, &who);
    act.silenced_until(back);
}

/// Its secret is used from a place that the policy does not allow; at home all goes on.
pub(super) fn conditional_access_block(act: &mut Act) {
    let host = u8::try_from(2 + act.draw.below(200)).expect("below 202");
    let elsewhere = Arc::new(Identity {
        address: Some(Address { place: &SAO_PAULO, host }),
        ..Identity::clone(&act.hero())
    });
    let until = act.at + act.draw.between(30 * MINUTE, 50 * MINUTE);
    act.refused_until(until, &(3 * MINUTE..6 * MINUTE), &elsewhere, elsewhere.targets[0], 53_003);
}

/// A release with a misspelt audience.
pub(super) fn resource_not_found(act: &mut Act) {
    let who = act.hero();
    let back = act.at + act.draw.between(35 * MINUTE, 55 * MINUTE);
    act.refused_until(back - 10 * SECOND, &(3 * MINUTE..5 * MINUTE), &who, &UNKNOWN, 500_011);
    act.recovered(back, &who);
}

pub(super) fn unknown_error_code(act: &mut Act) {
    let who = act.hero();
    let back = act.at + act.draw.between(60 * MINUTE, 90 * MINUTE);
    act.refused_until(
        back - 10 * SECOND,
        &(5 * MINUTE..8 * MINUTE),
        &who,
        who.targets[0],
        UNKNOWN_CODE,
    );
    act.recovered(back, &who);
    act.silenced_until(back);
}

/// 7000232 has no entry in any list but was seen: a resource of another cloud.
pub(super) fn undocumented_error_code(act: &mut Act) {
    let who = act.hero();
    let until = act.at + act.draw.between(90 * MINUTE, 150 * MINUTE);
    act.refused_until(until, &(8 * MINUTE..14 * MINUTE), &who, &OTHER_CLOUD, 7_000_232);
}

/// What no other rule looks for.
const MISCONFIGURED: [i64; 4] = [501_051, 650_056, 65_001, 70_011];

/// A permission was taken away by mistake and given back within the hour: too few refusals for a streak.
pub(super) fn new_failure_code(act: &mut Act) {
    let who = act.hero();
    let code = *act.draw.pick(&MISCONFIGURED);
    let mut at = act.at;
    for _ in 0..3 + act.draw.below(2) {
        act.told(at, &who, who.targets[0], code);
        at += act.draw.between(3 * MINUTE, 14 * MINUTE);
    }
    act.recovered(at, &who);
    act.silenced_until(at);
}

/// A patient workload: one attempt every few hours, for two days.
pub(super) fn slow_failures(act: &mut Act) {
    let who = act.hero();
    let code = *act.draw.pick(&MISCONFIGURED);
    let back = act.at + act.draw.between(40 * HOUR, 52 * HOUR);
    let pause = act.draw.between(2 * HOUR, 4 * HOUR);
    act.refused_until(back - MINUTE, &(pause..pause + HOUR), &who, who.targets[0], code);
    act.recovered(back, &who);
    act.silenced_until(back);
}

/// A job that runs once a night, and tries once.
pub(super) fn nightly_job_fails(act: &mut Act) {
    let who = act.hero();
    let code = *act.draw.pick(&MISCONFIGURED);
    let nights = i64::try_from(act.draw.below(2)).expect("0 or 1") + 3;
    for night in 0..nights {
        let at = act.at + night * 24 * HOUR + act.draw.between(0, 10 * MINUTE);
        act.told(at, &who, who.targets[0], code);
    }
    let back = act.at + nights * 24 * HOUR;
    act.recovered(back, &who);
    act.silenced_until(back);
}

/// Entra's fault concerns one identity alone, and lasts.
pub(super) fn stuck_identity(act: &mut Act) {
    let who = act.hero();
    let code = *act.draw.pick(&[90_033, 90_024, 50_196]);
    let back = act.at + act.draw.between(50 * MINUTE, 100 * MINUTE);
    act.refused_until(back - MINUTE, &(3 * MINUTE..7 * MINUTE), &who, who.targets[0], code);
    act.recovered(back, &who);
    act.silenced_until(back);
}

/// One of two instances was left behind with the old secret; the other goes on.
pub(super) fn half_broken(act: &mut Act) {
    let left_behind = Arc::new(act.hero().with_new_key(&mut act.draw));
    let code = *act.draw.pick(&[7_000_222, 7_000_215]);
    let until = act.at + act.draw.between(18 * HOUR, 23 * HOUR);
    let pause = 50 * MINUTE..act.draw.between(60 * MINUTE, 85 * MINUTE);
    act.refused_until(until, &pause, &left_behind, left_behind.targets[0], code);
}

/// One change in the tenant, and all whom it concerns are refused alike until it is taken back.
pub(super) fn fleet_refused(act: &mut Act) {
    let code = *act.draw.pick(&[53_003, 500_011, 530_032]);
    let over = act.at + act.draw.between(22 * MINUTE, 28 * MINUTE);
    for member in 0..act.draw.index(act.cast.len() - 5) + 6 {
        let who = Arc::clone(&act.cast[member]);
        let mut at = act.at + act.draw.between(0, 9 * MINUTE);
        for _ in 0..2 + act.draw.below(3) {
            act.told(at, &who, who.targets[0], code);
            at += act.draw.between(MINUTE, 4 * MINUTE);
        }
        let relief = over + act.draw.between(0, 4 * MINUTE);
        act.back(member, relief);
    }
}

/// Some minutes of faults for many; each gets its token in the end.
pub(super) fn service_outage(act: &mut Act) {
    let over = act.at + act.draw.between(8 * MINUTE, 12 * MINUTE);
    for member in 0..act.cast.len() {
        let who = Arc::clone(&act.cast[member]);
        let mut at = act.at + act.draw.between(0, 5 * MINUTE);
        for _ in 0..=act.draw.below(3) {
            act.told(at, &who, who.targets[0], 90_033);
            at += act.draw.between(10 * SECOND, MINUTE);
        }
        let relief = over + act.draw.between(0, 4 * MINUTE);
        act.recovered(relief, &who);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_unknown_code_is_in_no_list_of_ours() {
        let catalogue = include_str!("../../../rules/errors.toml");
        assert!(catalogue.contains("code = 7000232\n"));
        assert!(!catalogue.contains(&super::UNKNOWN_CODE.to_string()));
    }
}
