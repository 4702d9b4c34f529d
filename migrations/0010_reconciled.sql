-- Hours of a head that were compared with what the source itself counts.
create table reconciled (
    source_id integer not null references sources (id),
    head text not null,
    hour_at integer not null,
    compared_at integer not null,
    -- Sign-ins of the hour by the source's own count, and those of them that are not here.
    counted integer not null,
    missing integer not null,
    -- Comparisons so far: an hour that lacks something is read and compared again a few times.
    tries integer not null,
    primary key (source_id, head, hour_at)
) strict, without rowid;

-- The findings of a group, of whatever rule.
create index findings_by_group_alone on findings (group_id);
