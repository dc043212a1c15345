// Inference against other libraries, one thread, one image at a time. Each line is a contender's
// best time in a tournament of all of them (peers/tournament.h); `flyball_is_x_faster` is that time
// divided by ours. The line "fastest_peer" says who has to be beaten.
#include <benchmark/benchmark.h>

#include <limits>
#include <map>
#include <string>

#include "tests/bench/peers/tournament.h"

namespace flyball::bench {
namespace {

constexpr double kSeconds = 8;

struct Match {
  std::string network;
  NetworkSpec spec;
  int width;
};

/// Played when the first of its benchmarks runs.
const std::vector<Standing>& standings(const Match& match) {
  static std::map<std::string, std::vector<Standing>> played;
  auto& standings = played[match.network];
  if (standings.empty()) standings = tournament(match.spec, match.width, kSeconds);
  return standings;
}

void report(benchmark::State& state, const Standing& standing, const Standing& ours) {
  if (standing.unavailable) {
    for (auto _ : state) state.SetIterationTime(std::numeric_limits<double>::quiet_NaN());
    state.SetLabel("not available here");
    return;
  }
  if (!standing.error.empty()) state.SkipWithError(standing.error.c_str());
  for (auto _ : state) state.SetIterationTime(standing.least_us * 1e-6);
  state.counters["median_us"] = standing.median_us;
  if (ours.error.empty()) state.counters["flyball_is_x_faster"] = standing.least_us / ours.least_us;
}

void add(const std::string& name, auto&& function) {
  benchmark::RegisterBenchmark(name.c_str(), function)
      ->Iterations(1)
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

bool register_match(const Match& match) {
  const std::vector<std::string> names = contender_names(match.spec, match.width);
  for (std::size_t i = 0; i < names.size(); ++i)
    add(match.network + "/" + names[i], [match, i](benchmark::State& state) {
      const auto& all = standings(match);
      report(state, all[i], all[0]);
    });
  add(match.network + "/fastest_peer", [match](benchmark::State& state) {
    const auto& all = standings(match);
    const Standing* fastest = nullptr;
    for (std::size_t i = 1; i < all.size(); ++i)
      if (all[i].error.empty() && (!fastest || all[i].least_us < fastest->least_us))
        fastest = &all[i];
    if (!fastest) return state.SkipWithError("no other library ran");
    report(state, *fastest, all[0]);
    state.SetLabel(fastest->name);
  });
  return true;
}

bool register_all() {
  for (int width = 0; width < modified_alexnet().widths; ++width)
    register_match({"grouped/width" + std::to_string(width), modified_alexnet(), width});
  return register_match({"plain", plain_cifar_network(), 0});
}
const bool registered = register_all();

}  // namespace
}  // namespace flyball::bench
