create table journal_pack (
	last    {{id}}, -- number of the last entry in it
	first   bigint not null,
	hashes  {{blob}} not null, -- what tlog stores for these entries, in its order
	entries {{blob}} not null, -- zstd
	sum     {{blob}} not null  -- sha256 of all the above
);
create table journal_checkpoint (
	seq  {{id}},
	size bigint not null,
	at   bigint not null, -- unix ms
	text text   not null
);
create table journal_key (
	verifier text primary key
);
create table journal_salt (
	person text primary key,
	salt   {{blob}} not null
);
-- Runs of the index of what entries are about, sorted by hash; see about.go.
create table journal_about (
	level bigint not null,
	first bigint not null, -- number of the first entry in the run
	part  bigint not null,
	last  bigint not null,
	lo    bigint not null, -- lowest and highest hash in the part
	hi    bigint not null,
	data  {{blob}} not null,
	primary key (level, first, part)
);
