// The C interface of simulated boards, as another language sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "env/model/model.h"
#include "env/sim/simulator.h"
#include "governor/gym/flyball_gym.h"
#include "governor/machine/governed_platform.h"
#include "governor/metrics/session.h"
#include "kernels/base/random.h"
#include "tests/governor/allocation_count.h"

namespace flyball {
namespace {

using ::testing::HasSubstr;

struct Closed {
  void operator()(flyball_gym* gym) const { flyball_gym_close(gym); }
};

/// A batch with its buffers.
struct Boards {
  Boards(const std::string& platform, const std::string& scenario, int count,
         int autoreset = FLYBALL_GYM_NEXT_STEP, std::uint64_t seed = 1, double epoch_ms = 50) {
    const flyball_gym_options options{sizeof options, count, autoreset, seed, epoch_ms};
    char error[300];
    gym.reset(flyball_gym_make(platform.c_str(), scenario.c_str(), &options, error, sizeof error));
    why = error;
    if (!gym) return;
    size = static_cast<std::size_t>(flyball_gym_observation_size(gym.get()));
    knobs = static_cast<std::size_t>(flyball_gym_action_size(gym.get()));
    const auto boards = static_cast<std::size_t>(count);
    observations.assign(boards * size, -1);
    last.assign(boards * size, -1);
    actions.assign(boards * knobs, 0);
    rewards.assign(boards, -1);
    terminated.assign(boards, 7);
    truncated.assign(boards, 7);
  }
  int reset(const std::uint64_t* seeds = nullptr, const std::uint8_t* mask = nullptr) {
    return flyball_gym_reset(gym.get(), seeds, mask, observations.data());
  }
  int step() {
    return flyball_gym_step(gym.get(), actions.data(), observations.data(), rewards.data(),
                            terminated.data(), truncated.data(), last.data());
  }
  std::string error() const { return flyball_gym_error(gym.get()); }
  std::vector<float> row(std::size_t board) const {
    const float* from = observations.data() + board * size;
    return {from, from + size};
  }
  std::size_t index(const std::string& name) const {
    for (std::size_t i = 0; i < size; ++i)
      if (name == flyball_gym_observation_name(gym.get(), static_cast<int>(i))) return i;
    ADD_FAILURE() << "no monitor " << name;
    return 0;
  }
  float at(std::size_t board, const std::string& name) const {
    return observations[board * size + index(name)];
  }
  void draw_actions(Random& random) {
    for (std::size_t i = 0; i < actions.size(); ++i) {
      const int values = flyball_gym_action_values(gym.get(), static_cast<int>(i % knobs));
      actions[i] = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(values)));
    }
  }

  std::unique_ptr<flyball_gym, Closed> gym;
  std::string why;
  std::size_t size = 0, knobs = 0;
  std::vector<float> observations, last;
  std::vector<std::int32_t> actions;
  std::vector<double> rewards;
  std::vector<std::uint8_t> terminated, truncated;
};

TEST(Gym, ABatchIsItsBoardsOneByOne) {
  constexpr int kBoards = 3;
  Boards batch("odroid_xu3", "dual_dnn", kBoards, FLYBALL_GYM_SAME_STEP, 5, 2000);
  ASSERT_EQ(batch.why, "");
  std::vector<std::unique_ptr<Boards>> alone;
  for (int i = 0; i < kBoards; ++i) {
    alone.push_back(
        std::make_unique<Boards>("odroid_xu3", "dual_dnn", 1, FLYBALL_GYM_DISABLED, 0, 2000));
    const std::uint64_t seed = 5 + static_cast<std::uint64_t>(i);
    alone.back()->reset(&seed);
  }
  const std::uint64_t seeds[] = {5, 6, 7};
  ASSERT_EQ(batch.reset(seeds), 0);
  Random random(3);
  int truncations = 0;
  std::uint64_t episodes[kBoards] = {};
  for (int step = 0; step < 70; ++step) {
    batch.draw_actions(random);
    ASSERT_EQ(batch.step(), 0);
    for (std::size_t i = 0; i < kBoards; ++i) {
      Boards& one = *alone[i];
      std::memcpy(one.actions.data(), &batch.actions[i * one.knobs], one.knobs * sizeof(int));
      ASSERT_EQ(one.step(), 0) << one.error();
      EXPECT_EQ(one.rewards[0], batch.rewards[i]);
      ASSERT_EQ(one.truncated[0], batch.truncated[i]);
      if (one.truncated[0]) {
        ++truncations;
        const std::vector<float> last(batch.last.begin() + static_cast<long>(i * one.size),
                                      batch.last.begin() + static_cast<long>((i + 1) * one.size));
        EXPECT_EQ(one.row(0), last);
        const std::uint64_t next = seeds[i] + kBoards * ++episodes[i];
        one.reset(&next);
      }
      ASSERT_EQ(one.row(0), batch.row(i)) << "board " << i << ", step " << step;
    }
  }
  EXPECT_GE(truncations, kBoards);
}

TEST(Gym, PaysWhatFlyballsOwnLearnersArePaid) {
  Boards boards("jetson_nano", "single_periodic", 1, FLYBALL_GYM_DISABLED, 9);
  boards.reset();
  const PlatformSpec spec = load_governed_platform("jetson_nano").spec;
  const Scenario scenario = load_scenario("single_periodic", spec);
  Simulator simulator(spec, scenario, {.seed = 10});  // the first episode had 9
  const RewardWeights weights = reward_weights(Belief::of(spec));
  const auto now = std::make_unique<Observation>();
  const auto reward = std::make_unique<Reward>();
  simulator.observe(*now);
  Action action;  // the values of knobs that every mapping fits are their indices
  action.app[0] = now->app[0].setting;
  for (int step = 0; step < 100; ++step) {
    action.opp[0] = static_cast<std::uint8_t>(step % 10);
    for (std::size_t k = 0; k < boards.knobs; ++k) {
      const std::string knob = flyball_gym_action_name(boards.gym.get(), static_cast<int>(k));
      boards.actions[k] = k == 0 ? action.opp[0] : 0;
      const std::string mapped = spec.mappings[action.app[0].mapping].name;
      for (int v = 0; v < flyball_gym_action_values(boards.gym.get(), static_cast<int>(k)); ++v) {
        const std::string value =
            flyball_gym_action_value(boards.gym.get(), static_cast<int>(k), v);
        if (knob.ends_with(".mapping") && value == mapped) boards.actions[k] = v;
        if (knob.ends_with(".level") && v == action.app[0].level) boards.actions[k] = v;
      }
    }
    ASSERT_EQ(boards.step(), 0) << boards.error();
    simulator.apply(action);
    ASSERT_EQ(simulator.advance({.interval_ns = 50'000'000}, *now), Status::kOk);
    judge(weights, *now, *reward);
    ASSERT_EQ(boards.rewards[0], reward->total()) << step;
    EXPECT_FLOAT_EQ(boards.at(0, "power"), static_cast<float>(now->power_mw));
    EXPECT_FLOAT_EQ(boards.at(0, "camera.latency"),
                    static_cast<float>(static_cast<double>(now->app[0].last_latency_ns) * 1e-6));
  }
}

TEST(Gym, NextStepBeginsAnEpisodeWhateverTheAction) {
  Boards boards("odroid_xu3", "single_periodic", 1, FLYBALL_GYM_NEXT_STEP, 4, 10'000);
  boards.reset();
  int steps = 0;
  while (boards.step() == 0 && !boards.truncated[0]) ++steps;
  ASSERT_GT(steps, 1);
  EXPECT_EQ(boards.terminated[0], 0);
  EXPECT_LT(boards.rewards[0], 0);
  boards.actions.assign(boards.knobs, 1'000'000);
  ASSERT_EQ(boards.step(), 0) << boards.error();
  EXPECT_EQ(boards.rewards[0], 0);
  EXPECT_EQ(boards.truncated[0], 0);
  Boards fresh("odroid_xu3", "single_periodic", 1, FLYBALL_GYM_NEXT_STEP, 6, 10'000);
  fresh.reset(std::vector<std::uint64_t>{6}.data());
  EXPECT_EQ(boards.row(0), fresh.row(0)) << "4 was made, 5 reset, 6 is the third";
}

TEST(Gym, ADisabledBoardHasToBeReset) {
  Boards boards("odroid_xu3", "single_periodic", 2, FLYBALL_GYM_DISABLED, 1, 60'000);
  boards.reset();
  while (boards.step() == 0 && !boards.truncated[0]) {
  }
  const std::vector<float> end = boards.observations;
  EXPECT_LT(boards.step(), 0);
  EXPECT_THAT(boards.error(), HasSubstr("board 0: its episode is over; reset it"));
  const std::uint8_t second[] = {0, 1};
  ASSERT_EQ(boards.reset(nullptr, second), 0);
  EXPECT_TRUE(std::equal(end.begin(), end.begin() + static_cast<long>(boards.size),
                         boards.observations.begin()));
  EXPECT_NE(boards.row(1),
            std::vector<float>(end.begin() + static_cast<long>(boards.size), end.end()));
  EXPECT_LT(boards.step(), 0) << "the first one still has to";
}

TEST(Gym, TheSameSeedGivesTheSameBytes) {
  const auto played = [](std::uint64_t seed) {
    Boards boards("jetson_nano", "event_driven", 2, FLYBALL_GYM_NEXT_STEP, seed, 100);
    boards.reset();
    Random random(1);
    std::vector<float> all;
    for (int step = 0; step < 200; ++step) {
      boards.draw_actions(random);
      boards.step();
      all.insert(all.end(), boards.observations.begin(), boards.observations.end());
    }
    return all;
  };
  EXPECT_EQ(played(11), played(11));
  EXPECT_NE(played(11), played(12));
}

TEST(Gym, AWrongActionStepsNothing) {
  Boards boards("odroid_xu3", "single_periodic", 2);
  boards.reset();
  boards.step();
  Boards same("odroid_xu3", "single_periodic", 2);
  same.reset();
  same.step();
  for (const std::int32_t wrong : {-1, 19, 1 << 30}) {
    boards.actions[boards.knobs] = wrong;  // A15.freq of the second board
    EXPECT_LT(boards.step(), 0);
    EXPECT_EQ(boards.error(),
              "board 1: A15.freq has no value " + std::to_string(wrong) + "; it takes 0 to 18");
  }
  boards.actions[boards.knobs] = 0;
  ASSERT_EQ(boards.step(), 0);
  EXPECT_EQ(boards.error(), "");
  same.step();
  EXPECT_EQ(boards.observations, same.observations);
  EXPECT_LT(
      flyball_gym_step(boards.gym.get(), nullptr, nullptr, nullptr, nullptr, nullptr, nullptr), 0);
  EXPECT_THAT(boards.error(), HasSubstr("a buffer is missing"));
}

TEST(Gym, SaysWhatCannotBeMade) {
  EXPECT_THAT(Boards("odroid_xu4", "single_periodic", 1).why, HasSubstr("odroid_xu3"));
  EXPECT_THAT(Boards("odroid_xu3", "nowhere.yaml", 1).why, HasSubstr("nowhere.yaml"));
  EXPECT_THAT(Boards("odroid_xu3", "single_periodic", 0).why, HasSubstr("take 1 to 4096"));
  EXPECT_THAT(Boards("odroid_xu3", "single_periodic", 5000).why, HasSubstr("take 1 to 4096"));
  EXPECT_THAT(Boards("odroid_xu3", "single_periodic", 1, 3).why, HasSubstr("autoreset 3"));
  EXPECT_THAT(Boards("odroid_xu3", "single_periodic", 1, 1, 1, 0).why, HasSubstr("0.1 to 60000"));
  EXPECT_EQ(flyball_gym_make("odroid_xu3", nullptr, nullptr, nullptr, 0), nullptr);
  flyball_gym_close(nullptr);
}

TEST(Gym, NamesAreThoseOfTheMonitorTableAndEachStandsOnce) {
  for (const char* scenario : {"dual_dnn", "audio"}) {
    Boards boards("odroid_xu3", scenario, 1);
    ASSERT_EQ(boards.why, "");
    std::set<std::string> names;
    for (std::size_t i = 0; i < boards.size; ++i)
      names.insert(flyball_gym_observation_name(boards.gym.get(), static_cast<int>(i)));
    EXPECT_EQ(names.size(), boards.size);
    EXPECT_TRUE(names.contains("A7.temp"));
    EXPECT_EQ(flyball_gym_observation_name(boards.gym.get(), static_cast<int>(boards.size)),
              nullptr);
    EXPECT_EQ(flyball_gym_action_values(boards.gym.get(), -1), -1);
  }
}

// A GPU that an application has no kernels for is no value of its mapping.
TEST(Gym, OffersOnlyMappingsThatTheApplicationRunsOn) {
  const PlatformSpec spec = load_governed_platform("jetson_nano").spec;
  Boards boards("jetson_nano", "single_periodic", 1);
  const Scenario scenario = load_scenario("single_periodic", spec);
  const AppProfile& profile = spec.apps[static_cast<std::size_t>(scenario.apps[0].profile)];
  for (std::size_t k = 0; k < boards.knobs; ++k) {
    const std::string knob = flyball_gym_action_name(boards.gym.get(), static_cast<int>(k));
    if (!knob.ends_with(".mapping")) continue;
    std::size_t fit = 0;
    for (const Mapping& mapping : spec.mappings) fit += runs_on(profile, mapping) ? 1u : 0u;
    EXPECT_EQ(
        static_cast<std::size_t>(flyball_gym_action_values(boards.gym.get(), static_cast<int>(k))),
        fit);
  }
}

TEST(Gym, AStepAllocatesNothing) {
  Boards boards("odroid_xu3", "dual_dnn", 2, FLYBALL_GYM_NEXT_STEP, 1, 10);
  boards.reset();
  Random random(1);
  for (int step = 0; step < 20; ++step) boards.step();
  const std::uint64_t before = test::allocations();
  for (int step = 0; step < 500; ++step) {
    boards.draw_actions(random);
    ASSERT_EQ(boards.step(), 0);
  }
  EXPECT_EQ(test::allocations(), before);
  boards.reset();
  EXPECT_GT(test::allocations(), before) << "the library's are counted";
}

}  // namespace
}  // namespace flyball
