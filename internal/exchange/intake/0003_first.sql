-- When a sender first told of a type. 0: before this was kept.
alter table intake_seen add column first bigint not null default 0;
