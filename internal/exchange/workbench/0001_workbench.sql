-- Corrections of one or many held records that do not go on at once: they wait for
-- a second person, or can be undone for a while.
create table workbench_correction (
  id {{id}},
  state text not null,
  type text not null,
  sender text not null,
  mistake text not null,
  source {{blob}},
  keep bigint not null,
  sees bigint not null,
  top bigint not null,
  approve bigint not null,
  made bigint not null,
  made_by text not null,
  approved bigint not null,
  approved_by text not null,
  due bigint not null,
  ended bigint not null,
  ended_by text not null,
  total bigint not null,
  went_on bigint not null
);
create index workbench_correction_state on workbench_correction (state, due);

-- The records of a correction, with their corrected bodies until they are settled.
create table workbench_item (
  correction bigint not null,
  n bigint not null,
  record text not null,
  state text not null,
  body {{blob}},
  primary key (correction, n)
);
create index workbench_item_pending on workbench_item (correction, n) where state = 'pending';

-- Corrections that are made again, by themselves, to what a sender sends next.
create table workbench_rule (
  id {{id}},
  state text not null,
  type text not null,
  sender text not null,
  mistake text not null,
  problem {{blob}} not null,
  source {{blob}} not null,
  sees bigint not null,
  correction bigint not null,
  made bigint not null,
  made_by text not null,
  approved_by text not null,
  used bigint not null,
  last bigint not null,
  changed bigint not null,
  changed_by text not null
);
