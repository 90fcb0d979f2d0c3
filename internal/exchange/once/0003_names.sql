-- The id under which a sender or type was first told of, by "Kind/id", for those
-- whose id changed: keys are hashed with it.
create table once_names (name text primary key, first text not null);
