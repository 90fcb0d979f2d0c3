-- How often a rule took too long since it was switched on, and why the program
-- switched it off.
alter table workbench_rule add column strikes bigint not null default 0;
alter table workbench_rule add column why text not null default '';
