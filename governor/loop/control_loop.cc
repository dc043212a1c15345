#include "governor/loop/control_loop.h"

#include <chrono>

namespace flyball {
namespace {

/// The knobs as the platform found them.
Action setting_in_force(const Observation& now) {
  Action action;
  for (int c = 0; c < now.cluster_count; ++c) action.opp[c] = now.cluster[c].opp;
  for (int a = 0; a < now.app_count; ++a) action.app[a] = now.app[a].setting;
  return action;
}

}  // namespace

Status ControlLoop::run() {
  // Two buffers that change places: what an epoch starts from and what it ends in.
  Observation buffer[2];
  Observation* before = &buffer[0];
  Observation* outcome = &buffer[1];
  platform_.observe(*before);
  const EpochRequest request = agent_.epoch();
  Action decided = setting_in_force(*before);

  for (;;) {
    const auto asked = std::chrono::steady_clock::now();
    agent_.decide(*before, decided);
    const auto answered = std::chrono::steady_clock::now();

    Action applied = decided;
    const Shield::Verdict verdict = shield_.check(*before, applied);
    Status status = platform_.apply(applied);
    if (status == Status::kDeviceLost) return status;
    status = platform_.advance(request, *outcome);
    if (status == Status::kDeviceLost) return status;

    // The epoch that ends the scenario, or that an interrupt cuts short, has happened as well.
    if (outcome->epoch_ns > 0) {
      const RewardParts reward = reward_parts(weights_, *outcome);
      shield_.learn(*outcome, applied);
      agent_.learn(*outcome, applied, reward.total());
      const std::int64_t decide_ns =
          std::chrono::duration_cast<std::chrono::nanoseconds>(answered - asked).count();
      const EpochEvent event{*before, decided,  applied, agent_.why(),
                             verdict, *outcome, reward,  decide_ns};
      for (EpochSink* sink : sinks_) sink->on_epoch(event);
    }
    if (status != Status::kOk) return status;
    std::swap(before, outcome);
    decided = applied;
  }
}

}  // namespace flyball
