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
                less="AsioPool_Task")))
