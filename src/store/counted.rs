//! Findings that rules count, and those of rules that nobody is told of because only others count them.
//!
//! `findings.ungrouped` is 2 where the finding is never grouped.

use sqlx::{AssertSqlSafe, Row as _};

use super::findings::{NewGroup, stored_finding};
use super::{StoreError, Writing, list};
use crate::model::Draft;

/// Numbers that a statement names.
const AT_ONCE: usize = 500;

/// A finding that other rules count, with its rule and group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedFinding {
    pub rule_id: i64,
    pub group: NewGroup,
    pub draft: Draft,
}

/// The findings in force of some rules: those of groups of these identities, and maybe more; or all. Their order says nothing.
pub async fn findings_of_rules(
    writing: &mut Writing,
    rule_ids: &[i64],
    identities: Option<&[i64]>,
) -> Result<Vec<CountedFinding>, StoreError> {
    let mut sql = format!(
        "select f.id, f.started_at, f.first_event, f.detected_at, f.last_at, f.last_event, f.event_count, \
         f.evidence, f.unconfirmed, f.rule_id, g.key, g.identity_id \
         from findings f join groups g on g.id = f.group_id \
         where f.withdrawn_at is null and f.rule_id in ({})",
        list(rule_ids)
    );
    // Of so many, most are of them anyway.
    if let Some(identities) = identities.filter(|identities| identities.len() <= AT_ONCE) {
        sql += " and f.group_id in (select id from groups where identity_id in (";
        sql += &list(identities);
        sql += "))";
    }
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut **writing).await?;
    rows.iter()
        .map(|row| {
            Ok(CountedFinding {
                rule_id: row.try_get(9)?,
                group: NewGroup { key: row.try_get(10)?, identity_id: row.try_get(11)? },
                draft: stored_finding(row)?.draft,
            })
        })
        .collect()
}

/// Groups by their numbers.
pub async fn groups_of(
    writing: &mut Writing,
    numbers: &[i64],
) -> Result<Vec<(i64, NewGroup)>, StoreError> {
    let mut groups = Vec::with_capacity(numbers.len());
    for numbers in numbers.chunks(AT_ONCE) {
        let sql =
            format!("select id, key, identity_id from groups where id in ({})", list(numbers));
        let rows: Vec<(i64, String, Option<i64>)> =
            sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut **writing).await?;
        let group = |(id, key, identity_id)| (id, NewGroup { key, identity_id });
        groups.extend(rows.into_iter().map(group));
    }
    Ok(groups)
}

/// Keeps what these rules find, and only they, from becoming incidents. Called when rules may be others.
pub async fn hear_and_quiet(writing: &mut Writing, quiet: &[i64]) -> Result<(), StoreError> {
    let quiet = list(quiet);
    for sql in [
        format!(
            "update findings set ungrouped = 1 where ungrouped = 2 and rule_id not in ({quiet})"
        ),
        format!("update findings set ungrouped = 2 where ungrouped < 2 and rule_id in ({quiet})"),
    ] {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut **writing).await?;
    }
    Ok(())
}

/// The same for what was found since.
pub async fn quiet(writing: &mut Writing, quiet: &[i64]) -> Result<(), StoreError> {
    let sql = format!(
        "update findings set ungrouped = 2 where ungrouped = 1 and rule_id in ({})",
        list(quiet)
    );
    sqlx::query(AssertSqlSafe(sql)).execute(&mut **writing).await?;
    Ok(())
}
