create table blind_key (
  id bigint primary key,
  sealed {{blob}} not null
);
