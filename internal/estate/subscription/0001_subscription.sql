-- Addresses at which calendar programs fetch a calendar: only the hash of each.
create table estate_subscription (
  id text primary key,
  hash text not null unique,
  staff text not null,
  made bigint not null,
  revoked bigint not null,
  used text not null
);
create index estate_subscription_staff on estate_subscription (staff);
