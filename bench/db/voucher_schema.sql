-- The tables that every voucher benchmark on PostgreSQL starts from: C++, pgbench and JDBC alike.
-- No vacuum of its own, so that none begins in the middle of somebody's run; room in the pages, so
-- that updated rows stay where they are.
drop schema if exists bench cascade;
create schema bench;
create table bench.account (id bigint primary key, balance bigint not null)
  with (fillfactor = 50, autovacuum_enabled = off);
create table bench.voucher (id bigint primary key, memo text not null)
  with (autovacuum_enabled = off);
create table bench.entry (voucher bigint not null, account bigint not null, amount bigint not null,
                          primary key (voucher, account))
  with (autovacuum_enabled = off);
insert into bench.account select i, 0 from generate_series(1, 10000) i;
analyze bench.account;
