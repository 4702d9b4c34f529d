-- Findings that belong together.
create table incidents (
    id integer primary key,
    -- What its findings are of: `identity:<number>`, or the group where there is no identity.
    subject text not null,
    identity_id integer,
    title text not null,
    severity text not null,
    -- Categories, rules, codes and identities, as one JSON object; see `src/store/incidents.rs`.
    summary text not null,
    started_at integer not null,
    detected_at integer not null,
    last_seen_at integer not null,
    event_count integer not null,
    opened_at integer not null,
    changed_at integer not null,
    acknowledged_at integer,
    acknowledged_by text,
    -- When it ended, in event time, and how: recovered, quiet, person, merged, withdrawn.
    resolved_at integer,
    resolved_by text,
    resolved_why text,
    -- The incident this one turned out to be part of.
    merged_into integer references incidents (id),
    -- Goes up with each change; `notify` compares it with what was told.
    revision integer not null default 1
) strict;
create index incidents_by_start on incidents (started_at);
create index incidents_by_subject on incidents (subject);
create index incidents_open on incidents (resolved_at) where resolved_at is null;

-- What happened to an incident, as it happened.
create table incident_changes (
    id integer primary key,
    incident_id integer not null references incidents (id),
    at integer not null,
    -- opened, grew, merged, resolved, reopened, acknowledged, withdrawn
    kind text not null,
    sentence text not null
) strict;
create index incident_changes_by_incident on incident_changes (incident_id);

-- How far a stage has read the events.
create table stages (
    name text primary key,
    seen_seq integer not null
) strict, without rowid;
