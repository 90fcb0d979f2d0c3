create table enrolment (
  id bigint primary key,
  benefit text not null,
  person text not null,
  recipient text not null,
  household text not null,
  state text not null,
  before_stop text not null,
  stopped_by text not null,
  starts bigint not null,
  choose_until bigint not null,
  token_hash text not null unique,
  opened bigint not null,
  changed bigint not null,
  defs text not null,
  unique (benefit, person)
);
create index enrolment_person on enrolment (person);
create index enrolment_recipient on enrolment (recipient);
create index enrolment_state on enrolment (state, starts);
create index enrolment_stopped on enrolment (stopped_by);
