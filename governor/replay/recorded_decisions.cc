#include "governor/replay/recorded_decisions.h"

#include <algorithm>
#include <array>
#include <memory>

namespace flyball {

void play_decisions(const RecordedRun& run, Simulator& simulator, Observation& now,
                    const std::function<void(const RecordedRun::Epoch&)>& after) {
  for (const RecordedRun::Epoch& epoch : run.epochs) {
    simulator.apply(epoch.applied);
    const Status status = simulator.advance(
        {.interval_ns = std::max<std::int64_t>(1, epoch.end_ns - now.now_ns)}, now);
    after(epoch);
    if (status != Status::kOk) break;
  }
}

Metrics play_recorded_decisions(const RecordedRun& run, const PlatformSpec& platform,
                                const Scenario& scenario, const RewardWeights& weights) {
  Simulator simulator(platform, scenario);
  MetricsSink metrics(platform, &platform);
  auto now = std::make_unique<Observation>(), before = std::make_unique<Observation>();
  auto reward = std::make_unique<Reward>();
  std::array<std::uint32_t, kMaxApps> generation{};
  simulator.observe(*now);
  const auto follow_roster = [&] {
    for (int a = 0; a < now->app_count; ++a) {
      const auto i = static_cast<std::size_t>(a);
      if (generation[i] == now->app[i].generation) continue;
      generation[i] = now->app[i].generation;
      if (now->app[i].bound()) metrics.on_bind(a, simulator.binding(a), *now);
    }
  };
  follow_roster();
  *before = *now;
  const Decision none;
  play_decisions(run, simulator, *now, [&](const RecordedRun::Epoch& epoch) {
    judge(weights, *now, *reward);
    metrics.on_epoch({*before, none, epoch.applied, Shield::Verdict::kPassed, *now, *reward, 0});
    follow_roster();
    *before = *now;
  });
  return metrics.result();
}

}  // namespace flyball
