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
          Row("statement through the session", "Statement_Bound"),
          Row("transaction without a statement", "Transaction_Empty"),
          Row("transaction of one statement", "Transaction_OfOneStatement"),
          Row("voucher on SQLite, by hand", "SqliteVoucher_ByHand"),
          Row("voucher on SQLite, through the session", "SqliteVoucher_Bound")))

PAIRED = Table(
    title="A transaction on PostgreSQL: processor time of the client",
    note="""One thread, the voucher below statement by statement. Bound: in a scope, found through the
session, from the pool, routed. By hand: the same statements against libpq, prepared, BEGIN sent along
with the first. Both take turns, transaction by transaction; the ratio is the median of those of all
pairs.""",
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
**The wait at 50 us.** The goal, a quarter of the barging pool's 99th percentile, supposes that the
barging pool is short of connections. Where a switch of threads costs several microseconds it is not:
counted on its own, on average 3 of its 32 threads waited for a connection at 50 us (24 at 200 us);
the others waited for a processor, and more than half of all borrows took an idle connection at once.
A line, once formed, keeps all waiters in it, so the median of the ordered pool is the length of the
line times the time of a borrow. At 200 us connections are what is short, and the order shows.

**The bound transaction's processor time.** callgrind counts, in user space, about 2.1 times the
instructions of the hand-written one (51.7 against 24.7 million for the same transactions); the system
calls, most of the time, are the same. Of the surplus of 27.0 million: sending and reading through the
pipeline, with a result object for every synchronisation, about 9; the plan of a run (vectors, texts,
shared pointers) 4; COMMIT, parsed anew and through the pipeline, 3; the rows 2.7; encoding
parameters 3; finding transaction, route and statement 3. Tried: encoding a number at once and not byte
by byte, and no list of column types. Not tried yet: leaving pipeline mode for a single statement, and
BEGIN and COMMIT as prepared statements. Between
runs the ratio was seen from 1.03 to 2.4, where the instructions do not change: it then shows on which
processor each connection's server process was placed, since waking an idle processor is charged to
the sender. Pinning both server processes to one processor is what this measurement lacks.

**Throughput in order and the time of a borrow** change with the machine's cost of waking a thread (see
the table): in a run where that was 3.2 us, the ordered pool took 1.04 times the barging one's time at
50 us and 0.97 times at 200 us, and borrowing and returning 22.0 ns; where it is 13 us, each hand-over
leaves the connection idle for that long, and a tenth of the throughput is lost at 200 us.

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
    tables=(BORROW, QUEUE, *WAITS, WHOLE, HELD_FOR, BUSY, WAKE, SESSION, PAIRED, VOUCHER), goals=GOALS, notes=NOTES)
