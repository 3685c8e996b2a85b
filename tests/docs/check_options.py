#!/usr/bin/env python3
"""Every option of the database layers stands in the reference, and nothing else does.

A table says in a comment right above it which struct of include/carrel/{db,session,drivers} its first
column lists:

    <!-- fields: PoolOptions -->
    | option | default | meaning |
    | --- | --- | --- |
    | `name` | `pool` | in messages, reports and metrics |

Every struct whose name ends in Options has such a table; any other may. A row may list several
fields; no cell is empty.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HEADERS = [h for room in ("db", "session", "drivers") for h in ROOT.glob(f"include/carrel/{room}/*.h")]
STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)^\};", re.M | re.S)
TABLE = re.compile(r"^<!-- fields: (\w+) -->\n((?:\|.*\n)+)", re.M)


def fields_of(body):
    body = re.sub(r"//.*", "", body)
    body = re.sub(r"(noexcept|const|\))\s*\{(?:[^{}]|\{[^{}]*\})*\}", r"\1;", body)  # functions
    for declaration in body.split(";"):
        declared = re.split(r"=|\{", declaration, maxsplit=1)[0].strip()
        if not declared or declared.endswith((")", "const", "noexcept")):
            continue
        if re.match(r"(\[\[nodiscard\]\]\s*)?(static|friend|using)\b|\w+\(", declared):
            continue
        yield re.search(r"(\w+)$", declared)[1]


def errors_of(structs):
    seen = set()
    for page in sorted(ROOT.glob("docs/reference/*.md")):
        for match in TABLE.finditer(page.read_text("utf-8")):
            name, rows = match[1], match[2].splitlines()[2:]
            where = f"{page.relative_to(ROOT)}, {name}"
            if name not in structs:
                yield f"{where}: there is no such struct"
                continue
            seen.add(name)
            listed = []
            for row in rows:
                cells = [cell.strip() for cell in row.strip().strip("|").split("|")]
                listed += re.findall(r"`(\w+)`", cells[0])
                if not all(cells):
                    yield f"{where}: an empty cell beside {cells[0]}"
            for field in structs[name]:
                if listed.count(field) != 1:
                    yield f"{where}: {field} stands there {listed.count(field)} times"
            for field in listed:
                if field not in structs[name]:
                    yield f"{where}: {field} is no field"
    for name in structs:
        if name.endswith("Options") and name not in seen:
            yield f"{name}: no page has a table of its fields"


def main():
    structs = {}
    for header in HEADERS:
        for match in STRUCT.finditer(header.read_text("utf-8")):
            structs[match[1]] = list(fields_of(match[2]))
    found = list(errors_of(structs))
    options = [fields for name, fields in structs.items() if name.endswith("Options")]
    assert sum(map(len, options)) > 50, "the structs are not read as they are written"
    print("\n".join(found) or f"{sum(map(len, options))} options: each stands in the reference")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
