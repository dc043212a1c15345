#include "governor/loop/learned_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <chrono>
#include <filesystem>

#include "allocation_count.h"
#include "env/scenario/scenario.h"
#include "env/sim/simulator.h"
#include "fakes.h"
#include "governor/metrics/session.h"
#include "subprocess.h"

namespace flyball::test {
namespace {

using ::testing::HasSubstr;
using testing::read_text;
using testing::TempDir;

constexpr std::int64_t kSecondNs = 1'000'000'000;

class LearnedWriterTest : public ::testing::Test {
 protected:
  LearnedWriterTest() : agent_(Action{}, true) { agent_.learned_words = 500; }

  void epoch_ends(LearnedWriter& writer, std::int64_t now_ns) {
    outcome_.now_ns = now_ns;
    writer.on_epoch(
        {before_, decided_, decided_.action, Shield::Verdict::kPassed, outcome_, reward_, 0});
  }
  /// What the file holds; every word of it must be the same.
  std::uint64_t kept() const {
    const PolicyFile file = read_policy(path_);
    EXPECT_EQ(file.identity.agent, "fake");
    EXPECT_EQ(file.payload.size(), 8 * agent_.learned_words);
    ByteReader in(file.payload, path_);
    const std::uint64_t word = in.u64();
    for (std::size_t i = 1; i < agent_.learned_words; ++i) EXPECT_EQ(in.u64(), word);
    return word;
  }
  /// As another thread writes it; false when it takes a minute.
  static bool becomes(const LearnedWriter& writer, std::uint64_t written) {
    for (int i = 0; i < 60'000 && writer.written() < written; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return writer.written() == written;
  }

  TempDir dir_;
  const std::string path_ = dir_ / "x.policy";
  const PolicyIdentity identity_{"fake", 1, "small", 7, 0};
  FakeAgent agent_;
  Observation before_, outcome_;
  Decision decided_;
  Reward reward_;
};

TEST_F(LearnedWriterTest, WritesEveryMinuteOfTheRunAndAtItsEnd) {
  LearnedWriter writer(agent_, path_, identity_);
  agent_.learned_word = 1;
  epoch_ends(writer, 59 * kSecondNs);
  EXPECT_FALSE(std::filesystem::exists(path_));
  epoch_ends(writer, 60 * kSecondNs);
  agent_.learned_word = 2;  // what is written was known at the end of that epoch
  ASSERT_TRUE(becomes(writer, 1));
  EXPECT_EQ(kept(), 1u);
  // Its thread is done when the count rises, or very soon: the next epoch may find it busy.
  for (int i = 0; writer.written() < 2 && i < 60'000; ++i) {
    epoch_ends(writer, 120 * kSecondNs);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(kept(), 2u);
  agent_.learned_word = 3;
  epoch_ends(writer, 121 * kSecondNs);
  EXPECT_EQ(writer.finish(), "");
  EXPECT_EQ(writer.written(), 3u) << "two minutes and the end";
  EXPECT_EQ(kept(), 3u);
}

TEST_F(LearnedWriterTest, ARunThatIsGivenUpKeepsWhatWasLearned) {
  agent_.learned_word = 9;
  { LearnedWriter writer(agent_, path_, identity_); }
  EXPECT_EQ(kept(), 9u);
}

// A reader meets a whole file at any time, of one moment, and never an older one after a newer.
TEST_F(LearnedWriterTest, ReplacesTheFileWholeOrNotAtAll) {
  LearnedWriter writer(agent_, path_, identity_, {.every_ns = 1});
  std::uint64_t newest = 0;
  for (std::int64_t i = 1; writer.written() < 30 && i < 1'000'000; ++i) {
    agent_.learned_word = static_cast<std::uint64_t>(i);
    epoch_ends(writer, i);
    if (!std::filesystem::exists(path_)) continue;
    const std::uint64_t now = kept();
    EXPECT_GE(now, newest);
    newest = now;
  }
  EXPECT_GE(writer.written(), 30u);
  EXPECT_EQ(writer.finish(), "");
}

// This thread's allocations: making the file takes some, so that another thread makes it.
TEST_F(LearnedWriterTest, AnEpochAllocatesNothing) {
  LearnedWriter writer(agent_, path_, identity_, {.every_ns = 1});
  const std::uint64_t before = allocations();
  for (std::int64_t i = 1; writer.written() < 3 && i < 100'000'000; ++i) epoch_ends(writer, i);
  EXPECT_EQ(allocations(), before);
  EXPECT_GE(writer.written(), 3u);
}

// Nothing has been learned when the room is made: what is learned later fits.
TEST_F(LearnedWriterTest, AnEpochAllocatesNothingWithAnAgentThatLearns) {
  struct Writing : EpochSink {
    explicit Writing(LearnedWriter& to) : writer(to) {}
    void on_bind(int slot, const Binding& binding, const Observation& now) override {
      writer.on_bind(slot, binding, now);
    }
    void on_epoch(const EpochEvent& event) noexcept override {
      const std::uint64_t before = allocations();
      writer.on_epoch(event);
      allocated += allocations() - before;
      while (writer.written() < 1 && event.outcome.now_ns >= kSecondNs) std::this_thread::yield();
    }
    LearnedWriter& writer;
    std::uint64_t allocated = 0;
  };
  PlatformSpec spec = small_platform();
  for (const char* name : {"known", "too"}) {
    spec.apps.push_back(spec.apps[0]);
    spec.apps.back().name = name;
  }
  Scenario scenario = small_scenario();
  scenario.apps.push_back(scenario.apps[0]);
  scenario.apps[1].name = "door";
  scenario.apps[1].profile = 1;
  scenario.apps[1].start_ns = scenario.duration_ns / 2;
  const Belief belief = Belief::of(spec);
  for (const char* policy : {"q_learning", "prime"}) {
    const auto agent = make_agent(policy, {belief, RewardWeights{}, 1, nullptr});
    Simulator platform(spec, scenario);
    LearnedWriter writer(*agent, path_, identity_, {.every_ns = kSecondNs});
    Writing sink(writer);
    run_session(platform, belief, *agent, RewardWeights{}, {.shield = {}, .sinks = {&sink}});
    EXPECT_EQ(sink.allocated, 0u) << policy;
    EXPECT_GE(writer.written(), 1u) << policy;
    ByteWriter saved;
    agent->save(saved);
    EXPECT_GT(saved.view().size(), 0u);
    EXPECT_LE(saved.view().size(), agent->saved_bytes()) << policy;
    EXPECT_EQ(writer.finish(), "");
  }
}

/// While it lives no file may grow beyond `bytes`, as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit now{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  sighandler_t handler_ = SIG_DFL;
};

TEST_F(LearnedWriterTest, AFullDiskLosesNothingThatWasThereAndIsSaid) {
  agent_.learned_word = 1;
  { LearnedWriter writer(agent_, path_, identity_); }
  const std::string bytes = read_text(path_);
  {
    LearnedWriter writer(agent_, path_, identity_);
    const FullDisk full(100);
    agent_.learned_word = 2;
    epoch_ends(writer, 60 * kSecondNs);
    const std::string problem = writer.finish();
    EXPECT_THAT(problem, HasSubstr(path_));
    EXPECT_THAT(problem, HasSubstr("File too large"));
    EXPECT_EQ(problem.find('\n'), std::string::npos);
    EXPECT_EQ(writer.written(), 0u);
  }
  EXPECT_EQ(read_text(path_), bytes);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_.path()), {}), 1)
      << "nothing half written is left";
}

TEST_F(LearnedWriterTest, ADiskThatHasRoomAgainIsNoProblem) {
  LearnedWriter writer(agent_, path_, identity_);
  {
    const FullDisk full(100);
    epoch_ends(writer, 60 * kSecondNs);
  }
  agent_.learned_word = 5;
  EXPECT_EQ(writer.finish(), "");
  EXPECT_EQ(kept(), 5u);
}

TEST_F(LearnedWriterTest, AFolderThatIsGoneIsSaid) {
  const std::string path = dir_ / "gone/x.policy";
  LearnedWriter writer(agent_, path, identity_);
  EXPECT_THAT(writer.finish(), HasSubstr(path));
}

/// A day of a governor on a board whose small cores cost a third of what is believed: as `run` starts, from
/// the file where there is one, and as it keeps what it learns. Energy of a job, mJ.
double day_mj(const char* policy, const std::string& path, std::uint64_t seed, double seconds) {
  const PlatformSpec truth = load_platform("odroid_xu3");
  PlatformSpec believed = truth;
  ClusterSpec& little = believed.clusters[1];
  little.uncore_nf *= 3;
  little.leak_a *= 3;
  little.leak_c_a *= 3;
  for (AppProfile& app : believed.apps) {
    app.unit[1].core_nf *= 3;
    app.unit[1].static_ma *= 3;
  }
  const Belief belief = Belief::of(believed);
  Scenario scenario = load_scenario("full_accuracy", truth);
  scenario.duration_ns = static_cast<std::int64_t>(seconds * 1e9);
  scenario.apps[0].stop_ns = scenario.duration_ns;
  const RewardWeights weights = reward_weights(belief);
  const auto agent = make_agent(policy, {belief, weights, seed, nullptr});
  const PolicyIdentity here{policy, agent->feature_version(), truth.name, truth.content_hash, 0};
  if (std::filesystem::exists(path)) {
    const PolicyFile file = read_policy(path);
    EXPECT_EQ(misfit(file.identity, here), "");
    EXPECT_TRUE(agent->load(file.payload, false).empty());
  }
  LearnedWriter writer(*agent, path, here);
  Simulator platform(truth, scenario, {.seed = seed});
  SessionOptions options;
  options.sinks = {&writer};
  const SessionResult result = run_session(platform, belief, *agent, weights, options);
  EXPECT_EQ(writer.finish(), "");
  return result.metrics.energy_mj_per_job;
}

TEST(LearnedYesterday, IsBetterThanNothingToday) {
  for (const char* policy : {"q_learning", "planner"}) {
    int better = 0;
    double with_mj = 0, without_mj = 0;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      const TempDir dir;
      day_mj(policy, dir / "kept", seed, 60);
      const double warm = day_mj(policy, dir / "kept", 100 + seed, 5);
      const double cold = day_mj(policy, dir / "nothing", 100 + seed, 5);
      better += warm < cold;
      with_mj += warm;
      without_mj += cold;
    }
    EXPECT_GE(better, 9) << policy << ", of 10 seeds";
    EXPECT_LT(with_mj, 0.97 * without_mj) << policy;
  }
}

}  // namespace
}  // namespace flyball::test
