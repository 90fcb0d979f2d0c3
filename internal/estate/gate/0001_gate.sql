create table gate_request (
  id text primary key,
  n bigint not null unique,
  asked_by text not null,
  asked bigint not null,
  kind text not null,
  review text not null,
  at_gate text not null,
  state text not null,
  entered bigint not null,
  sealed {{blob}} not null
);
create table gate_step (
  request text not null,
  n bigint not null,
  at bigint not null,
  actor text not null,
  verb text not null,
  board text not null,
  outcome text not null,
  from_gate text not null,
  to_gate text not null,
  state text not null,
  minutes bigint not null,
  waited_days bigint not null,
  sealed {{blob}} not null,
  primary key (request, n)
);
create index gate_step_board on gate_step (board);
