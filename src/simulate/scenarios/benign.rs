//! What looks like trouble and is none.

use chrono::TimeDelta;

use super::{Act, Stage};
use crate::simulate::fleet::{Identity, Proof};

impl Stage<'_> {
    /// What looks like trouble and is none.
    pub(super) fn benign(&mut self) {
        if let Some(identity) = self.take(Proof::ManagedIdentity, None) {
            let (from, resource) = (self.before_end(17), self.resource(identity));
            let times = self.again(from, TimeDelta::seconds(9), 24);
            self.play(&Act {
                family: "deploy",
                rules: &[],
                identity,
                code: 0,
                resource,
                times,
                recovered_at: None,
            });
            self.is_benign();
        }
        if let Some(identity) = self.take(Proof::ManagedIdentity, None) {
            let (from, resource) = (self.before_end(53), self.resource(identity));
            for turn in 0..3 {
                let at = from + TimeDelta::hours(3 * turn);
                for (seconds, code) in [(0, 90_025), (4, 90_025), (19, 90_025), (70, 0)] {
                    let sign_in =
                        self.sign_in(identity, at + TimeDelta::seconds(seconds), resource, code);
                    self.script.sign_ins.push(sign_in);
                }
            }
            let until = from + TimeDelta::hours(6) + TimeDelta::seconds(70);
            self.label("retries", &[], identity, (from, until), Some(until), (&[90_025], 9));
            self.is_benign();
        }
        if let Some(pattern) = self.take(Proof::ManagedIdentity, None) {
            self.autoscale(pattern);
        }
    }

    /// A dozen instances of one service appear within minutes, each with an identity of its own.
    fn autoscale(&mut self, pattern: usize) {
        let from = self.before_end(61);
        let resource = self.resource(pattern);
        for instance in 0..12_u32 {
            let at = from + self.chance.span(TimeDelta::minutes(6));
            let before = &self.fleet.identities[pattern];
            let new = Identity {
                name: format!("{}-{instance:02}", before.name),
                arm_resource_id: format!("{}-{instance:02}", before.arm_resource_id),
                service_principal_id: self.chance.guid(),
                app_id: self.chance.guid(),
                lives: (at, at + TimeDelta::hours(30)),
                ..before.clone()
            };
            let new = self.fleet.add(new);
            self.taken.insert(new);
            let good = self.sign_in(new, at, resource, 0);
            self.script.sign_ins.push(good);
        }
        self.label(
            "autoscale",
            &[],
            pattern,
            (from, from + TimeDelta::minutes(6)),
            None,
            (&[0], 12),
        );
        self.is_benign();
    }

    /// The last label is of what only looks like trouble.
    fn is_benign(&mut self) {
        if let Some(label) = self.script.labels.last_mut() {
            label.is_benign = true;
        }
    }
}
