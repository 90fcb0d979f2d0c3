create table delivery_pack (
  pack {{id}},
  flow text not null,
  iface text not null,
  again integer not null,
  first bigint not null,
  last bigint not null,
  owed bigint not null,
  made bigint not null,
  terms text not null,
  numbers {{blob}} not null,
  state {{blob}} not null
);
create index delivery_pack_flow on delivery_pack (flow, again, last);
create index delivery_pack_owed on delivery_pack (flow, pack) where owed > 0;
create table delivery_body (
  pack {{id}},
  body {{blob}} not null
);
create table delivery_again (
  flow text not null,
  n bigint not null,
  pack bigint not null,
  primary key (flow, n)
);
create table delivery_uncertain (
  flow text not null,
  n bigint not null,
  record text not null,
  pack bigint not null,
  at bigint not null,
  why text not null,
  primary key (flow, n)
);
create table delivery_block (
  flow text not null,
  keyhash text not null,
  n bigint not null,
  record text not null,
  why text not null,
  primary key (flow, keyhash)
);
create index delivery_block_record on delivery_block (record);
create table delivery_behind (
  flow text not null,
  n bigint not null,
  record text not null,
  keyhash text not null,
  primary key (flow, n)
);
create index delivery_behind_key on delivery_behind (flow, keyhash);
create table delivery_total (
  flow text not null primary key,
  delivered bigint not null,
  parked bigint not null,
  last bigint not null,
  held integer not null
);
