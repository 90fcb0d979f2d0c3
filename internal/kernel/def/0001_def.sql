-- The sets of definitions that were ever in force: an archive of their files.
create table def_set (
  hash text primary key,
  at bigint not null,
  files {{blob}} not null
);
-- When which of them was put in force; the last is in force now.
create table def_activation (
  n bigint primary key,
  hash text not null,
  at bigint not null
);
