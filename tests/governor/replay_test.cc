// What another policy would have had, from a record that a simulator can check.

#include "governor/replay/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "agents/agent.h"
#include "env/sim/simulator.h"
#include "governor/metrics/session.h"
#include "kernels/base/random.h"
#include "tests/governor/own_configs.h"
#include "tests/governor/recorder_fixture.h"
#include "tests/governor/subprocess.h"

namespace flyball::test {
namespace {

using ::flyball::testing::Finished;
using ::flyball::testing::flyball_run;
using ::testing::HasSubstr;

/// `performance`, but that after every job it throws dice whether the next one, or so many, is to run
/// at lower clocks.
class Dice final : public Agent {
 public:
  Dice(const AgentContext& context, double chance, int held = 1)
      : inner_(make_agent("performance", context)),
        chance_(chance),
        held_(held),
        random_(context.seed, 77) {}
  std::string_view name() const override { return "dice"; }
  EpochRequest epoch() const override { return inner_->epoch(); }
  void bind(int slot, const Binding& binding, const Observation& now) override {
    inner_->bind(slot, binding, now);
  }
  void unbind(int slot) override { inner_->unbind(slot); }
  void decide(const Observation& now, Decision& out) noexcept override {
    inner_->decide(now, out);
    if (now.job_count > 0 && jobs_++ % held_ == 0) {
      low_ = random_.uniform(0, 1) < chance_;
      out.fresh = true;
      out.probability = static_cast<float>(low_ ? chance_ : 1 - chance_);
    }
    if (low_) out.action = lowered(out.action);
  }
  bool alternatives(const Observation&, const Decision& decided, DrawnActions& out) const override {
    Action high = decided.action;
    if (low_) high.opp[0] = static_cast<std::uint8_t>(high.opp[0] + kSteps);
    out.take(high, 1 - chance_, {});
    out.take(lowered(high), chance_, {});
    return true;
  }

 private:
  static constexpr int kSteps = 3;
  static Action lowered(Action action) {
    action.opp[0] = static_cast<std::uint8_t>(action.opp[0] - kSteps);
    return action;
  }
  std::unique_ptr<Agent> inner_;
  double chance_;
  int held_, jobs_ = 0;
  Random random_;
  bool low_ = false;
};

class ReplayTest : public RecorderTest {
 protected:
  const PlatformSpec spec_ = load_platform("jetson_nano");
  const Belief belief_ = Belief::of(spec_);
  const RewardWeights weights_ = reward_weights(belief_);

  Scenario steady() const {
    Scenario scenario = load_scenario("single_periodic", spec_);
    scenario.duration_ns = 40'000 * kMs;
    scenario.apps[0].stop_ns = scenario.duration_ns;
    scenario.apps[0].arrival.period_ns = scenario.apps[0].required.deadline_ns = 150 * kMs;
    return scenario;
  }
  Metrics run(const Scenario& scenario, Agent& agent, bool recorded) {
    Simulator platform(spec_, scenario, {.seed = 3});
    Recorder recorder(
        path_, recording_info(spec_, belief_, scenario, std::string(agent.name()), 3, weights_),
        {.wait_for_disk = true});
    SessionOptions options;
    if (recorded) options.sinks = {&recorder};
    const SessionResult result = run_session(platform, belief_, agent, weights_, options);
    EXPECT_EQ(recorder.finish(), "");
    return result.metrics;
  }
  std::unique_ptr<Agent> agent(const std::string& name) const {
    return make_agent(name, {belief_, weights_, 3, nullptr});
  }
  Replay told(const std::string& name) const {
    const auto policy = agent(name);
    return replay(path_, belief_, *policy);
  }
};

TEST_F(ReplayTest, TheEstimateCoversWhatThePolicyReallyHas) {
  const Scenario scenario = steady();
  Dice dice({belief_, weights_, 3, nullptr}, 0.4);
  run(scenario, dice, true);
  const Replay replayed = told("performance");
  ASSERT_EQ(replayed.refusal, "");
  EXPECT_GT(replayed.jobs, 250u);
  // Both the job before and the job itself were as they would have been: 0.6 squared.
  EXPECT_NEAR(replayed.overlap.agreed_pct, 36, 8);

  // Its own run, of which each job's energy is recorded too; it agrees with itself.
  const auto itself = agent("performance");
  const std::string of_dice = contents(path_);
  fs::remove(path_);
  run(scenario, *itself, true);
  double energy_mj = 0;
  std::size_t jobs = 0;
  RecordingVisitor visitor;
  visitor.on_job = [&](const JobRecord& job) {
    energy_mj += job.energy_mj;
    ++jobs;
  };
  read_recording(path_, visitor);
  energy_mj /= static_cast<double>(jobs);
  const Replay own = told("performance");
  EXPECT_EQ(own.agreed_decisions, own.decisions);

  const ReplayedFigure& figure = replayed.figures[0];
  EXPECT_EQ(figure.key, "job_energy_mj");
  ASSERT_EQ(figure.estimates.size(), 2u);  // performance makes no forecasts
  for (const OffPolicyEstimate& estimate : figure.estimates) {
    EXPECT_LE(estimate.low, energy_mj) << estimate.method;
    EXPECT_GE(estimate.high, energy_mj) << estimate.method;
  }
  // What dice did at lower clocks took longer; the estimate tells that apart from chance.
  const ReplayedFigure& time = replayed.figures[2];
  EXPECT_EQ(time.key, "execution_ms");
  EXPECT_LT(time.estimates[1].high, time.recorded);
}

TEST_F(ReplayTest, WhatHadNoChanceIsRefused) {
  const auto performance = agent("performance");
  run(steady(), *performance, true);
  EXPECT_THAT(told("powersave").refusal, HasSubstr("in 0 % of the jobs"));
}

// What is held was drawn, though nothing is left to chance meanwhile.
TEST_F(ReplayTest, WhatIsDrawnAndHeldWeighsOneOnAverage) {
  Scenario scenario = steady();
  scenario.duration_ns = scenario.apps[0].stop_ns = 400'000 * kMs;
  Dice dice({belief_, weights_, 3, nullptr}, 0.4, 4);
  run(scenario, dice, true);
  const Replay replayed = told("performance");
  ASSERT_EQ(replayed.refusal, "");
  EXPECT_NEAR(replayed.overlap.mean_weight, 1, 0.1);
  // Of four jobs three depend on one draw, and one on two.
  EXPECT_NEAR(replayed.overlap.agreed_pct, 0.75 * 60 + 0.25 * 36, 5);
  EXPECT_LT(replayed.overlap.effective_jobs, static_cast<double>(replayed.jobs) / 3);
}

// The record's policy draws a mapping and holds it; who replays it has dice of its own, by the same seed.
TEST_F(ReplayTest, WhatItWouldHoldIsItsOwn) {
  const testing::TempDir dir;
  const std::string record = dir / "random.flyrec";
  ASSERT_EQ(
      flyball_run({"run", "--platform", "odroid_xu3", "--scenario", "single_periodic", "--policy",
                   "random", "--no-compare", "--duration", "600", "--record", record, "--json"})
          .exit_code,
      0);
  for (const std::string policy : {"random", "planner"}) {
    const Finished told = flyball_run({"replay", record, "--policy", policy, "--json"});
    ASSERT_EQ(told.exit_code, 0) << told.err;
    const auto json = nlohmann::json::parse(told.out);
    // One of 24 mappings is what either would have had, in both stretches.
    EXPECT_LT(json.at("overlap").at("agreed_jobs_pct"), 5) << policy;
    EXPECT_THAT(json.at("reason").get<std::string>(), HasSubstr("30 are needed")) << policy;
  }
}

TEST_F(ReplayTest, WhoseChoicesGoWithTheRecordsIsRefused) {
  const testing::TempDir dir;
  const std::string record = dir / "random.flyrec";
  ASSERT_EQ(
      flyball_run({"run", "--platform", "odroid_xu3", "--scenario", "single_periodic", "--policy",
                   "random", "--no-compare", "--duration", "60", "--record", record, "--json"})
          .exit_code,
      0);
  const PlatformSpec spec = load_platform("odroid_xu3");
  const Belief belief = Belief::of(spec);
  const auto same_dice = make_agent("random", {belief, reward_weights(belief), 1, nullptr});
  const Replay replayed = replay(record, belief, *same_dice);
  EXPECT_GT(replayed.overlap.mean_weight, 3);
  EXPECT_THAT(replayed.refusal, HasSubstr("its choices go with that policy's own"));
  EXPECT_NE(own_dice(1), 1u);
  EXPECT_NE(own_dice(1), own_dice(2));
}

TEST_F(ReplayTest, ARecordWithoutJobsHasNoFigures) {
  const testing::TempDir dir;
  std::ofstream(dir / "noj.yaml")
      << "schema: 1\nname: nojobs\ndescription: nothing comes\nduration_s: 2\n"
         "apps:\n  - {name: camera, profile: dynamic_cnn, arrival: {kind: "
         "periodic, period_x: 2}, start_s: 1.99999, deadline_x: 2}\n";
  const std::string record = dir / "none.flyrec";
  ASSERT_EQ(flyball_run({"run", "--platform", "odroid_xu3", "--scenario", dir / "noj.yaml",
                         "--policy", "rule", "--no-compare", "--record", record, "--json"})
                .exit_code,
            0);
  const Finished told = flyball_run({"replay", record, "--policy", "performance"});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_EQ(told.out.find("of 0 jobs"), std::string::npos) << told.out;
  EXPECT_EQ(told.out.find("met within"), std::string::npos) << told.out;
  const auto json = nlohmann::json::parse(
      flyball_run({"replay", record, "--policy", "performance", "--json"}).out);
  EXPECT_TRUE(json.at("simulation").at("job_time_error_pct").is_null());
}

TEST_F(ReplayTest, SeveralApplicationsAndQueuesAreRefused) {
  const auto performance = agent("performance");
  run(load_scenario("dual_dnn", spec_), *performance, true);
  EXPECT_THAT(told("performance").refusal, HasSubstr("several applications"));
  fs::remove(path_);
  Scenario crowded = steady();
  crowded.apps[0].arrival.period_ns = 5 * kMs;
  crowded.duration_ns = crowded.apps[0].stop_ns = 2'000 * kMs;
  run(crowded, *performance, true);
  EXPECT_THAT(told("performance").refusal, HasSubstr("waited for another"));
}

TEST_F(ReplayTest, TheCommandLineSaysWhatItCannotTell) {
  const auto performance = agent("performance");
  run(steady(), *performance, true);
  const Finished told = flyball_run({"replay", path_, "--policy", "powersave"});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, HasSubstr("No estimate: "));
  const Finished another =
      flyball_run({"replay", path_, "--policy", "rule", "--platform", "odroid_xu3"});
  EXPECT_EQ(another.exit_code, 2);
  EXPECT_THAT(another.err, HasSubstr("the recording is of a platform 'jetson_nano'"));
  EXPECT_THAT(flyball_run({"replay", path_, "--policy", "oracle"}).err,
              HasSubstr("it knows the future"));
}

// No job of this record is late; the planner agrees in most of it, and makes forecasts.
TEST_F(ReplayTest, TheCommandLineMarksWhatIsNotShownForALearner) {
  const testing::OwnConfigs untrained;
  const testing::TempDir dir;
  for (const std::string policy : {"q_learning", "rule"}) {
    SCOPED_TRACE(policy);
    const bool learns = policy == "q_learning";
    const std::string record = dir / (policy + ".flyrec");
    const Finished ran =
        flyball_run({"run", "--platform", "odroid_xu3", "--scenario", "single_periodic", "--policy",
                     policy, "--record", record, "--json"});
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    const std::vector<std::string> words = {"replay", record, "--policy",
                                            learns ? "planner" : policy};
    const Finished told = flyball_run(words);
    ASSERT_EQ(told.exit_code, 0) << told.err;
    std::vector<std::string> json_words = words;
    json_words.push_back("--json");
    const auto json = nlohmann::json::parse(flyball_run(json_words).out);
    ASSERT_TRUE(json.at("reason").is_null()) << json.at("reason");
    EXPECT_EQ(json.at("recorded_policy_learned"), learns);
    const auto& figures = json.at("figures");
    EXPECT_GE(json.at("overlap").at("effective_jobs"), kShownJobs);
    for (const auto& [key, figure] : figures.items())
      for (const auto& [method, estimate] : figure.items()) {
        if (method == "recorded") continue;
        const bool doubtful = method == "inverse_propensity" || method == "self_normalised";
        EXPECT_EQ(estimate.at("shown_to_hold"), !learns || !doubtful || key == "deadline_miss_pct")
            << key << ' ' << method;
      }
    EXPECT_EQ(told.out.find("inverse_propensity *") != std::string::npos, learns) << told.out;
    EXPECT_EQ(told.out.find("* Not shown to cover") != std::string::npos, learns) << told.out;
    const auto& missed = figures.at("deadline_miss_pct");
    EXPECT_EQ(missed.at("recorded"), 0);
    for (const char* method : {"inverse_propensity", "self_normalised"}) {
      EXPECT_EQ(missed.at(method).at("low"), 0) << method;
      EXPECT_GT(missed.at(method).at("high"),
                300 / json.at("overlap").at("effective_jobs").get<double>())
          << method;
    }
  }
}

// A record of so few jobs that an answer is given, but not one that was shown to hold.
TEST_F(ReplayTest, TheCommandLineMarksWhatIsNotShownOfAShortRecord) {
  const testing::TempDir dir;
  const std::string record = dir / "short.flyrec";
  ASSERT_EQ(flyball_run({"run", "--platform", "odroid_xu3", "--scenario", "single_periodic",
                         "--policy", "performance", "--duration", "9", "--record", record})
                .exit_code,
            0);
  const Finished told = flyball_run({"replay", record, "--policy", "performance"});
  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, HasSubstr("self_normalised *"));
  EXPECT_THAT(told.out, HasSubstr("tell as little"));
  const auto json = nlohmann::json::parse(
      flyball_run({"replay", record, "--policy", "performance", "--json"}).out);
  const double effective = json.at("overlap").at("effective_jobs");
  EXPECT_TRUE(effective >= 30 && effective < kShownJobs) << effective;
  for (const auto& [key, figure] : json.at("figures").items())
    EXPECT_EQ(figure.at("self_normalised").at("shown_to_hold"), key == "deadline_miss_pct") << key;
}

}  // namespace
}  // namespace flyball::test
