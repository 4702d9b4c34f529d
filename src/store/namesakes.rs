//! Identities of one name in one tenant.

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::{Store, StoreError, list};

/// Those of one name, by their numbers.
type Namesakes = Vec<i64>;

/// Of each name that some of these identities have, all that have it.
pub async fn namesakes(
    connection: &mut SqliteConnection,
    identities: &[i64],
) -> Result<Vec<Namesakes>, StoreError> {
    let mut all: Vec<Namesakes> = Vec::new();
    for ids in identities.chunks(500) {
        let sql = format!(
            "select json_group_array(n.id order by n.id) from \
             (select distinct name, tenant_id from identities where id in ({}) and name <> '') i \
             join identities n on n.name = i.name and n.tenant_id = i.tenant_id \
             group by i.name, i.tenant_id having count(*) > 1 order by min(n.id)",
            list(ids)
        );
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .persistent(false)
            .fetch_all(&mut *connection)
            .await?;
        for row in rows {
            all.push(serde_json::from_str(&row).map_err(|error| {
                StoreError::Corrupt(format!("identities of one name cannot be read: {error}"))
            })?);
        }
    }
    Ok(all)
}

impl Store {
    /// All that have the name of an identity, itself too; none where it is the only one.
    pub async fn namesakes_of(&self, identity: i64) -> Result<Vec<i64>, StoreError> {
        let mut reading = self.readers().acquire().await?;
        Ok(namesakes(&mut reading, &[identity]).await?.pop().unwrap_or_default())
    }
}
