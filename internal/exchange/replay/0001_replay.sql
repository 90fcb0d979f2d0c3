-- What a person had sent again. selection is sealed: a query may name a value.
create table replay_job (
  id {{id}},
  flow text not null,
  state text not null,
  selection {{blob}} not null,
  at bigint not null,
  by_whom text not null,
  position bigint not null,
  last bigint not null,
  taken bigint not null,
  skipped text not null,
  ended bigint not null
);
create index replay_job_state on replay_job (state, id);
