//! Who is new in a tenant, and who only seems to be.

use std::collections::BTreeMap;

use super::stage::Stage;
use super::symptoms::is_silence;
use crate::model::RuleFacts;
use crate::store::incidents::IncidentFinding;
use crate::store::subjects::{self, Subject};
use crate::store::{StoreError, Writing, newcomers};

/// The category of rules that find what is new in the tenant.
const NEWCOMER: &str = "newcomer";

/// The category of rules that find what comes and goes.
const LIFECYCLE: &str = "lifecycle";

const DAY: i64 = 24 * 3_600_000_000;

/// Whoever is seen for the first time is new only where there are records of so long before.
const KNOWN_FOR: i64 = 7 * DAY;

/// How long before an identity is made anew the trouble of the old one may have ended.
const TROUBLE_WITHIN: i64 = 2 * DAY;

/// Whoever is new is so beside events of others, which may come later: has such findings judged again where these
/// have come. Gives the time of the first event that ever was here.
pub(super) async fn judge_newcomers_again(
    writing: &mut Writing,
    rules: &BTreeMap<String, RuleFacts>,
    seen: i64,
) -> Result<i64, StoreError> {
    let (earliest_at, before) = newcomers::beginning(writing).await?;
    let of_category = rules.iter().filter(|(_, rule)| rule.category == NEWCOMER);
    let names: Vec<&str> = of_category.map(|(name, _)| name.as_str()).collect();
    let known_until = earliest_at.saturating_add(KNOWN_FOR);
    if let Some(before) = before.filter(|before| *before > earliest_at) {
        let until = before.saturating_add(KNOWN_FOR);
        newcomers::judge_again(writing, &names, (known_until, until)).await?;
    }
    newcomers::judge_kin_again(writing, &names, seen, known_until).await?;
    Ok(earliest_at)
}

impl Stage<'_> {
    fn is_of(&self, row: &IncidentFinding, category: &str) -> bool {
        self.rules.get(&row.rule).is_some_and(|rule| rule.category == category)
    }

    /// At the beginning of the records all are seen for the first time, and one that was made anew is known by its
    /// name. That it was made anew is no incident of its own where the trouble of the old one is one.
    pub(super) async fn drop_known(
        &mut self,
        subject: Subject,
        findings: &mut Vec<IncidentFinding>,
    ) -> Result<(), StoreError> {
        for place in (0..findings.len()).rev() {
            let row = &findings[place];
            let at = row.finding.draft.started_at;
            let Some(&identity) = row.finding.draft.identities.first() else { continue };
            let is_known = if self.is_of(row, NEWCOMER) {
                at < self.earliest_at.saturating_add(KNOWN_FOR)
                    || newcomers::has_predecessor(&mut self.writing, identity, at).await?
            } else if matches!(subject, Subject::Group(_)) && self.is_of(row, LIFECYCLE) {
                let interval = (at.saturating_sub(TROUBLE_WITHIN), at);
                // That it fell silent is no trouble of its own where another took over.
                let silences = self.rules.keys().filter(|name| is_silence(self.rules, name));
                let silences: Vec<&str> = silences.map(String::as_str).collect();
                let writing = &mut self.writing;
                subjects::namesake_in_trouble(writing, identity, interval, &silences).await?
            } else {
                false
            };
            if is_known {
                findings.remove(place);
            }
        }
        Ok(())
    }

    /// The subjects whose findings may be told by the incidents of an identity of the same name.
    pub(super) async fn made_anew(&mut self, subject: Subject) -> Result<Vec<Subject>, StoreError> {
        let Subject::Identity(id) = subject else { return Ok(Vec::new()) };
        if self.made_anew.is_none() {
            let rules = self.rules.iter().filter(|(_, rule)| rule.category == LIFECYCLE);
            let names: Vec<&str> = rules.map(|(name, _)| name.as_str()).collect();
            let made = subjects::groups_of_namesakes(&mut self.writing, &names).await?;
            self.made_anew = Some(made);
        }
        let groups = self.made_anew.as_ref().and_then(|made| made.get(&id)).into_iter().flatten();
        Ok(groups.map(|group| Subject::Group(*group)).collect())
    }
}
