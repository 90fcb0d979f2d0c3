create table flow_cursor (
  flow text not null primary key,
  position bigint not null,
  sent bigint not null,
  filtered bigint not null,
  parked bigint not null,
  seen bigint not null,
  stopped text not null
);
create table flow_decision (
  flow text not null,
  last bigint not null,
  first bigint not null,
  at bigint not null,
  bits {{blob}} not null,
  primary key (flow, last)
);
create table flow_again (
  flow text not null,
  n bigint not null,
  decision integer not null,
  at bigint not null,
  primary key (flow, n)
);
