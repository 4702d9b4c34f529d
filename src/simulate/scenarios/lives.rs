//! Identities that are deleted: with an error code or in silence, for good or to be made anew.

use std::sync::Arc;

use super::act::Act;
use crate::simulate::fleet::Identity;
use crate::simulate::tick::{HOUR, MINUTE, SECOND};

/// The retry loop of the application goes on with the old client id until the new one is there.
pub(super) fn recreated(act: &mut Act) {
    let who = act.hero();
    let back = act.at + act.draw.between(38 * MINUTE, 43 * MINUTE);
    act.refused_until(
        back - 15 * SECOND,
        &(20 * SECOND..40 * SECOND),
        &who,
        who.targets[0],
        700_016,
    );
    let successor = Arc::new(who.recreated(&mut act.draw));
    act.recovered(back, &successor);
    act.silenced_until(back);
    act.becomes(back, &successor);
    act.successor = Some(successor);
}

/// Nobody has made it anew. Where the directory has forgotten it, the log has no more than its client id.
pub(super) fn deleted(act: &mut Act) {
    let who = act.hero();
    let forgotten = Arc::new(Identity {
        service_principal_id: None,
        name: String::new(),
        ..Identity::clone(&who)
    });
    // At the end of the stretch it is still going on; elsewhere somebody stops the workload.
    let until = act.at + act.draw.between(80 * MINUTE, 3 * HOUR);
    act.refused_until(until, &(20 * SECOND..45 * SECOND), &forgotten, who.targets[0], 700_016);
    act.silenced_until(i64::MAX);
}

/// Their resource group was taken down, and nobody told the workloads that live elsewhere.
pub(super) fn estate_deleted(act: &mut Act) {
    let over = act.at + act.draw.between(3 * HOUR, 6 * HOUR);
    for member in 0..act.cast.len() {
        let who = Arc::clone(&act.cast[member]);
        let mut at = act.at + act.draw.between(0, 15 * MINUTE);
        while at < over {
            act.told(at, &who, who.targets[0], 700_016);
            at += act.draw.between(8 * MINUTE, 16 * MINUTE);
        }
        let relief = over + act.draw.between(0, 10 * MINUTE);
        act.back(member, relief);
    }
}

/// What they run in went down, and no one of them was heard for most of a day.
pub(super) fn estate_silent(act: &mut Act) {
    let back = act.at + act.draw.between(16 * HOUR, 22 * HOUR);
    for member in 0..act.cast.len() {
        let relief = back + act.draw.between(0, 10 * MINUTE);
        act.back(member, relief);
    }
}

/// A connector that never pauses did for half a day.
pub(super) fn steady_silence(act: &mut Act) {
    let who = act.hero();
    let back = act.at + act.draw.between(12 * HOUR, 18 * HOUR);
    act.recovered(back, &who);
    act.silenced_until(back);
}

/// The host answers that there is no such identity, and Entra never hears of it.
pub(super) fn silent(act: &mut Act) {
    act.silenced_until(i64::MAX);
}

/// Torn down and made anew between two requests: nothing fails, but the ids are others.
pub(super) fn replaced(act: &mut Act) {
    let successor = Arc::new(act.hero().recreated(&mut act.draw));
    let count = 2 + act.draw.index(3);
    act.tokens(count, &(SECOND..2 * MINUTE), &successor, successor.targets);
    act.becomes(act.at, &successor);
}

/// Somebody's new application begins with what has power.
pub(super) fn new_with_power(act: &mut Act) {
    let who = act.hero();
    act.born();
    let count = 4 + act.draw.index(8);
    act.tokens(count, &(30 * SECOND..12 * MINUTE), &who, who.targets);
}

/// Deleted in the directory, which remembers it: sometimes it is restored, sometimes that was the end.
pub(super) fn removed_account(act: &mut Act) {
    let who = act.hero();
    let until = act.at + act.draw.between(40 * MINUTE, 150 * MINUTE);
    let patience = act.draw.between(4 * MINUTE, 12 * MINUTE);
    act.refused_until(until, &(patience..patience + 3 * MINUTE), &who, who.targets[0], 500_341);
    let back = until + patience + 3 * MINUTE;
    if act.draw.percent(60) {
        act.recovered(back, &who);
        act.silenced_until(back);
    } else {
        act.silenced_until(i64::MAX);
    }
}
