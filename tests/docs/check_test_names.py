#!/usr/bin/env python3
"""Every test that a reference page names as the proof of a promise must exist.

Looked at are the tables `| promise | test |`. `Group.Name` is a test as CTest lists it, `.Name` is in the
group of the one before it, and `Group.*` is a group.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TABLE = re.compile(r"^\| promise \| test \|\n\|[ -|]*\n((?:\|.*\n)*)", re.M)
NAME = re.compile(r"`(\w*(?:/\w+)?)\.(\w+|\*)`")
DEFINED = re.compile(r"\b(?:(?:TYPED_)?TEST(?:_[FP])?|RC_GTEST_PROP)\(\s*(\w+),\s*(\w+)")
IN_CMAKE = re.compile(r"NAME (\w+)\.([\w$]+)")
BY_FUNCTION = re.compile(r"^ *(refused_by_compiler|build_form)\((?:\d+ )?(\w+)", re.M)
GROUPS = {"refused_by_compiler": "RefusedByCompiler", "build_form": "BuildForm"}


def tests():
    found = set()
    for path in (ROOT / "tests").rglob("*"):
        if path.suffix in (".cpp", ".h"):
            found.update(DEFINED.findall(path.read_text("utf-8")))
        elif path.name == "CMakeLists.txt":
            text = path.read_text("utf-8")
            found.update(IN_CMAKE.findall(text))
            found.update((GROUPS[function], name) for function, name in BY_FUNCTION.findall(text))
    return found


def main():
    known = tests()
    groups = {group for group, _ in known}
    # A seed's number stands in CMake as a variable.
    open_ended = {(group, name.split("$")[0]) for group, name in known if "$" in name}
    errors, named = [], 0
    for page in sorted(ROOT.glob("docs/reference/*.md")):
        text = page.read_text("utf-8")
        for table in TABLE.finditer(text):
            first = text.count("\n", 0, table.start(1)) + 1
            for number, row in enumerate(table[1].splitlines(), first):
                group = ""
                proofs = row.rsplit(" | ", 1)[-1]
                for own, name in NAME.findall(proofs):
                    group = own.split("/")[-1] or group
                    named += 1
                    if name == "*":
                        there = group in groups
                    else:
                        there = (group, name) in known or any(
                            group == g and name.startswith(n) for g, n in open_ended)
                    if not there:
                        errors.append(f"{page.relative_to(ROOT)}:{number}: there is no test {group}.{name}")
    print("\n".join(errors) or f"{named} tests are named in the reference, and all of them exist")
    sys.exit(1 if errors or not named else 0)


if __name__ == "__main__":
    main()
