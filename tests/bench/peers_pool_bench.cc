// Fork and join on two threads against other pools. Each line is a contender's best window in a
// tournament of all of them (peers/pool_tournament.h), as a ratio to ours in
// `flyball_is_x_faster`. What "floor" does is no pool, but the least that two threads need.
//
//   empty  The call alone. Flyball's does not wait for a worker that has not begun, so the caller
//          may have run both items; the others (but for oneTBB) always wait for both threads.
//   meet   Each item waits for the other one: both threads take part, in every pool.
//   work   1 us of arithmetic per item, that 1 us subtracted: what sharing costs. Who runs both
//          items himself shows up with 1 us more.
//
// The times of transfers between two virtual CPUs depend on which cores the host gives them, and
// change by a factor of four while the benchmark runs: compare with "floor", not with other runs.
#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <unistd.h>

#include <iterator>
#include <string>

#include "kernels/pool/topology.h"
#include "tests/bench/peers/pool_tournament.h"

namespace flyball::bench {
namespace {

constexpr int kRounds = 60;

const std::vector<std::vector<PoolTimes>>& results() {
  static const auto played = pool_tournament(pool_variants(), kRounds);
  return played;
}

void report(benchmark::State& state, std::size_t variant, std::size_t task) {
  if (thread_affinity().count() < 2) {
    state.SkipWithError("needs two CPUs");
    return;
  }
  const PoolTimes& times = results()[variant][task];
  for (auto _ : state) state.SetIterationTime(times.p50_ns * 1e-9);
  state.counters["p50_ns"] = times.p50_ns;
  state.counters["p99_ns"] = times.p99_ns;
  state.counters["typical_p50_ns"] = times.typical_p50_ns;
  state.counters["flyball_is_x_faster"] = times.p50_ns / results()[0][task].p50_ns;
}

bool register_all() {
  const std::vector<PoolVariant> variants = pool_variants();
  for (std::size_t task = 0; task < std::size(kPoolTasks); ++task)
    for (std::size_t v = 0; v < variants.size(); ++v)
      benchmark::RegisterBenchmark(
          (std::string("fork_join/") + name_of(kPoolTasks[task]) + "/" + variants[v].name).c_str(),
          [=](benchmark::State& state) { report(state, v, task); })
          ->Iterations(1)
          ->UseManualTime()
          ->Unit(benchmark::kNanosecond);
  return true;
}
const bool registered = register_all();

}  // namespace
}  // namespace flyball::bench

/// Two libraries read their settings when they are loaded: libgomp how to wait, OpenBLAS (under
/// LibTorch) how many threads to use. Starts the program once more with them.
int main(int argc, char** argv) {
  if (!getenv("FLYBALL_PEERS_STARTED")) {
    setenv("FLYBALL_PEERS_STARTED", "1", 1);
    setenv("OMP_WAIT_POLICY", "active", 1);
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    execv("/proc/self/exe", argv);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
