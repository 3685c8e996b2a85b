"""The command line of bench/compare."""
import argparse
import pathlib
import shlex
import sys

from report import machine, render, servers
from report.run import BenchmarkFailed, JavaRunner, NativeRunner, ScriptRunner, run_rounds
from report.sections import SECTIONS


def arguments(description):
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round; writes no document")
    parser.add_argument("--smoke", action="store_true",
                        help="run everything as shortly as possible and show nothing")
    parser.add_argument("--only", metavar="SECTION",
                        help="one section, and rewrite it alone in the document; "
                             "or one program, and write no document")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--min-time", type=float, default=0.1, metavar="S",
                        help="seconds a benchmark and round (default 0.1)")
    parser.add_argument("--build", type=pathlib.Path, default=machine.ROOT / "build/release")
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE",
                        help="the document (default docs/benchmarks.md)")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.min_time = 1, 0.02
    if options.smoke:
        options.rounds, options.min_time = 1, 0.001
    if options.output is None and not (options.quick or options.smoke):
        options.output = machine.ROOT / "docs/benchmarks.md"
    return options


def choose(only):
    """(sections to show, programs to run, whether the sections are whole) for --only."""
    if not only:
        return SECTIONS, all_programs(SECTIONS), True
    chosen = [section for section in SECTIONS if section.name == only]
    if chosen:
        return chosen, all_programs(chosen), True
    programs = all_programs(SECTIONS)
    if only not in programs:
        raise BenchmarkFailed(f"no section and no program is named '{only}'; there are: "
                              + ", ".join([*(section.name for section in SECTIONS), *programs]))
    return [section for section in SECTIONS if any(p.name == only for p in section.programs)], \
        {only: programs[only]}, False


def all_programs(sections):
    return {program.name: program for section in sections for program in section.programs}


def make_runners(programs, options, has_postgres):
    runners = []
    for program in programs.values():
        if not program.java and not program.script:
            runners.append(NativeRunner(program, options.build, options.min_time))
            continue
        kind = JavaRunner if program.java else ScriptRunner
        missing = kind.missing(program)
        if program.postgres and not has_postgres:
            missing.append("PostgreSQL's server")
        if missing:
            print(f"compare: '{program.name}' is left out; missing here: {', '.join(missing)} "
                  "(tools/setup installs it)", file=sys.stderr)
        else:
            runners.append(kind(program, options.min_time))
    return runners


def progress(text):
    line = text if len(text) < 100 else text[:97] + "..."
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)


def write(path, sections, figures, context, facts):
    made = "\n\n".join("\n".join(render.section_lines(section, figures, context, facts))
                       for section in sections)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(render.document(SECTIONS, made, before), encoding="utf-8")
    print(f"\nwritten: {path}")


def main(description):
    options = arguments(description)
    load = machine.load()
    try:
        sections, programs, whole = choose(options.only)
        with servers.postgres(any(p.postgres for p in programs.values())) as has_postgres:
            runners = make_runners(programs, options, has_postgres)
            results = run_rounds(runners, options.rounds, progress)
    except BenchmarkFailed as failure:
        print(f"compare: {failure}", file=sys.stderr)
        return 1
    progress("")
    if options.smoke:
        print(f"{len(results.values)} figures")
        return 0
    figures = results.medians()
    print("\n".join(render.text_report(sections, figures, results.context)))
    if options.output and whole:
        facts = [*machine.facts(results.context, options.build),
                 ("load before", machine.load_text(load)),
                 ("rounds", f"{options.rounds}; every figure is a median"),
                 ("command", f"`{shlex.join(['bench/compare', *sys.argv[1:]])}`")]
        write(options.output, sections, figures, results.context, facts)
    return 0
