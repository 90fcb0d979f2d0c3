-- What was late or could not be read, since when, and until when; ended is 0 while
-- it still is.
create table alert (
  about text not null,
  what text not null,
  raised bigint not null,
  why text not null,
  ended bigint not null,
  primary key (about, what, raised)
);
create index alert_ended on alert (ended);
