create table subscription (
  reference text primary key,
  address   text not null,
  postcode  text not null,
  bins      integer not null,
  starts    text not null
);
