create table partner_token (
  id text primary key,
  hash text not null unique,
  party text not null,
  label text not null,
  types text not null,
  created bigint not null,
  expires bigint not null,
  revoked bigint not null
);
