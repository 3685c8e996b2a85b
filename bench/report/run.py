"""Starts the programs round by round and collects what they print."""
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile

NANOSECONDS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
# Appended by Google Benchmark to a name; says how a case is run, not which it is.
RUN_SUFFIX = re.compile(r"/(iterations:\d+|manual_time|real_time|min_time:[\d.]+)")
# In the order of Google Benchmark's own fields; whatever else is a number is a counter.
OWN_FIELDS = {"family_index", "per_family_instance_index", "repetitions", "repetition_index",
              "threads", "iterations", "real_time", "cpu_time", "items_per_second",
              "bytes_per_second"}


class BenchmarkFailed(Exception):
    """A program that is missing, crashed, or reported an error."""


def parse(output):
    """(context, {name: value}) from Google Benchmark's JSON.

    Processor time counts, which other programs on the machine disturb least; of a benchmark that
    took its time by hand (manual_time), what it took.
    """
    report = json.loads(output)
    figures = {}
    for run in report["benchmarks"]:
        if run.get("run_type", "iteration") != "iteration":
            continue
        if run.get("error_occurred"):
            raise BenchmarkFailed(f"{run['name']}: {run.get('error_message', 'failed')}")
        name = RUN_SUFFIX.sub("", run["name"])
        field = "cpu_time"
        if run["name"].endswith(("/manual_time", "/real_time")):
            field = "real_time"
        figures[name] = run[field] * NANOSECONDS[run.get("time_unit", "ns")]
        for key, value in run.items():
            if key not in OWN_FIELDS and isinstance(value, (int, float)) \
                    and not isinstance(value, bool):
                figures[f"{name}#{key}"] = float(value)
    return report.get("context", {}), figures


class Results:
    """All values of all rounds, and what the programs said of themselves."""

    def __init__(self):
        self.values = {}
        self.context = {}

    def add(self, output):
        context, figures = parse(output)
        self.context.update(context)
        for name, value in figures.items():
            self.values.setdefault(name, []).append(value)

    def medians(self):
        return {name: statistics.median(values) for name, values in self.values.items()}


def capture(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchmarkFailed(f"{' '.join(map(str, command))}\n  ended with {done.returncode}\n"
                              f"{done.stderr.strip()}")
    return done.stdout


class NativeRunner:
    """A Google Benchmark program: one process for all, but for those that want their own."""

    def __init__(self, program, build, min_time_s):
        self.path = pathlib.Path(build) / "bench" / program.name
        if not self.path.exists():
            raise BenchmarkFailed(
                f"{self.path} is not built: cmake --preset release && "
                "cmake --build build/release --target benchmarks")
        self.min_time_s = min_time_s
        names = capture([self.path, "--benchmark_list_tests"]).split()
        self.alone = [name for name in names if any(part in name for part in program.isolated)]
        self.together = [name for name in names if name not in self.alone]

    def commands(self):
        base = [self.path, "--benchmark_format=json", f"--benchmark_min_time={self.min_time_s}"]
        if self.together:
            # An exclusion list would be shorter, but this regex library knows no look-ahead.
            yield [*base, "--benchmark_filter=^(" + "|".join(self.together) + ")$"]
        for name in self.alone:
            yield [*base, f"--benchmark_filter=^{name}$"]


BENCH = pathlib.Path(__file__).resolve().parent.parent
JARS = pathlib.Path("/usr/share/java")


def filled_in(program, min_time_s, **more):
    """The program's arguments. A virtual machine warms up ten times as long as it is measured."""
    round_ms = max(1, round(min_time_s * 1000 / 2))
    values = {"rounds": 10, "round_ms": round_ms, "measured_ms": 4 * round_ms,
              "warm_up_ms": 60 * round_ms, "min_time_s": min_time_s, "bench": BENCH, **more}
    return [argument.format(**values) for argument in program.arguments]


class JavaRunner:
    """A Java program: compiled here, one virtual machine a case."""

    def __init__(self, program, min_time_s):
        self.program = program
        self.folder = tempfile.TemporaryDirectory(prefix="carrel-bench-jvm-")
        self.class_path = ":".join([self.folder.name, *(str(JARS / jar) for jar in program.jars)])
        sources = [BENCH / "jvm" / f"{name}.java" for name in program.java]
        capture(["javac", "-cp", self.class_path, "-d", self.folder.name, *sources])
        self.arguments = filled_in(program, min_time_s, versions=self.versions())
        # The names are the labels of the one switch in the source, if there is one.
        self.cases = re.findall(r'case "([^"]+)"', sources[0].read_text(encoding="utf-8"))

    def versions(self):
        """Beside each jar Debian has one with the version in its name."""
        stems = [pathlib.Path(jar).stem for jar in self.program.versions]
        names = [sorted(JARS.glob(f"{stem}-[0-9]*.jar")) for stem in stems]
        return " and ".join(found[-1].stem.rpartition("-")[2] for found in names if found)

    @staticmethod
    def missing(program):
        """What the program lacks here, or nothing."""
        tools = [tool for tool in ("javac", "java") if shutil.which(tool) is None]
        return tools + [jar for jar in program.jars if not (JARS / jar).exists()]

    def commands(self):
        base = ["java", "-cp", self.class_path, self.program.java[0]]
        for case in self.cases or [None]:
            yield [*base, *([case] if case else []), *self.arguments]


class ScriptRunner:
    def __init__(self, program, min_time_s):
        self.command = [BENCH / program.script, *filled_in(program, min_time_s)]

    @staticmethod
    def missing(_):
        return []

    def commands(self):
        yield self.command


def run_rounds(runners, rounds, say):
    """Round by round, so that what changes on the machine meanwhile meets all of them alike."""
    results = Results()
    for number in range(1, rounds + 1):
        for runner in runners:
            for command in runner.commands():
                say(f"round {number} of {rounds}: {pathlib.Path(command[0]).name} {command[-1]}")
                results.add(capture(command))
    return results
