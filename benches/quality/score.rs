//! What was claimed of a tenant, beside what is true of it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use signinel::model::NamedIdentity;
use signinel::simulate::{Family, Label};

use crate::{IDENTITIES, WEEKS};

/// What somebody is woken up with.
#[derive(Clone)]
pub(crate) struct Claim {
    pub(crate) title: String,
    pub(crate) identities: Vec<NamedIdentity>,
    /// Empty where there is but one.
    pub(crate) rules: Vec<String>,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) detected_at: DateTime<Utc>,
    pub(crate) last_seen_at: DateTime<Utc>,
}

impl Claim {
    fn is_of(&self, label: &Label) -> bool {
        label.covers(&self.identities, self.started_at, self.last_seen_at)
    }

    /// Of this scenario, and by a rule that is meant to find it.
    fn tells_of(&self, label: &Label) -> bool {
        let is_meant = |rule: &String| self.rules.contains(rule);
        self.is_of(label) && (self.rules.is_empty() || label.rules.iter().any(is_meant))
    }
}

/// What became of the scenarios of one family.
#[derive(Default)]
struct OfFamily {
    scenarios: usize,
    found: usize,
    claims: usize,
    /// Event time from the first record that tells of it to the detection.
    delays: Vec<TimeDelta>,
}

#[derive(Default)]
pub(crate) struct Score {
    families: BTreeMap<Family, OfFamily>,
    claims: usize,
    /// Those of no scenario, or of one that only looks like trouble.
    mistaken: Vec<String>,
}

impl Score {
    pub(crate) fn add(&mut self, seed: u64, labels: &[Label], claims: &[Claim]) {
        for label in labels.iter().filter(|label| !label.rules.is_empty()) {
            let family = self.families.entry(label.family).or_default();
            family.scenarios += 1;
            let detections = claims.iter().filter(|claim| claim.tells_of(label));
            if let Some(at) = detections.map(|claim| claim.detected_at).min() {
                family.found += 1;
                let is_its_own = |claim: &&Claim| {
                    claim.tells_of(label)
                        || claim.is_of(label) && !labels.iter().any(|other| claim.tells_of(other))
                };
                family.claims += claims.iter().filter(is_its_own).count();
                family.delays.push(at - label.started_at);
            }
        }
        for claim in claims {
            let of = |is_benign: bool| {
                labels.iter().find(|label| label.is_benign == is_benign && claim.is_of(label))
            };
            let is_tolerated = |label: &Label| {
                !claim.rules.is_empty()
                    && claim.rules.iter().all(|rule| label.tolerated_rules.contains(rule))
            };
            match (of(false), of(true)) {
                (Some(_), _) => self.claims += 1,
                (None, Some(label)) if is_tolerated(label) => {}
                (None, _) => {
                    self.claims += 1;
                    self.mistaken.push(format!(
                        "seed {seed}, {}, {}: {}",
                        claim.started_at.format("%F %R"),
                        claim.rules.join(" "),
                        claim.title
                    ));
                }
            }
        }
    }

    fn sum(&self, of: impl Fn(&OfFamily) -> usize) -> f64 {
        self.families.values().map(of).sum::<usize>() as f64
    }

    fn recall(&self) -> f64 {
        self.sum(|family| family.found) / self.sum(|family| family.scenarios)
    }

    fn precision(&self) -> f64 {
        1.0 - self.mistaken.len() as f64 / self.claims as f64
    }

    fn false_ones(&self, seeds: u64) -> f64 {
        self.mistaken.len() as f64 / (seeds as f64 * f64::from(IDENTITIES * WEEKS))
    }

    fn claims_each(&self) -> f64 {
        self.sum(|family| family.claims) / self.sum(|family| family.found)
    }

    fn delay(&self, is_meant: impl Fn(Family) -> bool) -> f64 {
        let families = self.families.iter().filter(|(family, _)| is_meant(**family));
        median(families.flat_map(|(_, of)| of.delays.iter().copied()).collect())
    }

    /// What was asked, and what came of it.
    pub(crate) fn summary(&self, seeds: u64) {
        let is_700016 =
            |family| matches!(family, Family::RecreatedIdentity | Family::DeletedIdentity);
        println!("| | asked | Signinel |");
        println!("|---|---|---|");
        for (what, asked, number) in [
            ("recall", "at least 0.97", self.recall()),
            ("precision", "at least 0.90", self.precision()),
            ("false incidents per identity and week", "at most 0.02", self.false_ones(seeds)),
            ("minutes to detect a 700016 spike, median", "under 3", self.delay(is_700016)),
            ("minutes to detect anything, median", "", self.delay(|_| true)),
            ("incidents for a scenario, mean", "at most 1.1", self.claims_each()),
        ] {
            println!("| {what} | {asked} | {number:.3} |");
        }
    }

    /// Its row in the table of all that look at the same records.
    pub(crate) fn row(&self, what: &str, seeds: u64) {
        // Who claims nothing is never wrong, and never early.
        let shown = |number: f64, places: usize| {
            if number.is_nan() { "none".to_owned() } else { format!("{number:.places$}") }
        };
        println!(
            "| {what} | {:.3} | {} | {:.4} | {} |",
            self.recall(),
            shown(self.precision(), 3),
            self.false_ones(seeds),
            shown(self.delay(|_| true), 1)
        );
    }

    pub(crate) fn families(&self) {
        println!("\n| scenario | played | found | incidents each | minutes to detect, median |");
        println!("|---|---|---|---|---|");
        for (family, of) in &self.families {
            println!(
                "| `{family}` | {} | {} | {:.2} | {:.1} |",
                of.scenarios,
                of.found,
                of.claims as f64 / of.found.max(1) as f64,
                median(of.delays.clone())
            );
        }
    }

    pub(crate) fn list_mistaken(&self) {
        println!("\nIncidents that tell of no trouble: {}.", self.mistaken.len());
        for claim in self.mistaken.iter().take(30) {
            println!("- {claim}");
        }
    }
}

/// In minutes; not a number where there is none.
fn median(mut delays: Vec<TimeDelta>) -> f64 {
    delays.sort_unstable();
    delays.get(delays.len() / 2).map_or(f64::NAN, |delay| delay.num_seconds() as f64 / 60.0)
}
