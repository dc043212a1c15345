"""Whether the table of targets says what was measured: verdicts on both sides of each limit, rows that
cannot be measured, the marks in the README, and that the program takes what it is asked."""

import contextlib
import io
import os
import re
import sys
import tempfile
import unittest

import rows
import targets
from measure import Machine, NotMeasured, own

PROGRAMS = sys.argv.pop()


class Canned:
    """A machine whose figures are made up."""
    quick = False

    def __init__(self, figures=None, rows=None, sheets=None, spent=None):
        self.figures, self.rows, self.sheets, self.spent = figures, rows, sheets, spent

    def compare(self, platform, scenario, policies, seeds=None):
        return {policy: self.figures(policy) for policy in policies}

    def runs(self, platform, scenario, policy):
        return [self.sheets(policy)]

    def timed(self, *arguments):
        return self.spent

    def evaluate(self, suite, *options):
        return self.rows


def of(mean):
    return {"mean": mean, "ci95": [mean - 0.1, mean + 0.1]}


def of_one_seed(mean):
    return {"mean": mean, "ci95": [None, None]}


class Verdicts(unittest.TestCase):
    def gaps(self, gap, missed):
        return rows.one_application(Canned(lambda policy: {
            "energy_gap_to_best_found_pct": of(0 if policy == "oracle" else gap),
            "energy_gap_to_bound_pct": of(gap + 1),
            "deadline_miss_pct": of(1 if policy == "oracle" else missed)}))

    def test_gaps_count_where_no_more_is_missed(self):
        self.assertTrue(self.gaps(1.5, 1.5)[1])
        self.assertFalse(self.gaps(1.6, 1)[1])
        with self.assertRaises(NotMeasured):
            self.gaps(0, 1.51)

    def test_a_better_worst_setting_makes_the_better_learner(self):
        gap = {"q_learning": 3, "planner": 2, "oracle": 0}
        text, met = rows.one_application(Canned(lambda policy: {
            "energy_gap_to_best_found_pct": of(gap[policy]), "energy_gap_to_bound_pct": of(gap[policy]),
            "deadline_miss_pct": of(0)}))
        self.assertTrue(text.startswith("`planner`: 2.0 to 2.0 %"), text)
        self.assertIn("2.0 % [1.9, 2.1] (", text)
        self.assertFalse(met)

    def test_one_seed_has_no_interval(self):
        text, met = rows.one_application(Canned(lambda policy: {
            "energy_gap_to_best_found_pct": of_one_seed(1), "energy_gap_to_bound_pct": of_one_seed(2),
            "deadline_miss_pct": of_one_seed(0)}))
        self.assertIn("1.0 to 1.0 % (", text)
        self.assertTrue(met)

    def contention(self, back, accuracy):
        return rows.contention(Canned(lambda policy: {
            "recovery_s": of(back), "accuracy_pct": of(70 if policy == "oracle" else accuracy)}))[1]

    def test_back_in_time_and_nothing_lost(self):
        self.assertTrue(self.contention(0.1, 70))
        self.assertFalse(self.contention(0.11, 70))
        self.assertFalse(self.contention(0, 69.9))

    def budgets(self, met, regret):
        return rows.budgets(Canned(rows=[
            {"agent": agent, "feasible": feasible, "met": good, "accuracy_regret_points": points}
            for agent in rows.LEARNERS
            for feasible, good, points in ((True, True, 0), (False, False, 0), (True, met, regret))]))

    def test_every_feasible_pair_is_asked_for(self):
        self.assertTrue(self.budgets(True, 0.5)[1])
        self.assertFalse(self.budgets(True, 0.6)[1])
        self.assertFalse(self.budgets(False, 0)[1])
        self.assertIn("2 of 2 feasible", self.budgets(True, 0)[0])
        self.assertIn("0 of 1 feasible", rows.budgets(Canned(rows=[
            {"agent": agent, "feasible": True, "met": False, "accuracy_regret_points": 9}
            for agent in rows.LEARNERS]))[0])

    def sustained(self, power, missed):
        return rows.sustained(Canned(sheets=lambda policy: {
            "throttled_s": 0, "power_mean_mw": power if policy in rows.LEARNERS else 100,
            "deadline_miss_pct": missed if policy in rows.LEARNERS else 1}))

    def test_less_power_counts_where_no_more_is_missed(self):
        self.assertTrue(self.sustained(76, 1.5)[1])
        self.assertFalse(self.sustained(77, 1)[1])
        self.assertFalse(self.sustained(76, 1.6)[1])
        self.assertIn("1.60 % missed, 0.60 points more", self.sustained(76, 1.6)[0])

    def training(self, share):
        spent = ({"episodes": 400}, 1, share * len(os.sched_getaffinity(0)))
        return rows.training(Canned(lambda policy: {"jobs": of(1e9)}, spent=spent))

    def test_training_is_asked_to_use_all_cores(self):
        self.assertTrue(self.training(0.91)[1])
        self.assertFalse(self.training(0.89)[1])

    def misses(self, runs, missed):
        return rows.misses(Canned(rows=[
            {"agent": agent, "board": f"board{i % 20}", "avoidable_miss_pct": missed}
            for agent in rows.LEARNERS for i in range(runs)]))[1]

    def test_few_jobs_prove_nothing(self):
        self.assertTrue(self.misses(40, 0.06))
        self.assertFalse(self.misses(40, 0.061))
        self.assertFalse(self.misses(39, 0))

    def test_what_cannot_be_measured_says_why(self):
        def none(_):
            raise NotMeasured("no rule stays cool | anywhere")
        made = targets.table(None, [("a", "b", "c", none), ("d", "e", "f", lambda _: ("1 %", True))])
        with contextlib.redirect_stderr(io.StringIO()):
            broken = targets.table(None, [("a", "b", "c", lambda _: {}["mean"]), ("d", "e", "f", lambda _: ("1 %", True))])
        self.assertIn("| a | b | c | not measured: KeyError: 'mean' | unknown |\n", broken)
        self.assertIn("| 1 % | met |\n", broken)
        self.assertIn("| a | b | c | not measured: no rule stays cool / anywhere | unknown |\n", made)
        self.assertIn("| d | e | f | 1 % | met |\n", made)

    def test_a_program_that_fails_is_quoted(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "flyball"), "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\necho 'flyball: no: such; thing' >&2\nexit 2\n")
            os.chmod(file.name, 0o755)
            with self.assertRaisesRegex(NotMeasured, "2: flyball: no: such; thing"):
                Machine(folder, 1).compare("x", "y", ["z"])
            with self.assertRaisesRegex(NotMeasured, "flyball_bench is not built"):
                Machine(folder, 1).benchmark("x")


class Readme(unittest.TestCase):
    def test_its_table_is_of_these_rows(self):
        with open(targets.README, encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(targets.between(targets.between(text, "x\n"), "x\n"), targets.between(text, "x\n"))
        written = text[text.index(targets.BEGIN) + len(targets.BEGIN):text.index(targets.END)]
        cells = [line.strip("| ").split(" | ") for line in written.strip().splitlines()[2:]]
        self.assertEqual([tuple(each[:3]) for each in cells], [row[:3] for row in rows.ROWS])
        for each in cells:
            self.assertRegex(each[4], "^(met|missed|unknown)$")

    def test_marks_that_are_not_there_once_are_refused(self):
        for text in ("", targets.BEGIN, targets.END + targets.BEGIN, 2 * (targets.BEGIN + targets.END)):
            with self.assertRaises(ValueError):
                targets.between(text, "new")


class TheProgram(unittest.TestCase):
    def test_takes_what_it_is_asked(self):
        machine = Machine(PROGRAMS, 1)
        for scenario in ("one_network_quick", "two_networks", "two_networks_quick", "sustained"):
            self.assertGreater(machine.runs("odroid_xu3", own(scenario), "planner")[0]["energy_mj_per_job"], 0)
        sheet = machine.compare("jetson_nano", "contention", ["planner", "oracle"])
        gap = sheet["planner"]["energy_gap_to_best_found_pct"]
        self.assertEqual(gap, dict(gap, **of_one_seed(gap["mean"])))
        self.assertIsNotNone(gap["mean"])
        said, _, cpu = machine.timed("train", "--platform", "odroid_xu3", "--scenario", "single_periodic",
                                     "--episodes", "1", "--out", "STATE/of.policy", "--json")
        self.assertEqual(said["episodes"], 1)
        self.assertGreater(cpu, 0)


if __name__ == "__main__":
    unittest.main()
