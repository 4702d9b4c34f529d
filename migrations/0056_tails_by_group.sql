-- An event changes the folds of its identity's groups under many rules, so these stand beside each other: few pages
-- are written for a page of events, where by rule each fold was on a page of its own.
create table tails_by_group (
    group_id integer not null references groups (id),
    rule_id integer not null references rules (id) on delete cascade,
    -- The last event folded.
    created_at integer not null,
    event_id blob not null,
    -- Events folded since the last row in `checkpoints`.
    folded integer not null,
    state blob not null,
    -- When the next event must have come by, and by which feed, while that is still open.
    due_at integer,
    feed_id integer,
    primary key (group_id, rule_id)
) strict, without rowid;
insert into tails_by_group
select group_id, rule_id, created_at, event_id, folded, state, due_at, feed_id from tails;
drop table tails;
alter table tails_by_group rename to tails;
create index tails_due on tails (feed_id, due_at) where due_at is not null;
