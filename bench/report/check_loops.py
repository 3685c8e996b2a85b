#!/usr/bin/env python3
"""Reads the machine code of core_bench and tells whether its access loops measure an access.

  bench/report/check_loops.py build/release/bench/core_bench build/release/bench/libcore_bench_shared.so

A compiler that finds out that the thread's address stays the same in a loop reads it once before
it, and the loop measures nothing. So every loop below must read it in its own body: through the
thread register (%fs) in the program, where ThreadLocal compares its key with an entry, and by that
or by __tls_get_addr in the library.
"""
import re
import subprocess
import sys

FORMS = ("pointer_loop", "increment_loop", "chain_loop")
REGISTER = r"%fs:"
COMPARED = r"cmp\s+%fs:"  # the entry's key where it lies: see carrel/local/internal/lookup.h
DYNAMIC = r"call.*__tls_get_addr|%fs:"
# (what the loop's name contains, what its body must contain)
EXPECTED = [
    *((form, "NativePeer", REGISTER) for form in FORMS),
    *((form, "ThreadLocalPeer<unsigned long>", COMPARED) for form in FORMS),
    *((form, "NativeSharedPeer", DYNAMIC) for form in FORMS),
    *((form, "ThreadLocalSharedPeer", DYNAMIC) for form in FORMS),
    *((f"rotating_{form}", "ThreadLocalPeer<unsigned long>", COMPARED) for form in FORMS),
]
FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(.*)$")
JUMP = re.compile(r"^j\w+\s+([0-9a-f]+) ")


def functions(listing):
    """{demangled name: [(address, instruction)]}"""
    found, body = {}, []
    for line in listing.splitlines():
        if match := FUNCTION.match(line):
            body = found.setdefault(match[1], [])
        elif match := INSTRUCTION.match(line):
            body.append((int(match[1], 16), match[2]))
    return found


def innermost_loop(body):
    """The instructions of the shortest backward jump's range, or []."""
    shortest = []
    first = body[0][0] if body else 0
    for address, instruction in body:
        match = JUMP.match(instruction)
        if not match or not first <= int(match[1], 16) <= address:
            continue
        loop = [text for at, text in body if int(match[1], 16) <= at <= address]
        if not shortest or len(loop) < len(shortest):
            shortest = loop
    return shortest


def faults(found, expected=None):
    """One line for each expected loop that is missing or does not reach the thread's storage."""
    for form, peer, needed in EXPECTED if expected is None else expected:
        names = [name for name in found
                 if re.search(rf"\b(native_)?{form}<", name) and re.search(rf"\b{peer}", name)
                 and ".cold" not in name]
        if not names:
            yield f"{form}<{peer}>: there is no such loop"
        for name in names:
            loop = innermost_loop(found[name])
            if not any(re.search(needed, text) for text in loop):
                yield "\n    ".join([f"{name}: nothing in this loop matches '{needed}':", *loop])


def disassemble(path):
    return subprocess.run(["objdump", "-d", "-C", "--no-show-raw-insn", path], check=True,
                          capture_output=True, text=True).stdout


def main():
    found = {}
    for path in sys.argv[1:]:
        found.update(functions(disassemble(path)))
    wrong = list(faults(found))
    print("\n".join(wrong) or f"{len(EXPECTED)} loops measure what they say")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
