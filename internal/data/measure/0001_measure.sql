create table measure_daily (
	day  text   not null, -- civil date in the body's zone
	name text   not null, -- verb of the journal
	n    bigint not null,
	primary key (day, name)
);
create table measure_cursor (
	id   bigint primary key, -- always 0
	next bigint not null     -- number of the next journal entry to count
);
