//! What tells whether whoever is seen for the first time is new: since when there are records, and who was there
//! before.

use sqlx::AssertSqlSafe;

use super::subjects::json;
use super::{StoreError, Writing};

/// Whether `n` is of the same making as `i`, but not the same. A managed identity has the name of the resource that it
/// is of, so one that was made anew has the name of the old one; equal names at different resources are strangers.
const IS_KIN: &str = "n.tenant_id = i.tenant_id and n.id <> i.id and n.name = i.name and i.name <> '' and (\
     n.arm_resource_id = '' or i.arm_resource_id = '' \
     or n.arm_resource_id = i.arm_resource_id collate nocase)";

/// The time of the first event that ever was here, and what it was held to be before.
pub async fn beginning(writing: &mut Writing) -> Result<(i64, Option<i64>), StoreError> {
    let before: Option<i64> = sqlx::query_scalar("select earliest_at from beginning")
        .fetch_optional(&mut **writing)
        .await?;
    let kept: Option<i64> =
        sqlx::query_scalar("select min(created_at) from events").fetch_one(&mut **writing).await?;
    let Some(earliest_at) = before.into_iter().chain(kept).min() else { return Ok((0, None)) };
    if before != Some(earliest_at) {
        sqlx::query(
            "insert into beginning (only, earliest_at) values (1, $1) \
             on conflict (only) do update set earliest_at = $1",
        )
        .bind(earliest_at)
        .execute(&mut **writing)
        .await?;
    }
    Ok((earliest_at, before))
}

/// Has the findings of these rules that begin in an interval judged again.
pub async fn judge_again(
    writing: &mut Writing,
    rules: &[&str],
    (from, to): (i64, i64),
) -> Result<(), StoreError> {
    sqlx::query(
        "update findings set ungrouped = 1 where ungrouped = 0 and withdrawn_at is null \
           and rule_id in (select id from rules where name in (select value from json_each($1))) \
           and started_at >= $2 and started_at < $3",
    )
    .bind(json(rules))
    .bind(from)
    .bind(to)
    .execute(&mut **writing)
    .await?;
    Ok(())
}

/// Has the findings of these rules judged again, from a time on, of which new events may change who was there
/// before: earlier ones of theirs or of kin, and any of kin where they were held to be made anew.
pub async fn judge_kin_again(
    writing: &mut Writing,
    rules: &[&str],
    after_seq: i64,
    from: i64,
) -> Result<(), StoreError> {
    sqlx::query(AssertSqlSafe(format!(
        "with fresh as materialized (select identity_id, min(created_at) as earliest \
           from events not indexed where seq > $2 group by identity_id) \
         update findings set ungrouped = 1 where id in (\
           select f.id from findings f cross join groups g on g.id = f.group_id \
             cross join identities i on i.id = g.identity_id \
             left join incidents c on c.id = f.incident_id \
             where f.ungrouped = 0 and f.withdrawn_at is null and f.started_at >= $3 \
             and f.rule_id in (select id from rules where name in (select value from json_each($1))) \
             and exists (select 1 from fresh s join identities n on n.id = s.identity_id \
               where (n.id = i.id or ({IS_KIN})) and (s.earliest < f.started_at \
                 or (n.id <> i.id and (c.id is null or c.resolved_by is 'withdrawn')))))"
    )))
    .bind(json(rules))
    .bind(after_seq)
    .bind(from)
    .execute(&mut **writing)
    .await?;
    Ok(())
}

/// Whether an identity has taken the place of one of its kin: that one was seen before a time, and was given no
/// token any more after the first sign-in of this one.
pub async fn has_predecessor(
    writing: &mut Writing,
    identity_id: i64,
    before: i64,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(AssertSqlSafe(format!(
        "select exists(select 1 from identities i join identities n on {IS_KIN} \
           where i.id = $1 \
           and exists(select 1 from events e where e.identity_id = n.id and e.created_at < $2) \
           and not exists(select 1 from events e where e.identity_id = n.id and e.error_code = 0 \
             and e.created_at > (select min(created_at) from events where identity_id = i.id)))"
    )))
    .bind(identity_id)
    .bind(before)
    .fetch_one(&mut **writing)
    .await?)
}
