#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "agents/agent.h"
#include "env/model/platform_spec.h"
#include "env/platform.h"
#include "env/scenario/scenario.h"
#include "governor/loop/control_loop.h"
#include "governor/loop/shield.h"
#include "tests/env/network_levels.h"

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
  give_widths(net, {{50, 0.5, 1, 60, "test"}, {100, 1, 1, 70, "test"}});
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

/// Who takes slot `app` in a scenario of the small platform.
inline Binding small_binding(const PlatformSpec& spec, const AppSpec& app) {
  return binding_of(app, spec.apps[static_cast<std::size_t>(app.profile)]);
}

/// A state of the small platform in which every application waits for its next job.
inline Observation small_observation(const Scenario& scenario) {
  Observation now;
  now.cluster_count = 2;
  now.app_count = static_cast<int>(scenario.apps.size());
  now.roster_version = 1;
  for (auto& cluster : now.cluster) cluster.opp_cap = 2;
  for (int a = 0; a < now.app_count; ++a) {
    now.app[a].generation = 1;
    now.app[a].active = true;
    now.app[a].required = scenario.apps[static_cast<std::size_t>(a)].required;
  }
  return now;
}

inline Action small_action(int big_opp, int little_opp, int mapping, int level) {
  Action action;
  action.opp[0] = static_cast<std::uint8_t>(big_opp);
  action.opp[1] = static_cast<std::uint8_t>(little_opp);
  action.app[0] = {static_cast<std::uint8_t>(mapping), static_cast<std::uint8_t>(level)};
  return action;
}

/// A shield that believes in `spec` as it is, with the scenario's applications bound to it.
struct OwnBelief {
  Belief belief;
};
class BoundShield : private OwnBelief, public Shield {
 public:
  BoundShield(const PlatformSpec& spec, const Scenario& scenario, Shield::Options options)
      : OwnBelief{Belief::of(spec)}, Shield(belief, options) {
    const Observation now = small_observation(scenario);
    for (int a = 0; a < now.app_count; ++a)
      bind(a, small_binding(spec, scenario.apps[static_cast<std::size_t>(a)]), now);
  }
};

/// Lets `epochs` epochs of 50 ms pass; `fill` says what is seen at the end of each.
class FakePlatform : public Platform {
 public:
  FakePlatform(const PlatformSpec& spec, const Scenario& scenario, int epochs)
      : spec_(spec), scenario_(scenario), epochs_(epochs), bindings(kMaxApps) {
    for (std::size_t a = 0; a < scenario.apps.size(); ++a)
      bindings[a] = small_binding(spec, scenario.apps[a]);
  }
  const PlatformSpec& spec() const { return spec_; }
  const Binding& binding(int slot) const override {
    return bindings[static_cast<std::size_t>(slot)];
  }
  void observe(Observation& out) const noexcept override {
    out = small_observation(scenario_);
    out.cluster[0].opp = 1;
  }
  Status apply(const Action& action) noexcept override {
    if (log) log->push_back("apply");
    applied = action;
    return apply_status;
  }
  Status advance(const EpochRequest& request, Observation& out) noexcept override {
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
  std::vector<KnobSetting> capture() const override { return {}; }
  std::vector<KnobOutcome> restore(const std::vector<KnobSetting>&) override { return {}; }

 private:
  const PlatformSpec& spec_;
  const Scenario& scenario_;
  const int epochs_;
  std::int64_t passed_ = 0;

 public:
  std::vector<Binding> bindings;  ///< per slot
  std::vector<std::string>* log = nullptr;
  std::function<void(Observation&)> fill;
  Status apply_status = Status::kOk;
  Action applied;
  bool interrupted = false;
};

/// Always decides the same.
class FakeAgent : public Agent {
 public:
  explicit FakeAgent(const Action& action, bool learner = false)
      : action_(action), learner_(learner) {}
  std::string_view name() const override { return "fake"; }
  void bind(int slot, const Binding& binding, const Observation&) override {
    say("bind " + std::to_string(slot) + " " + binding.name);
  }
  void unbind(int slot) override { say("unbind " + std::to_string(slot)); }
  void decide(const Observation& now, Decision& out) noexcept override {
    if (log) say("decide " + std::to_string(now.sequence));
    out.action = action_;
    out.probability = probability;
    out.trial = trial;
  }
  bool alternatives(const Observation&, const Decision&, DrawnActions& out) const override {
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      out.take(drawn[i].first, drawn[i].second, i < drawn_trial.size() ? drawn_trial[i] : Trial{});
    }
    return !drawn.empty();
  }
  void replaced(const Observation&, const Action& decided,
                const Action& applied) noexcept override {
    ++replacements;
    replaced_decided = decided;
    replaced_applied = applied;
  }
  void learn(const Observation& outcome, const Action& applied,
             const Reward& reward) noexcept override {
    if (log) say("learn " + std::to_string(outcome.sequence));
    learned_applied = applied;
    learned_reward += reward.total();
  }
  bool learns() const override { return learner_; }
  bool guarded() const override { return learner_ && !baseline; }
  void save(ByteWriter& out) const override {
    for (std::size_t i = 0; i < learned_words; ++i) out.u64(learned_word);
  }

  std::vector<std::string>* log = nullptr;
  Action learned_applied;
  double learned_reward = 0;
  float probability = 1;
  std::vector<std::pair<Action, double>> drawn;  ///< what it might decide, by its own account
  std::vector<Trial> drawn_trial;  ///< of each; fewer: those of the rest are none
  Trial trial;                     ///< of what it decides
  int replacements = 0;                          ///< that it was told of, and the last
  Action replaced_decided, replaced_applied;
  bool baseline = false;
  std::size_t learned_words = 0;  ///< what it has learned: so many times `learned_word`
  std::uint64_t learned_word = 0;

 private:
  void say(const std::string& what) {
    if (log) log->push_back(what);
  }

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
