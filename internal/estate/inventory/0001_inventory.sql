create table inventory_import (
  id bigint not null,
  type text not null,
  at bigint not null,
  hand bigint not null,
  actor text not null,
  added bigint not null,
  changed bigint not null,
  same bigint not null,
  gone bigint not null,
  digest text not null,
  sealed {{blob}} not null,
  primary key (id, type)
);
create index inventory_import_type on inventory_import (type, at);
create table inventory_now (
  type text not null,
  bucket bigint not null,
  sealed {{blob}} not null,
  primary key (type, bucket)
);
create table inventory_was (
  type text not null,
  bucket bigint not null,
  import bigint not null,
  sealed {{blob}} not null,
  primary key (type, bucket, import)
);
