create table household (
  id text primary key,
  claimant text not null unique,
  assessed_day text not null,
  assessed_defs text not null,
  created bigint not null
);
create index household_assessed on household (assessed_day);
create table household_member (
  household text not null,
  person text not null,
  role text not null,
  n bigint not null,
  primary key (household, person)
);
create index household_member_person on household_member (person);
create table household_fact (
  household text not null,
  name text not null,
  sealed {{blob}} not null,
  source text not null,
  n bigint not null,
  at bigint not null,
  primary key (household, name)
);
create table assessment (
  id bigint primary key,
  benefit text not null,
  person text not null,
  household text not null,
  outcome text not null,
  missing text not null,
  sealed {{blob}} not null,
  day text not null,
  changed bigint not null,
  defs text not null,
  unique (benefit, person, household)
);
create index assessment_outcome on assessment (outcome, changed);
create table award_waiting (
  record text not null,
  match_id bigint not null,
  n bigint not null,
  source text not null,
  sealed {{blob}} not null,
  at bigint not null,
  primary key (record, match_id)
);
create index award_waiting_match on award_waiting (match_id);
