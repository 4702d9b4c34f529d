-- What asking for a head has taught.
create table learnt (
    source_id integer not null references sources (id),
    head text not null,
    -- The longest stretch that may be asked for at once, in microseconds; absent where it never failed.
    window integer,
    -- How far back the source was found to reach, in microseconds; absent where it never refused.
    reach integer,
    -- When it was last found not to count sign-ins itself.
    uncounted_at integer,
    primary key (source_id, head)
) strict, without rowid;
