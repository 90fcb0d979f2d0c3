create table log_pack (
	last  {{id}}, -- highest number in it; packs do not overlap
	first bigint not null,
	type  text   not null,
	count bigint not null,
	rev   bigint not null, -- raised when the pack is written anew
	data  {{blob}} not null
);
create index log_pack_type on log_pack (type, last);
