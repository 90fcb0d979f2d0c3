-- The correction of many that a record is set aside for; 0 for none.
alter table quarantine_held add column correction bigint not null default 0;
create index quarantine_held_correction on quarantine_held (correction) where correction > 0;
create index quarantine_held_settled on quarantine_held (settled) where settled > 0;

-- Open records by what is wrong with them. mistake is the hash of sender, type,
-- place and message; what it stands for is sealed, for a place in a stranger's
-- record may be named after a person.
create table quarantine_mistake (
  mistake text not null,
  n bigint not null,
  at bigint not null,
  primary key (mistake, n)
);
create index quarantine_mistake_n on quarantine_mistake (n);
create table quarantine_label (
  mistake text not null primary key,
  type text not null,
  sender text not null,
  label {{blob}} not null
);
