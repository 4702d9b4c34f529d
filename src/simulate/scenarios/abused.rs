//! Tokens in hands they were not given to.

use chrono::TimeDelta;

use super::{Act, Stage};
use crate::simulate::fleet::{Proof, SignIn};
use crate::simulate::labels::Label;
use crate::simulate::names::{ARM, GRAPH, KEY_VAULT};

impl Stage<'_> {
    /// Tokens in hands they were not given to.
    pub(super) fn abused(&mut self) {
        if let Some(identity) = self.take(Proof::ManagedIdentity, Some(false)) {
            let from = self.before_end(33);
            let mut at = from;
            for service in [KEY_VAULT, GRAPH, ARM] {
                let sign_in = self.sign_in(identity, at, service, 0);
                self.script.sign_ins.push(sign_in);
                at += TimeDelta::minutes(2) + self.chance.span(TimeDelta::minutes(4));
            }
            self.label(
                "stolen_token",
                &["first_seen_privileged_resource"],
                identity,
                (from, at),
                None,
                (&[0], 3),
            );
        }
        if let Some(identity) = self.take(Proof::ManagedIdentity, None) {
            let from = self.before_end(23);
            let times = self.again(from, TimeDelta::seconds(6), 80);
            let resource = self.resource(identity);
            let recovered_at = None;
            self.play(&Act {
                family: "token_burst",
                rules: &["token_burst"],
                identity,
                code: 0,
                resource,
                times,
                recovered_at,
            });
        }
        if let Some(identity) = self.take(Proof::Secret, None) {
            let from = self.before_end(11);
            let key = self.chance.guid();
            let times = self.again(from, TimeDelta::minutes(3), 6);
            for at in &times {
                let resource = self.resource(identity);
                let sign_in = SignIn {
                    credential_key_id: Some(key),
                    ip_address: Some("203.0.113.191".to_owned()),
                    country: "BR",
                    ..self.sign_in(identity, *at, resource, 0)
                };
                self.script.sign_ins.push(sign_in);
            }
            let interval = (times[0], times[times.len() - 1]);
            self.label(
                "added_key",
                &["first_seen_credential_key"],
                identity,
                interval,
                None,
                (&[0], times.len()),
            );
        }
        if let Some(identity) = self.take(Proof::Federation, None) {
            self.spray(identity);
        }
    }

    /// Somebody guesses application ids from one address.
    fn spray(&mut self, identity: usize) {
        let from = self.before_end(8);
        let times = self.again(from, TimeDelta::seconds(110), 12);
        for at in &times {
            let app_id = self.chance.guid();
            let sign_in = SignIn {
                app_id: Some(app_id),
                ip_address: Some(format!("203.0.113.{}", 77 + self.round % 100)),
                country: "SE",
                ..self.sign_in(identity, *at, GRAPH, 700_016)
            };
            self.script.sign_ins.push(sign_in);
        }
        // The ids are nobody's: the label has none.
        let (started_at, ended_at) = (times[0], times[times.len() - 1]);
        self.script.labels.push(Label {
            family: "spray",
            is_benign: false,
            rules: &["application_id_spray"],
            service_principal_id: String::new(),
            app_id: String::new(),
            name: String::new(),
            started_at,
            ended_at,
            recovered_at: None,
            error_codes: vec![700_016],
            sign_ins: times.len() as u64,
        });
    }
}
