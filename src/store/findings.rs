//! What rules found, and how findings changed since.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use super::checkpoints::event_id;
use super::{StoreError, Writing, list};
use crate::model::{Draft, EventId, FindingId};

/// A place in the order of time.
pub type Key = (i64, EventId);

/// A rule as the database knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleRow {
    pub id: i64,
    /// The last event in the order of arrival that it has seen.
    pub seen_seq: i64,
}

/// A finding of one rule and group as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFinding {
    pub id: FindingId,
    pub draft: Draft,
    pub unconfirmed: bool,
}

/// The parts of a draft that no query asks for.
#[derive(Serialize, Deserialize)]
struct Evidence {
    detected_by: EventId,
    codes: BTreeMap<i64, u64>,
    identities: Vec<i64>,
    resources: Vec<i64>,
    measures: BTreeMap<String, String>,
}

/// Makes the database's rules those given as name and fingerprint. A rule that is new or changed begins
/// again; findings of one that changed or went are unconfirmed until [`withdraw_unconfirmed`].
pub async fn sync_rules(
    writing: &mut Writing,
    rules: &[(&str, &str)],
) -> Result<Vec<RuleRow>, StoreError> {
    let known: Vec<(i64, String, String, i64)> =
        sqlx::query_as("select id, name, fingerprint, seen_seq from rules")
            .fetch_all(&mut **writing)
            .await?;
    let mut begun_again = Vec::new();
    for (id, name, fingerprint, _) in &known {
        let is_current = rules.contains(&(name.as_str(), fingerprint.as_str()));
        if is_current || fingerprint.is_empty() && !rules.iter().any(|(other, _)| other == name) {
            continue;
        }
        let fresh = rules
            .iter()
            .find(|(other, _)| other == name)
            .map_or("", |(_, fingerprint)| fingerprint);
        sqlx::query("update rules set fingerprint = $2, seen_seq = 0 where id = $1")
            .bind(id)
            .bind(fresh)
            .execute(&mut **writing)
            .await?;
        begun_again.push(*id);
        for delete in
            ["delete from checkpoints where rule_id = $1", "delete from feeds where rule_id = $1"]
        {
            sqlx::query(delete).bind(id).execute(&mut **writing).await?;
        }
        sqlx::query(
            "update findings set unconfirmed = 1 where rule_id = $1 and withdrawn_at is null",
        )
        .bind(id)
        .execute(&mut **writing)
        .await?;
    }
    if !begun_again.is_empty() {
        // They stand by group: once through for all rules.
        let delete = format!("delete from tails where rule_id in ({})", list(&begun_again));
        sqlx::query(AssertSqlSafe(delete)).execute(&mut **writing).await?;
    }
    let mut rows = Vec::with_capacity(rules.len());
    for (name, fingerprint) in rules {
        let (id, seen_seq): (i64, i64) = sqlx::query_as(
            "insert into rules (name, fingerprint, seen_seq) values ($1, $2, 0) \
             on conflict (name) do update set fingerprint = excluded.fingerprint returning id, seen_seq",
        )
        .bind(name)
        .bind(fingerprint)
        .fetch_one(&mut **writing)
        .await?;
        rows.push(RuleRow { id, seen_seq });
    }
    Ok(rows)
}

/// How far each rule has seen, in the order of the ids.
pub async fn seen_by_rules(writing: &mut Writing) -> Result<BTreeMap<i64, i64>, StoreError> {
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("select id, seen_seq from rules").fetch_all(&mut **writing).await?;
    Ok(rows.into_iter().collect())
}

/// The rules and groups that have findings.
pub async fn pairs_with_findings(writing: &mut Writing) -> Result<Vec<(i64, i64)>, StoreError> {
    Ok(sqlx::query_as("select distinct rule_id, group_id from findings")
        .fetch_all(&mut **writing)
        .await?)
}

/// Moves rules on to an event in the order of arrival.
pub async fn advance_rules(
    writing: &mut Writing,
    rule_ids: &[i64],
    seq: i64,
) -> Result<(), StoreError> {
    for ids in rule_ids.chunks(500) {
        let sql =
            format!("update rules set seen_seq = max(seen_seq, $1) where id in ({})", list(ids));
        sqlx::query(AssertSqlSafe(sql)).bind(seq).execute(&mut **writing).await?;
    }
    Ok(())
}

/// A group by its text, and the identity it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGroup {
    pub key: String,
    pub identity_id: Option<i64>,
}

/// The identity that a group is of, where it is of one.
pub async fn identity_of(writing: &mut Writing, group: i64) -> Result<Option<i64>, StoreError> {
    Ok(sqlx::query_scalar("select identity_id from groups where id = $1")
        .bind(group)
        .fetch_one(&mut **writing)
        .await?)
}

/// The numbers of groups by their texts, in their order; those not there yet are made.
pub async fn group_numbers(
    writing: &mut Writing,
    groups: &[NewGroup],
) -> Result<Vec<i64>, StoreError> {
    const AT_ONCE: usize = 200;
    let mut numbers = Vec::with_capacity(groups.len());
    for groups in groups.chunks(AT_ONCE) {
        let values = vec!["(?, ?)"; groups.len()].join(", ");
        let sql = format!(
            "insert into groups (key, identity_id) values {values} on conflict (key) do nothing \
             returning key, id"
        );
        let mut insert = sqlx::query_as::<_, (String, i64)>(AssertSqlSafe(sql))
            .persistent(groups.len() == AT_ONCE);
        for group in groups {
            insert = insert.bind(&group.key).bind(group.identity_id);
        }
        let mut known: HashMap<String, i64, RandomState> =
            insert.fetch_all(&mut **writing).await?.into_iter().collect();
        // What was there before is not returned.
        let before: Vec<&str> = groups
            .iter()
            .map(|group| group.key.as_str())
            .filter(|key| !known.contains_key(*key))
            .collect();
        if !before.is_empty() {
            let select =
                "select key, id from groups where key in (select value from json_each($1))";
            let before: Vec<(String, i64)> = sqlx::query_as(select)
                .bind(serde_json::json!(before).to_string())
                .fetch_all(&mut **writing)
                .await?;
            known.extend(before);
        }
        for group in groups {
            let number = known.get(&group.key).ok_or_else(|| {
                StoreError::Corrupt(format!("the group {:?} cannot be made", group.key))
            })?;
            numbers.push(*number);
        }
    }
    Ok(numbers)
}

/// The findings of a pair whose evidence ends at or after a time, in the order of their beginning.
pub async fn findings_since(
    connection: &mut SqliteConnection,
    pair: (i64, i64),
    at: i64,
) -> Result<Vec<StoredFinding>, StoreError> {
    let rows = sqlx::query(
        "select id, started_at, first_event, detected_at, last_at, last_event, event_count, evidence, unconfirmed \
         from findings where rule_id = $1 and group_id = $2 and last_at >= $3 and withdrawn_at is null \
         order by started_at, first_event, id",
    )
    .bind(pair.0)
    .bind(pair.1)
    .bind(at)
    .fetch_all(connection)
    .await?;
    rows.iter().map(stored_finding).collect()
}

pub(super) fn stored_finding(row: &SqliteRow) -> Result<StoredFinding, StoreError> {
    let id = FindingId(row.try_get(0)?);
    let evidence: Evidence = serde_json::from_str(row.try_get(7)?)
        .map_err(|error| StoreError::Corrupt(format!("finding {id}: {error}")))?;
    Ok(StoredFinding {
        id,
        draft: Draft {
            started_at: row.try_get(1)?,
            first_event: event_id(row.try_get(2)?)?,
            detected_at: row.try_get(3)?,
            detected_by: evidence.detected_by,
            last_at: row.try_get(4)?,
            last_event: event_id(row.try_get(5)?)?,
            event_count: u64::try_from(row.try_get::<i64, _>(6)?).unwrap_or(0),
            codes: evidence.codes,
            identities: evidence.identities,
            resources: evidence.resources,
            measures: evidence.measures,
        },
        unconfirmed: row.try_get::<i64, _>(8)? != 0,
    })
}

fn evidence(draft: &Draft) -> String {
    serde_json::to_string(&Evidence {
        detected_by: draft.detected_by,
        codes: draft.codes.clone(),
        identities: draft.identities.clone(),
        resources: draft.resources.clone(),
        measures: draft.measures.clone(),
    })
    .expect("numbers and texts always serialise")
}

/// Rows of one statement.
const ROWS_AT_ONCE: usize = 100;

/// New findings, each with its rule and group and when it was found, gathered so that they cost few statements.
#[derive(Debug, Default)]
pub struct NewFindings(Vec<((i64, i64), Draft, i64)>);

impl NewFindings {
    pub fn push(&mut self, pair: (i64, i64), draft: Draft, now: i64) {
        self.0.push((pair, draft, now));
    }

    /// Puts them in the order of rules and groups, so that in two runs over the same events they get the same numbers.
    pub fn sort(&mut self) {
        self.0.sort_by_key(|(pair, ..)| *pair);
    }

    /// Writes all of them, and is empty again.
    pub async fn flush(&mut self, writing: &mut Writing) -> Result<(), StoreError> {
        for rows in self.0.chunks(ROWS_AT_ONCE) {
            let values = vec!["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"; rows.len()].join(", ");
            let sql = format!(
                "insert into findings (rule_id, group_id, started_at, first_event, detected_at, last_at, \
                 last_event, event_count, evidence, found_at) values {values}"
            );
            let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(rows.len() == ROWS_AT_ONCE);
            for ((rule_id, group_id), draft, now) in rows {
                query = with_evidence(query.bind(rule_id).bind(group_id), draft).bind(now);
            }
            query.execute(&mut **writing).await?;
        }
        self.0.clear();
        Ok(())
    }
}

/// Makes a finding what it is now.
pub async fn update_finding(
    writing: &mut Writing,
    id: FindingId,
    draft: &Draft,
    now: i64,
) -> Result<(), StoreError> {
    let update = sqlx::query(
        "update findings set started_at = $2, first_event = $3, detected_at = $4, last_at = $5, \
         last_event = $6, event_count = $7, evidence = $8, amended_at = $9, unconfirmed = 0, ungrouped = 1 \
         where id = $1",
    );
    with_evidence(update.bind(id.0), draft).bind(now).execute(&mut **writing).await?;
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// Binds what a finding says, in the order in which its columns stand.
fn with_evidence<'q>(query: Query<'q>, draft: &Draft) -> Query<'q> {
    query
        .bind(draft.started_at)
        .bind(draft.first_event.0.to_vec())
        .bind(draft.detected_at)
        .bind(draft.last_at)
        .bind(draft.last_event.0.to_vec())
        .bind(i64::try_from(draft.event_count).unwrap_or(i64::MAX))
        .bind(evidence(draft))
}

/// Confirms a finding of a rule that was changed and finds it still.
pub async fn confirm_finding(writing: &mut Writing, id: FindingId) -> Result<(), StoreError> {
    sqlx::query("update findings set unconfirmed = 0 where id = $1")
        .bind(id.0)
        .execute(&mut **writing)
        .await?;
    Ok(())
}

/// Takes a finding back.
pub async fn withdraw_finding(
    writing: &mut Writing,
    id: FindingId,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query("update findings set withdrawn_at = $2, ungrouped = 1 where id = $1")
        .bind(id.0)
        .bind(now)
        .execute(&mut **writing)
        .await?;
    Ok(())
}

/// Takes back what rules that have seen everything again did not confirm. What rests on events that
/// are past their age cannot be judged again, and stays.
pub async fn withdraw_unconfirmed(writing: &mut Writing, now: i64) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "update findings set withdrawn_at = $1, ungrouped = 1, unconfirmed = 0 \
         where unconfirmed = 1 and withdrawn_at is null \
         and started_at >= (select coalesce(min(created_at), 0) from events)",
    )
    .bind(now)
    .execute(&mut **writing)
    .await?;
    Ok(done.rows_affected())
}

/// Notes how a finding changed after it was made.
pub async fn amend(
    writing: &mut Writing,
    id: FindingId,
    kind: &str,
    sentence: &str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query("insert into amendments (finding_id, at, kind, sentence) values ($1, $2, $3, $4)")
        .bind(id.0)
        .bind(now)
        .bind(kind)
        .bind(sentence)
        .execute(&mut **writing)
        .await?;
    Ok(())
}

impl super::Store {
    /// Every finding in force, with its rule and the text of its group, in the order of time.
    pub async fn findings_in_force(&self) -> Result<Vec<crate::model::Finding>, StoreError> {
        let rows = sqlx::query(
            "select f.id, f.started_at, f.first_event, f.detected_at, f.last_at, f.last_event, f.event_count, \
             f.evidence, f.unconfirmed, r.name, g.key from findings f \
             join rules r on r.id = f.rule_id join groups g on g.id = f.group_id \
             where f.withdrawn_at is null order by f.started_at, r.name, g.key, f.first_event",
        )
        .fetch_all(self.readers())
        .await?;
        rows.iter()
            .map(|row| {
                let StoredFinding { id, draft, .. } = stored_finding(row)?;
                Ok(crate::model::Finding {
                    id,
                    rule: row.try_get(9)?,
                    group: row.try_get(10)?,
                    draft,
                })
            })
            .collect()
    }
}
