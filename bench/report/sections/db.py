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

MANY_ROWS = Table(
    title="Many rows into one table on PostgreSQL, in one transaction: time a row",
    note="""One thread; two columns and a primary key. A batch sends a statement for each row, all in one
round trip; with arrays one statement inserts all (`insert ... select * from unnest($1, $2)`), and could
meet conflicts and return rows; `session.load` is COPY.""",
    columns=(("500 rows", "/500#row_ns"), ("10,000 rows", "/10000#row_ns")),
    baseline="ManyRows_Load",
    rows=(Row("a statement a row, one batch", "ManyRows_Batch"),
          Row("one statement with arrays", "ManyRows_Arrays"),
          Row("load", "ManyRows_Load")))

TOGETHER = Table(
    title="Two databases on one PostgreSQL: all or none, and a transaction on each",
    note="""One thread, a balance changed in each. Apart: four round trips, a statement and a COMMIT
each. `session.together` makes six: the row of its log, and two phases for one of the COMMITs.""",
    columns=(("time of both", ""),), baseline="Together_Apart",
    rows=(Row("together, by two-phase commit", "Together_TwoPhase"),
          Row("apart, each by its own COMMIT", "Together_Apart")))

TENANTS = Table(
    title="Tenants that share one connection to PostgreSQL, by role and schema",
    note="""One thread, a transaction of one statement: two round trips, wherever it runs. After another:
two tenants in turn, so that each transaction sets the role and the search path anew, along with BEGIN.
Nothing of the place is sent where the connection is there already.""",
    columns=(("time", ""),), baseline="Tenant_WithoutAPlace",
    rows=(Row("without a place", "Tenant_WithoutAPlace"),
          Row("with one, there already", "Tenant_ThereAlready"),
          Row("with one, after another", "Tenant_AfterAnother")))


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
connections are what is short. Eight that are held for 50 us each, one after the other, are 160,000
borrows a second, which leaves two processors 12.5 us for a borrow; in order, each takes the waking of
two threads, the one whose pause is over and the one that is next, and waking one alone takes 24 us here
(see the table). So processors are short, and connections are held for three quarters of their time
only. More than half of all borrows of the barging pool then take an idle connection at once, while a
line, once formed, keeps all waiters in it: the median of the ordered pool is the length of the line
times the time of a borrow. Its 99th percentile was 1.7 to 2.3 times the barging one's, in seven runs. To hold by reading the clock for 50 us instead of a pause, which ends when it
should, does not show the goal either: no more than two of eight connections are then really held, 26%
of the time of the ordered pool's. It gave 1.1 to 1.5 ms against 0.2 us for the wait, since the barging
thread takes its own again until its slice is over, and 1.1 to 1.7 ms against 4.1 ms from asking to
giving back. By this reckoning the goal needs a machine that wakes a thread in 6 us or less. At 200 us
connections are what is short, and the order shows: the 99th percentile is a seventh.

**The bound transaction's processor time.** On the quiet machine, in four runs before and after the
last changes in turn, 1.09 and 1.08 times (1.07 to 1.11, and 1.08 to 1.12). callgrind counts, in user
space, over 200 warm transactions of a driver made for it, which is not kept here, 30,700 instructions a transaction against 21,850 by hand (1.40 times; 32,850 and 1.50 before). System
calls are the same, five each of send, poll and recv, and libpq itself runs fewer. What the 8,850 are:

| instructions | a transaction |
| --- | --- |
| sending, waiting with a deadline, being cancelled from elsewhere | 1,890 |
| session: transaction, route, statement | 1,830 |
| the driver's choice of how to send: known, prepared, with BEGIN or by itself | 1,700 |
| rows as values | 1,320 |
| parameters as libpq takes them | 860 |
| memory, for the rows and the plan with BEGIN | 700 |
| checks of every statement: text, time, measuring | 480 |
| scope, and its variables | 430 |
| pool | 260 |
| less: the code by hand, and what libpq does for it in addition | –620 |

In time, the driver used without a session, in turn with both, takes 1.05 times by hand, and the
session 1.08. That is about 20 us, or 2 ns an instruction: presumably since after every answer the
caches hold what the kernel and the other process needed, and each line of ours is fetched anew. At
that rate 1.03 leaves room for about 3,000 instructions, less than the driver needs alone.
What compilers can do about it is little, measured in turn, medians of four and five processes: profile-guided
optimisation, trained by this very benchmark, 1.07 against 1.09; -Os, for fewer lines to fetch, 1.11
against 1.09. Tried without a gain: link-time optimisation (the same within the spread); not to ask libpq for the end
of an answer that is complete (120 instructions, and a lost connection harder to tell). Not possible:
to wait without asking libpq first whether an answer is there, since it may have been read while
sending. The server processes run on the last processor and the client on the first. With all on one,
on a loaded machine, the ratio was 1.21 to 1.24. Left to the scheduler it was 1.03 to 2.4, since waking
an idle processor is charged to whoever wakes it.

**Two-phase commit** was 1.51 times two transactions in the table's run, for six round trips against
four, and 1.62, 1.78 and 2.01 times in three runs before it.

**Throughput in order and the time of a borrow** change with the machine's cost of waking a thread (see
the table): each hand-over leaves the connection idle for that long. In a run where that was 3.2 us, the
ordered pool took 0.97 times the barging one's time at 200 us, which meets the goal; where it is more
than 18 us, it lost 5 to 12 hundredths, in four runs. Tried on a machine that was not quiet, in turn with the barging
pool, medians of five and nine runs of 300 ms, as it is 1.15 and 1.10: to yield the processor after
handing over, 1.12 and 1.11; to wake by a pipe, whose reader the kernel likes to keep on the writer's
processor, 1.05, for two descriptors a thread and one system call more a wake-up, so it was left.

**Borrowing uncontended** took 24 to 33 ns until the two functions ended with calls of what only some
loans need, instead of making them on the way: they then save half as many registers, and the two
compare-and-swaps wait for fewer stores. In turn, 12 processes each of `db_bench
--benchmark_filter='Pool_BorrowReturn/real_time/threads:1$' --benchmark_min_time=0.03`, the medians are
13.0 ns now and 32.0 before (b155c35 against c9f5438); 130 instructions became 102 (callgrind, of both
calls).

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
    tables=(BORROW, QUEUE, *WAITS, WHOLE, HELD_FOR, BUSY, WAKE, SESSION, PAIRED, VOUCHER, MANY_ROWS,
            TENANTS, TOGETHER),
    goals=GOALS, notes=NOTES)
