//! Identities that do what they never did: from elsewhere, by another credential, for something else, at another hour.

use std::sync::Arc;

use super::act::Act;
use crate::simulate::draw::Draw;
use crate::simulate::fleet::{Credential, Identity};
use crate::simulate::place::{AMSTERDAM, Address, CORK, DUBLIN, HOSTER, Place, SAO_PAULO};
use crate::simulate::target::{COSMOS_DB, EVENT_HUBS, LOG_ANALYTICS, SQL};
use crate::simulate::tick::{DAY, HOUR, MINUTE, SECOND};

/// The one and only secret leaked, and is used abroad for what it is always used for.
pub(super) fn leaked_secret(act: &mut Act) {
    let place = *act.draw.pick(&[&HOSTER, &SAO_PAULO]);
    used_elsewhere(act, place);
}

/// The same from a provider next door.
pub(super) fn other_network(act: &mut Act) {
    let at_home = act.hero().address.map(|address| address.place);
    used_elsewhere(act, if at_home == Some(&DUBLIN) { &CORK } else { &AMSTERDAM });
}

fn used_elsewhere(act: &mut Act, place: &'static Place) {
    let host = u8::try_from(20 + act.draw.below(200)).expect("below 220");
    let elsewhere = Arc::new(Identity {
        address: Some(Address { place, host }),
        ..Identity::clone(&act.hero())
    });
    let count = 4 + act.draw.index(9);
    act.tokens(count, &(2 * MINUTE..11 * MINUTE), &elsewhere, elsewhere.targets);
}

/// Somebody let the tokens of a pipeline of their own stand for a managed identity.
pub(super) fn foreign_issuer(act: &mut Act) {
    let issuer = *act.draw.pick(&[
        "https://gitlab.com",
        "https://app.terraform.io",
        "https://token.actions.githubusercontent.com",
    ]);
    let credential = Credential::Federated { id: act.draw.guid(), issuer };
    proven_by(act, credential, 3..8);
}

/// The same forge, but another repository.
pub(super) fn second_federated_credential(act: &mut Act) {
    let Credential::Federated { issuer, .. } = act.hero().credential else { return };
    let credential = Credential::Federated { id: act.draw.guid(), issuer };
    proven_by(act, credential, 2..6);
}

/// Where a certificate was, there is a secret now.
pub(super) fn other_credential_kind(act: &mut Act) {
    let credential = Credential::Secret { key_id: act.draw.guid() };
    proven_by(act, credential, 3..9);
}

fn proven_by(act: &mut Act, credential: Credential, count: std::ops::Range<i64>) {
    let who = Arc::new(Identity { credential, ..Identity::clone(&act.hero()) });
    let count = some(&mut act.draw, count);
    act.tokens(count, &(20 * SECOND..6 * MINUTE), &who, who.targets);
}

/// A partner's door that was never used.
pub(super) fn foreign_access(act: &mut Act) {
    let crossing = *act.draw.pick(&["serviceProvider", "b2bDirectConnect", "microsoftSupport"]);
    let who = Arc::new(Identity { crossing, ..Identity::clone(&act.hero()) });
    let count = some(&mut act.draw, 2..7);
    act.tokens(count, &(MINUTE..9 * MINUTE), &who, who.targets);
}

/// One more service, and not one with power.
pub(super) fn new_resource(act: &mut Act) {
    let who = act.hero();
    let target = *act.draw.pick(&[&COSMOS_DB, &EVENT_HUBS, &SQL, &LOG_ANALYTICS]);
    let count = some(&mut act.draw, 1..5);
    act.tokens(count, &(20 * MINUTE..80 * MINUTE), &who, &[target]);
}

/// The credential of an office's job is used by hand in the dead of night.
pub(super) fn off_hours(act: &mut Act) {
    let who = act.hero();
    // Within one hour of the clock, whichever way it is counted.
    act.at = act.at.div_euclid(HOUR) * HOUR + act.draw.between(2 * MINUTE, 9 * MINUTE);
    let count = some(&mut act.draw, 7..12);
    act.tokens(count, &(MINUTE..4 * MINUTE), &who, who.targets);
}

/// Left over from a move that was done in three days; a month later somebody finds its secret.
pub(super) fn dormant_awakened(act: &mut Act) {
    let who = act.hero();
    act.silent(0, act.stretch.start + 3 * DAY..act.at);
    let count = some(&mut act.draw, 2..7);
    act.tokens(count, &(30 * SECOND..8 * MINUTE), &who, who.targets);
}

fn some(draw: &mut Draw, count: std::ops::Range<i64>) -> usize {
    usize::try_from(draw.between(count.start, count.end)).expect("a handful")
}
