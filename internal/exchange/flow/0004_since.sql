-- Since when a flow is deployed; 0 where that was not kept.
alter table flow_cursor add column since bigint not null default 0;
