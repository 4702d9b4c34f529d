//! The texts behind the numbers of events: identities, resources, facets, addresses and users.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::events::EventRow;
use super::{Store, StoreError, list};
use crate::model::{Facet, Identity, Resource};

/// Entries of one kind after which the memory of that kind is emptied.
const REMEMBERED_AT_MOST: usize = 200_000;

/// An identity with the key that tells it from others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownIdentity {
    pub id: i64,
    pub key: String,
    pub identity: Identity<'static>,
}

/// The texts of numbers met so far. Names that change are those of the time they were loaded; rules
/// that read them see a name as of its first use in this process.
#[derive(Debug, Default)]
pub struct Names {
    identities: HashMap<i64, Arc<KnownIdentity>, RandomState>,
    resources: HashMap<i64, Arc<Resource<'static>>, RandomState>,
    facets: HashMap<i64, Arc<Facet<'static>>, RandomState>,
    texts: HashMap<i64, Arc<str>, RandomState>,
    /// Entries forgotten because there were too many.
    pub evicted: u64,
}

impl Names {
    /// Loads what the rows name and is not known yet.
    pub async fn load(
        &mut self,
        connection: &mut SqliteConnection,
        rows: &[EventRow],
    ) -> Result<(), StoreError> {
        let identities: Vec<i64> = rows.iter().map(|row| row.identity_id).collect();
        self.load_identities(connection, &identities).await?;
        let resources: Vec<i64> = rows.iter().map(|row| row.resource_id).collect();
        self.load_resources(connection, &resources).await?;
        let wanted = missing(rows.iter().map(|row| row.facet_id), &self.facets);
        self.load_facets(connection, &wanted).await?;
        let texts = rows.iter().flat_map(|row| [row.address_id, row.user_id]).flatten();
        let wanted = missing(texts, &self.texts);
        self.load_texts(connection, &wanted).await
    }

    /// Loads those that are not known yet.
    pub async fn load_identities(
        &mut self,
        connection: &mut SqliteConnection,
        ids: &[i64],
    ) -> Result<(), StoreError> {
        for ids in missing(ids.iter().copied(), &self.identities).chunks(500) {
            let rows: Vec<(i64, String, String, String, String, String, String)> = sqlx::query_as(AssertSqlSafe(
                among("select id, tenant_id, key, service_principal_id, app_id, name, arm_resource_id from identities", ids),
            ))
            .fetch_all(&mut *connection)
            .await?;
            for (id, tenant_id, key, service_principal_id, app_id, name, arm_resource_id) in rows {
                let identity = Identity {
                    tenant_id: tenant_id.into(),
                    service_principal_id: service_principal_id.into(),
                    app_id: app_id.into(),
                    name: name.into(),
                    arm_resource_id: arm_resource_id.into(),
                };
                self.identities.insert(id, Arc::new(KnownIdentity { id, key, identity }));
            }
        }
        Ok(())
    }

    /// Loads those that are not known yet.
    pub async fn load_resources(
        &mut self,
        connection: &mut SqliteConnection,
        ids: &[i64],
    ) -> Result<(), StoreError> {
        for ids in missing(ids.iter().copied(), &self.resources).chunks(500) {
            let rows: Vec<(i64, String, String, String)> = sqlx::query_as(AssertSqlSafe(among(
                "select id, resource_id, name, service_principal_id from resources",
                ids,
            )))
            .fetch_all(&mut *connection)
            .await?;
            for (number, id, name, service_principal_id) in rows {
                let resource = Resource {
                    id: id.into(),
                    name: name.into(),
                    service_principal_id: service_principal_id.into(),
                };
                self.resources.insert(number, Arc::new(resource));
            }
        }
        Ok(())
    }

    async fn load_facets(
        &mut self,
        connection: &mut SqliteConnection,
        ids: &[i64],
    ) -> Result<(), StoreError> {
        for ids in ids.chunks(500) {
            let rows: Vec<(i64, String)> =
                sqlx::query_as(AssertSqlSafe(among("select id, value from facets", ids)))
                    .fetch_all(&mut *connection)
                    .await?;
            for (id, value) in rows {
                let facet: Facet<'static> = serde_json::from_str::<Facet<'_>>(&value)
                    .map_err(|error| StoreError::Corrupt(format!("facet {id}: {error}")))?
                    .into_owned();
                self.facets.insert(id, Arc::new(facet));
            }
        }
        Ok(())
    }

    async fn load_texts(
        &mut self,
        connection: &mut SqliteConnection,
        ids: &[i64],
    ) -> Result<(), StoreError> {
        for ids in ids.chunks(500) {
            let rows: Vec<(i64, String)> =
                sqlx::query_as(AssertSqlSafe(among("select id, text from texts", ids)))
                    .fetch_all(&mut *connection)
                    .await?;
            self.texts.extend(rows.into_iter().map(|(id, text)| (id, Arc::from(text))));
        }
        Ok(())
    }

    #[must_use]
    pub fn identity(&self, id: i64) -> Option<&Arc<KnownIdentity>> {
        self.identities.get(&id)
    }

    #[must_use]
    pub fn resource(&self, id: i64) -> Option<&Arc<Resource<'static>>> {
        self.resources.get(&id)
    }

    #[must_use]
    pub fn facet(&self, id: i64) -> Option<&Arc<Facet<'static>>> {
        self.facets.get(&id)
    }

    /// The text of an address or a user; empty where there is none.
    #[must_use]
    pub fn text(&self, id: Option<i64>) -> &str {
        id.and_then(|id| self.texts.get(&id)).map_or("", |text| text)
    }

    /// Forgets all when there are too many. What is at hand has to be loaded again.
    pub fn bound(&mut self) {
        let sizes =
            [self.identities.len(), self.resources.len(), self.facets.len(), self.texts.len()];
        if sizes.iter().any(|size| *size > REMEMBERED_AT_MOST) {
            self.evicted += sizes.iter().sum::<usize>() as u64;
            *self = Self { evicted: self.evicted, ..Self::default() };
        }
    }
}

impl Store {
    /// The texts behind some rows, for views.
    pub async fn names_of(&self, rows: &[EventRow]) -> Result<Names, StoreError> {
        let mut names = Names::default();
        names.load(&mut *self.readers().acquire().await?, rows).await?;
        Ok(names)
    }
}

/// The ids that are not known yet, each once.
fn missing<T>(ids: impl Iterator<Item = i64>, known: &HashMap<i64, T, RandomState>) -> Vec<i64> {
    let mut seen: HashSet<i64, RandomState> = HashSet::default();
    let mut last = None;
    // Most are what the one before them was.
    ids.filter(|id| last.replace(*id) != Some(*id))
        .filter(|id| !known.contains_key(id) && seen.insert(*id))
        .collect()
}

fn among(select: &str, ids: &[i64]) -> String {
    format!("{select} where id in ({})", list(ids))
}
