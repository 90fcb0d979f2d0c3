-- What was told before, by the hash of sender, type and key. Written behind the
-- records, in batches sorted by h; once_mark says up to which record number, and
-- counts the commit groups that told something new.
create table once_keys (
  h {{id}},
  h2 bigint not null,
  n bigint not null,
  epoch bigint not null,
  at bigint not null,
  header bigint not null,
  digest {{blob}} not null,
  sent {{blob}} not null
);
create table once_mark (part bigint primary key, upto bigint not null, gen bigint not null);
insert into once_mark (part, upto, gen) values (0, 0, 0);
