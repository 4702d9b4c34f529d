//! What stops working.

use chrono::{TimeDelta, Timelike};

use super::{Act, Stage};
use crate::model::SignInType;
use crate::simulate::chance::Chance;
use crate::simulate::fleet::{Identity, Proof, SignIn};
use crate::simulate::names::{GRAPH, Service};

/// A code that no catalogue has.
const NO_KNOWN_CODE: i64 = 7_009_999;

impl Stage<'_> {
    /// What stops working.
    pub(super) fn broken(&mut self) {
        if let Some(old) = self.take(Proof::ManagedIdentity, None) {
            self.recreated(old);
        }
        if let Some(identity) = self.take(Proof::Certificate, None) {
            let from = self.end - TimeDelta::minutes(50 + i64::from(self.round));
            let times = self.again(from, TimeDelta::seconds(40), 70);
            let resource = self.resource(identity);
            let rules = &["application_not_found_spike"];
            self.play(&Act {
                family: "deleted",
                rules,
                identity,
                code: 700_016,
                resource,
                times,
                recovered_at: None,
            });
        }
        if let Some(identity) = self.take(Proof::ManagedIdentity, None) {
            // No code at all: the host refuses, and the log says nothing.
            let at = self.before_end(72);
            self.fleet.identities[identity].lives.1 = at;
            self.label("gone_silent", &[], identity, (at, self.end), None, (&[], 0));
        }
        if let Some(identity) = self.take(Proof::ManagedIdentity, None) {
            let from = self.before_end(57);
            let times = self.again(from, TimeDelta::minutes(9), 5);
            let resource = Service {
                id: "5c1a2f0e-7d3b-4e8a-9f60-b1d2c3e4f506",
                name: "api://harbourline-quotes",
            };
            let rules = &["resource_not_found", "failure_streak"];
            self.play(&Act {
                family: "resource_not_found",
                rules,
                identity,
                code: 500_011,
                resource,
                times,
                recovered_at: None,
            });
        }
        if let Some(identity) = self.take(Proof::ManagedIdentity, None) {
            let from = self.before_end(44);
            let times = self.again(from, TimeDelta::minutes(7), 4);
            let (rules, resource) = (&["unknown_error_code"], self.resource(identity));
            let recovered_at = Some(from + TimeDelta::hours(2));
            self.play(&Act {
                family: "unknown_code",
                rules,
                identity,
                code: NO_KNOWN_CODE,
                resource,
                times,
                recovered_at,
            });
        }
        self.outage();
        self.cross_tenant();
    }

    /// Deleted and made again in the small hours: the application retries with the old client id, until
    /// somebody restarts it with the new one.
    fn recreated(&mut self, old: usize) {
        let at_two = self.end.with_hour(2).and_then(|at| at.with_minute(3)).unwrap_or(self.end);
        let latest = self.end - TimeDelta::minutes(90);
        let mut from = at_two - TimeDelta::days(i64::from(self.round));
        while from > latest {
            from -= TimeDelta::days(1);
        }
        let times = self.again(from, TimeDelta::seconds(26), 84);
        let recovered_at = from + TimeDelta::minutes(41);
        let resource = self.resource(old);
        let mut chance = Chance::of(self.seed, &[4, u64::from(self.round)]);
        let before = &self.fleet.identities[old];
        let new = Identity {
            service_principal_id: chance.guid(),
            app_id: chance.guid(),
            lives: (recovered_at + TimeDelta::minutes(1), self.end),
            scripted: Vec::new(),
            ..before.clone()
        };
        self.fleet.identities[old].lives.1 = from;
        let new = self.fleet.add(new);
        self.taken.insert(new);
        let good = self.sign_in(new, recovered_at, resource, 0);
        self.script.sign_ins.push(good);
        let (first, last) = (times[0], times[times.len() - 1]);
        for at in &times {
            let failed = self.sign_in(old, *at, resource, 700_016);
            self.script.sign_ins.push(failed);
        }
        let rules = &["application_not_found_spike"];
        self.label(
            "recreated",
            rules,
            old,
            (first, last),
            Some(recovered_at),
            (&[700_016], times.len()),
        );
    }

    /// Entra has trouble for some minutes, and everybody with it.
    fn outage(&mut self) {
        let from = self.before_end(30);
        let mut hit = Vec::new();
        while hit.len() < 8
            && let Some(identity) = self.take(Proof::ManagedIdentity, None)
        {
            hit.push(identity);
        }
        let Some(first) = hit.first().copied().filter(|_| hit.len() >= 5) else { return };
        for identity in &hit {
            let resource = self.resource(*identity);
            let at = from + self.chance.span(TimeDelta::minutes(9));
            for turn in 0..2 {
                let failed =
                    self.sign_in(*identity, at + TimeDelta::seconds(20 * turn), resource, 90_033);
                self.script.sign_ins.push(failed);
            }
            let good = self.sign_in(*identity, from + TimeDelta::minutes(15), resource, 0);
            self.script.sign_ins.push(good);
        }
        let until = from + TimeDelta::minutes(15);
        self.label(
            "outage",
            &["service_outage"],
            first,
            (from, until),
            Some(until),
            (&[90_033], 2 * hit.len()),
        );
    }

    /// Accounts of a partner that were never invited.
    fn cross_tenant(&mut self) {
        let Some(identity) = self.take(Proof::Federation, None) else { return };
        let from = self.before_end(20);
        let times = self.again(from, TimeDelta::seconds(25), 14);
        for (turn, at) in times.iter().enumerate() {
            let user = format!("berth.planner{}@northquay.example", turn % 4);
            let sign_in = SignIn {
                kind: SignInType::NonInteractiveUser,
                user: Some(user),
                ip_address: Some("198.51.100.23".to_owned()),
                ..self.sign_in(identity, *at, GRAPH, 50_020)
            };
            self.script.sign_ins.push(sign_in);
        }
        let interval = (times[0], times[times.len() - 1]);
        self.label(
            "cross_tenant",
            &["cross_tenant_user_spike"],
            identity,
            interval,
            None,
            (&[50_020], times.len()),
        );
    }
}
