-- What is not to be told for a while.
create table silences (
    id integer primary key,
    -- Which incidents it is of, as one JSON object; see `src/model/silence.rs`.
    scope text not null,
    begins_at integer not null,
    -- Moved to the moment at which somebody ended it.
    ends_at integer not null,
    reason text not null,
    created_at integer not null,
    created_by text not null,
    ended_by text
) strict;
create index silences_by_end on silences (ends_at);

-- The silence that holds something back, or held it until the incident was over: then it is never told. 0 where
-- it is the shadow that its rules are in.
alter table judgements add column held_by integer;
