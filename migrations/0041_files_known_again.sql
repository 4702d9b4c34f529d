-- A digest of what stands at both ends of the bytes that were taken: a file rewritten in place is known by it.
alter table marks add column ends text not null default '';
-- The etag that a file had at the last look which can only be read whole; it is read when two looks see the same.
alter table marks add column looked text not null default '';
