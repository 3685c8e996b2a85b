#!/usr/bin/env python3
"""Tests of bench/compare: parsing, goals, rendering, and the reading of machine code."""
import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from report import check_loops, command, machine, render  # noqa: E402
from report.model import Goal, Row, Section, Table, Verdict  # noqa: E402
from report.run import BenchmarkFailed, Results, parse  # noqa: E402
from report.sections import SECTIONS  # noqa: E402


def report_of(*runs, **context):
    return json.dumps({"context": context, "benchmarks": list(runs)})


def run(name, cpu_time, **more):
    return {"name": name, "run_type": "iteration", "cpu_time": cpu_time, "real_time": 99.0,
            "time_unit": "ns", **more}


class Parsing(unittest.TestCase):
    def test_processor_time_counts(self):
        _, figures = parse(report_of(run("A_Get/pointer", 0.5)))
        self.assertEqual(figures, {"A_Get/pointer": 0.5})

    def test_time_taken_by_hand_counts_where_there_is_one(self):
        _, figures = parse(report_of(run("A_ThreadExit/threads:1/iterations:1/manual_time", 0.5)))
        self.assertEqual(figures, {"A_ThreadExit/threads:1": 99.0})

    def test_units_become_nanoseconds(self):
        _, figures = parse(report_of(run("A", 2.0, time_unit="us")))
        self.assertEqual(figures["A"], 2000.0)

    def test_counters_have_names_of_their_own(self):
        _, figures = parse(report_of(run("A", 1.0, bytes_per_thread=640.0, iterations=10)))
        self.assertEqual(figures, {"A": 1.0, "A#bytes_per_thread": 640.0})

    def test_aggregates_are_no_runs(self):
        _, figures = parse(report_of(run("A_mean", 1.0, run_type="aggregate")))
        self.assertEqual(figures, {})

    def test_an_error_of_a_benchmark_is_not_a_figure(self):
        failed = run("A", 1.0, error_occurred=True, error_message="no keys left")
        with self.assertRaisesRegex(BenchmarkFailed, "no keys left"):
            parse(report_of(failed))

    def test_rounds_give_the_median(self):
        results = Results()
        for value in (1.0, 9.0, 2.0):
            results.add(report_of(run("A", value), compiler="gcc"))
        self.assertEqual(results.medians(), {"A": 2.0})
        self.assertEqual(results.context["compiler"], "gcc")


class Goals(unittest.TestCase):
    def test_each_case_has_its_verdict(self):
        ratio = Goal("", "A", at_most=2.0, over=("B",))
        peers = Goal("", "A", at_most=1.0, over=("B", "C"))
        beyond = Goal("", "A", at_most=10, less="B")
        for goal, figures, expected in (
                (Goal("", "A", at_most=20), {"A": 20.0}, Verdict.MET),
                (Goal("", "A", at_most=20), {"A": 20.1}, Verdict.MISSED),
                (Goal("", "A", at_most=20), {}, Verdict.UNKNOWN),
                (ratio, {"A": 3.0, "B": 2.0}, Verdict.MET),
                (ratio, {"A": 5.0, "B": 2.0}, Verdict.MISSED),
                (ratio, {"A": 5.0}, Verdict.UNKNOWN),
                (peers, {"A": 1.5, "B": 2.0, "C": 1.0}, Verdict.MISSED),
                (beyond, {"A": 30.0, "B": 20.0}, Verdict.MET),
                (beyond, {"A": 31.0, "B": 20.0}, Verdict.MISSED),
                (beyond, {"A": 1.0}, Verdict.UNKNOWN),
                (peers, {"A": 1.5, "B": 2.0}, Verdict.MET)):
            with self.subTest(figures=figures, at_most=goal.at_most):
                self.assertEqual(goal.verdict(figures), expected)


    def test_a_paired_goal_takes_the_quotient_that_was_measured_as_one(self):
        goal = Goal("", "A/f", at_most=1.25, over=("B/f",), paired=True)
        apart = {"A/f": 9.0, "B/f": 1.0}
        self.assertEqual(goal.verdict(apart), Verdict.UNKNOWN)
        pairs = {"Ratio/A/f/over:B/f#median": 1.2, "Ratio/A/f/over:B/f#lower": 1.1,
                 "Ratio/A/f/over:B/f#upper": 1.3}
        self.assertEqual(goal.verdict({**apart, **pairs}), Verdict.MET)
        section = Section("a", "A", (), (), goals=(goal,))
        self.assertEqual(render.goal_cells(section, {**apart, **pairs})[1],
                         ["", "1.25x", "1.20x (1.10 to 1.30)", "met"])

    def test_the_fastest_peer_is_named_and_so_is_one_that_was_not_measured(self):
        goal = Goal("", "A", at_most=1.0, over=("B", "C", "D"), labels=("b", "c", "d"))
        section = Section("a", "A", (), (), goals=(goal,))
        self.assertEqual(render.goal_cells(section, {"A": 1.0, "B": 4.0, "C": 2.0})[1],
                         ["", "1x", "0.50x c, d not measured", "met"])


class Rendering(unittest.TestCase):
    TABLE = Table(title="T", columns=(("pointer", "/p"),), baseline="Native",
                  rows=(Row("native", "Native"), Row("ours", "Ours"),
                        Row("Boost", "Boost", "boost"), Row("folly", "Folly", "folly")))

    def test_ratios_stand_beside_figures_and_versions_beside_peers(self):
        figures = {"Native/p": 0.5, "Ours/p": 0.6, "Boost/p": 5.0}
        lines = render.table_cells(self.TABLE, figures, {"boost": "1_81"})
        self.assertEqual(lines, [["ns", "pointer"], ["native", "0.50"], ["ours", "0.60 (1.20x)"],
                                 ["Boost 1.81", "5.00 (10.00x)"], ["folly", "not installed"]])

    def section(self, name, **more):
        return Section(name, name.capitalize(), (), (self.TABLE,), **more)

    def made(self, *sections):
        return "\n\n".join("\n".join(render.section_lines(
            section, {"Native/p": 1.0, "Ours/p": 2.0}, {}, [("commit", "abc")]))
                           for section in sections)

    def test_the_document_says_goals_and_how_it_was_made(self):
        section = self.section("pools", notes="Missed by 0.75.",
                               goals=(Goal("fast", "Ours/p", 1.25, over=("Native/p",)),))
        text = render.document([section], self.made(section))
        for expected in ("## Pools", "| commit | abc |", "| fast | 1.25x | 2.00x | missed |",
                         "### Notes", "Missed by 0.75."):
            self.assertIn(expected, text)

    def test_one_section_is_rewritten_alone_and_in_its_place(self):
        first, second, third = (self.section(name) for name in ("pools", "rooms", "walls"))
        sections = [first, second, third]
        before = render.document(sections, self.made(first, third))
        self.assertNotIn("## Rooms", before)
        self.assertEqual(render.document(sections, self.made(first), before), before)
        after = render.document(sections, self.made(second), before.replace("2.00x", "1.50x"))
        titles = [line for line in after.splitlines() if line.startswith("## ")]
        self.assertEqual(titles, ["## Pools", "## Rooms", "## Walls"])
        self.assertEqual(after.count("1.50x"), 2)  # of the sections that stood there
        self.assertEqual(after.count("2.00x"), 1)  # of the one that was made anew


class Choosing(unittest.TestCase):
    def test_a_section_is_chosen_whole_and_a_program_alone(self):
        for only, count, whole in ((None, len(SECTIONS), True), ("scope", 1, True),
                                   ("scope_bench", 1, False)):
            sections, programs, is_whole = command.choose(only)
            self.assertEqual((len(sections), is_whole), (count, whole))
            self.assertIn("scope_bench", programs)

    def test_a_wrong_name_is_told_with_the_right_ones(self):
        with self.assertRaisesRegex(BenchmarkFailed, "named 'scop'; there are: core, scope, db"):
            command.choose("scop")


class Machine(unittest.TestCase):
    def test_the_compiler_is_the_one_that_the_build_used(self):
        with tempfile.TemporaryDirectory() as build:
            self.assertEqual(machine.compiler(build), "unknown")
            folder = pathlib.Path(build) / "CMakeFiles/3.25.1"
            folder.mkdir(parents=True)
            (folder / "CMakeCXXCompiler.cmake").write_text(
                'set(CMAKE_CXX_COMPILER_ID "GNU")\nset(CMAKE_CXX_COMPILER_VERSION "12.2.0")\n')
            self.assertEqual(machine.compiler(build), "gcc 12.2.0")

    def test_a_busy_machine_is_told_to_the_reader(self):
        self.assertIn("busy", machine.load_text(7.0))
        self.assertNotIn("busy", machine.load_text(0.1))


class Sections(unittest.TestCase):
    def test_every_goal_speaks_of_a_figure_that_a_table_shows(self):
        for section in SECTIONS:
            shown = {row.prefix + suffix for table in section.tables for row in table.rows
                     for _, suffix in table.columns}
            for goal in section.goals:
                self.assertIn(goal.figure, shown, goal.text)
                if goal.over:
                    self.assertTrue(shown.intersection(goal.over), goal.text)


class MachineCode(unittest.TestCase):
    EXPECTED = [("pointer_loop", "NativePeer", check_loops.REGISTER)]
    HEAD = "0000000000001980 <void pointer_loop<NativePeer>(unsigned long)>:\n"

    def faults(self, listing):
        return list(check_loops.faults(check_loops.functions(listing), self.EXPECTED))

    def test_an_access_inside_the_loop_is_fine(self):
        self.assertEqual(self.faults(self.HEAD + "    19a0:\tmov    %fs:0x0,%rax\n"
                                     "    19af:\tsub    $0x1,%rdx\n"
                                     "    19b3:\tjne    19a0 <pointer_loop+0x20>\n"), [])

    def test_a_hoisted_access_is_found(self):
        wrong = self.faults(self.HEAD + "    19a0:\tmov    %fs:0x0,%rax\n"
                            "    19af:\tsub    $0x1,%rdx\n"
                            "    19b3:\tjne    19af <pointer_loop+0x2f>\n")
        self.assertEqual(len(wrong), 1)
        self.assertIn("nothing in this loop", wrong[0])

    def test_a_missing_loop_is_found(self):
        self.assertEqual(self.faults(""), ["pointer_loop<NativePeer>: there is no such loop"])


if __name__ == "__main__":
    unittest.main()
