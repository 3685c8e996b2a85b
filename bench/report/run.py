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


class JavaRunner:
    """The Java twin: compiled here, one virtual machine a case."""

    SOURCE = pathlib.Path(__file__).resolve().parent.parent / "jvm" / "ThreadLocalBench.java"

    def __init__(self, min_time_s):
        self.rounds = 10
        self.round_ms = max(1, round(min_time_s * 1000 / 2))
        self.folder = tempfile.TemporaryDirectory(prefix="carrel-bench-jvm-")
        capture(["javac", "-d", self.folder.name, self.SOURCE])
        # The names are the labels of the one switch in the source.
        self.cases = re.findall(r'case "([^"]+)"', self.SOURCE.read_text(encoding="utf-8"))

    @staticmethod
    def available():
        return shutil.which("javac") is not None and shutil.which("java") is not None

    def commands(self):
        for case in self.cases:
            yield ["java", "-cp", self.folder.name, "ThreadLocalBench", case,
                   f"--rounds={self.rounds}", f"--round-ms={self.round_ms}"]


def run_rounds(runners, rounds, say):
    """Round by round, so that what changes on the machine meanwhile meets all of them alike."""
    results = Results()
    for number in range(1, rounds + 1):
        for runner in runners:
            for command in runner.commands():
                say(f"round {number} of {rounds}: {pathlib.Path(command[0]).name} {command[-1]}")
                results.add(capture(command))
    return results
