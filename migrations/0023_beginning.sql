-- The time of the first event that ever was here. It goes back with older events, and not forth when events are
-- deleted for their age: what was there once is known for good.
create table beginning (
    only integer primary key check (only = 1),
    earliest_at integer not null
) strict;
insert into beginning (only, earliest_at) select 1, min(created_at) from events having min(created_at) is not null;
