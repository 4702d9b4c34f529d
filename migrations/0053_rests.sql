-- Heads that a source asked to be left alone: nobody asks for them before then, whatever befell the program meanwhile.
create table rests (
    source_id integer not null references sources (id),
    head text not null,
    until integer not null,
    primary key (source_id, head)
) strict, without rowid;
