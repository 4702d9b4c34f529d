-- What was read of each source, so that "quiet" and "unknown" are told apart.

-- Stretches of event time that were read to their end; see `src/model/ledger.rs`.
create table coverage (
    source_id integer not null references sources (id),
    head text not null,
    from_at integer not null,
    to_at integer not null,
    -- The age of sweep that the reading was as good as, in microseconds; 0 for one that was none.
    settled integer not null,
    -- When the latest of the readings began.
    read_at integer not null,
    primary key (source_id, head, from_at)
) strict, without rowid;

-- Each window that was read to its end, the last few thousand of them.
create table readings (
    id integer primary key,
    source_id integer not null references sources (id),
    head text not null,
    -- head, catch_up, sweep
    kind text not null,
    from_at integer not null,
    to_at integer not null,
    began_at integer not null,
    records integer not null,
    -- Of these, records that were new.
    stored integer not null
) strict;

-- How long after they happened records came: counts by bucket, see `src/model/lateness.rs`.
create table lateness (
    source_id integer not null references sources (id),
    head text not null,
    bucket integer not null,
    count integer not null,
    primary key (source_id, head, bucket)
) strict, without rowid;

-- Stretches of event time of which nothing is known: still, for a while, or for good.
create table gaps (
    id integer primary key,
    source_id integer not null references sources (id),
    head text not null,
    from_at integer not null,
    -- Absent while it lasts.
    to_at integer,
    noticed_at integer not null,
    -- The sentence of the failure behind it; empty where the program was not running.
    reason text not null,
    -- When the source was read again after it, and whether that came too late to fill it.
    ended_at integer,
    is_lost integer not null default 0,
    incident_id integer references incidents (id)
) strict;
create index gaps_by_head on gaps (source_id, head, from_at);
create index gaps_open on gaps (source_id) where ended_at is null;

-- How the record set aside is to be read: json, csv, table; absent where nobody could tell.
alter table rejects add column form text;

-- Requests spent on a head, and those of them that gave no page.
alter table heads add column requests integer not null default 0;
alter table heads add column failed_requests integer not null default 0;
