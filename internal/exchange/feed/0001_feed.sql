-- Files, uploads and runs of a poll: how far their rows are taken, and what became
-- of them. The name is sealed: it may name a person. known is a keyed hash of what
-- makes a file the same file again.
create table feed_file (
  id text primary key,
  known {{blob}} not null unique,
  origin text not null,
  sender text not null,
  type text not null,
  actor text not null,
  name {{blob}} not null,
  spec text not null,
  version text not null,
  size bigint not null,
  total bigint not null,
  state text not null,
  taken bigint not null,
  accepted bigint not null,
  held bigint not null,
  duplicate bigint not null,
  refused bigint not null,
  read_sum {{blob}} not null,
  accepted_sum {{blob}} not null,
  held_sum {{blob}} not null,
  duplicate_sum {{blob}} not null,
  refused_sum {{blob}} not null,
  faults bigint not null,
  parts bigint not null,
  why text not null,
  began bigint not null,
  moved bigint not null,
  ended bigint not null
);
create index feed_file_began on feed_file (began);
create index feed_file_state on feed_file (state, origin);
create index feed_file_origin on feed_file (origin, began);
create index feed_file_sender on feed_file (sender, began);
create table feed_fault (
  file text not null,
  part bigint not null,
  faults {{blob}} not null,
  primary key (file, part)
);
-- What is remembered of an interface that is read from.
create table feed_state (
  interface text primary key,
  position {{blob}} not null,
  looked bigint not null,
  well bigint not null,
  taken bigint not null,
  fails bigint not null,
  why text not null,
  asked bigint not null
);
