-- What one application sent to one tenant's logs of late and what it was told: a start goes on where the one before ended.
create table allowances (
    tenant text not null,
    application text not null,
    -- Moment and number of the requests of the last seconds: `1772409600000000 1` each, between commas.
    sent text not null,
    -- When it was last asked to rest, and until when.
    told_at integer,
    rests_until integer,
    -- How many requests in 10 s were found to be borne, and when.
    bears integer,
    learnt_at integer,
    primary key (tenant, application)
) strict, without rowid;
