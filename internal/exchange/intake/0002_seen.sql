-- What each sender told, by type: what was seen, whether or not anything declares
-- it. One row is written a batch.
create table intake_seen (
  sender text not null,
  type text not null,
  accepted bigint not null,
  held bigint not null,
  duplicate bigint not null,
  refused bigint not null,
  last bigint not null,
  primary key (sender, type)
);
