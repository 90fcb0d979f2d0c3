create table person (
  id text primary key,
  alias_of text not null,
  standing text not null,
  sealed {{blob}} not null,
  created bigint not null
);
create index person_alias on person (alias_of);
create table person_key (
  hash text not null,
  person text not null,
  primary key (hash, person)
);
create index person_key_person on person_key (person);
create table person_match (
  id bigint primary key,
  person text not null,
  why text not null,
  source text not null,
  state text not null,
  same_as text not null,
  opened bigint not null,
  decided bigint not null,
  decided_by text not null
);
create index person_match_person on person_match (person);
create index person_match_state on person_match (state, id);
create table person_candidate (
  match_id bigint not null,
  person text not null,
  why text not null,
  primary key (match_id, person)
);
