-- Submissions of more than one batch, or that broke off: their receipts are kept
-- until they are old. A short submission gets its receipts at once and leaves none.
create table intake_submission (
  id text primary key,
  sender text not null,
  type text not null,
  at bigint not null,
  state text not null,
  records bigint not null,
  accepted bigint not null,
  held bigint not null,
  duplicate bigint not null,
  refused bigint not null
);
create index intake_submission_at on intake_submission (at);
create table intake_receipts (
  submission text not null,
  part bigint not null,
  receipts {{blob}} not null,
  primary key (submission, part)
);
