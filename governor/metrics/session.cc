#include "governor/metrics/session.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "env/model/model.h"

namespace flyball {
namespace {

constexpr double kBelowTripK = 5;

/// Passes a stop flag on to the platform.
class StopSink final : public EpochSink {
 public:
  StopSink(Platform& platform, const std::atomic<bool>* stop) : platform_(platform), stop_(stop) {}
  void on_epoch(const EpochEvent&) noexcept override {
    if (stop_ != nullptr && stop_->load(std::memory_order_relaxed)) platform_.interrupt();
  }

 private:
  Platform& platform_;
  const std::atomic<bool>* stop_;
};

/// Shows those who measure what really was, where the platform shows something else.
class TruthSink final : public EpochSink {
 public:
  TruthSink(const Platform& platform, const RewardWeights& weights, std::vector<EpochSink*> to)
      : platform_(platform), weights_(weights), to_(std::move(to)) {}
  void on_bind(int slot, const Binding& binding, const Observation& now) override {
    for (EpochSink* sink : to_) sink->on_bind(slot, binding, now);
  }
  void on_unbind(int slot) override {
    for (EpochSink* sink : to_) sink->on_unbind(slot);
  }
  void on_epoch(const EpochEvent& event) noexcept override {
    const Observation* const truth = platform_.truth();
    if (truth == nullptr) return tell(event);
    judge(weights_, *truth, reward_);
    tell({event.before, event.decided, event.applied, event.verdict, *truth, reward_,
          event.decide_ns});
  }

 private:
  void tell(const EpochEvent& event) noexcept {
    for (EpochSink* sink : to_) sink->on_epoch(event);
  }

  const Platform& platform_;
  const RewardWeights weights_;
  const std::vector<EpochSink*> to_;
  Reward reward_;
};

}  // namespace

RewardWeights reward_weights(const Belief& belief) {
  const PlatformSpec& platform = belief.mean;
  RewardWeights weights;
  bool passive = false;
  for (const TripPoint& trip : platform.trips) {
    if (trip.kind == TripPoint::Kind::kCritical) continue;
    const double limit_c = trip.temp_c - kBelowTripK;
    weights.temp_limit_c = passive ? std::min(weights.temp_limit_c, limit_c) : limit_c;
    passive = true;
  }
  for (const AppProfile& profile : platform.apps) {
    if (profile.plain_load) continue;
    // A platform file may describe a board that takes no power at all.
    const double energy_mj = reference_energy_mj(platform, profile);
    if (energy_mj > 0) weights.ref_energy_mj = energy_mj;
    break;
  }
  return weights;
}

Shield::Options shield_options(const Agent& agent, Shield::Options options) {
  options.guard = options.guard && agent.guarded();
  options.guard_idle = options.guard_idle && !agent.epoch().stop_at_release;
  return options;
}

SessionResult run_session(Platform& platform, const Belief& belief, Agent& agent,
                          const RewardWeights& weights, const SessionOptions& options) {
  Shield shield(belief, shield_options(agent, options.shield));
  ControlLoop loop(platform, agent, shield, weights);
  MetricsSink metrics(belief.mean, options.truth);
  StopSink stop(platform, options.stop);
  std::vector<EpochSink*> measuring = {&metrics};
  measuring.insert(measuring.end(), options.measuring.begin(), options.measuring.end());
  TruthSink truth(platform, weights, std::move(measuring));
  loop.add_sink(truth);
  for (EpochSink* sink : options.sinks) loop.add_sink(*sink);
  loop.add_sink(stop);
  SessionResult result;
  result.status = loop.run();
  result.metrics = metrics.result();
  return result;
}

}  // namespace flyball
