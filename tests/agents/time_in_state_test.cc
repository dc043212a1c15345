// The simulated governors of Linux against the real ones, by the time that they spend at each clock. Where
// they are known not to agree, the table says why, and is wrong as soon as they do.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <fstream>
#include <sstream>

#include "env/scenario/plain_tasks.h"
#include "tests/agents/closed_loop.h"
#include "tests/agents/tiny_platform.h"

namespace flyball {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::size_t kPoints = 4;
using Shares = std::array<double, kPoints>;  // of time, %

/// A periodic task that Linux is told to keep on the first cluster.
TinyWorld periodic(double work_us, std::int64_t period_ms, std::int64_t start_ns) {
  TinyWorld world;
  world.platform = load_platform(FLYBALL_SOURCE_DIR "/tests/guest/board.yaml");
  world.platform.apps = {task_profile(
      world.platform, {.name = "task", .work_ms = work_us * 1e-3, .barred = {false, true}})};
  world.scenario.duration_ns = 4'000 * kMs;
  AppSpec& app = world.scenario.apps[0];
  app.start_ns = start_ns;
  app.profile = 0;
  app.arrival.period_ns = period_ms * kMs;
  app.required = {};
  app.required.period_ns = app.required.deadline_ns = period_ms * kMs;
  return world;
}

Shares simulated(const std::string& governor, double work_us, std::int64_t period_ms,
                 std::int64_t start_ns) {
  ClosedLoop loop(periodic(work_us, period_ms, start_ns), governor);
  Shares shares{};
  double all = 0;
  bool going = true;
  while (going) {
    going = loop.step();
    shares.at(loop.now.cluster[0].opp) += static_cast<double>(loop.now.epoch_ns);
    all += static_cast<double>(loop.now.epoch_ns);
  }
  for (double& share : shares) share *= 100 / all;
  return shares;
}

/// Of how much of the time the two are at different clocks, at least.
double apart(const Shares& a, const Shares& b) {
  double sum = 0;
  for (std::size_t i = 0; i < kPoints; ++i) sum += std::abs(a[i] - b[i]);
  return sum / 2;
}

TEST(TimeInState, SimulatedGovernorsAreAsCloseToTheLinuxKernelsAsTheTableSays) {
  constexpr double kTolerancePct = 10;
  std::ifstream table(FLYBALL_SOURCE_DIR "/tests/guest/time_in_state");
  std::string line;
  int rows = 0;
  while (std::getline(table, line)) {
    if (line.starts_with('#')) continue;
    std::istringstream row(line);
    std::string governor;
    double work_us = 0;
    std::int64_t period_ms = 0;
    Shares real{};
    row >> governor >> work_us >> period_ms;
    for (double& share : real) row >> share;
    std::string verdict;
    row >> verdict;
    ASSERT_TRUE(row) << line;
    // The task was started at any moment between two ticks.
    double least = 100;
    Shares nearest{};
    for (std::int64_t start_us = 250; start_us < 4000; start_us += 500) {
      const Shares ours = simulated(governor, work_us, period_ms, start_us * 1000);
      if (apart(real, ours) >= least) continue;
      least = apart(real, ours);
      nearest = ours;
    }
    EXPECT_EQ(least <= kTolerancePct ? "close" : "apart", verdict)
        << line << " at " << least << "\nsimulated: " << nearest[0] << ' ' << nearest[1] << ' '
        << nearest[2] << ' ' << nearest[3];
    ++rows;
  }
  EXPECT_EQ(rows, 9);
}

}  // namespace
}  // namespace flyball
