#include "governor/record/recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>

#include "agents/q_learning.h"
#include "allocation_count.h"
#include "env/sim/simulator.h"
#include "governor/metrics/session.h"
#include "kernels/base/crc32c.h"
#include "kernels/base/error.h"
#include "kernels/base/hash.h"

namespace flyball::test {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;
constexpr std::int64_t kMs = 1'000'000;

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}
void put(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}
/// In place: a file system may write a file out that is emptied and filled again.
void put_at(const std::string& path, std::size_t offset, char byte) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset)).put(byte);
}
struct Undo {
  std::function<void()> action;
  ~Undo() { action(); }
};

PlatformSpec two_clusters() {
  PlatformSpec spec;
  spec.name = "small";
  ClusterSpec big, little;
  big.name = "big";
  big.opps = {{500'000, 800}, {1'000'000, 1000}, {2'000'000, 1250}};
  little.name = "little";
  little.opps = {{250'000, 800}, {500'000, 1000}, {1'000'000, 1250}};
  spec.clusters = {big, little};
  spec.mappings = {{{0, 1}, "littlex1"}, {{1, 0}, "bigx1"}, {{2, 0}, "bigx2"}};
  return spec;
}

Action setting(int big, int little, int mapping, int level) {
  Action action;
  action.opp[0] = static_cast<std::uint8_t>(big);
  action.opp[1] = static_cast<std::uint8_t>(little);
  action.app[0] = {static_cast<std::uint8_t>(mapping), static_cast<std::uint8_t>(level)};
  return action;
}

class RecorderTest : public ::testing::Test {
 protected:
  RecorderTest() {
    std::string name = (fs::temp_directory_path() / "flyball_recorder_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = name;
    path_ = folder_ + "/run.flyrec";
    Scenario scenario;
    scenario.name = "steady";
    const PlatformSpec spec = two_clusters();
    info_ = recording_info(spec, Belief::of(spec), scenario, "fake", 7, {});
    before_->cluster_count = 2;
    before_->app_count = 1;
    before_->app[0].generation = 1;
    before_->app[0].active = true;
    before_->app[0].required.deadline_ns = 150 * kMs;
    before_->app[0].required.accuracy_floor_pct = 65.5;
  }
  ~RecorderTest() override { fs::remove_all(folder_); }

  void bind(Recorder& recorder) const { recorder.on_bind(0, camera_, *before_); }

  /// Epoch `i`, of 50 ms, with a job in every second one.
  void epoch(Recorder& recorder, int i) const {
    Observation& outcome = *outcome_;
    outcome = *before_;
    outcome.sequence = static_cast<std::uint64_t>(i) + 1;
    outcome.now_ns = (i + 1) * 50 * kMs;
    outcome.epoch_ns = 50 * kMs;
    outcome.energy_mj = 12.5;
    outcome.power_mw = 250;
    outcome.cluster[0].freq_khz = 1'000'000;
    outcome.cluster[0].temp_c = 41.5;
    outcome.app[0].released = 1;
    outcome.app[0].energy_mj = 12.5;
    if (i % 2 == 1) {
      JobRecord job;
      job.sequence = static_cast<std::uint64_t>(i / 2);
      job.release_ns = job.start_ns = (i * 50 - 50) * kMs;
      job.finish_ns = job.start_ns + 80 * kMs;
      job.deadline_ns = job.start_ns + 150 * kMs;
      job.setting = {2, 1};
      job.energy_mj = 20.25;
      job.accuracy_pct = 70;
      job.accuracy_floor_pct = 65.5f;
      outcome.add_job(job);
    }
    Decision decided;
    decided.action = setting(2, 0, 2, 1);
    decided.fresh = true;
    decided.probability = i == 0 ? std::numeric_limits<float>::quiet_NaN() : 0.25f;
    decided.value = -0.5f;
    decided.reason = {Reason::Code::kExplored, 0, {static_cast<float>(i), 0.5f, 65.5f}};
    decided.add_forecast({0, static_cast<std::uint64_t>(i), 8e7f, 1e6f, 20, 2, 0.125f});
    decided.has_runner_up = true;
    decided.runner_up = {1, 0};
    decided.runner_up_energy_mj = 33;
    recorder.on_epoch({*before_, decided, setting(1, 0, 2, 1), Shield::Verdict::kReplaced, outcome,
                       *reward_, 321});
  }

  /// Ten epochs, a block for every second one.
  std::string small_recording() {
    Recorder recorder(path_, info_, {.flush_ns = 100 * kMs});
    bind(recorder);
    for (int i = 0; i < 10; ++i) epoch(recorder, i);
    EXPECT_EQ(recorder.finish(), "");
    return contents(path_);
  }

  struct ReadBack {
    RecordingReport report;
    std::vector<Observation> epochs;
    std::vector<DecisionRow> rows;
    std::vector<JobRecord> jobs;
    std::vector<std::pair<int, Binding>> bindings;
    std::vector<int> unbound;
  };
  ReadBack read_back() const {
    ReadBack back;
    RecordingVisitor visitor;
    visitor.on_bind = [&](int slot, const Binding& binding, const Observation&) {
      back.bindings.emplace_back(slot, binding);
    };
    visitor.on_unbind = [&](int slot) { back.unbound.push_back(slot); };
    visitor.on_epoch = [&](const Observation& now, const DecisionRow& row) {
      back.epochs.push_back(now);
      back.rows.push_back(row);
    };
    visitor.on_job = [&](const JobRecord& job) { back.jobs.push_back(job); };
    back.report = read_recording(path_, visitor);
    return back;
  }
  static std::string error_of(const std::function<void()>& action, Error::Kind kind) {
    try {
      action();
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), kind) << e.what();
      return e.what();
    }
    ADD_FAILURE() << "no error";
    return {};
  }

  std::string folder_, path_;
  RecordingInfo info_;
  const Binding camera_{"camera", "net", 2, false, {{50, true, 60.1}, {100, false, 70.3}}};
  std::unique_ptr<Observation> before_ = std::make_unique<Observation>();
  std::unique_ptr<Observation> outcome_ = std::make_unique<Observation>();
  std::unique_ptr<Reward> reward_ = std::make_unique<Reward>();
};

TEST_F(RecorderTest, GivesBackWhatWasRecorded) {
  small_recording();
  const ReadBack back = read_back();
  EXPECT_TRUE(back.report.complete);
  const RecordingInfo& info = back.report.info;
  EXPECT_EQ(info.platform.name, "small");
  EXPECT_EQ(info.policy, "fake");
  EXPECT_EQ(info.seed, 7u);
  EXPECT_EQ(info.platform.mappings[2].name, "bigx2");
  EXPECT_EQ(info.platform.mappings[2].cores[0], 2);
  EXPECT_EQ(info.platform.clusters[1].opps[2].freq_khz, 1'000'000);
  EXPECT_EQ(info.hashes.platform, info_.hashes.platform);
  EXPECT_EQ(info.hashes.belief, info_.hashes.belief);
  EXPECT_EQ(info.hashes.scenario, info_.hashes.scenario);
  EXPECT_NE(info.hashes.scenario, 0u);
  EXPECT_EQ(info.hashes.profile, 0u);
  ASSERT_EQ(back.bindings.size(), 1u);
  EXPECT_EQ(back.bindings[0], std::make_pair(0, camera_));
  ASSERT_EQ(back.epochs.size(), 10u);
  ASSERT_EQ(back.jobs.size(), 5u);
  const Observation& now = back.epochs[3];
  EXPECT_EQ(now.sequence, 4u);
  EXPECT_EQ(now.now_ns, 200 * kMs);
  EXPECT_EQ(now.energy_mj, 12.5);
  EXPECT_EQ(now.cluster[0].freq_khz, 1'000'000);
  EXPECT_EQ(now.cluster[0].temp_c, 41.5);
  EXPECT_EQ(now.app[0].required.deadline_ns, 150 * kMs);
  EXPECT_EQ(now.app[0].required.accuracy_floor_pct, 65.5);
  ASSERT_EQ(now.job_count, 1u);
  EXPECT_EQ(now.jobs()[0].sequence, 1u);
  EXPECT_EQ(back.epochs[4].job_count, 0u);
  const DecisionRow& row = back.rows[3];
  EXPECT_TRUE(row.recorded);
  EXPECT_EQ(row.decide_ns, 321);
  EXPECT_EQ(row.decision.action, setting(2, 0, 2, 1));
  EXPECT_EQ(row.applied, setting(1, 0, 2, 1));
  EXPECT_EQ(row.verdict, Shield::Verdict::kReplaced);
  EXPECT_EQ(row.executed_probability(), 0.25f);
  EXPECT_TRUE(row.decision.fresh);
  EXPECT_TRUE(row.decision.explored());
  EXPECT_EQ(row.decision.value, -0.5f);
  EXPECT_EQ(row.decision.reason.number[0], 3);
  ASSERT_EQ(row.decision.forecasts, 1);
  EXPECT_EQ(row.decision.forecast[0].time_ns, 8e7f);
  EXPECT_EQ(row.decision.forecast[0].miss_probability, 0.125f);
  EXPECT_TRUE(row.decision.has_runner_up);
  EXPECT_EQ(row.decision.runner_up, (AppSetting{1, 0}));
  const JobRecord& job = back.jobs[1];
  EXPECT_EQ(job.sequence, 1u);
  EXPECT_EQ(job.finish_ns, 180 * kMs);
  EXPECT_EQ(job.deadline_ns, 250 * kMs);
  EXPECT_EQ(job.energy_mj, 20.25);
  EXPECT_EQ(job.setting, (AppSetting{2, 1}));
  EXPECT_EQ(job.accuracy_floor_pct, 65.5f);
  EXPECT_FALSE(job.missed);
}

// Without a new decision only what changed of the observation is written; the actions go on.
TEST_F(RecorderTest, ADecisionThatIsKeptIsNotWrittenAgain) {
  {
    Recorder recorder(path_, info_);
    bind(recorder);
    Decision decided;
    decided.action = setting(1, 1, 1, 1);
    decided.probability = 0.5f;
    Observation outcome = *before_;
    for (int i = 0; i < 4; ++i) {
      decided.fresh = i == 2;
      outcome.now_ns += kMs;
      recorder.on_epoch(
          {*before_, decided, decided.action, Shield::Verdict::kPassed, outcome, *reward_, 5});
    }
  }
  const ReadBack back = read_back();
  ASSERT_EQ(back.rows.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(back.rows[i].recorded, i % 2 == 0) << i;  // the first, and the fresh one
    EXPECT_EQ(back.rows[i].applied, setting(1, 1, 1, 1)) << i;
  }
  EXPECT_EQ(back.rows[2].executed_probability(), 0.5f);
  EXPECT_TRUE(std::isnan(back.rows[3].executed_probability()));
  EXPECT_LT(back.report.other_bytes / 2, 8u);
}

TEST_F(RecorderTest, ReadingsThatAreNoNumbersAndThoseHeldOverSurvive) {
  {
    Recorder recorder(path_, info_);
    bind(recorder);
    const Decision decided;
    for (int i = 0; i < 3; ++i) {
      Observation outcome = *before_;
      outcome.power_mw = i == 1 ? std::numeric_limits<double>::quiet_NaN() : 100 + i;
      outcome.cluster[1].temp_c = i == 1 ? std::numeric_limits<double>::infinity() : 50;
      outcome.sensors_ok = i != 1;
      outcome.held = i == 1 ? 2 : 0;
      recorder.on_epoch({*before_, decided, {}, Shield::Verdict::kPassed, outcome, *reward_, 5});
    }
  }
  const ReadBack back = read_back();
  EXPECT_EQ(back.epochs[0].power_mw, 100);
  EXPECT_TRUE(std::isnan(back.epochs[1].power_mw));
  EXPECT_FALSE(std::isfinite(back.epochs[1].cluster[1].temp_c));
  EXPECT_FALSE(back.epochs[1].sensors_ok);
  EXPECT_EQ(back.epochs[1].held, 2u);
  EXPECT_EQ(back.epochs[2].power_mw, 102);
  EXPECT_TRUE(back.epochs[2].sensors_ok);
}

// The block with the bind may be lost: who was there is known all the same from the next one on.
TEST_F(RecorderTest, ApplicationsComeAndGoAndEveryBlockKnowsThem) {
  const Binding door{"door", "net2", 1, false, {{100, false, 50}}};
  {
    Recorder recorder(path_, info_, {.flush_ns = 100 * kMs});
    bind(recorder);
    for (int i = 0; i < 4; ++i) epoch(recorder, i);  // blocks 0 and 1
    before_->app_count = 2;
    before_->app[1].generation = 1;
    before_->app[1].required.priority = 3;
    recorder.on_bind(1, door, *before_);
    for (int i = 4; i < 8; ++i) epoch(recorder, i);  // blocks 2 and 3
    recorder.on_unbind(0);
    before_->app[0] = {};
    for (int i = 8; i < 12; ++i) epoch(recorder, i);
    EXPECT_EQ(recorder.finish(), "");
  }
  const std::vector<std::pair<int, Binding>> both{{0, camera_}, {1, door}};
  ReadBack back = read_back();
  EXPECT_TRUE(back.report.complete);
  EXPECT_EQ(back.bindings, both);
  EXPECT_EQ(back.unbound, std::vector<int>{0});
  EXPECT_EQ(back.epochs[5].app[1].required.priority, 3);
  EXPECT_FALSE(back.epochs[10].app[0].bound());
  EXPECT_TRUE(back.epochs[10].app[1].bound());

  const std::string whole = contents(path_);
  std::size_t third = 0;
  for (int i = 0; i < 3; ++i) third = whole.find(kBlockMagic, third + 1);
  put_at(path_, third + 20, static_cast<char>(whole[third + 20] ^ 1));
  back = read_back();
  EXPECT_EQ(back.report.damaged_blocks, 1u);
  EXPECT_EQ(back.bindings, both);
  EXPECT_EQ(back.epochs[5].app[1].required.priority, 3);
}

TEST_F(RecorderTest, AFullRosterFitsIntoABlock) {
  Binding large{std::string(300, 'n'), "net", 1, false, std::vector<DeclaredLevel>(kMaxLevels)};
  for (DeclaredLevel& level : large.levels) level.accuracy_pct = 69.7;
  {
    Recorder recorder(path_, info_, {.flush_ns = 100 * kMs, .wait_for_disk = true});
    before_->app_count = kMaxApps;
    for (int a = 0; a < kMaxApps; ++a) {
      AppObservation& app = before_->app[static_cast<std::size_t>(a)];
      app.generation = 1;
      app.required.deadline_ns = a + 1;
      app.waiting.fill({~0ull, std::numeric_limits<std::int64_t>::min(), -1});
      app.counters.cycles = -1e300;
    }
    for (int a = 0; a < kMaxApps; ++a) recorder.on_bind(a, large, *before_);
    for (int i = 0; i < 10; ++i) epoch(recorder, i);
    EXPECT_EQ(recorder.finish(), "");
  }
  const ReadBack back = read_back();
  EXPECT_TRUE(back.report.complete);
  ASSERT_EQ(back.bindings.size(), static_cast<std::size_t>(kMaxApps));
  EXPECT_EQ(back.bindings[63].second.name, std::string(255, 'n'));  // the beginning of it
  EXPECT_EQ(back.bindings[63].second.levels, large.levels);
  EXPECT_EQ(back.epochs[9].app[63].required.deadline_ns, kMaxApps);
  EXPECT_EQ(back.epochs[9].app[63].waiting[15].sequence, ~0ull);
}

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
  void on_epoch(const EpochEvent& event) override { see(rounded(event.outcome), event.applied); }

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
TEST_F(RecorderTest, WhateverAnAgentIsToldCanBeToldAgain) {
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
  void decide(const Observation& now, Decision& out) override { agent_.decide(now, out); }
  void learn(const Observation& outcome, const Action& applied, const Reward& reward) override {
    agent_.learn(outcome, applied, reward);
  }
  bool learns() const override { return true; }

 private:
  QLearning agent_;
};

TEST_F(RecorderTest, AnEpochTakes32BytesAndOneWithADecision128) {
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

// Of a writer that nobody reads from some blocks are dropped; those and the ones that come through
// are all there were.
TEST(BlockWriterTest, SaysHowManyBlocksAreLost) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const FileDescriptor from(ends[0]);
  BlockWriter writer(FileDescriptor(ends[1]), 0, /*wait=*/false);
  constexpr std::size_t kBytes = 5000;
  constexpr std::uint64_t kBlocks = 200;  // 1 MB: more than a pipe and the ring hold
  for (std::uint64_t i = 0; i < kBlocks; ++i) {
    std::memset(writer.reserve(2 * kBytes), static_cast<int>(i), kBytes);
    writer.give_back(kBytes);
    writer.submit();
  }
  EXPECT_GT(writer.lost_blocks(), 100u);
  std::string through;
  std::thread reader([&] {
    char part[4096];
    for (ssize_t n; (n = ::read(from.get(), part, sizeof part)) > 0;)
      through.append(part, static_cast<std::size_t>(n));
  });
  writer.close();
  reader.join();
  EXPECT_EQ(through.size() / (kBlockHeaderBytes + kBytes + 4) + writer.lost_blocks(), kBlocks);
}

TEST_F(RecorderTest, ARecordingOfAnEarlierVersionIsRefusedWithTheReason) {
  small_recording();
  put_at(path_, sizeof "FLYREC\0", 1);
  EXPECT_THAT(error_of([&] { read_recording(path_, {}); }, Error::Kind::kInput),
              HasSubstr("has format version 1, this program reads 2; record the run again"));
}

TEST_F(RecorderTest, TheChecksumIsCrc32c) {
  EXPECT_EQ(crc32c("123456789", 9), 0xE3069283u);  // the check value of CRC-32C
}

TEST_F(RecorderTest, CutOffAnywhereItIsReadableUpToTheLastWholeBlock) {
  const std::string whole = small_recording();
  std::vector<std::size_t> starts;
  for (std::size_t at = whole.find(kBlockMagic); at != std::string::npos;
       at = whole.find(kBlockMagic, at + 1))
    starts.push_back(at);
  ASSERT_EQ(starts.size(), 6u);  // five of two epochs and a job, and the end
  for (std::size_t bytes = whole.size() - 1;;) {
    const std::size_t step = bytes < starts[0] ? 97 : 3;
    if (bytes < step) break;
    bytes -= step;
    fs::resize_file(path_, bytes);
    if (bytes < starts[0]) {
      EXPECT_THROW(read_recording(path_, {}), Error) << bytes;
      continue;
    }
    std::size_t intact = 0;
    while (intact < 5 && starts[intact + 1] <= bytes) ++intact;
    const RecordingReport report = read_recording(path_, {});
    EXPECT_EQ(report.epochs, 2 * intact) << bytes;
    EXPECT_EQ(report.jobs, intact) << bytes;
    EXPECT_EQ(report.torn_bytes, bytes - starts[intact]) << bytes;
    EXPECT_EQ(report.damaged_blocks, 0u) << bytes;
    EXPECT_FALSE(report.complete) << bytes;
  }
}

TEST_F(RecorderTest, EveryFlippedBitIsNoticedAndCostsOneBlockOnly) {
  const std::string whole = small_recording();
  const std::size_t blocks_begin = whole.find(kBlockMagic);
  for (std::size_t bit = 0; bit < 8 * whole.size(); bit += bit / 8 < blocks_begin ? 997 : 19) {
    put_at(path_, bit / 8, static_cast<char>(whole[bit / 8] ^ (1 << (bit % 8))));
    const Undo undo{[&] { put_at(path_, bit / 8, whole[bit / 8]); }};
    if (bit / 8 < blocks_begin) {
      EXPECT_THROW(read_recording(path_, {}), Error) << bit;
      continue;
    }
    const RecordingReport report = read_recording(path_, {});
    EXPECT_FALSE(report.complete) << bit;
    EXPECT_EQ(report.blocks, 5u) << bit;
    EXPECT_EQ(report.damaged_blocks + (report.torn_bytes > 0 ? 1 : 0), 1u) << bit;
    EXPECT_GE(report.epochs, 8u) << bit;
  }
}

TEST_F(RecorderTest, OnlyARecordingIsOverwritten) {
  put(path_, "my thesis");
  EXPECT_THAT(error_of([&] { Recorder recorder(path_, info_); }, Error::Kind::kInput),
              HasSubstr("is there already and is not a flyball recording"));
  EXPECT_EQ(contents(path_), "my thesis");
  fs::remove(path_);
  const std::string longer = small_recording();
  { Recorder recorder(path_, info_); }
  EXPECT_LT(fs::file_size(path_), longer.size());
  EXPECT_TRUE(read_back().report.complete);
}

TEST_F(RecorderTest, APathThatCannotBeWrittenIsRefusedAtOnce) {
  const std::string missing = folder_ + "/no/such/folder/run.flyrec";
  const std::string why = error_of([&] { Recorder recorder(missing, info_); }, Error::Kind::kInput);
  EXPECT_THAT(why, HasSubstr(missing));
  EXPECT_THAT(why, HasSubstr("there is no folder"));
  EXPECT_THROW(Recorder(folder_, info_), Error);
}

TEST_F(RecorderTest, AForeignFileIsRefusedByTheReader) {
  put(path_, std::string(1000, 'x'));
  EXPECT_THAT(error_of([&] { read_recording(path_, {}); }, Error::Kind::kInput),
              HasSubstr("is not a flyball recording"));
  EXPECT_THROW(read_recording(folder_ + "/none", {}), Error);
  EXPECT_THROW(read_recording(folder_, {}), Error);
}

TEST_F(RecorderTest, APipeIsRefusedAndNotWaitedFor) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(error_of([&] { read_recording(path_, {}); }, Error::Kind::kInput),
              HasSubstr("is not a file"));
}

TEST_F(RecorderTest, AHeaderThatCannotBeWrittenLeavesNoFile) {
  struct rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  struct rlimit limit = before;
  limit.rlim_cur = 20;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const std::string why = error_of([&] { Recorder recorder(path_, info_); }, Error::Kind::kFailure);
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_THAT(why, HasSubstr("cannot be written"));
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(RecorderTest, AHeaderWithAnIndexThatThereIsNotIsRefused) {
  const auto row = std::find_if(info_.monitors.begin(), info_.monitors.end(), [](const auto& one) {
    return one.scope == Monitor::Scope::kCluster;
  });
  ASSERT_NE(row, info_.monitors.end());
  for (const int index : {-1, kMaxClusters, 1'000}) {
    row->index = static_cast<std::uint16_t>(index);
    { Recorder recorder(path_, info_); }
    EXPECT_THAT(error_of([&] { read_recording(path_, {}); }, Error::Kind::kInput),
                HasSubstr("unreadable header"));
    EXPECT_THAT(error_of([&] { export_csv(path_, folder_); }, Error::Kind::kInput),
                HasSubstr("unreadable header"));
  }
}

TEST_F(RecorderTest, AFullDiskIsReportedAtTheEndAndLeavesAReadableFile) {
  // A file size limit answers a write as a full disk does, with another errno.
  struct rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const std::string before_full = small_recording();
  const std::size_t whole = before_full.size(), header = before_full.find(kBlockMagic);
  struct rlimit limit = before;
  limit.rlim_cur = header + (whole - header) / 2;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::string problem;
  {
    Recorder recorder(path_, info_, {.flush_ns = 100 * kMs});
    bind(recorder);
    for (int i = 0; i < 10; ++i) epoch(recorder, i);
    problem = recorder.finish();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_THAT(problem, HasSubstr("could not be written"));
  EXPECT_EQ(problem.find('\n'), std::string::npos);
  const RecordingReport report = read_recording(path_, {});
  EXPECT_FALSE(report.complete);
  EXPECT_EQ(report.torn_bytes, 0u);  // the torn block was taken back
  EXPECT_GT(report.epochs, 0u);
  EXPECT_LT(report.epochs, 10u);
}

TEST_F(RecorderTest, WhatWasFlushedSurvivesSigkill) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Recorder recorder(path_, info_, {.flush_ns = 100 * kMs, .wait_for_disk = true});
    bind(recorder);
    for (int i = 0;; ++i) {
      epoch(recorder, i);
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }
  while (!fs::exists(path_) || fs::file_size(path_) < 60'000)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  const ReadBack back = read_back();
  EXPECT_FALSE(back.report.complete);
  EXPECT_EQ(back.report.damaged_blocks, 0u);
  EXPECT_EQ(back.report.missing_blocks, 0u);
  ASSERT_GT(back.epochs.size(), 20u);
  for (std::size_t i = 0; i < back.epochs.size(); ++i) EXPECT_EQ(back.epochs[i].sequence, i + 1);
}

TEST_F(RecorderTest, KeepsEverythingOfALongFastRun) {
  Recorder recorder(path_, info_, {.flush_ns = 1'000'000 * kMs, .wait_for_disk = true});
  bind(recorder);
  for (int i = 0; i < 20'000; ++i) epoch(recorder, i);  // 20 blocks through a ring of 8
  EXPECT_EQ(recorder.finish(), "");
  const RecordingReport report = read_recording(path_, {});
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.epochs, 20'000u);
  EXPECT_EQ(report.jobs, 10'000u);
}

TEST_F(RecorderTest, RecordingAnEpochAllocatesNothing) {
  Recorder recorder(path_, info_, {.flush_ns = 100 * kMs, .wait_for_disk = true});
  bind(recorder);
  const std::uint64_t before = allocations();
  for (int i = 0; i < 1000; ++i) epoch(recorder, i);
  EXPECT_EQ(allocations() - before, 0u);
}

std::vector<std::vector<std::string>> cells_of(const std::string& csv) {
  std::vector<std::vector<std::string>> lines;
  std::istringstream in(csv);
  for (std::string line; std::getline(in, line);) {
    lines.emplace_back(1);
    bool quoted = false;
    for (const char c : line) {
      if (c == '"')
        quoted = !quoted;
      else if (c == ',' && !quoted)
        lines.back().emplace_back();
      else
        lines.back().back() += c;
    }
  }
  return lines;
}

// The export knows no monitor by itself: a row that is added to the table is a column.
TEST_F(RecorderTest, EveryMonitorThatIsShownHasItsColumn) {
  small_recording();
  const std::string out = folder_ + "/csv";
  export_csv(path_, out);
  const auto lines = cells_of(contents(out + "/epochs.csv"));
  ASSERT_EQ(lines.size(), 11u);
  MonitorTable table(two_clusters(), {});
  table.bind(0, camera_, {});
  std::size_t shown = 0;
  for (const Monitor& row : table.rows()) {
    if (!row.shown) continue;
    ++shown;
    const auto column = std::find_if(lines[0].begin(), lines[0].end(), [&](const auto& name) {
      return name == row.name || name.starts_with(row.name + "_");
    });
    ASSERT_NE(column, lines[0].end()) << row.name;
    const std::string& cell = lines[4][static_cast<std::size_t>(column - lines[0].begin())];
    if (row.counter != 0) {
      EXPECT_EQ(cell, "") << row.name;  // not counted in these epochs
    }
    if (row.name == "big.temp") {
      EXPECT_EQ(cell, "41.5");
    }
  }
  const std::size_t fixed = 10 + 6, knobs = 2 * (2 + 3);  // of an epoch; decided and applied
  EXPECT_EQ(lines[0].size(), shown + fixed + knobs);
  for (const auto& line : lines) EXPECT_EQ(line.size(), lines[0].size());
}

TEST_F(RecorderTest, ExportsDecisionsAndJobs) {
  small_recording();
  const std::string out = folder_ + "/csv";
  EXPECT_TRUE(export_csv(path_, out).complete);
  const auto lines = cells_of(contents(out + "/epochs.csv"));
  const auto cell = [&](std::size_t line, const std::string& name) -> std::string {
    for (std::size_t i = 0; i < lines[0].size(); ++i)
      if (lines[0][i] == name) return lines[line][i];
    return "no column " + name;
  };
  EXPECT_EQ(lines[0][0], "epoch");
  EXPECT_EQ(cell(4, "end_ns"), "200000000");
  EXPECT_EQ(cell(4, "decide_ns"), "321");
  EXPECT_EQ(cell(4, "power_mw"), "250");
  EXPECT_EQ(cell(4, "energy_mj"), "12.5");
  EXPECT_EQ(cell(4, "reward"), "-12.5");  // at weights of one, and a preference of a half
  EXPECT_EQ(cell(4, "decided.big.freq_khz"), "2000000");
  EXPECT_EQ(cell(4, "applied.big.freq_khz"), "1000000");
  EXPECT_EQ(cell(4, "applied.camera.mapping"), "bigx2");
  EXPECT_EQ(cell(4, "applied.camera.level.width_pct"), "100");
  EXPECT_EQ(cell(4, "applied.camera.level.precision"), "fp32");
  EXPECT_EQ(cell(4, "verdict"), "replaced");
  EXPECT_EQ(cell(4, "explored"), "1");
  EXPECT_EQ(cell(4, "probability"), "0.25");
  EXPECT_EQ(cell(1, "probability"), "") << "too many to know";
  EXPECT_EQ(cell(4, "expected_reward"), "-0.5");
  EXPECT_EQ(
      cell(4, "why"),
      "camera: exploring: slack 3 %, demand 0.50 -> bigx2 at 2000 MHz, width 100 (floor 65.5)");
  const std::string jobs = contents(out + "/jobs.csv");
  EXPECT_EQ(jobs.substr(0, jobs.find('\n', jobs.find('\n') + 1) + 1),
            "app,job,release_ns,start_ns,finish_ns,deadline_ns,latency_ns,energy_mj,cycles,mapping,"
            "width_pct,precision,accuracy_pct,accuracy_floor_pct,missed,dropped,infeasible\n"
            "camera,0,0,0,80000000,150000000,80000000,20.25,0,bigx2,100,fp32,70,65.5,0,0,0\n");
}

}  // namespace
}  // namespace flyball::test
