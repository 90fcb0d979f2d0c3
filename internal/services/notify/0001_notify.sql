create table message (
  id text primary key,
  n bigint not null,
  template text not null,
  channel text not null,
  person text not null,
  of_person text not null,
  about text not null,
  once_key text not null unique,
  state text not null,
  reason text not null,
  tries bigint not null,
  unclear bigint not null,
  due bigint not null,
  remote text not null,
  sealed {{blob}},
  created bigint not null,
  changed bigint not null
);
create index message_due on message (state, due);
create index message_person on message (person);
create index message_of_person on message (of_person);
create index message_about on message (about);
create index message_n on message (n);
