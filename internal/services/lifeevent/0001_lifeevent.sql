create table life_event (
  id bigint primary key,
  kind text not null,
  person text not null,
  state text not null,
  history bigint not null,
  occurred {{blob}} not null,
  sources bigint not null,
  opened bigint not null,
  changed bigint not null,
  defs text not null,
  unique (kind, person)
);
create index life_event_state on life_event (state, changed);
create index life_event_person on life_event (person);
create table life_event_source (
  life_event bigint not null,
  record text not null,
  standing text not null,
  source text not null,
  at bigint not null,
  sealed {{blob}} not null,
  primary key (record)
);
create index life_event_source_of on life_event_source (life_event);
create table life_event_waiting (
  record text primary key,
  match_id bigint not null,
  n bigint not null,
  source text not null,
  at bigint not null,
  sealed {{blob}} not null
);
create index life_event_waiting_match on life_event_waiting (match_id);
