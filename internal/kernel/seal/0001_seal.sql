create table seal_key (
	id      {{id}},
	made    bigint not null, -- unix ms
	wrapped {{blob}} not null
);
