-- Rules that find where no event comes. How far each feed of such a rule (a tenant's sign-ins of one type) is
-- known to have come, in event time: what comes by another feed says nothing of it.
create table feeds (
    id integer primary key,
    rule_id integer not null references rules (id) on delete cascade,
    -- The tenant and the type of its sign-ins, one on each line.
    name text not null,
    latest_at integer not null,
    -- Deadlines up to here were looked at.
    judged_at integer not null,
    unique (rule_id, name)
) strict;

-- When the next event of a group must have come by, and by which feed, while that is still open.
alter table tails add column due_at integer;
alter table tails add column feed_id integer;
create index tails_due on tails (feed_id, due_at) where due_at is not null;
