create table process_cursor (
  process text not null primary key,
  position bigint not null
);
-- A run is one record going through one process. lane is the hash of its key where
-- the record type is strict. generation counts how often a person began it again.
-- kept holds, sealed, the frozen body of the step under way and the answers so far.
create table process_run (
  process text not null,
  n bigint not null,
  record text not null,
  lane text not null,
  state text not null,
  step integer not null,
  generation integer not null,
  tries integer not null,
  due bigint not null,
  since bigint not null,
  began bigint not null,
  settled bigint not null,
  why text not null,
  kept {{blob}},
  primary key (process, n)
);
create index process_run_due on process_run (state, due);
create index process_run_lane on process_run (process, lane, n);
-- What became of each step of a run; undo is 1 for what was done to undo it.
create table process_step (
  process text not null,
  n bigint not null,
  step integer not null,
  undo integer not null,
  flow text not null,
  state text not null,
  why text not null,
  at bigint not null,
  primary key (process, n, step, undo)
);
create index process_step_flow on process_step (flow, state);
