-- Sign-ins of which a later record said more, as they were before. In `events` each has a new place in the order of
-- arrival, with what its records say together; the record that came first stays in its block.
create table replaced (
    seq integer primary key,
    by_seq integer not null,
    created_at integer not null,
    id blob not null,
    identity_id integer not null,
    resource_id integer not null,
    facet_id integer not null,
    error_code integer not null,
    address_id integer,
    user_id integer
) strict;
create index replaced_by_place on replaced (by_seq);
