"""The connection pool and the session: bench/db."""
from report.model import Goal, Program, Row, Section, Table

HELD = (("not held", "/0/threads:32"), ("held 50 us", "/50/threads:32"),
        ("held 200 us", "/200/threads:32"))

BORROW = Table(
    title="Borrowing and returning a connection",
    note="Eight connections of a driver that does nothing. Time per pair, on one thread's clock.",
    columns=(("1 thread", "/threads:1"), ("2", "/threads:2"), ("8", "/threads:8"),
             ("32", "/threads:32")),
    rows=(Row("as for an embedded database", "Pool_BorrowReturn"),
          Row("as for a server (keeps time)", "Pool_BorrowReturn_Remote"),
          Row("with leak reports", "Pool_BorrowReturn_LeakReports")))

QUEUE = Table(
    title="32 threads on 8 connections", columns=HELD, baseline="Barging_Held_us",
    note="""Waiters served in order of arrival, and a pool that lets newcomers overtake: higher
throughput while nothing is held, paid for with waits without bound.""",
    rows=(Row("first come, first served", "Pool_Held_us"), Row("barging", "Barging_Held_us")))

SESSION = Table(
    title="Statements and transactions", columns=(("time", ""),),
    rows=(Row("marker, route and slots of a known statement", "Router_Hit"),
          Row("statement on a connection", "Statement_ByHand"),
          Row("statement through the session", "Statement_Bound"),
          Row("transaction without a statement", "Transaction_Empty"),
          Row("transaction of one statement", "Transaction_OfOneStatement"),
          Row("voucher on SQLite, by hand", "SqliteVoucher_ByHand"),
          Row("voucher on SQLite, through the session", "SqliteVoucher_Bound")))

SECTION = Section(
    name="db", title="Connections and transactions", programs=(Program("db_bench"),),
    tables=(BORROW, QUEUE, SESSION),
    goals=(Goal("borrow and return, uncontended", "Pool_BorrowReturn/threads:1", at_most=25),
           Goal("route and slots of a statement, on a hit", "Router_Hit", at_most=30)))
