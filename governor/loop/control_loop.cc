#include "governor/loop/control_loop.h"

#include <algorithm>
#include <limits>
#include <memory>

#include "kernels/base/clock.h"

namespace flyball {

Action setting_in_force(const Observation& now) {
  Action action;
  for (int c = 0; c < now.cluster_count; ++c) action.opp[c] = now.cluster[c].opp;
  for (int a = 0; a < now.app_count; ++a) {
    if (now.app[a].bound()) action.app[a] = now.app[a].setting;
  }
  return action;
}

/// Sums up whatever the shield and the platform turn into what is executed.
float ControlLoop::executed_probability(const Observation& now, const Decision& decided,
                                        const Action& applied) const {
  if (decided.probability == 1) return 1;
  struct Sum final : DrawnActions {
    Sum(const Shield& shield_in, const Platform& platform_in, const Observation& now_in,
        const Action& applied_in)
        : shield(shield_in), platform(platform_in), now(now_in), applied(applied_in) {}
    void take(const Action& action, double probability, const Trial& trial) override {
      Action executed = action;
      shield.check(now, executed, trial);
      platform.amend(executed);
      if (executed == applied) sum += probability;
    }
    const Shield& shield;
    const Platform& platform;
    const Observation& now;
    const Action& applied;
    double sum = 0;
  } executed(shield_, platform_, now, applied);
  if (!agent_.alternatives(now, decided, executed)) return std::numeric_limits<float>::quiet_NaN();
  return static_cast<float>(std::min(1.0, executed.sum));
}

void ControlLoop::follow_roster(const Observation& now) {
  if (now.roster_version == roster_version_) return;
  roster_version_ = now.roster_version;
  for (int a = 0; a < kMaxApps; ++a) {
    const std::uint32_t seen = a < now.app_count ? now.app[a].generation : 0;
    std::uint32_t& known = generation_[static_cast<std::size_t>(a)];
    if (seen == known) continue;
    if (known % 2 == 1) {
      agent_.unbind(a);
      shield_.unbind(a);
      for (EpochSink* sink : sinks_) sink->on_unbind(a);
    }
    known = seen;
    if (seen % 2 == 0) continue;
    const Binding& binding = platform_.binding(a);
    agent_.bind(a, binding, now);
    shield_.bind(a, binding, now);
    for (EpochSink* sink : sinks_) sink->on_bind(a, binding, now);
  }
}

Status ControlLoop::run() {
  // What changes places: what an epoch starts from and what it ends in. Too large for a thread's
  // stack.
  struct Buffers {
    Observation observation[2];
    Decision decided;
    Reward reward;
  };
  const auto buffers = std::make_unique<Buffers>();
  Observation* before = &buffers->observation[0];
  Observation* outcome = &buffers->observation[1];
  Decision& decided = buffers->decided;
  platform_.observe(*before);
  agent_.begin_run();
  decided.action = setting_in_force(*before);
  Status status = Status::kOk;
  while (status == Status::kOk) {
    follow_roster(*before);
    decided.reset();
    const std::int64_t asked_ns = monotonic_ns();
    agent_.decide(*before, decided);
    const std::int64_t decide_ns = monotonic_ns() - asked_ns;

    Action applied = decided.action;
    Shield::Refused refused;
    const Shield::Verdict verdict = shield_.check(*before, applied, decided.trial, &refused);
    platform_.amend(applied);
    const Status turned = platform_.apply(applied);
    // The knobs turn meanwhile.
    decided.probability = executed_probability(*before, decided, applied);
    if (!(applied == decided.action)) agent_.replaced(*before, decided.action, applied);
    if (refused.slot >= 0) decided.reason = refused.reason();
    outcome->epoch_ns = 0;
    status = platform_.advance(agent_.epoch(), *outcome);
    if (turned == Status::kDeviceLost) status = turned;

    // The epoch that ends the scenario, or that is cut short, has happened as well.
    if (outcome->epoch_ns > 0) {
      judge(weights_, *outcome, buffers->reward);
      shield_.learn(*outcome, applied);
      agent_.learn(*outcome, applied, buffers->reward);
      const EpochEvent event{*before,  decided,         applied,  verdict,
                             *outcome, buffers->reward, decide_ns};
      for (EpochSink* sink : sinks_) sink->on_epoch(event);
      std::swap(before, outcome);
    }
    decided.action = applied;
  }
  if (status == Status::kDeviceLost) {
    Action safe = decided.action;
    shield_.make_safe(*before, safe);
    platform_.apply(safe);  // whatever of it can still be turned
  }
  agent_.end_run();
  return status;
}

}  // namespace flyball
