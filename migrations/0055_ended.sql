-- Of a sign-in that is known better now it has to be found whether it is what ended an incident.
create index incidents_ended on incidents (resolved_at) where resolved_at is not null;
