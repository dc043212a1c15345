"""What the program says when it is asked: every figure of the table of targets comes through here."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class NotMeasured(Exception):
    """Why there is no figure."""


def own(scenario):
    """A scenario beside this file."""
    return os.path.join(HERE, scenario + ".yaml")


class Machine:
    """Asks the programs of one build, each time with nothing learned before but what is shipped."""

    def __init__(self, programs, seeds, quick=False):
        self.programs, self.seeds, self.quick = programs, seeds, quick
        self.asked = {}

    def output(self, program, *arguments):
        path = os.path.join(self.programs, program)
        if not os.access(path, os.X_OK):
            raise NotMeasured(f"{program} is not built")
        print(f"    {program} {' '.join(arguments)}", file=sys.stderr)
        with tempfile.TemporaryDirectory() as state:
            environment = dict(os.environ, XDG_STATE_HOME=state)
            arguments = [each.replace("STATE", state) for each in arguments]
            done = subprocess.run([path, *arguments], env=environment, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise NotMeasured(f"{program} ended with {done.returncode}: {last}")
        return done.stdout

    def json(self, program, *arguments):
        if arguments not in self.asked:
            self.asked[arguments] = json.loads(self.output(program, *arguments))
        return self.asked[arguments]

    def compare(self, platform, scenario, policies, seeds=None):
        """Policies' figures by their names."""
        said = self.json("flyball", "compare", "--platform", platform, "--scenario", scenario,
                         "--policies", ",".join(policies), "--seeds",
                         str(min(seeds or self.seeds, self.seeds)), "--json")
        return {each["policy"]: each for each in said["policies"]}

    def runs(self, platform, scenario, policy):
        """One figure sheet per seed; without bounds, which take most of compare's time."""
        return [self.json("flyball", "run", "--platform", platform, "--scenario", scenario, "--policy",
                          policy, "--seed", str(seed), "--record", "STATE/run.flyrec",
                          "--json")["figures"] for seed in range(1, self.seeds + 1)]

    def evaluate(self, suite, *options):
        return self.json("flyball", "evaluate", "--suite", suite, *options, "--json")["rows"]

    def benchmark(self, pattern):
        """Median nanoseconds of each benchmark that fits."""
        said = self.json("flyball_bench", f"--benchmark_filter={pattern}", "--benchmark_format=json",
                         "--benchmark_repetitions=5", "--benchmark_report_aggregates_only=true",
                         "--benchmark_min_time=0.2")
        scale = {"ns": 1, "us": 1e3, "ms": 1e6}
        return {each["run_name"]: each["real_time"] * scale[each["time_unit"]]
                for each in said["benchmarks"] if each["aggregate_name"] == "median"}

    def timed(self, *arguments):
        """JSON, seconds, and seconds of all cores."""
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        said = json.loads(self.output("flyball", *arguments))
        after, took = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return said, took, cpu


def mean(figures, key):
    values = [each[key] for each in figures]
    if None in values:
        raise NotMeasured(f"there is no {key}")
    return statistics.fmean(values)


def interval(values):
    """Mean and half of its 95 % interval, by Student's t for the numbers of seeds that are used."""
    if len(values) < 2:
        return statistics.fmean(values), 0.0
    t = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26,
         32: 2.04}
    half = t.get(len(values), 1.98) * statistics.stdev(values) / len(values) ** 0.5
    return statistics.fmean(values), half
