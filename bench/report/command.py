"""The command line of bench/compare."""
import argparse
import pathlib
import shlex
import sys

from report import machine, render
from report.run import BenchmarkFailed, JavaRunner, NativeRunner, run_rounds
from report.sections import SECTIONS

JAVA = "jvm"


def arguments(description):
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round; writes no document")
    parser.add_argument("--smoke", action="store_true",
                        help="run everything as shortly as possible and show nothing")
    parser.add_argument("--only", metavar="PROGRAM", help="one program, or jvm")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--min-time", type=float, default=0.1, metavar="S",
                        help="seconds a benchmark and round (default 0.1)")
    parser.add_argument("--build", type=pathlib.Path, default=machine.ROOT / "build/release")
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE",
                        help="the document (default docs/benchmarks.md, of a full run only)")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.min_time = 1, 0.02
    if options.smoke:
        options.rounds, options.min_time = 1, 0.001
    if options.output is None and not (options.quick or options.smoke or options.only):
        options.output = machine.ROOT / "docs/benchmarks.md"
    return options


def make_runners(options):
    programs = {program.name: program for section in SECTIONS for program in section.programs}
    if options.only and options.only not in programs:
        raise BenchmarkFailed(f"no section has a program '{options.only}'; there are: "
                              + ", ".join(programs))
    runners = []
    for name, program in programs.items():
        if options.only and name != options.only:
            continue
        if name != JAVA:
            runners.append(NativeRunner(program, options.build, options.min_time))
        elif JavaRunner.available():
            runners.append(JavaRunner(options.min_time))
        else:
            print("compare: no JDK here (javac, java): its figures are left out", file=sys.stderr)
    return runners


def progress(text):
    line = text if len(text) < 100 else text[:97] + "..."
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)


def main(description):
    options = arguments(description)
    load = machine.load()
    try:
        results = run_rounds(make_runners(options), options.rounds, progress)
    except BenchmarkFailed as failure:
        print(f"compare: {failure}", file=sys.stderr)
        return 1
    progress("")
    if options.smoke:
        print(f"{len(results.values)} figures")
        return 0
    figures = results.medians()
    sections = [section for section in SECTIONS
                if not options.only or any(p.name == options.only for p in section.programs)]
    print("\n".join(render.text_report(sections, figures, results.context)))
    if options.output:
        how = [("load before", machine.load_text(load)),
               ("rounds", f"{options.rounds}; every figure is a median"),
               ("command", f"`{shlex.join(['bench/compare', *sys.argv[1:]])}`")]
        text = "\n".join(render.document(sections, figures, results.context,
                                         machine.facts(results.context), how))
        options.output.write_text(text.rstrip() + "\n", encoding="utf-8")
        print(f"\nwritten: {options.output}")
    return 0
