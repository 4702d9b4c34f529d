-- What the records are that a source gave and that are none of ours, or not wanted, and how many of each.
create table others (
    source_id integer not null references sources (id),
    -- directory audit, risk, unwanted, …
    log text not null,
    count integer not null,
    primary key (source_id, log)
) strict, without rowid;
insert into others (source_id, log, count)
    select id, 'counted before it was kept what they are', other from sources where other > 0;
