"""The sections of docs/benchmarks.md, in order.

A program joins by a file here that defines SECTION, and one line below:

    SECTION = Section(
        name="scope",
        title="Scopes",
        programs=(Program("scope_bench"),),
        tables=(Table(title="Opening a scope", columns=(("time", ""),),
                      rows=(Row("open and close", "Scope_OpenClose"),)),),
        goals=(Goal("open, bind 3, close", "Scope_OpenBind3Close", at_most=100),))
"""
from report.sections import core, db, scope

SECTIONS = [core.SECTION, scope.SECTION, db.SECTION]
