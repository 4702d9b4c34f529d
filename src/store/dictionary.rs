//! The numbers of identities, resources, facets and texts, remembered between batches.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::StoreError;
use super::batch::{Batch, Named};
use super::events::rows_sql;
use super::renamed::{self, NameOf};
use crate::model::Facet;

/// Entries of one kind after which the memory of that kind is emptied; the database still knows.
const REMEMBERED_AT_MOST: usize = 200_000;

/// Staleness of `named_at` that is put up with until [`Dictionary::flush`], in microseconds. It saves
/// one write per identity and batch.
const NAMED_AT_SLACK: i64 = 3_600_000_000;

/// Names written in one statement.
const ROWS_AT_ONCE: usize = 200;

#[derive(Debug, Clone)]
struct Known {
    id: i64,
    values: [String; 4],
    named_at: i64,
    stored_at: i64,
    /// The values differ from those in the database.
    is_renamed: bool,
    /// What people call it is other than in the database.
    is_called_otherwise: bool,
    /// It is seen for the first time, as far as this process can tell.
    is_new: bool,
}

/// What the database has already numbered.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    identities: HashMap<(String, String), Known, RandomState>,
    resources: HashMap<(String, String), Known, RandomState>,
    facets: HashMap<String, i64, RandomState>,
    texts: HashMap<String, i64, RandomState>,
    /// Entries forgotten because there were too many.
    pub(super) evicted: u64,
}

/// The database's numbers for the places of one batch.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub(super) identities: Vec<i64>,
    pub(super) resources: Vec<i64>,
    pub(super) facets: Vec<i64>,
    pub(super) texts: Vec<i64>,
}

impl Dictionary {
    /// Finds or makes the number of everything in the batch. When the transaction is given up, so must
    /// be this dictionary: it would know rows that are not there.
    pub(super) async fn resolve(
        &mut self,
        connection: &mut SqliteConnection,
        batch: &Batch,
    ) -> Result<Numbers, StoreError> {
        self.bound();
        let mut numbers = Numbers::default();
        for named in &batch.identities {
            numbers
                .identities
                .push(name(&mut self.identities, connection, &IDENTITY, named).await?);
        }
        for named in &batch.resources {
            numbers.resources.push(name(&mut self.resources, connection, &RESOURCE, named).await?);
        }
        for facet in &batch.facets {
            numbers.facets.push(number(&mut self.facets, connection, FACET, facet).await?);
        }
        for text in &batch.texts {
            numbers.texts.push(number(&mut self.texts, connection, TEXT, text).await?);
        }
        self.rename(connection, batch).await?;
        Ok(numbers)
    }

    /// The number of values that many sign-ins share.
    pub(super) async fn facet(
        &mut self,
        connection: &mut SqliteConnection,
        facet: &Facet<'_>,
    ) -> Result<i64, StoreError> {
        number(&mut self.facets, connection, FACET, &super::batch::facet_text(facet)).await
    }

    /// Writes the times of names that were put off.
    pub(super) async fn flush(
        &mut self,
        connection: &mut SqliteConnection,
    ) -> Result<(), StoreError> {
        for (sql, all) in [(IDENTITY, &mut self.identities), (RESOURCE, &mut self.resources)] {
            let late = all.values_mut().filter(|known| known.named_at > known.stored_at).collect();
            store_names(connection, &sql, late).await?;
        }
        Ok(())
    }

    /// Writes the names of a batch that changed, or whose time is too far behind.
    async fn rename(
        &mut self,
        connection: &mut SqliteConnection,
        batch: &Batch,
    ) -> Result<(), StoreError> {
        let kinds = [
            (IDENTITY, &mut self.identities, &batch.identities),
            (RESOURCE, &mut self.resources, &batch.resources),
        ];
        for (sql, all, named) in kinds {
            let is_due = |known: &Known| {
                known.is_renamed || known.named_at - known.stored_at > NAMED_AT_SLACK
            };
            let (mut otherwise, mut new) = (Vec::new(), Vec::new());
            // Taken out for a moment: a map lends only one of its values at a time.
            let mut due: Vec<(&(String, String), Known)> = Vec::new();
            for named in named {
                if let Some(known) = all.get_mut(&named.key) {
                    otherwise.extend(known.is_called_otherwise.then_some(known.id));
                    new.extend(std::mem::take(&mut known.is_new).then_some(known.id));
                }
                if all.get(&named.key).is_some_and(is_due)
                    && let Some(known) = all.remove(&named.key)
                {
                    due.push((&named.key, known));
                }
            }
            // By the names that they had as well as by those that they have.
            renamed::note(connection, sql.of, (&otherwise, &[])).await?;
            store_names(connection, &sql, due.iter_mut().map(|(_, known)| known).collect()).await?;
            renamed::note(connection, sql.of, (&otherwise, &new)).await?;
            all.extend(due.into_iter().map(|(key, known)| (key.clone(), known)));
        }
        Ok(())
    }

    /// Only what has nothing put off may be forgotten alone; so a kind that is too large is emptied
    /// when all of it is stored, which [`resolve`](Self::resolve) finds before each batch.
    fn bound(&mut self) {
        for all in [&mut self.identities, &mut self.resources] {
            if all.len() > REMEMBERED_AT_MOST {
                let before = all.len();
                all.retain(|_, known| known.named_at > known.stored_at);
                self.evicted += (before - all.len()) as u64;
            }
        }
        for all in [&mut self.facets, &mut self.texts] {
            if all.len() > REMEMBERED_AT_MOST {
                self.evicted += all.len() as u64;
                all.clear();
            }
        }
    }
}

/// The statements of one kind of named thing.
#[derive(Clone, Copy)]
struct NamedSql {
    of: NameOf,
    /// How many of the values, from the first on, people may see as what it is called.
    called: usize,
    /// Gives the row of a key, which it makes where there is none; the update changes nothing, and lets what was
    /// there be returned.
    find: &'static str,
    update: &'static str,
}

const IDENTITY: NamedSql = NamedSql {
    of: NameOf::Identity,
    called: 3,
    find: "insert into identities \
           (tenant_id, key, service_principal_id, app_id, name, arm_resource_id, named_at) \
           values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant_id, key) do update set named_at = named_at \
           returning id, service_principal_id, app_id, name, arm_resource_id, named_at",
    update: "update identities set service_principal_id = v.a, app_id = v.b, name = v.c, \
             arm_resource_id = v.d, named_at = v.at from v where identities.id = v.id",
};

/// `$1` is the tenant, which a resource has not: its statements leave it out of the table.
const RESOURCE: NamedSql = NamedSql {
    of: NameOf::Resource,
    // Its service principal is another in each tenant.
    called: 2,
    find: "insert into resources (key, resource_id, name, service_principal_id, named_at) \
           select $2, $3, $4, $5, $7 where $1 = '' and $6 = '' on conflict (key) do update set named_at = named_at \
           returning id, resource_id, name, service_principal_id, '', named_at",
    update: "update resources set resource_id = v.a, name = v.b, service_principal_id = v.c, \
             named_at = v.at from v where resources.id = v.id",
};

async fn name(
    all: &mut HashMap<(String, String), Known, RandomState>,
    connection: &mut SqliteConnection,
    sql: &NamedSql,
    named: &Named,
) -> Result<i64, StoreError> {
    if !all.contains_key(&named.key) {
        let known = find_named(connection, sql, named).await?;
        all.insert(named.key.clone(), known);
    }
    let known = all.get_mut(&named.key).expect("it was put in above");
    if (named.at, &named.values) > (known.named_at, &known.values) {
        known.named_at = named.at;
        known.is_renamed |= known.values != named.values;
        known.is_called_otherwise |= known.values[..sql.called] != named.values[..sql.called];
        known.values.clone_from(&named.values);
    }
    Ok(known.id)
}

async fn find_named(
    connection: &mut SqliteConnection,
    sql: &NamedSql,
    named: &Named,
) -> Result<Known, StoreError> {
    let (id, a, b, c, d, named_at) = sqlx::query_as(sql.find)
        .bind(&named.key.0)
        .bind(&named.key.1)
        .bind(&named.values[0])
        .bind(&named.values[1])
        .bind(&named.values[2])
        .bind(&named.values[3])
        .bind(named.at)
        .fetch_one(connection)
        .await?;
    let values = [a, b, c, d];
    // The names of identities are those of others of their application, too.
    let is_new = sql.of == NameOf::Identity && (named_at, &values) == (named.at, &named.values);
    let (is_renamed, is_called_otherwise) = (false, false);
    Ok(Known { id, values, named_at, stored_at: named_at, is_renamed, is_called_otherwise, is_new })
}

/// Writes names that were put off, many at a time.
async fn store_names(
    connection: &mut SqliteConnection,
    sql: &NamedSql,
    mut all: Vec<&mut Known>,
) -> Result<(), StoreError> {
    for some in all.chunks_mut(ROWS_AT_ONCE) {
        let values = rows_sql("with v (id, a, b, c, d, at) as (values ", 6, some.len());
        let text = format!("{values}) {}", sql.update);
        let mut query = sqlx::query(AssertSqlSafe(text)).persistent(some.len() == ROWS_AT_ONCE);
        for known in some.iter() {
            query = query.bind(known.id);
            for value in &known.values {
                query = query.bind(value);
            }
            query = query.bind(known.named_at);
        }
        query.execute(&mut *connection).await?;
        for known in some {
            known.stored_at = known.named_at;
            (known.is_renamed, known.is_called_otherwise) = (false, false);
        }
    }
    Ok(())
}

/// Gives the number of a text, which it makes where there is none.
const FACET: &str = "insert into facets (value) values ($1) on conflict (value) do update set value = value \
     returning id";
const TEXT: &str = "insert into texts (text) values ($1) on conflict (text) do update set text = text \
     returning id";

async fn number<K>(
    all: &mut HashMap<K, i64, RandomState>,
    connection: &mut SqliteConnection,
    find: &'static str,
    text: &str,
) -> Result<i64, StoreError>
where
    K: Hash + Eq + From<String> + std::borrow::Borrow<str>,
{
    if let Some(id) = all.get(text) {
        return Ok(*id);
    }
    let id = sqlx::query_scalar(find).bind(text).fetch_one(connection).await?;
    all.insert(K::from(text.to_owned()), id);
    Ok(id)
}
