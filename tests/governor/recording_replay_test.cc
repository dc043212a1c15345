// Recordings of real agents: what they were told can be told again, and how much it takes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "agents/agent.h"
#include "agents/q_learning.h"
#include "env/scenario/plain_tasks.h"
#include "env/sim/simulator.h"
#include "governor/metrics/session.h"
#include "kernels/base/hash.h"
#include "tests/governor/recorder_fixture.h"

namespace flyball::test {
namespace {

using RecordingReplay = RecorderTest;

/// What was told of each epoch, at the resolution of the table: every row of it, and the jobs.
class Witness final : public EpochSink {
 public:
  Witness(const PlatformSpec& spec, const Belief& belief, const RewardWeights& weights)
      : table(spec, weights), agent({belief, weights, 1, nullptr}), weights_(weights) {
    agent.set_learning(false);
    agent.begin_run();
  }
  void on_bind(int slot, const Binding& binding, const Observation& now) override {
    table.bind(slot, binding, now.app[static_cast<std::size_t>(slot)].required);
    agent.bind(slot, binding, rounded(now));
  }
  void on_unbind(int slot) override {
    table.unbind(slot);
    agent.unbind(slot);
  }
  void on_epoch(const EpochEvent& event) noexcept override {
    see(rounded(event.outcome), event.applied);
  }

  void see(const Observation& outcome, const Action& applied) {
    rows.emplace_back();
    for (const Monitor& row : table.rows()) rows.back().push_back(quantised(row, outcome));
    Fnv1a hash;
    for (const JobRecord& job : outcome.jobs()) {
      for (const std::int64_t number : {job.release_ns, job.start_ns, job.finish_ns,
                                        job.deadline_ns, static_cast<std::int64_t>(job.sequence)})
        hash.add(number);
      for (const double number : {job.energy_mj, job.cycles, double{job.accuracy_pct}})
        hash.add(number);
      hash.add(job.app * 65536 + job.setting.mapping * 256 + job.setting.level);
      hash.add(job.missed * 4 + job.dropped * 2 + job.infeasible);
    }
    jobs.push_back(hash.value());
    judge(weights_, outcome, *reward_);
    agent.learn(outcome, applied, *reward_);
    Decision decided;
    decided.action = applied;
    agent.decide(outcome, decided);
    decisions.push_back(decided.action);
    most_waiting = std::max(most_waiting, outcome.app[0].waiting_count);
  }

  MonitorTable table;
  QLearning agent;
  std::vector<std::vector<std::int64_t>> rows;
  std::vector<std::uint64_t> jobs;
  std::vector<Action> decisions;
  std::uint32_t most_waiting = 0;

 private:
  const Observation& rounded(const Observation& exact) {
    *rounded_ = exact;
    for (const Monitor& row : table.rows()) restore(row, quantised(row, exact), *rounded_);
    for (std::uint32_t i = 0; i < exact.job_count; ++i) {
      JobRecord& job = rounded_->job_store[i];
      job.energy_mj = static_cast<float>(job.energy_mj);
      job.cycles = static_cast<float>(job.cycles);
    }
    return *rounded_;
  }
  RewardWeights weights_;
  std::unique_ptr<Reward> reward_ = std::make_unique<Reward>();
  std::unique_ptr<Observation> rounded_ = std::make_unique<Observation>();
};

Scenario shortened(const std::string& name, const PlatformSpec& spec, std::int64_t duration_ns) {
  Scenario scenario = load_scenario(name, spec);
  for (AppSpec& app : scenario.apps) app.stop_ns = std::min(app.stop_ns, duration_ns);
  for (BackgroundLoad& load : scenario.background)
    load.stop_ns = std::min(load.stop_ns, duration_ns);
  scenario.duration_ns = duration_ns;
  return scenario;
}

// Queue, running jobs and finished ones included: a second agent that is told what was recorded
// decides as one does that was there.
TEST_F(RecordingReplay, WhateverAnAgentIsToldCanBeToldAgain) {
  const PlatformSpec spec = load_platform("odroid_xu3");
  const Belief belief = Belief::of(spec);
  const RewardWeights weights = reward_weights(belief);
  std::uint32_t most_waiting = 0;
  for (const char* name : {"background", "bursty", "dual_dnn"}) {
    const Scenario scenario = shortened(name, spec, 20'000 * kMs);
    Witness there(spec, belief, weights), told(spec, belief, weights);
    {
      Simulator platform(spec, scenario, {.seed = 3});
      QLearning agent({belief, weights, 3, nullptr});
      Recorder recorder(path_, recording_info(spec, belief, scenario, "q_learning", 3, weights),
                        {.wait_for_disk = true});
      run_session(platform, belief, agent, weights, {.shield = {}, .sinks = {&recorder, &there}});
      EXPECT_EQ(recorder.finish(), "");
    }
    RecordingVisitor visitor;
    visitor.on_bind = [&](int slot, const Binding& binding, const Observation& now) {
      told.on_bind(slot, binding, now);
    };
    visitor.on_unbind = [&](int slot) { told.on_unbind(slot); };
    visitor.on_epoch = [&](const Observation& now, const DecisionRow& row) {
      told.see(now, row.applied);
    };
    EXPECT_TRUE(read_recording(path_, visitor).complete) << name;
    ASSERT_GT(there.rows.size(), 500u) << name;
    ASSERT_EQ(told.rows.size(), there.rows.size()) << name;
    for (std::size_t e = 0; e < there.rows.size(); ++e) {
      ASSERT_EQ(told.rows[e].size(), there.rows[e].size()) << name << e;
      for (std::size_t r = 0; r < there.rows[e].size(); ++r)
        ASSERT_EQ(told.rows[e][r], there.rows[e][r])
            << name << " epoch " << e << " " << there.table.rows()[r].name;
    }
    EXPECT_EQ(told.jobs, there.jobs) << name;
    EXPECT_TRUE(told.decisions == there.decisions) << name;
    most_waiting = std::max(most_waiting, there.most_waiting);
  }
  EXPECT_GT(most_waiting, 0u);  // or the queue has not been tried
}

/// q_learning in epochs of 10 ms.
class TenMs final : public Agent {
 public:
  explicit TenMs(const AgentContext& context) : agent_(context) {}
  std::string_view name() const override { return agent_.name(); }
  EpochRequest epoch() const override {
    EpochRequest request = agent_.epoch();
    request.interval_ns = 10 * kMs;
    return request;
  }
  void bind(int slot, const Binding& binding, const Observation& now) override {
    agent_.bind(slot, binding, now);
  }
  void unbind(int slot) override { agent_.unbind(slot); }
  void begin_run() override { agent_.begin_run(); }
  void end_run() override { agent_.end_run(); }
  void decide(const Observation& now, Decision& out) noexcept override { agent_.decide(now, out); }
  void learn(const Observation& outcome, const Action& applied,
             const Reward& reward) noexcept override {
    agent_.learn(outcome, applied, reward);
  }
  bool learns() const override { return true; }

 private:
  QLearning agent_;
};

TEST_F(RecordingReplay, AnEpochTakes32BytesAndOneWithADecision128) {
  const PlatformSpec spec = load_platform("odroid_xu3");
  const Scenario scenario = load_scenario("background", spec);
  const Belief belief = Belief::of(spec);
  const RewardWeights weights = reward_weights(belief);
  {
    Simulator platform(spec, scenario, {.seed = 1});
    TenMs agent({belief, weights, 1, nullptr});
    Recorder recorder(path_, recording_info(spec, belief, scenario, "q_learning", 1, weights),
                      {.wait_for_disk = true});
    run_session(platform, belief, agent, weights, {.shield = {}, .sinks = {&recorder}});
  }
  const RecordingReport report = read_recording(path_, {});
  ASSERT_GT(report.decisions, 500u);
  ASSERT_GT(report.epochs, 10'000u);
  const auto per = [](std::uint64_t bytes, std::uint64_t count) {
    return static_cast<double>(bytes) / static_cast<double>(count);
  };
  const double with = per(report.decision_bytes, report.decisions);
  const double without = per(report.other_bytes, report.epochs - report.decisions);
  std::printf(
      "bytes an epoch: %.1f without a new decision, %.1f with one; a job: %.1f; all: %.1f\n",
      without, with, per(report.job_bytes, report.jobs), per(fs::file_size(path_), report.epochs));
  EXPECT_LE(without, 32);
  EXPECT_LE(with, 128);
}

/// A few seconds of a scenario, recorded.
RecordingReport recorded(const std::string& path, const PlatformSpec& spec, Scenario scenario) {
  scenario.duration_ns = std::min<std::int64_t>(scenario.duration_ns, 8'000 * kMs);
  const Belief belief = Belief::of(spec);
  const RewardWeights weights = reward_weights(belief);
  {
    Simulator platform(spec, scenario, {.seed = 1});
    const auto agent = make_agent(scenario.plain_load ? "plain_load" : "q_learning",
                                  {belief, weights, 1, nullptr});
    Recorder recorder(path, recording_info(spec, belief, scenario, "any", 1, weights),
                      {.flush_ns = 60'000 * kMs, .wait_for_disk = true});
    run_session(platform, belief, *agent, weights, {.shield = {}, .sinks = {&recorder}});
  }
  return read_recording(path, {});
}

/// Of every shipped board in every shipped scenario, at the agents' own pace. Bursts change more in an epoch, and
/// whoever governs plain load decides anew in each, with a monitor of every task changed.
TEST_F(RecordingReplay, TheSizesHoldOnNearlyEveryBoardInNearlyEveryScenario) {
  double most_without = 0, most_with = 0;
  std::string where_without, where_with;
  int cases = 0, beyond_without = 0, beyond_with = 0;
  for (const auto& board : fs::directory_iterator(FLYBALL_SOURCE_DIR "/configs/platforms")) {
    for (const auto& file : fs::directory_iterator(FLYBALL_SOURCE_DIR "/configs/scenarios")) {
      PlatformSpec spec = load_platform(board.path());
      add_task_profiles(file.path(), spec);
      const std::string name = board.path().stem().string() + " " + file.path().stem().string();
      Scenario scenario;
      try {
        scenario = load_scenario(file.path(), spec);
      } catch (const Error&) {
        continue;  // of other clusters
      }
      const RecordingReport report = recorded(path_, spec, scenario);
      ++cases;
      beyond_without += report.bytes_per_other_epoch() > 32;
      beyond_with += report.bytes_per_decision() > 128;
      if (report.bytes_per_other_epoch() > most_without)
        most_without = report.bytes_per_other_epoch(), where_without = name;
      if (report.bytes_per_decision() > most_with)
        most_with = report.bytes_per_decision(), where_with = name;
    }
  }
  std::printf("%d cases: at most %.1f bytes without a new decision (%s), %.1f with one (%s)\n",
              cases, most_without, where_without.c_str(), most_with, where_with.c_str());
  EXPECT_GT(cases, 200);
  EXPECT_LE(beyond_without, cases / 40);
  EXPECT_LE(most_without, 44);
  EXPECT_LE(beyond_with, cases / 12);
  EXPECT_LE(most_with, 200);
}

}  // namespace
}  // namespace flyball::test
