#!/usr/bin/env python3
"""The examples of the public headers must be code that is compiled.

Usage: check_headers.py FILE...     the files of tests/docs/header_examples that are compiled

An example is what stands in a header's comment between empty lines and is indented:

    // Use it for ...
    //
    //   Scope scope({.name = "GET /orders"});
    //   serve(request);
    //
    // Threads: ...

Its code must occur in one of the files, in this order and without gaps; layout and comments are free
there. Every public header has an example; those in internal/ are nobody's to include (adr/0013).
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COMMENT = re.compile(r"(?:^[ ]*//.*\n)+", re.M)
INDENT = "   "
TOKEN = re.compile(r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/)"""
                   r"""|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\w+|.""", re.S)


def tokens(code):
    """One token a line, with an end on both sides: substrings are whole tokens then."""
    found = [match[0] for match in TOKEN.finditer(code) if match["skip"] is None]
    return "\n" + "\n".join(found) + "\n"


def paragraphs(comment):
    """(offset of its first line, its lines) of each part between empty lines."""
    lines = [re.sub(r"^ *//", "", line) for line in comment.splitlines()]
    start = 0
    for number, line in enumerate([*lines, ""]):
        if not line.strip():
            if lines[start:number]:
                yield start, lines[start:number]
            start = number + 1


def check(header, compiled):
    """(how many examples it has, what is wrong with them)"""
    text = header.read_text(encoding="utf-8")
    examples, errors = 0, []
    for comment in COMMENT.finditer(text):
        for offset, lines in paragraphs(comment[0]):
            place = f"{header.relative_to(ROOT)}:{text.count(chr(10), 0, comment.start()) + offset + 1}"
            if all(line.startswith(INDENT) for line in lines):
                examples += 1
                code = tokens("\n".join(lines))
                if not any(code in source for source in compiled):
                    errors.append(f"{place}: this example stands in no file that is compiled")
            elif any(line.startswith(INDENT) and re.search(r"[;{](\s*//.*)?$", line) for line in lines):
                errors.append(f"{place}: an example needs an empty line before it and behind it")
    return examples, errors


def main():
    compiled = [tokens(pathlib.Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]]
    headers = sorted(h for h in (ROOT / "include").rglob("*.h") if "internal" not in h.parts)
    errors, examples = [], 0
    for header in headers:
        count, wrong = check(header, compiled)
        examples += count
        errors += wrong if count else [*wrong, f"{header.relative_to(ROOT)}: has no example"]
    print("\n".join(errors) or f"{len(headers)} headers, {examples} examples: all of them are compiled")
    sys.exit(1 if errors or not headers else 0)


if __name__ == "__main__":
    main()
