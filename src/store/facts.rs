//! What incidents take from rules besides their findings.

use std::collections::BTreeMap;

use super::{StoreError, Writing};
use crate::model::RuleFacts;

/// Notes what incidents take from rules besides their findings. Where that has changed, the findings are
/// grouped anew.
pub async fn note_facts(
    writing: &mut Writing,
    rules: &BTreeMap<String, RuleFacts>,
) -> Result<(), StoreError> {
    let known: Vec<(i64, String, String)> =
        sqlx::query_as("select id, name, facts from rules").fetch_all(&mut **writing).await?;
    for (id, name, before) in known {
        let Some(rule) = rules.get(&name) else { continue };
        // Whom it counts is told by its fingerprint.
        let RuleFacts {
            title,
            level,
            category,
            counts_identities: _,
            across_groups,
            hides,
            is_intermittent,
            is_shadow,
        } = rule;
        let facts = format!(
            "{title}\n{level}\n{category}\n{across_groups} {hides:?} {is_intermittent}\n{is_shadow}"
        );
        if facts == before {
            continue;
        }
        sqlx::query("update rules set facts = $2 where id = $1")
            .bind(id)
            .bind(facts)
            .execute(&mut **writing)
            .await?;
        // Where nothing was noted yet, incidents were made of what the rule is unless it is in shadow.
        if !before.is_empty() || *is_shadow {
            sqlx::query(
                "update findings set ungrouped = 1 where rule_id = $1 and withdrawn_at is null",
            )
            .bind(id)
            .execute(&mut **writing)
            .await?;
        }
    }
    Ok(())
}
