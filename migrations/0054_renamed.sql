-- Identities and resources that are called otherwise than when the incidents that name them were worked out: these are
-- worked out again, and then the row goes.
create table renamed (
    kind text not null check (kind in ('identity', 'resource')),
    id integer not null,
    primary key (kind, id)
) strict, without rowid;
