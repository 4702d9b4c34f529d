-- What the rules say.

create table rules (
    id integer primary key,
    -- The file stem in `rules/`.
    name text not null unique,
    -- Digest of all that decides what the rule finds. Another digest starts the rule again.
    fingerprint text not null,
    -- The last event in order of arrival that this rule has seen.
    seen_seq integer not null
) strict;

-- The groups of `group-by`, by their text, so that the number can stand in keys.
create table groups (
    id integer primary key,
    key text not null unique,
    -- The identity the group is of, where it is of one.
    identity_id integer
) strict;
create index groups_by_identity on groups (identity_id);

-- How far the fold of a rule over a group has come, and its state there: one row, written over.
create table tails (
    rule_id integer not null references rules (id) on delete cascade,
    group_id integer not null references groups (id),
    -- The last event folded.
    created_at integer not null,
    event_id blob not null,
    -- Events folded since the last row in `checkpoints`.
    folded integer not null,
    state blob not null,
    primary key (rule_id, group_id)
) strict, without rowid;

-- Where the fold was earlier, every few hundred events: a late event goes back to the one before it.
create table checkpoints (
    rule_id integer not null references rules (id) on delete cascade,
    group_id integer not null references groups (id),
    -- The event the state is as of.
    created_at integer not null,
    event_id blob not null,
    -- Events folded since the checkpoint before.
    folded integer not null,
    state blob not null,
    primary key (rule_id, group_id, created_at, event_id)
) strict, without rowid;

create table findings (
    id integer primary key,
    rule_id integer not null references rules (id),
    group_id integer not null references groups (id),
    started_at integer not null,
    first_event blob not null,
    detected_at integer not null,
    last_at integer not null,
    last_event blob not null,
    event_count integer not null,
    -- Codes, identities, resources and measures, as one JSON object.
    evidence text not null,
    found_at integer not null,
    amended_at integer,
    -- Set when later arrivals took the finding back; such a row only tells the story.
    withdrawn_at integer,
    -- 1 while its rule, which was changed, has not yet confirmed it.
    unconfirmed integer not null default 0,
    incident_id integer,
    -- 1 until `incidents` has taken the last change into account.
    ungrouped integer not null default 1
) strict;
create index findings_by_group on findings (rule_id, group_id, last_at);
create index findings_ungrouped on findings (ungrouped) where ungrouped = 1;
create index findings_by_incident on findings (incident_id);

-- How a finding changed after it was first made: late events, merges, withdrawals.
create table amendments (
    id integer primary key,
    finding_id integer not null references findings (id),
    at integer not null,
    -- grown, late, merged, withdrawn
    kind text not null,
    sentence text not null
) strict;
create index amendments_by_finding on amendments (finding_id);
