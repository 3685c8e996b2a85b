"""Sections, tables and goals: what is shown. The runner fills in the figures by name.

A figure's name is that of its benchmark ("ThreadLocal_Get/pointer"), or, for a counter that a
benchmark reports, "NAME#COUNTER" ("ThreadLocal_Memory/variables:100/threads:8#bytes_per_thread").
"""
import dataclasses
import enum


@dataclasses.dataclass(frozen=True)
class Program:
    """A Google Benchmark program under <build>/bench/; or one in Java, or a script, that prints the
    same JSON."""
    name: str
    # Benchmarks whose name contains one of these get a process each: they disturb one another.
    isolated: tuple = ()
    java: tuple = ()  # classes of bench/jvm; the first has main()
    jars: tuple = ()  # in /usr/share/java; the row's version is that of those in `versions`
    versions: tuple = ()
    script: str = ""  # below bench/
    # Of a Java program or script: {round_ms}, {min_time_s}, {bench} and so on are filled in.
    arguments: tuple = ("--rounds={rounds}", "--round-ms={round_ms}")
    # Is given a PostgreSQL of its own; whoever cannot do without is left out where there is none.
    postgres: bool = False


@dataclasses.dataclass(frozen=True)
class Row:
    label: str
    prefix: str  # of the benchmarks' names; the column's suffix completes it
    # The key of a program's context that holds the version, when the row is a peer's.
    version: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    title: str
    columns: tuple  # of (heading, suffix)
    rows: tuple
    note: str = ""
    baseline: str = ""  # the prefix of the row that the others are divided by
    unit: str = "ns"


class Verdict(enum.Enum):
    MET = "met"
    MISSED = "missed"
    UNKNOWN = "not measured"


@dataclasses.dataclass(frozen=True)
class Goal:
    """`figure` is at most `at_most`; with `over` the quotient is, with `less` the difference.

    `over` may hold several names: the smallest of those that were measured counts, and `labels`, of
    the same length, says whose they are. `paired`: the program has measured the quotient itself,
    sample beside sample, as "Ratio/FIGURE/over:OVER".
    """
    text: str
    figure: str
    at_most: float
    over: tuple = ()
    unit: str = "ns"
    less: str = ""
    paired: bool = False
    labels: tuple = ()

    def fastest(self, figures):
        """The label of the divisor that counts, and those of the divisors that were not measured."""
        whose = dict(zip(self.labels, self.over))
        measured = [label for label, name in whose.items() if figures.get(name)]
        missing = [label for label in whose if label not in measured]
        return min(measured, key=lambda label: figures[whose[label]], default=None), missing

    def pairs(self, figures, what):
        """The "median" of the paired quotients, or their "lower" or "upper" quartile, or None."""
        return figures.get(f"Ratio/{self.figure}/over:{self.over[0]}#{what}")

    def measured(self, figures):
        """The number that is held against at_most, or None."""
        if self.paired:
            return self.pairs(figures, "median")
        value = figures.get(self.figure)
        if value is not None and self.less:
            subtrahend = figures.get(self.less)
            return None if subtrahend is None else value - subtrahend
        if value is None or not self.over:
            return value
        divisors = [figures[name] for name in self.over if figures.get(name)]
        return value / min(divisors) if divisors else None

    def verdict(self, figures):
        value = self.measured(figures)
        if value is None:
            return Verdict.UNKNOWN
        return Verdict.MET if value <= self.at_most else Verdict.MISSED


@dataclasses.dataclass(frozen=True)
class Section:
    name: str  # for bench/compare --only
    title: str
    programs: tuple
    tables: tuple
    goals: tuple = ()
    text: str = ""
    # What the figures do not say by themselves: a missed goal, by how much, why, what was tried.
    notes: str = ""
