"""The connection pool, the session and the drivers: bench/db, and HikariCP and JDBC in bench/jvm."""
from report.model import Goal, Program, Row, Section, Table

THREADS = (("1 thread", "/threads:1"), ("2", "/threads:2"), ("8", "/threads:8"),
           ("32", "/threads:32"))

BORROW = Table(
    title="Borrowing and returning a connection",
    note="""Eight connections of a driver that does nothing; nothing is held. Time on the wall, divided
by the borrows of all threads together.""",
    columns=THREADS, baseline="Pool_BorrowReturn",
    rows=(Row("carrel::Pool, embedded database", "Pool_BorrowReturn"),
          Row("carrel::Pool, server (keeps time)", "Pool_BorrowReturn_Remote"),
          Row("carrel::Pool, server, leak reports", "Pool_BorrowReturn_LeakReports"),
          Row("mutex and condition variable", "Barging_BorrowReturn"),
          Row("HikariCP", "Hikari_BorrowReturn", "hikari")))

HELD = tuple((text, f"/{held}") for text, held in
             (("not held", 0), ("held 50 us", 50), ("held 200 us", 200)))
QUEUED = (("first come, first served", "Pool_Crowd"), ("barging", "Barging_Crowd"))


def crowd(title, unit, counter, note=""):
    return Table(title=title, unit=unit, note=note, baseline="Barging_Crowd",
                 columns=tuple((text, suffix + counter) for text, suffix in HELD),
                 rows=tuple(Row(label, prefix) for label, prefix in QUEUED))


QUEUE = crowd(
    "32 threads on 8 connections: time a borrow", "ns", "",
    """Waiters served strictly in order of arrival, and a pool of a mutex and a condition variable that
lets newcomers overtake, for 300 ms each. While nothing is held, order costs a switch of threads for
every borrow.""")
WAKE = Table(title="Waking a sleeping thread", columns=(("one way", ""),),
             note="""Two threads and two semaphores: the least that handing a connection over costs here,
and how long the connection then stands idle.""",
             rows=(Row("semaphore", "Thread_Wake"),))
WAITS = tuple(crowd(f"32 threads on 8 connections: {name} of the wait", "us", counter)
              for name, counter in (("median", "#wait_p50_us"), ("99th percentile", "#wait_p99_us"),
                                    ("99.9th percentile", "#wait_p999_us"),
                                    ("longest", "#wait_max_us")))
WHOLE = crowd(
    "32 threads on 8 connections: 99th percentile from asking to giving back", "us",
    "#whole_p99_us",
    """A thread that is ready may have to wait for a processor: while it waits for a connection, or
while it holds one. This counts both.""")
BUSY = crowd(
    "32 threads on 8 connections: how much of their time the connections were held", "share",
    "#connections_busy",
    """Only where it is near 1 are connections what is short.""")
HELD_FOR = crowd("32 threads on 8 connections: how long one was held in truth", "us", "#held_us",
                 """A pause of a thread ends late where waking one takes long.""")

SESSION = Table(
    title="Statements and transactions over a driver that does nothing, and on SQLite",
    columns=(("time", ""),),
    rows=(Row("marker, route and slots of a known statement", "Router_Hit"),
          Row("statement on a connection", "Statement_ByHand"),
          Row("statement through the session, one route and no slots", "Statement_Unrouted"),
          Row("statement through the session, by marker and with a slot", "Statement_Bound"),
          Row("transaction without a statement", "Transaction_Empty"),
          Row("transaction of one statement", "Transaction_OfOneStatement"),
          Row("voucher on SQLite, by hand", "SqliteVoucher_ByHand"),
          Row("voucher on SQLite, through the session", "SqliteVoucher_Bound")))

PAIRED = Table(
    title="A transaction on PostgreSQL: processor time of the client",
    note="""One thread, the voucher below statement by statement. Bound: in a scope, found through the
session, from the pool, routed. By hand: the same statements against libpq, prepared, BEGIN sent along
with the first. Both take turns, transaction by transaction, with their server processes on one
processor; the ratio is the median of those of all pairs.""",
    columns=(("median", "#median_ns"), ("over hand-written", "#over_handwritten")),
    rows=(Row("bound", "Transaction_Bound"), Row("hand-written", "Transaction_HandWritten")))

CLIENTS = "/threads:8"
VOUCHER = Table(
    title="A two-leg voucher on PostgreSQL, eight clients",
    note="""A row inserted, two balances changed and read back, two entries inserted, committed: six
commands. Time on the wall, divided by the vouchers of all clients, on one and the same server (this
machine's, which flushes nothing to disk). pgbench runs the same statements prepared, with two or
eight threads, whichever is faster.""",
    columns=(("time a voucher", CLIENTS),), baseline="Voucher_Pgbench",
    rows=(Row("session, batch: one round trip", "Voucher_Batch"),
          Row("session, statement by statement: five", "Voucher_Statements"),
          Row("pgbench: six; PostgreSQL", "Voucher_Pgbench", "pgbench"),
          Row("JDBC and HikariCP: five;", "Voucher_Jdbc", "jdbc")))

TOGETHER = Table(
    title="Two databases on one PostgreSQL: all or none, and a transaction on each",
    note="""One thread, a balance changed in each. Apart: four round trips, a statement and a COMMIT
each. `session.together` makes seven: the row of its log, two phases for one of the COMMITs, and the
connection that decides is cleaned before it goes back, since writing the row sets how it is flushed.""",
    columns=(("time of both", ""),), baseline="Together_Apart",
    rows=(Row("together, by two-phase commit", "Together_TwoPhase"),
          Row("apart, each by its own COMMIT", "Together_Apart")))


def against(text, figure, at_most, over):
    return Goal(text, figure, at_most=at_most, over=(over,))


GOALS = (
    Goal("borrow and return, uncontended", "Pool_BorrowReturn/threads:1", at_most=25),
    *(against(f"borrow and return, {threads} threads, keeping time, against HikariCP",
              f"Pool_BorrowReturn_Remote/threads:{threads}", 1.0,
              f"Hikari_BorrowReturn/threads:{threads}")
      for threads in (2, 8)),
    against("32 threads, held 50 us: time against barging (1/0.85)",
            "Pool_Crowd/50", 1.18, "Barging_Crowd/50"),
    against("32 threads, held 200 us: time against barging (equal, within 2%)",
            "Pool_Crowd/200", 1.02, "Barging_Crowd/200"),
    against("the same, held 50 us: p99 of the wait", "Pool_Crowd/50#wait_p99_us", 0.25,
            "Barging_Crowd/50#wait_p99_us"),
    against("the same, held 200 us: p99 of the wait", "Pool_Crowd/200#wait_p99_us", 1.0,
            "Barging_Crowd/200#wait_p99_us"),
    Goal("bound transaction, processor time over hand-written",
         "Transaction_Bound#over_handwritten", at_most=1.03, unit="times"),
    against("voucher, batch: time against pgbench (1/1.5)", "Voucher_Batch" + CLIENTS, 0.667,
            "Voucher_Pgbench" + CLIENTS),
    against("voucher, batch: time against JDBC and HikariCP (1/2)", "Voucher_Batch" + CLIENTS, 0.5,
            "Voucher_Jdbc" + CLIENTS),
    against("voucher, statement by statement: time against pgbench (1/1.05)",
            "Voucher_Statements" + CLIENTS, 0.952, "Voucher_Pgbench" + CLIENTS),
    Goal("route and slots of a statement, on a hit", "Router_Hit", at_most=30))

NOTES = """
**The wait at 50 us.** The goal, a quarter of the barging pool's 99th percentile, supposes that
connections are what is short. Here they are not: a pause of 50 us lasts more than twice as long in
truth, since waking a thread takes over 20 us, and even the barging pool holds its connections for three
quarters of their time only (see the tables). The others of its threads wait for a processor, and more
than half of all borrows take an idle connection at once. A line, once formed, keeps all waiters in it,
so the median of the ordered pool is the length of the line times the time of a borrow. At 200 us
connections are what is short, and the order shows: the 99th percentile is a seventh. That the processor
is what is waited for at 50 us is to be seen from asking to giving back, where neither pool gains much.

**The bound transaction's processor time.** callgrind counts, in user space, 33,800 instructions a
transaction against 22,200 by hand (1.52 times; it was 45,500 and 2.05 times while everything went
through libpq's pipeline mode). System calls are the same, five each of send, poll and recv, and so are
the voluntary switches of threads. What is left: finding scope, transaction, route, statement and
connection; the rows as values; parameters encoded and text checked; one result and one plan more where
BEGIN rides along; and that the socket is waited for with a deadline, which asks libpq twice whether an
answer is complete. The surplus in time is more than those instructions cost in a loop: after every
answer the caches hold what the other process needed, and each line of ours is fetched anew. The server
processes run on the last processor and the client on the first. With all on one, on a loaded machine,
the ratio was 1.21 to 1.24. Left to the scheduler it was 1.03 to 2.4, since waking an idle processor is
charged to whoever wakes it.

**Throughput in order and the time of a borrow** change with the machine's cost of waking a thread (see
the table): each hand-over leaves the connection idle for that long. In a run where that was 3.2 us, the
ordered pool took 0.97 times the barging one's time at 200 us; where it is more than 20 us, the pool
that hands over loses some hundredths.

**Borrowing for a server** reads the coarse clock twice, for ages and idle times.
"""

HIKARI_JARS = ("HikariCP.jar", "slf4j-api.jar", "slf4j-nop.jar")

SECTION = Section(
    name="db", title="Connections and transactions",
    programs=(
        Program("db_bench", postgres=True),
        Program("hikari", java=("HikariBench", "StubConnection"), jars=HIKARI_JARS,
                versions=("HikariCP.jar",),
                arguments=("--rounds={rounds}", "--round-ms={round_ms}", "--versions={versions}")),
        Program("voucher_pgbench", script="db/voucher_pgbench.py", postgres=True,
                arguments=("--min-time={min_time_s}",)),
        Program("voucher_jdbc", java=("VoucherBench",), jars=("postgresql.jar", *HIKARI_JARS),
                versions=("postgresql.jar", "HikariCP.jar"), postgres=True,
                arguments=("--round-ms={measured_ms}", "--warm-up-ms={warm_up_ms}",
                           "--versions={versions}", "--schema={bench}/db/voucher_schema.sql"))),
    tables=(BORROW, QUEUE, *WAITS, WHOLE, HELD_FOR, BUSY, WAKE, SESSION, PAIRED, VOUCHER, TOGETHER),
    goals=GOALS, notes=NOTES)
