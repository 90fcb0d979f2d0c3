-- How far a file that is sent in parts came in whole ones: the rows, their sum, and
-- the state of the hash of their bytes, which is sealed.
create table feed_part (
  file text primary key,
  taken bigint not null,
  read_sum {{blob}} not null,
  hash {{blob}} not null
);
