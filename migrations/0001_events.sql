-- What came in. Times everywhere in this database are integers: microseconds since 1970, UTC.

-- One row per place that records come from, with its tally:
-- read = stored + duplicates + rejected + other, always.
create table sources (
    id integer primary key,
    -- The name in the configuration; `import` for files.
    name text not null unique,
    -- graph, import, …
    kind text not null,
    read integer not null default 0,
    stored integer not null default 0,
    duplicates integer not null default 0,
    rejected integer not null default 0,
    -- Records of other logs, recognised and left out.
    other integer not null default 0,
    -- When a record last came, and when a fetch last failed, with its sentence.
    last_record_at integer,
    last_failed_at integer,
    last_failure text
) strict;

-- Tenants, addresses, users: text that repeats, kept once.
create table texts (
    id integer primary key,
    text text not null unique
) strict;

create table identities (
    id integer primary key,
    tenant_id text not null,
    -- Service principal id, else application id, else name, else resource: never empty.
    key text not null,
    service_principal_id text not null,
    app_id text not null,
    -- The name at the latest sign-in, and when that was.
    name text not null,
    arm_resource_id text not null,
    named_at integer not null,
    unique (tenant_id, key)
) strict;
create index identities_by_name on identities (name, tenant_id);

create table resources (
    id integer primary key,
    -- `resourceId`, the target application's id; the name where that is absent.
    key text not null unique,
    resource_id text not null,
    name text not null,
    service_principal_id text not null,
    named_at integer not null
) strict;

-- A combination of the values that many sign-ins share, as one JSON object.
create table facets (
    id integer primary key,
    value text not null unique
) strict;

-- One row per sign-in, in the order of arrival.
create table events (
    -- Place in the order of arrival, from 1, without holes.
    seq integer primary key,
    created_at integer not null,
    -- The 16 bytes of the sign-in's GUID.
    id blob not null,
    identity_id integer not null,
    resource_id integer not null,
    facet_id integer not null,
    -- The AADSTS number; 0 for a token issued.
    error_code integer not null,
    -- The caller's address in `texts`; null for managed identities.
    address_id integer,
    -- The user in `texts`; null for workloads.
    user_id integer
) strict;
-- The key: the time comes first, so that inserts append and a duplicate is found near the end.
create unique index events_by_key on events (created_at, id);
create index events_by_identity on events (identity_id, created_at);
create index events_that_failed on events (error_code, created_at) where error_code <> 0;

-- The whole original records, compressed together, in the order of arrival.
create table blocks (
    -- The first event whose record is in here; the others follow without holes.
    first_seq integer primary key,
    event_count integer not null,
    source_id integer not null references sources (id),
    received_at integer not null,
    -- Bytes of all records before compression.
    size_bytes integer not null,
    -- How `data` was made; see `src/store/blocks.rs`.
    codec integer not null,
    data blob not null
) strict;

-- Records set aside, with the reason, so that they can be looked at.
create table rejects (
    id integer primary key,
    source_id integer not null references sources (id),
    received_at integer not null,
    -- The file or request, and the line or number in it.
    origin text not null,
    place integer not null,
    reason text not null,
    -- The record, cut at 64 KiB.
    record blob not null,
    -- Digest of origin, place and record: setting the same one aside twice keeps one row.
    digest blob not null unique
) strict;
