create table case_file (
  id bigint primary key,
  type text not null,
  person text not null,
  about text not null,
  once_key text not null unique,
  state text not null,
  role text not null,
  assignee text not null,
  named text not null,
  flag text not null,
  opened bigint not null,
  due bigint not null,
  closed bigint not null,
  outcome text not null,
  defs text not null
);
create index case_file_state on case_file (state, due);
create index case_file_person on case_file (person);
create index case_file_about on case_file (about);
create table case_item (
  case_id bigint not null,
  n bigint not null,
  at bigint not null,
  kind text not null,
  actor text not null,
  state text not null,
  sealed {{blob}} not null,
  primary key (case_id, n)
);
