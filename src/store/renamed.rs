//! Identities and resources whose names came or changed after incidents had named them.

use sqlx::SqliteConnection;

use super::{StoreError, Writing};

/// Which table a name is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameOf {
    Identity,
    Resource,
}

/// Notes that these are called otherwise from now on; of identities, that others are new. Asked before the names are
/// written and after: one that has no name goes by that of another of its application, which may be one of these, and
/// one of the same name may have taken over from it.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    of: NameOf,
    (otherwise, new): (&[i64], &[i64]),
) -> Result<(), StoreError> {
    if otherwise.is_empty() && new.is_empty() {
        return Ok(());
    }
    let sql = match of {
        NameOf::Resource => {
            "insert into renamed (kind, id) select 'resource', value from json_each($1) where true \
             on conflict do nothing"
        }
        NameOf::Identity => {
            "insert into renamed (kind, id) select 'identity', value from json_each($1) \
             union select 'identity', n.id from (select value from json_each($1) union select value from json_each($2)) \
               cross join identities i on i.id = value \
               cross join identities n indexed by identities_by_application \
                 on n.app_id = i.app_id and n.tenant_id = i.tenant_id and n.id <> i.id \
               where i.app_id <> '' and i.name <> '' and n.name = '' \
             union select 'identity', n.id from json_each($1) cross join identities i on i.id = value \
               cross join identities n indexed by identities_by_name \
                 on n.name = i.name and n.tenant_id = i.tenant_id \
               where i.name <> '' \
             on conflict do nothing"
        }
    };
    let ids = |ids: &[i64]| serde_json::json!(ids).to_string();
    sqlx::query(sql).bind(ids(otherwise)).bind(ids(new)).execute(&mut *connection).await?;
    Ok(())
}

/// Has the incidents judged again that name what is called otherwise now.
pub async fn judge_again(writing: &mut Writing) -> Result<(), StoreError> {
    let any = "select exists(select 1 from renamed)";
    if !sqlx::query_scalar::<_, bool>(any).fetch_one(&mut **writing).await? {
        return Ok(());
    }
    sqlx::query(
        "with named (id) as materialized (select id from renamed where kind = 'identity'), \
           called (id) as materialized (select id from renamed where kind = 'resource') \
         update findings set ungrouped = 1 \
         where ungrouped = 0 and withdrawn_at is null \
           and (exists (select 1 from json_each(evidence, '$.identities') where value in (select id from named)) \
             or exists (select 1 from json_each(evidence, '$.resources') where value in (select id from called)))",
    )
    .execute(&mut **writing)
    .await?;
    sqlx::query("delete from renamed").execute(&mut **writing).await?;
    Ok(())
}
