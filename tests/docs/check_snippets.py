#!/usr/bin/env python3
"""Every C++ block in the documentation must stand, word for word, in a file that is compiled.

A block names its source in a comment right above it:

    <!-- from: examples/readme.cpp -->
    ```cpp
    ...
    ```

Its lines must occur in that file in this order and without gaps; only the indentation of the whole
block may differ. Blocks that show what does not compile say `<!-- does not compile -->` instead.
Links from one page to another file of the repository must lead somewhere.
"""
import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BLOCK = re.compile(r"(?:^<!-- (?P<note>[^\n]*?) -->\n)?^```cpp\n(?P<code>.*?)^```", re.M | re.S)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)")


def normal(text):
    return "\n".join(line.strip() for line in text.strip().splitlines())


def errors_of(page):
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT)
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("code"))
        note = match["note"] or ""
        if note == "does not compile":
            continue
        if not note.startswith("from: "):
            yield f"{name}:{line}: a C++ block without '<!-- from: FILE -->' above it"
            continue
        source = ROOT / note.removeprefix("from: ").strip()
        if not source.is_file():
            yield f"{name}:{line}: {source.relative_to(ROOT)} does not exist"
        elif normal(textwrap.dedent(match["code"])) not in normal(source.read_text("utf-8")):
            yield f"{name}:{line}: the block does not stand in {source.relative_to(ROOT)}"
    for match in LINK.finditer(re.sub(r"```.*?```", "", text, flags=re.S)):
        if not (page.parent / match[1]).exists():
            yield f"{name}: the link to {match[1]} leads nowhere"


def main():
    pages = sorted(p for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
    found = [error for page in pages for error in errors_of(page)]
    print("\n".join(found) or f"{len(pages)} pages: every block is compiled, every link leads somewhere")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
