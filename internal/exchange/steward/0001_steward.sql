-- Which held record or correction a steward opened, and until when.
create table steward_opened (
  actor text not null,
  about text not null,
  until bigint not null,
  primary key (actor, about)
);
