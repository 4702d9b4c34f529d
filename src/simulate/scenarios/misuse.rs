//! Somebody who should not: guessing, stolen tokens, stolen credentials.

use std::sync::Arc;

use super::act::Act;
use crate::model::SignInType;
use crate::simulate::draw::Draw;
use crate::simulate::fleet::{Credential, Identity, User};
use crate::simulate::place::{Address, BOYDTON, DUBLIN, HOSTER, ROTTERDAM, SAO_PAULO};
use crate::simulate::target::{ARM, GRAPH, KEY_VAULT, STORAGE};
use crate::simulate::tick::{MINUTE, SECOND};

/// Two addresses try one application id after another.
pub(super) fn application_id_spray(act: &mut Act) {
    let first = u8::try_from(act.draw.below(127) * 2).expect("below 254");
    let mut at = act.at;
    for turn in 0..act.draw.between(50, 90) {
        let host = if turn % 3 == 0 { first } else { first + 1 };
        let who = Arc::new(Identity {
            address: Some(Address { place: &HOSTER, host }),
            ..stranger(SignInType::ServicePrincipal, String::new(), &mut act.draw)
        });
        act.told(at, &who, &GRAPH, 700_016);
        at += act.draw.between(8 * SECOND, 30 * SECOND);
    }
}

/// One address tries secrets that it found somewhere, for one application after the other, patiently.
pub(super) fn credential_spray(act: &mut Act) {
    let host = u8::try_from(act.draw.below(250)).expect("below 250");
    let mut at = act.at;
    for _ in 0..2 {
        for member in 0..act.cast.len() {
            let guesser = Arc::new(Identity {
                address: Some(Address { place: &HOSTER, host }),
                ..act.cast[member].with_new_key(&mut act.draw)
            });
            act.told(at, &guesser, guesser.targets[0], 7_000_215);
            at += act.draw.between(5 * MINUTE, 50 * MINUTE);
        }
    }
}

/// As below, a few an hour, so that no hour shows much.
pub(super) fn strangers_slowly(act: &mut Act) {
    let users = strangers(act);
    let mut at = act.at;
    for turn in 0..act.draw.index(12) + 24 {
        act.told(at, &users[turn % users.len()], &STORAGE, 50_020);
        at += act.draw.between(20 * MINUTE, 60 * MINUTE);
    }
}

/// Accounts of other tenants ask for one application that they were never invited to.
pub(super) fn cross_tenant_users(act: &mut Act) {
    let users = strangers(act);
    let mut at = act.at;
    for _ in 0..act.draw.between(45, 70) {
        let who = Arc::clone(act.draw.pick(&users));
        act.told(at, &who, &STORAGE, 50_020);
        at += act.draw.between(5 * SECOND, 30 * SECOND);
    }
}

/// People of other companies at one application.
fn strangers(act: &mut Act) -> Vec<Arc<Identity>> {
    const PEOPLE: [&str; 12] = [
        "anouk", "bram", "chiara", "dario", "elif", "farah", "goran", "hanne", "ivo", "jonas",
        "kenji", "lucia",
    ];
    const COMPANIES: [&str; 3] =
        ["northquay.example", "pelagic-lines.example", "stow-and-sons.example"];
    let name = "Harbourline Track & Trace".to_owned();
    let application = stranger(SignInType::NonInteractiveUser, name, &mut act.draw);
    let home_tenant_id = act.draw.guid();
    PEOPLE
        .iter()
        .flat_map(|person| COMPANIES.map(|company| (*person, company)))
        .map(|(person, company)| {
            let place = *act.draw.pick(&[&ROTTERDAM, &DUBLIN, &BOYDTON, &SAO_PAULO]);
            let host = u8::try_from(5 + act.draw.below(240)).expect("below 245");
            let user = User {
                id: act.draw.guid(),
                principal_name: format!("{person}@{company}"),
                display_name: format!("{}{}", person[..1].to_uppercase(), &person[1..]),
                home_tenant_id,
            };
            let address = Some(Address { place, host });
            Arc::new(Identity { user: Some(user), address, ..application.clone() })
        })
        .collect()
}

/// Code that runs on the host asks for everything it can think of, over and over.
pub(super) fn stolen_token(act: &mut Act) {
    let who = act.hero();
    let mut at = act.at;
    for turn in 0..act.draw.index(20) + 70 {
        act.told(at, &who, [&KEY_VAULT, &GRAPH, &ARM][turn % 3], 0);
        at += act.draw.between(2 * SECOND, 7 * SECOND);
    }
}

/// A second secret was added to the application, and is used from far away.
pub(super) fn stolen_credential(act: &mut Act) {
    let host = u8::try_from(100 + act.draw.below(100)).expect("below 200");
    let thief = Arc::new(Identity {
        address: Some(Address { place: &HOSTER, host }),
        ..act.hero().with_new_key(&mut act.draw)
    });
    let mut at = act.at;
    for turn in 0..act.draw.index(6) + 8 {
        act.told(at, &thief, if turn % 2 == 0 { thief.targets[0] } else { &ARM }, 0);
        at += act.draw.between(MINUTE, 4 * MINUTE);
    }
}

/// An application that is nobody's in the fleet.
fn stranger(kind: SignInType, name: String, draw: &mut Draw) -> Identity {
    Identity {
        kind,
        service_principal_id: None,
        app_id: draw.guid(),
        name,
        arm_resource_id: String::new(),
        user_assigned: false,
        credential: match kind {
            SignInType::ServicePrincipal => Credential::Secret { key_id: draw.guid() },
            _ => Credential::Managed,
        },
        address: None,
        user: None,
        targets: &[],
        cadence: crate::simulate::cadence::Cadence::Weekly,
        phase: 0,
        risk: "none",
        crossing: "none",
    }
}
