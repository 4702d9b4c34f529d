//! What only looks like trouble, and must not wake anybody.

use std::sync::Arc;

use super::act::Act;
use crate::simulate::fleet;
use crate::simulate::target::{KEY_VAULT, LOG_ANALYTICS, SQL, STORAGE, Target};
use crate::simulate::tick;
use crate::simulate::tick::{DAY, HOUR, MINUTE, SECOND};

static INSTANCE: [&Target; 2] = [&STORAGE, &LOG_ANALYTICS];
static SETTLEMENT: [&Target; 3] = [&STORAGE, &SQL, &KEY_VAULT];
static QUAYSIDE: [&Target; 2] = [&STORAGE, &KEY_VAULT];

/// A new secret; one instance tries the old one once more.
pub(super) fn secret_rotated(act: &mut Act) {
    let who = act.hero();
    let renewed = Arc::new(who.with_new_key(&mut act.draw));
    act.told(act.at, &renewed, renewed.targets[0], 0);
    act.becomes(act.at, &renewed);
    let late = act.at + act.draw.between(MINUTE, 3 * MINUTE);
    act.told(late, &who, who.targets[0], 7_000_215);
    let again = late + act.draw.between(5 * SECOND, 20 * SECOND);
    act.recovered(again, &renewed);
}

/// All instances start anew within some minutes.
pub(super) fn deploy_burst(act: &mut Act) {
    let who = act.hero();
    for turn in 0..act.draw.index(15) + 20 {
        let at = act.at + act.draw.between(0, 8 * MINUTE);
        act.told(at, &who, who.targets[turn % who.targets.len()], 0);
    }
}

/// Many new instances of one name pattern, each with an identity of its own.
pub(super) fn autoscale(act: &mut Act) {
    let pool = act.draw.below(0x10_0000);
    for instance in 0..act.draw.between(30, 45) {
        let name = format!("vmss-pricing-prod-weu_{pool:05x}{instance:02}");
        let provider = "Microsoft.Compute/virtualMachines";
        let who = Arc::new(fleet::newcomer(name, provider, &INSTANCE, &mut act.draw));
        let mut at = act.at + act.draw.between(0, 6 * MINUTE);
        for target in who.targets {
            act.told(at, &who, target, 0);
            at += act.draw.between(SECOND, 10 * SECOND);
        }
    }
}

/// A few faults in a row, and then a token.
pub(super) fn retry_succeeds(act: &mut Act) {
    let who = act.hero();
    let mut at = act.at;
    for _ in 0..2 + act.draw.below(2) {
        act.told(at, &who, who.targets[0], 90_033);
        at += act.draw.between(3 * SECOND, 30 * SECOND);
    }
    act.recovered(at, &who);
}

/// A job that is seen once a week, and then in number. The label tells of the last run.
pub(super) fn weekly_batch(act: &mut Act) {
    let who = Arc::new(fleet::newcomer(
        "adf-settlement-weekly-prod".to_owned(),
        "Microsoft.DataFactory/factories",
        &SETTLEMENT,
        &mut act.draw,
    ));
    let first_day = tick::day_of(act.at) + 1;
    let sunday = first_day + (7 - tick::weekday(first_day)) % 7;
    let mut begin = sunday * DAY + 3 * HOUR + 30 * MINUTE;
    while begin < act.stretch.end {
        let next = begin + 7 * DAY;
        let mut at = begin + act.draw.between(0, 3 * MINUTE);
        for turn in 0..12 + act.draw.index(8) {
            let target = who.targets[turn % who.targets.len()];
            if next < act.stretch.end {
                act.ordinary(at, &who, target);
            } else {
                act.told(at, &who, target, 0);
            }
            at += act.draw.between(5 * SECOND, 90 * SECOND);
        }
        begin = next;
    }
}

/// A young identity that is given one more resource by its second release.
pub(super) fn new_resource_while_learning(act: &mut Act) {
    let who = Arc::new(fleet::newcomer(
        "func-quayside-prod-weu".to_owned(),
        "Microsoft.Web/sites",
        &QUAYSIDE,
        &mut act.draw,
    ));
    let release = act.at + 2 * DAY;
    let mut at = act.at;
    while at < act.stretch.end {
        act.ordinary(at, &who, &STORAGE);
        if at >= release {
            let with = at + act.draw.between(SECOND, 9 * SECOND);
            act.told(with, &who, &KEY_VAULT, 0);
        }
        at += 8 * HOUR + act.draw.between(0, 20 * MINUTE);
    }
}
