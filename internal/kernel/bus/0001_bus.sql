create table bus_event (
	n         {{id}},
	type      text   not null,
	at        bigint not null, -- unix ms
	due       bigint not null, -- unix ms; 0 for at once
	subject   text   not null,
	about     text   not null,
	cause     bigint not null,
	body      text   not null,
	cancelled bigint not null default 0
);
create index bus_event_later on bus_event (about) where due > 0;
create table bus_cursor (
	consumer text primary key,
	n        bigint not null -- events up to this one were handled or stand in bus_retry
);
create table bus_retry (
	consumer text   not null,
	event    bigint not null,
	tries    bigint not null,
	due      bigint not null,
	dead     bigint not null,
	error    text   not null,
	primary key (consumer, event)
);
create index bus_retry_due on bus_retry (consumer, dead, due);
