-- The flow of the step that a run is at: by it the step is found again when the
-- process was changed meanwhile.
alter table process_run add column at_flow text not null default '';
