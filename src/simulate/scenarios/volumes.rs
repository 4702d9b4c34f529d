//! Too many requests: throttled, without a cache, or harvested.

use super::act::Act;
use crate::simulate::tick::{HOUR, MINUTE, SECOND};

/// A client that lost its cache is throttled; one request in a while still comes through.
pub(super) fn throttled(act: &mut Act) {
    let who = act.hero();
    let code = *act.draw.pick(&[90_055, 50_196]);
    let over = act.at + act.draw.between(9 * MINUTE, 25 * MINUTE);
    let mut at = act.at;
    while at < over {
        for _ in 0..2 + act.draw.below(3) {
            act.told(at, &who, who.targets[0], code);
            at += act.draw.between(8 * SECOND, 30 * SECOND);
        }
        if act.draw.percent(60) {
            act.ordinary(at, &who, who.targets[0]);
            at += act.draw.between(5 * SECOND, 20 * SECOND);
        }
    }
    act.recovered(at + MINUTE, &who);
    act.silenced_until(at + MINUTE);
}

/// A token before each call, and each call a second.
pub(super) fn uncached_client(act: &mut Act) {
    let who = act.hero();
    let count = 640 + act.draw.index(120);
    act.tokens(count, &(SECOND * 4 / 10..SECOND), &who, who.targets);
}

/// Far more tokens than ever, yet none in haste.
pub(super) fn token_harvest(act: &mut Act) {
    let who = act.hero();
    // Within one hour of the clock: that is what volumes are counted by.
    act.at = act.at.div_euclid(HOUR) * HOUR + act.draw.between(MINUTE, 5 * MINUTE);
    let count = 55 + act.draw.index(20);
    act.tokens(count, &(25 * SECOND..50 * SECOND), &who, who.targets);
}

/// In haste, and for nothing with power.
pub(super) fn ordinary_burst(act: &mut Act) {
    let who = act.hero();
    let count = 66 + act.draw.index(40);
    act.tokens(count, &(2 * SECOND..8 * SECOND), &who, who.targets);
}
