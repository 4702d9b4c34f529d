-- The outbox: each telling of an incident to a channel is one row, planned once.
create table deliveries (
    id integer primary key,
    incident_id integer not null references incidents (id),
    channel text not null,
    -- The n-th telling of this incident to this channel, from 1.
    number integer not null,
    -- opened, worse, resolved, reopened
    reason text not null,
    -- The incident's revision that is told.
    revision integer not null,
    -- The severity and the number of events told, to judge what is worse next time.
    severity text not null,
    event_count integer not null,
    -- The words, as one JSON object, made when planned: a retry says the same.
    message text not null,
    planned_at integer not null,
    attempts integer not null default 0,
    next_attempt_at integer not null,
    sent_at integer,
    -- Given up: the schedule ran out or the channel refused for good.
    dead_at integer,
    last_error text,
    unique (incident_id, channel, number)
) strict;
create index deliveries_due on deliveries (next_attempt_at) where sent_at is null and dead_at is null;

-- Every attempt, so that it can be shown what was tried when and what was answered.
create table attempts (
    id integer primary key,
    delivery_id integer not null references deliveries (id),
    at integer not null,
    outcome text not null
) strict;
create index attempts_by_delivery on attempts (delivery_id);

-- Channels that a receiver switched off (410 Gone), until they are switched on again.
create table channels (
    name text primary key,
    disabled_at integer,
    reason text
) strict, without rowid;
