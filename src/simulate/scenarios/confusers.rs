//! Harmless lives that are easily taken for trouble.

use std::sync::Arc;

use chrono::Datelike;

use super::act::Act;
use crate::simulate::fleet;
use crate::simulate::fleet::Identity;
use crate::simulate::place::Address;
use crate::simulate::target::{SERVICE_BUS, SQL, STORAGE, Target};
use crate::simulate::tick;
use crate::simulate::tick::{DAY, HOUR, MINUTE, SECOND};

static CLOSING: [&Target; 3] = [&SQL, &STORAGE, &SERVICE_BUS];

/// The clock of a cluster's node runs off, so now and then a token is too young; the second or third attempt passes.
pub(super) fn flaky_job(act: &mut Act) {
    let who = act.hero();
    for day in 0..act.draw.between(3, 5) {
        let mut at = act.at + day * DAY;
        for _ in 0..2 + act.draw.below(3) {
            for _ in 0..=act.draw.below(2) {
                act.told(at, &who, who.targets[0], 700_024);
                at += act.draw.between(5 * SECOND, 40 * SECOND);
            }
            act.recovered(at, &who);
            at += act.draw.between(4 * HOUR, 6 * HOUR);
        }
    }
}

/// Each run is on another host of the same provider. The label tells of the last two days.
pub(super) fn roaming_runner(act: &mut Act) {
    let home = act.hero();
    let Some(Address { place, .. }) = home.address else { return };
    act.silent(0, i64::MIN..i64::MAX);
    let mut begin = act.stretch.start + act.draw.between(0, 4 * HOUR);
    while begin < act.stretch.end {
        let host = u8::try_from(1 + act.draw.below(250)).expect("below 251");
        let address = Some(Address { place, host });
        let runner = Arc::new(Identity { address, ..Identity::clone(&home) });
        let mut at = begin;
        for target in home.targets {
            if begin < act.stretch.end - 2 * DAY {
                act.ordinary(at, &runner, target);
            } else {
                act.told(at, &runner, target, 0);
            }
            at += act.draw.between(SECOND, 20 * SECOND);
        }
        begin += act.draw.between(2 * HOUR, 5 * HOUR);
    }
}

/// Month's end in the office: two hours longer than usual.
pub(super) fn overtime(act: &mut Act) {
    let who = act.hero();
    act.at = act.at.div_euclid(HOUR) * HOUR + act.draw.between(5 * MINUTE, 15 * MINUTE);
    while tick::is_weekend(tick::day_of(act.at)) {
        act.at -= DAY;
    }
    let count = 6 + act.draw.index(5);
    act.tokens(count, &(MINUTE..4 * MINUTE), &who, who.targets);
}

/// A new workload that wants nothing but data.
pub(super) fn new_ordinary_identity(act: &mut Act) {
    let who = act.hero();
    act.born();
    let count = 4 + act.draw.index(7);
    act.tokens(count, &(10 * SECOND..30 * MINUTE), &who, who.targets);
}

/// A client without patience meets a fault of half a minute.
pub(super) fn retry_storm(act: &mut Act) {
    let who = act.hero();
    let code = *act.draw.pick(&[90_033, 90_055, 50_196]);
    let mut at = act.at;
    for _ in 0..6 + act.draw.below(3) {
        act.told(at, &who, who.targets[0], code);
        at += act.draw.between(SECOND, 3 * SECOND);
    }
    act.recovered(at, &who);
}

/// The books are closed on the first of each month. The label tells of all but the first time.
pub(super) fn monthly_batch(act: &mut Act) {
    let who = Arc::new(fleet::newcomer(
        "adf-closing-monthly-prod".to_owned(),
        "Microsoft.DataFactory/factories",
        &CLOSING,
        &mut act.draw,
    ));
    let days = tick::day_of(act.stretch.start) + 1..tick::day_of(act.stretch.end);
    let firsts = days.filter(|day| tick::to_time(day * DAY).day() == 1);
    for (month, day) in firsts.enumerate() {
        let mut at = day * DAY + 2 * HOUR + act.draw.between(0, 20 * MINUTE);
        for turn in 0..10 + act.draw.index(10) {
            let target = who.targets[turn % who.targets.len()];
            if month == 0 {
                act.ordinary(at, &who, target);
            } else {
                act.told(at, &who, target, 0);
            }
            at += act.draw.between(5 * SECOND, 2 * MINUTE);
        }
    }
}
