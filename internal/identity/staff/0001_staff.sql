create table staff (
  id bigint primary key,
  email_hash text not null unique,
  sealed {{blob}} not null,
  roles text not null,
  created bigint not null,
  left_at bigint not null
);
create table staff_link (
  hash text primary key,
  staff bigint not null,
  created bigint not null,
  expires bigint not null,
  used bigint not null
);
create table staff_session (
  hash text primary key,
  staff bigint not null,
  created bigint not null,
  seen bigint not null,
  ended bigint not null
);
create index staff_session_staff on staff_session (staff);
