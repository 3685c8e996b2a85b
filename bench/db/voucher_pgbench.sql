\set id random(1, 9000000000000000000)
\set giver random(1, 5000)
\set taker random(5001, 10000)
\set amount random(1, 100)
\set given -:amount
begin;
insert into bench.voucher (id, memo) values (:id, 'a voucher');
update bench.account set balance = balance + :given where id = :giver returning balance;
update bench.account set balance = balance + :amount where id = :taker returning balance;
insert into bench.entry (voucher, account, amount) values (:id, :giver, :given), (:id, :taker, :amount);
commit;
