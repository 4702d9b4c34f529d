//! Subjects: what the findings of an incident have in common, and which of them have to be looked at again.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::AssertSqlSafe;

use super::incidents::{IncidentFinding, incident_finding};
use super::{StoreError, Writing};

/// What the findings of an incident are of. Those that may take in the findings of others come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A rule whose findings are of one matter, whatever their groups: sprays from several addresses.
    Rule(i64),
    /// A group that is not of one identity: a resource, a tenant.
    Group(i64),
    /// An identity, with those of the same application: a refused one often has its client id alone.
    Identity(i64),
    /// A source that is not read: it has gaps in place of findings.
    Source(i64),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rule(id) => write!(f, "rule:{id}"),
            Self::Group(id) => write!(f, "group:{id}"),
            Self::Identity(id) => write!(f, "identity:{id}"),
            Self::Source(id) => write!(f, "source:{id}"),
        }
    }
}

/// Subjects as a list of their texts, in JSON.
pub(super) fn texts(subjects: &[Subject]) -> String {
    let texts: Vec<String> = subjects.iter().map(Subject::to_string).collect();
    serde_json::json!(texts).to_string()
}

pub(super) fn parse(text: &str) -> Option<Subject> {
    let (kind, id) = text.split_once(':')?;
    let id = id.parse().ok()?;
    match kind {
        "rule" => Some(Subject::Rule(id)),
        "group" => Some(Subject::Group(id)),
        "identity" => Some(Subject::Identity(id)),
        "source" => Some(Subject::Source(id)),
        _ => None,
    }
}

/// Names of the rules whose findings are of one subject, whatever their groups.
pub type Across<'a> = BTreeSet<&'a str>;

/// The subject of a finding `f` of rule `r` in group `g`, as text. The first of the identities of one application
/// stands for all of them: numbers only grow, so it stays the first.
const SUBJECT: &str = "case when r.name in (select value from json_each($1)) then 'rule:' || r.id \
     when g.identity_id is null then 'group:' || g.id \
     else 'identity:' || coalesce((select min(n.id) from identities i join identities n \
       on n.app_id = i.app_id and n.tenant_id = i.tenant_id where i.id = g.identity_id and i.app_id <> ''), \
       g.identity_id) end";

/// The columns of a finding that its incident needs.
const FINDING: &str = "f.id, f.started_at, f.first_event, f.detected_at, f.last_at, f.last_event, f.event_count, \
     f.evidence, f.unconfirmed, r.name, f.incident_id, f.found_at, f.amended_at, f.group_id";

pub(super) fn json<'a>(names: impl IntoIterator<Item = &'a &'a str>) -> String {
    serde_json::to_string(&names.into_iter().collect::<Vec<_>>()).expect("texts always serialise")
}

/// Subjects whose findings changed since they were last grouped, or whose incidents hold such.
pub async fn ungrouped(
    writing: &mut Writing,
    across: &Across<'_>,
) -> Result<Vec<Subject>, StoreError> {
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "select {SUBJECT} from findings f join groups g on g.id = f.group_id \
         join rules r on r.id = f.rule_id where f.ungrouped = 1 \
         union select i.subject from findings f join incidents i on i.id = f.incident_id \
         where f.ungrouped = 1 and i.merged_into is null"
    )))
    .bind(json(across))
    .fetch_all(&mut **writing)
    .await?;
    Ok(rows.iter().filter_map(|text| parse(text)).collect())
}

/// Whether there is any incident at all.
pub async fn any_incident(writing: &mut Writing) -> Result<bool, StoreError> {
    let any = "select exists(select 1 from incidents)";
    Ok(sqlx::query_scalar(any).fetch_one(&mut **writing).await?)
}

/// Subjects whose incidents new events may end, or end earlier: those of identities that signed in
/// before the end their incident has, of identities that share a name or an application with these, of
/// groups whose findings name one of these, and those that have been quiet for long enough.
pub async fn endable(
    writing: &mut Writing,
    after_seq: i64,
    quiet_before: i64,
) -> Result<Vec<Subject>, StoreError> {
    let rows: Vec<String> = sqlx::query_scalar(
        "with fresh as materialized (select identity_id, max(created_at) as latest, min(created_at) as earliest \
           from events not indexed where seq > $1 group by identity_id), \
         reach as materialized (select identity_id, latest, earliest from fresh \
           union all select n.id, f.latest, f.earliest from fresh f \
             cross join identities i on i.id = f.identity_id \
             cross join identities n indexed by identities_by_name \
               on n.name = i.name and n.tenant_id = i.tenant_id and n.id <> i.id \
             where i.name <> '' \
           union all select n.id, f.latest, f.earliest from fresh f \
             cross join identities i on i.id = f.identity_id \
             cross join identities n indexed by identities_by_application \
               on n.app_id = i.app_id and n.tenant_id = i.tenant_id and n.id <> i.id \
             where i.app_id <> ''), \
         members as materialized (select i.subject, i.last_seen_at, i.resolved_at, named.value as identity_id \
           from incidents i cross join findings f on f.incident_id = i.id \
             cross join json_each(f.evidence, '$.identities') named \
           where i.identity_id is null and i.merged_into is null \
             and i.last_seen_at < (select max(latest) from fresh) \
             and (i.resolved_at is null or i.resolved_at > (select min(earliest) from fresh))) \
         select distinct i.subject from incidents i join reach r on r.identity_id = i.identity_id \
           where i.merged_into is null and r.latest > i.last_seen_at \
           and (i.resolved_at is null or i.resolved_at > r.earliest) \
         union select m.subject from members m cross join reach r on r.identity_id = m.identity_id \
           where r.latest > m.last_seen_at and (m.resolved_at is null or m.resolved_at > r.earliest) \
         union select subject from incidents \
           where resolved_at is null and merged_into is null and last_seen_at <= $2",
    )
    .bind(after_seq)
    .bind(quiet_before)
    .fetch_all(&mut **writing)
    .await?;
    Ok(rows.iter().filter_map(|text| parse(text)).collect())
}

/// Reads the findings of subjects that are in force, earliest first of each; a source has gaps instead, and is left
/// out. An identity that is no longer the first of its application has left its own to that one.
pub async fn take(
    writing: &mut Writing,
    subjects: &[Subject],
    across: &Across<'_>,
) -> Result<BTreeMap<Subject, Vec<IncidentFinding>>, StoreError> {
    let (mut rules, mut groups, mut identities) = (Vec::new(), Vec::new(), Vec::new());
    let mut taken = BTreeMap::new();
    for subject in subjects {
        match subject {
            Subject::Rule(id) => rules.push(*id),
            Subject::Group(id) => groups.push(*id),
            Subject::Identity(id) => identities.push(*id),
            Subject::Source(_) => continue,
        }
        taken.insert(*subject, Vec::new());
    }
    // A group may be shared with rules whose findings are another subject.
    let rows = sqlx::query(AssertSqlSafe(format!(
        "with apart (id) as materialized (select id from rules where name in (select value from json_each($1))), \
           mates (asked, id) as (select value, value from json_each($4) \
             union select i.id, n.id from json_each($4) a cross join identities i on i.id = a.value \
               cross join identities n indexed by identities_by_application \
                 on n.app_id = i.app_id and n.tenant_id = i.tenant_id \
               where i.app_id <> ''), \
           alike (asked, id) as (select asked, id from mates \
             where asked in (select asked from mates group by asked having min(id) = asked)), \
           whose (subject, id) as (\
             select 'rule:' || f.rule_id, f.id from json_each($2) a cross join findings f on f.rule_id = a.value \
             union all select 'group:' || f.group_id, f.id from json_each($3) a \
               cross join findings f on f.group_id = a.value where f.rule_id not in (select id from apart) \
             union all select 'identity:' || a.asked, f.id from alike a cross join groups g on g.identity_id = a.id \
               cross join findings f on f.group_id = g.id where f.rule_id not in (select id from apart)) \
         select {FINDING}, w.subject from whose w cross join findings f on f.id = w.id \
           join rules r on r.id = f.rule_id \
         where f.withdrawn_at is null and f.ungrouped < 2 order by f.started_at, r.name, f.id"
    )))
    .bind(json(across))
    .bind(serde_json::json!(rules).to_string())
    .bind(serde_json::json!(groups).to_string())
    .bind(serde_json::json!(identities).to_string())
    .fetch_all(&mut **writing)
    .await?;
    for row in &rows {
        let subject = parse(sqlx::Row::try_get(row, 14)?);
        if let Some(findings) = subject.and_then(|subject| taken.get_mut(&subject)) {
            findings.push(incident_finding(row)?);
        }
    }
    Ok(taken)
}

/// Notes that all findings, those withdrawn too, have been taken into account.
pub async fn mark_grouped(writing: &mut Writing) -> Result<(), StoreError> {
    sqlx::query("update findings set ungrouped = 0 where ungrouped = 1")
        .execute(&mut **writing)
        .await?;
    Ok(())
}

/// The subjects of the findings that incidents of these subjects hold.
pub async fn held_by(
    writing: &mut Writing,
    subjects: &[Subject],
    across: &Across<'_>,
) -> Result<Vec<Subject>, StoreError> {
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "select distinct {SUBJECT} from incidents n join findings f on f.incident_id = n.id \
         join groups g on g.id = f.group_id join rules r on r.id = f.rule_id \
         where n.subject in (select value from json_each($2))"
    )))
    .bind(json(across))
    .bind(texts(subjects))
    .fetch_all(&mut **writing)
    .await?;
    Ok(rows.iter().filter_map(|text| parse(text)).collect())
}

/// Whether another identity of the same name in the same tenant was in trouble: whether a rule, other than these,
/// has found something of it, or of its application, that touches an interval.
pub async fn namesake_in_trouble(
    writing: &mut Writing,
    identity_id: i64,
    (from, to): (i64, i64),
    other_than: &[&str],
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "with namesakes as materialized (select n.id, n.tenant_id, n.app_id from identities i \
             cross join identities n indexed by identities_by_name \
               on n.name = i.name and n.tenant_id = i.tenant_id and n.id <> i.id \
             where i.id = $1 and i.name <> ''), \
           theirs as materialized (select id from namesakes \
             union select s.id from namesakes n \
               cross join identities s indexed by identities_by_application \
                 on s.app_id = n.app_id and s.tenant_id = n.tenant_id \
               where n.app_id <> '') \
         select exists(select 1 from theirs t \
           join groups g on g.identity_id = t.id join findings f on f.group_id = g.id \
           where t.id <> $1 and f.withdrawn_at is null and f.ungrouped < 2 \
           and f.started_at <= $3 and f.last_at >= $2 \
           and f.rule_id not in (select id from rules where name in (select value from json_each($4))))",
    )
    .bind(identity_id)
    .bind(from)
    .bind(to)
    .bind(json(other_than))
    .fetch_one(&mut **writing)
    .await?)
}

/// By identity, the groups that are of no identity in which rules found, by what their findings name, a namesake of
/// it or of its application.
pub async fn groups_of_namesakes(
    writing: &mut Writing,
    rules: &[&str],
) -> Result<BTreeMap<i64, BTreeSet<i64>>, StoreError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "with found as materialized (select distinct named.value as id, f.group_id from findings f \
             cross join groups g on g.id = f.group_id \
             cross join json_each(f.evidence, '$.identities') named \
             where g.identity_id is null \
             and f.rule_id in (select id from rules where name in (select value from json_each($1)))), \
           alike as materialized (select s.id, s.app_id, s.tenant_id, f.group_id from found f \
             cross join identities n on n.id = f.id \
             cross join identities s indexed by identities_by_name \
               on s.name = n.name and s.tenant_id = n.tenant_id \
             where n.name <> '') \
         select id, group_id from alike union select t.id, a.group_id from alike a \
           cross join identities t indexed by identities_by_application \
             on t.app_id = a.app_id and t.tenant_id = a.tenant_id \
           where a.app_id <> ''",
    )
    .bind(json(rules))
    .fetch_all(&mut **writing)
    .await?;
    let mut groups = BTreeMap::<i64, BTreeSet<i64>>::new();
    for (identity_id, group_id) in rows {
        groups.entry(identity_id).or_default().insert(group_id);
    }
    Ok(groups)
}

/// For each of these identities one of the same application in the same tenant that has a name, always the same one
/// while these are the same; those of which none has a name are left out.
pub async fn known_as(
    writing: &mut Writing,
    identities: &[i64],
) -> Result<BTreeMap<i64, i64>, StoreError> {
    if identities.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "with known (id, named) as (select i.id, (select n.id from identities n \
           where n.app_id = i.app_id and n.app_id <> '' and n.tenant_id = i.tenant_id and n.name <> '' \
           order by n.service_principal_id, n.key limit 1) \
           from identities i where i.id in (select value from json_each($1))) \
         select id, named from known where named is not null",
    )
    .bind(serde_json::json!(identities).to_string())
    .fetch_all(&mut **writing)
    .await?;
    Ok(rows.into_iter().collect())
}

/// The findings in force of these rules that touch an interval, with their subjects, earliest first.
pub async fn findings_of_rules(
    writing: &mut Writing,
    rules: &[&str],
    across: &Across<'_>,
    (from, to): (i64, i64),
) -> Result<Vec<(Subject, IncidentFinding)>, StoreError> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "select {FINDING}, {SUBJECT} from findings f join groups g on g.id = f.group_id join rules r on r.id = f.rule_id \
         where r.name in (select value from json_each($2)) and f.started_at <= $4 and f.last_at >= $3 \
         and f.withdrawn_at is null and f.ungrouped < 2 order by f.started_at, r.name, f.first_event, f.id"
    )))
    .bind(json(across))
    .bind(json(rules))
    .bind(from)
    .bind(to)
    .fetch_all(&mut **writing)
    .await?;
    let mut findings = Vec::new();
    for row in &rows {
        let text: &str = sqlx::Row::try_get(row, 14)?;
        if let Some(subject) = parse(text) {
            findings.push((subject, incident_finding(row)?));
        }
    }
    Ok(findings)
}
