-- What `notify` has judged of each incident, and when it is to judge it again. Whoever changes an
-- incident need not think of it; what has nothing new costs nothing, however many incidents there are.
create table judgements (
    incident_id integer primary key,
    -- The revision to be judged: one that comes meanwhile is judged after it.
    revision integer not null,
    -- To be judged from then on: 0 is at once, absent until it changes. A recovery has to hold first.
    due_at integer,
    -- First judged: a channel that became known later is not told what was over by then.
    judged_at integer,
    -- Left untold on purpose (`import --no-notify`), and how it stood then: it is told when it grows
    -- worse than that.
    left_severity text,
    left_event_count integer,
    left_resolved integer
) strict;
create index judgements_due on judgements (due_at) where due_at is not null;
insert into judgements (incident_id, revision, due_at) select id, revision, 0 from incidents;
create trigger incident_opened after insert on incidents begin
    insert into judgements (incident_id, revision, due_at) values (new.id, new.revision, 0)
        on conflict (incident_id) do update set revision = excluded.revision, due_at = 0;
end;
create trigger incident_changed after update of revision on incidents begin
    insert into judgements (incident_id, revision, due_at) values (new.id, new.revision, 0)
        on conflict (incident_id) do update set revision = excluded.revision, due_at = 0;
end;

-- Since when a channel is configured.
alter table channels add column known_at integer;

create index deliveries_pending on deliveries (channel, next_attempt_at)
    where sent_at is null and dead_at is null;
