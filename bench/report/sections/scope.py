"""Scopes, snapshots and the boundary: bench/scope."""
from report.model import Goal, Program, Row, Section, Table

SCOPES = Table(
    title="Scopes and propagation", columns=(("time", ""),),
    note="\"Bind 3\" sets and restores three request-locals. One read of the clock, for scale.",
    rows=(Row("open, bind 3, close, audited", "Scope_OpenBind3Close"),
          Row("open, bind 3, close, not audited", "Scope_OpenBind3Close_AuditOff"),
          Row("open and close", "Scope_OpenClose"), Row("read the steady clock", "SteadyClock_Now"),
          Row("capture a snapshot of 3", "Snapshot_Capture"),
          Row("run with a snapshot of 3", "Snapshot_Run")))

POOL = Table(
    title="A task through a pool", columns=(("time", ""),),
    note="""On the worker, of 1,000 empty tasks that were queued before it began: Asio's thread pool
alone, and the same pool with a boundary around every task.""",
    rows=(Row("Asio's pool", "AsioPool_Task"), Row("with a boundary", "Boundary_Task")))

SECTION = Section(
    name="scope", title="Scopes", programs=(Program("scope_bench"),), tables=(SCOPES, POOL),
    goals=(Goal("open a scope, bind 3, close, audit on", "Scope_OpenBind3Close", at_most=100),
           Goal("capture a snapshot of 3", "Snapshot_Capture", at_most=50),
           Goal("run with a snapshot of 3", "Snapshot_Run", at_most=100),
           Goal("a boundary around a task of Asio's pool", "Boundary_Task", at_most=100,
                less="AsioPool_Task")),
    notes="""What the profile says (callgrind's instruction counts, gcc 12 -O2; 34, 55 and 36 are counted in the
machine code), of the 617 instructions of "open, bind 3, close, audited":

- Opening is 132: clearing the sixteen home keys, the name, and 34 for the thread's line in `inspect()`.
  Closing is 58.
- A bind and its end are 99 together, three times: 55 to make the value's cell, put it in its place and
  link it, the rest to find it unchanged, take it out and give its memory back. They were 131, and all of
  it 721, when the guard did not know its value's type and kept room for a coroutine's scope.
- The boundary is 130: of those 36 turn the counter's ticks into time, and 7 are the look at the thread's
  map. The counter is read twice, which is two of those instructions and some of the slowest.
- The binds are one chain: each takes its memory where the last one ended, and each end gives it back
  and makes the one before the newest again.""")
