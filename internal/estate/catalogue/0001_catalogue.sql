create table catalogue_feedback (
  id bigint primary key,
  service text not null,
  at bigint not null,
  audience text not null,
  useful text not null,
  settled bigint not null,
  settled_by text not null,
  sealed {{blob}} not null,
  note {{blob}}
);
create index catalogue_feedback_service on catalogue_feedback (service, settled);
create table catalogue_link (
  url text primary key,
  state text not null,
  status bigint not null,
  went_to text not null,
  why text not null,
  checked bigint not null,
  wanted bigint not null
);
create index catalogue_link_wanted on catalogue_link (wanted);
