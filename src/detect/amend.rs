//! Writes what became of a finding, and says it where late events changed one.

use chrono::{DateTime, TimeDelta, Utc};

use super::change::GroupChange;
use super::pass::Found;
use super::replay::Change;
use crate::model::{Draft, span_in_words};
use crate::store::findings::{self, Key, NewFindings};
use crate::store::{StoreError, Writing, micros, time};

/// Events that came after later ones had been folded, those that could change anything.
pub(super) struct Late {
    first: Key,
    count: usize,
    /// Events that left the group since a later record said more of them.
    left: usize,
}

/// Writes one change, and the sentence that tells of it. What is new goes to `new`, to be written with others.
pub(super) async fn apply(
    writing: &mut Writing,
    new: &mut NewFindings,
    ids: (i64, i64),
    change: Change,
    late: Option<&Late>,
    now: DateTime<Utc>,
    found: &mut Found,
) -> Result<(), StoreError> {
    let at = micros(now);
    match change {
        Change::Insert(draft) => {
            new.push(ids, draft, at);
            found.new += 1;
        }
        Change::Update(old, draft) => {
            findings::update_finding(writing, old.id, &draft, at).await?;
            if let Some(late) = late {
                findings::amend(
                    writing,
                    old.id,
                    "late",
                    &late.sentence(&old.draft, &draft, now),
                    at,
                )
                .await?;
            }
            found.changed += 1;
        }
        Change::Confirm(old) => findings::confirm_finding(writing, old.id).await?,
        Change::Merge(old) => {
            findings::withdraw_finding(writing, old.id, at).await?;
            findings::amend(
                writing,
                old.id,
                "merged",
                "late events joined it to another finding",
                at,
            )
            .await?;
            found.withdrawn += 1;
        }
        Change::Withdraw(old) => {
            findings::withdraw_finding(writing, old.id, at).await?;
            let sentence = "late events showed that the rule was not met after all";
            findings::amend(writing, old.id, "withdrawn", sentence, at).await?;
            found.withdrawn += 1;
        }
    }
    Ok(())
}

impl Late {
    pub(super) fn of(change: &GroupChange) -> Self {
        Self { first: change.first, count: change.came, left: change.left }
    }

    /// What became of a finding, for its timeline.
    fn sentence(&self, old: &Draft, new: &Draft, now: DateTime<Utc>) -> String {
        let delay = span_in_words((now - time(self.first.0)).max(TimeDelta::zero()));
        let events = match self.count {
            _ if self.left > 0 => {
                format!("a record that says more of a known sign-in was read {delay} after that")
            }
            1 => format!("1 event was read {delay} after it happened"),
            count => format!("{count} events were read late, the oldest {delay} after it happened"),
        };
        let sign_ins = match new.event_count {
            1 => "1 sign-in".to_owned(),
            count => format!("{count} sign-ins"),
        };
        if new.event_count == old.event_count {
            format!("{events}: still {sign_ins}")
        } else {
            let were = if old.event_count == 1 { "was" } else { "were" };
            format!("{events}: {sign_ins} where there {were} {}", old.event_count)
        }
    }
}
