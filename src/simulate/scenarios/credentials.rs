//! Credentials that stop working without anybody's ill will.

use std::ops::Range;
use std::sync::Arc;

use super::act::Act;
use crate::simulate::tick::{HOUR, MINUTE, SECOND};

/// Slow retries all through the morning, until somebody rotates the secret.
pub(super) fn secret_expired(act: &mut Act) {
    let lasting = act.draw.between(7 * HOUR, 9 * HOUR);
    renewed(act, lasting, &(25 * MINUTE..55 * MINUTE), 7_000_222);
}

pub(super) fn certificate_expired(act: &mut Act) {
    let lasting = act.draw.between(5 * HOUR, 7 * HOUR);
    renewed(act, lasting, &(15 * MINUTE..25 * MINUTE), 1_000_502);
}

/// A release with a secret mistyped, retried without patience, then rolled back.
pub(super) fn wrong_secret(act: &mut Act) {
    let lasting = act.draw.between(20 * MINUTE, 30 * MINUTE);
    corrected(act, lasting, &(15 * SECOND..30 * SECOND), 7_000_215);
}

/// A certificate renewed on the host and not uploaded, then put back.
pub(super) fn certificate_replaced(act: &mut Act) {
    let lasting = act.draw.between(70 * MINUTE, 90 * MINUTE);
    corrected(act, lasting, &(6 * MINUTE..9 * MINUTE), 700_027);
}

/// The repository was renamed: each run of the pipeline fails, three attempts each.
pub(super) fn federation_subject_changed(act: &mut Act) {
    let who = act.hero();
    let mut at = act.at;
    for _ in 0..4 {
        for _ in 0..3 {
            act.told(at, &who, who.targets[0], 700_213);
            at += act.draw.between(20 * SECOND, 50 * SECOND);
        }
        at += act.draw.between(40 * MINUTE, 80 * MINUTE);
    }
    act.recovered(at, &who);
    act.silenced_until(at);
}

fn renewed(act: &mut Act, lasting: i64, pause: &Range<i64>, code: i64) {
    let who = act.hero();
    let back = act.at + lasting;
    act.refused_until(back - MINUTE, pause, &who, who.targets[0], code);
    let renewed = Arc::new(who.with_new_key(&mut act.draw));
    act.recovered(back, &renewed);
    act.silenced_until(back);
    act.becomes(back, &renewed);
}

fn corrected(act: &mut Act, lasting: i64, pause: &Range<i64>, code: i64) {
    let who = act.hero();
    let back = act.at + lasting;
    act.refused_until(back - 10 * SECOND, pause, &who, who.targets[0], code);
    act.recovered(back, &who);
    act.silenced_until(back);
}
