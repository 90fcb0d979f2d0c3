-- Records that a person had sent again as a new version: what the receiver was told
-- before does not make them repeats.
create table flow_replay (
  flow text not null,
  n bigint not null,
  replay bigint not null,
  primary key (flow, n)
);
