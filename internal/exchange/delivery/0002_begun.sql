-- When a flow first came to something, so that its deliveries can be told by the
-- year. 0: not known.
alter table delivery_total add column begun bigint not null default 0;
update delivery_total set begun = coalesce((select min(made) from delivery_pack where delivery_pack.flow = delivery_total.flow), 0);
