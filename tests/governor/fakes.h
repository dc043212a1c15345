#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agents/agent.h"
#include "env/platform.h"
#include "governor/loop/control_loop.h"

namespace flyball::test {

/// Two clusters, round numbers. One job of "net" at full width takes, on one core,
///   little 250/500/1000 MHz: 800/400/200 ms     big 500/1000/2000 MHz: 200/100/50 ms
/// and on big x 2 half of that; half width halves it again. Energy of a full job, mJ (C V^2 per
/// cycle):
///   little 0.2 nF: 25.6/40/62.5                 big 1 nF: 64/100/156.25, with one core or with two
inline PlatformSpec small_platform() {
  PlatformSpec spec;
  spec.name = "small";
  ClusterSpec big, little;
  big.name = "big";
  big.cores = 2;
  big.opps = {{500'000, 800}, {1'000'000, 1000}, {2'000'000, 1250}};
  little.name = "little";
  little.cores = 1;
  little.opps = {{250'000, 800}, {500'000, 1000}, {1'000'000, 1250}};
  little.capacity_per_mhz = 512;
  spec.clusters = {big, little};
  spec.mappings = {{{0, 1}, "littlex1"}, {{1, 0}, "bigx1"}, {{2, 0}, "bigx2"}};
  AppProfile net;
  net.name = "net";
  net.levels = {{50, 0.5, 1, 60, "test"}, {100, 1, 1, 70, "test"}};
  net.unit[0] = {true, 100, 0, 1, 0, false};
  net.unit[1] = {true, 200, 0, 0.2, 0, false};
  spec.apps = {net};
  return spec;
}

inline constexpr std::int64_t kMs = 1'000'000;

inline Scenario small_scenario(std::int64_t deadline_ms = 150, double floor_pct = 70) {
  Scenario scenario;
  scenario.name = "steady";
  scenario.duration_ns = 10'000 * kMs;
  AppSpec app;
  app.name = "camera";
  app.arrival.period_ns = 200 * kMs;
  app.required.period_ns = 200 * kMs;
  app.required.deadline_ns = deadline_ms * kMs;
  app.required.accuracy_floor_pct = floor_pct;
  app.stop_ns = scenario.duration_ns;
  scenario.apps = {app};
  return scenario;
}

/// A state of the small platform in which the application waits for its next job.
inline Observation small_observation(const Scenario& scenario) {
  Observation now;
  now.cluster_count = 2;
  now.app_count = static_cast<int>(scenario.apps.size());
  for (auto& cluster : now.cluster) cluster.opp_cap = 2;
  for (int a = 0; a < now.app_count; ++a) {
    now.app[a].active = true;
    now.app[a].required = scenario.apps[a].required;
  }
  return now;
}

inline Action small_action(int big_opp, int little_opp, int mapping, int width) {
  Action action;
  action.opp[0] = static_cast<std::uint8_t>(big_opp);
  action.opp[1] = static_cast<std::uint8_t>(little_opp);
  action.app[0] = {static_cast<std::uint8_t>(mapping), static_cast<std::uint8_t>(width)};
  return action;
}

/// Lets `epochs` epochs of 50 ms pass; `fill` says what is seen at the end of each.
class FakePlatform : public Platform {
 public:
  FakePlatform(const PlatformSpec& spec, const Scenario& scenario, int epochs)
      : spec_(spec), scenario_(scenario), epochs_(epochs) {}
  const PlatformSpec& spec() const override { return spec_; }
  const Scenario& scenario() const override { return scenario_; }
  void observe(Observation& out) const override {
    out = small_observation(scenario_);
    out.cluster[0].opp = 1;
  }
  Status apply(const Action& action) override {
    if (log) log->push_back("apply");
    applied = action;
    return apply_status;
  }
  Status advance(const EpochRequest& request, Observation& out) override {
    if (log) log->push_back("advance");
    ++passed_;
    out = small_observation(scenario_);
    out.sequence = static_cast<std::uint64_t>(passed_);
    out.epoch_ns = request.interval_ns;
    out.now_ns = passed_ * request.interval_ns;
    for (int c = 0; c < 2; ++c) out.cluster[c].opp = applied.opp[c];
    out.app[0].setting = applied.app[0];
    if (fill) fill(out);
    if (interrupted) return Status::kInterrupted;
    return passed_ < epochs_ ? Status::kOk : Status::kFinished;
  }
  void interrupt() override { interrupted = true; }

  std::vector<std::string>* log = nullptr;
  std::function<void(Observation&)> fill;
  Status apply_status = Status::kOk;
  Action applied;
  bool interrupted = false;

 private:
  const PlatformSpec& spec_;
  const Scenario& scenario_;
  const int epochs_;
  std::int64_t passed_ = 0;
};

/// Always decides the same.
class FakeAgent : public Agent {
 public:
  explicit FakeAgent(const Action& action, bool learner = false)
      : action_(action), learner_(learner) {}
  std::string_view name() const override { return "fake"; }
  void decide(const Observation& now, Action& out) override {
    if (log) log->push_back("decide " + std::to_string(now.sequence));
    out = action_;
  }
  void learn(const Observation& outcome, const Action& applied, double reward) override {
    if (log) log->push_back("learn " + std::to_string(outcome.sequence));
    learned_applied = applied;
    learned_reward += reward;
  }
  const Explanation& why() const override { return explanation; }
  bool learns() const override { return learner_; }
  bool guarded() const override { return learner_ && !baseline; }

  std::vector<std::string>* log = nullptr;
  Explanation explanation;
  Action learned_applied;
  double learned_reward = 0;
  bool baseline = false;

 private:
  Action action_;
  bool learner_;
};

/// A finished job of application 0 that started when it was released.
inline JobRecord small_job(std::uint64_t sequence, std::int64_t start_ms, std::int64_t time_ms,
                           std::int64_t deadline_ms, AppSetting setting) {
  JobRecord job;
  job.sequence = sequence;
  job.release_ns = job.start_ns = start_ms * kMs;
  job.finish_ns = (start_ms + time_ms) * kMs;
  job.deadline_ns = (start_ms + deadline_ms) * kMs;
  job.setting = setting;
  job.missed = time_ms > deadline_ms;
  return job;
}

}  // namespace flyball::test
