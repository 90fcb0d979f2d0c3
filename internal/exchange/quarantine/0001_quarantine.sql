-- Records that wait for a person (or, in a strict type, for such a record). The
-- body, its problems and a person's reason are sealed. lane is the hash of sender,
-- type and key of a record of a strict type, else empty.
create table quarantine_held (
  n {{id}},
  id text not null,
  state text not null,
  type text not null,
  sender text not null,
  waits text not null,
  submission text not null,
  set_hash text not null,
  lane {{blob}},
  known {{blob}},
  sent {{blob}} not null,
  at bigint not null,
  problems bigint not null,
  body {{blob}} not null,
  became text not null,
  settled bigint not null,
  settled_by text not null,
  reason {{blob}}
);
create index quarantine_held_list on quarantine_held (state, type, sender, n);
create index quarantine_held_lane on quarantine_held (lane, n);

-- Records of the log that a flow could not deliver and nobody but a person can help.
create table quarantine_parked (
  flow text not null,
  n bigint not null,
  id text not null,
  state text not null,
  type text not null,
  sender text not null,
  cause text not null,
  at bigint not null,
  problems {{blob}} not null,
  settled bigint not null,
  settled_by text not null,
  primary key (flow, n)
);
create index quarantine_parked_list on quarantine_parked (state, type, sender, n);
