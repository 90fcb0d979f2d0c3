-- Of flows with a schedule: up to which record they may carry, since when.
create table flow_gate (
  flow text not null primary key,
  at bigint not null,
  upto bigint not null
);
