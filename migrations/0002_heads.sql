-- How far each source has been read.
create table heads (
    source_id integer not null references sources (id),
    -- The sign-in type, for sources that have several.
    name text not null,
    -- Event time before which every window was read to its end.
    read_to integer not null,
    -- Failures in a row, and when the next attempt may be made.
    failures integer not null default 0,
    next_attempt_at integer,
    last_read_at integer,
    primary key (source_id, name)
) strict, without rowid;
