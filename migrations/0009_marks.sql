-- How far each file that grows was read: what stands before `taken` is stored.
create table marks (
    source_id integer not null references sources (id),
    -- The head it belongs to; for storage the container.
    head text not null,
    -- The blob.
    name text not null,
    -- The hour that it holds.
    hour integer not null,
    -- When it was made: one that was made anew is read from its first byte.
    made_at integer not null,
    taken integer not null,
    -- Its etag when it was last read to its end; empty while more of it is to be read.
    etag text not null,
    primary key (source_id, head, name)
) strict, without rowid;
