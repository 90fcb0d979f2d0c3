create table performance_point (
  series text not null,
  day text not null,
  value text not null,
  primary key (series, day)
);
