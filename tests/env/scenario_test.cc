#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "env/config/yaml.h"
#include "env/model/fastest.h"
#include "env/model/model.h"
#include "env/scenario/plain_tasks.h"
#include "tests/env/measured.h"
#include "tests/env/round_board.h"

namespace flyball {
namespace {

using ::testing::HasSubstr;

/// A scenario file that is gone at the end of the test.
class ScenarioFile : public ::testing::Test {
 protected:
  Scenario load(const std::string& text) {
    std::ofstream(path_) << text;
    return load_scenario(path_, spec_);
  }
  /// The message with which it is refused.
  std::string refusal(const std::string& text) {
    try {
      load(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Error::Kind::kInput);
      const std::string message = error.what();
      EXPECT_EQ(message.find('\n'), std::string::npos) << "one line";
      return message;
    }
    ADD_FAILURE() << "was accepted";
    return "";
  }
  void TearDown() override { std::filesystem::remove(path_); }

  PlatformSpec spec_ = round_board();
  std::string path_ = ::testing::TempDir() + "scenario_" +
                      ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
                      std::to_string(getpid()) + ".yaml";
};

const std::string kHead = "schema: 1\nname: test\nduration_s: 10\n";
const std::string kApp =
    "apps:\n"
    "  - name: camera\n"
    "    profile: net\n"
    "    arrival: {kind: periodic, period_ms: 100}\n";

TEST_F(ScenarioFile, ResolvesTimesAgainstThePlatform) {
  const Scenario scenario = load(kHead +
                                 "ambient_c: 30\nenergy_preference: 0.7\n"
                                 "battery: {capacity_mj: 5000, charge_pct: 40, last_until_s: 20}\n"
                                 "apps:\n"
                                 "  - name: camera\n"
                                 "    profile: net\n"
                                 "    arrival: {kind: periodic, period_x: 2, jitter: 0.1}\n"
                                 "    deadline_x: 1.5\n"
                                 "    grace_x: 0.5\n"
                                 "    objective: accuracy\n"
                                 "    accuracy_floor_pct: 65\n"
                                 "    energy_budget_x: 2\n"
                                 "    power_budget_mw: 900\n"
                                 "    priority: 2\n"
                                 "    work_cv: 0.2\n"
                                 "    work_correlation: 0.4\n"
                                 "    threads: 3\n"
                                 "    queue_limit: 7\n"
                                 "    start_s: 1\n"
                                 "    stop_s: 9\n");
  // The reference: one big core at 2000 MHz, full width: 50 ms.
  ASSERT_EQ(scenario.apps.size(), 1u);
  const AppSpec& app = scenario.apps[0];
  EXPECT_EQ(app.arrival.period_ns, 100 * kMs);
  EXPECT_EQ(app.arrival.jitter, 0.1);
  EXPECT_EQ(app.required.period_ns, 100 * kMs);
  EXPECT_EQ(app.required.deadline_ns, 75 * kMs);
  EXPECT_EQ(app.required.grace_ns, 25 * kMs);
  EXPECT_EQ(app.required.objective, Objective::kAccuracy);
  EXPECT_EQ(app.required.accuracy_floor_pct, 65);
  EXPECT_DOUBLE_EQ(app.required.energy_budget_mj, 2 * reference_energy_mj(spec_, spec_.apps[0]));
  EXPECT_EQ(app.required.power_budget_mw, 900);
  EXPECT_EQ(app.required.priority, 2);
  EXPECT_EQ(app.work_cv, 0.2);
  EXPECT_EQ(app.work_correlation, 0.4);
  EXPECT_EQ(app.threads, 3);
  EXPECT_EQ(app.queue_limit, 7);
  EXPECT_EQ(app.start_ns, 1000 * kMs);
  EXPECT_EQ(app.stop_ns, 9000 * kMs);
  EXPECT_EQ(scenario.ambient_c, 30);
  EXPECT_EQ(scenario.energy_preference, 0.7);
  EXPECT_EQ(scenario.battery_mj, 5000);
  EXPECT_EQ(scenario.battery_pct, 40);
  EXPECT_EQ(scenario.battery_until_ns, 20'000 * kMs);
  EXPECT_TRUE(scenario.warnings.empty());
}

TEST_F(ScenarioFile, WithoutADeadlineItIsThePeriod) {
  const Scenario scenario =
      load(kHead + kApp + "events:\n  - {at_s: 2, app: camera, period_ms: 60}\n");
  EXPECT_EQ(scenario.apps[0].required.deadline_ns, 100 * kMs);
  ASSERT_EQ(scenario.events.size(), 2u);
  EXPECT_EQ(scenario.events[0].kind, ScenarioEvent::Kind::kPeriod);
  EXPECT_EQ(scenario.events[0].value, 60e6);
  EXPECT_EQ(scenario.events[1].required.deadline_ns, 60 * kMs);
  EXPECT_EQ(scenario.events[1].required.period_ns, 60 * kMs);
}

TEST_F(ScenarioFile, EventsComeInOrderAndBuildOnEachOther) {
  const Scenario scenario =
      load(kHead + "battery: {capacity_mj: 10}\n" + kApp +
           "events:\n"
           "  - {at_s: 5, app: camera, accuracy_floor_pct: 70}\n"
           "  - {at_s: 2, app: camera, deadline_ms: 80, grace_ms: 5, objective: latency}\n"
           "  - {at_s: 3, ambient_c: 35, energy_preference: 1, battery_pct: 5}\n");
  ASSERT_EQ(scenario.events.size(), 5u);
  EXPECT_EQ(scenario.events[0].required.deadline_ns, 80 * kMs);
  EXPECT_EQ(scenario.events[0].required.accuracy_floor_pct, 0);
  EXPECT_EQ(scenario.events[1].value, 35);
  EXPECT_EQ(scenario.events[4].required.deadline_ns, 80 * kMs);
  EXPECT_EQ(scenario.events[4].required.grace_ns, 5 * kMs);
  EXPECT_EQ(scenario.events[4].required.objective, Objective::kLatency);
  EXPECT_EQ(scenario.events[4].required.accuracy_floor_pct, 70);
  EXPECT_EQ(scenario.events[4].at_ns, 5000 * kMs);
}

TEST(Battery, LastsAtTheMeanPowerThatIsLeft) {
  Scenario scenario;
  scenario.battery_mj = 5000;
  EXPECT_EQ(sustainable_mw(scenario, 5000, 0), 0);  // it does not have to
  scenario.battery_until_ns = 20'000 * kMs;
  EXPECT_DOUBLE_EQ(sustainable_mw(scenario, 5000, 0), 250);
  EXPECT_DOUBLE_EQ(sustainable_mw(scenario, 1000, 18'000 * kMs), 500);
  EXPECT_GT(sustainable_mw(scenario, 0, 18'000 * kMs), 0);  // empty, which is not the same as no matter
  EXPECT_EQ(sustainable_mw(scenario, 1000, 20'000 * kMs), 0);  // it has
}

TEST_F(ScenarioFile, RefusesAnObjectiveThatIsNone) {
  EXPECT_THAT(refusal(kHead + kApp + "    objective: power\n"),
              ::testing::HasSubstr("energy, accuracy"));
}

TEST_F(ScenarioFile, BackgroundRepeatsAndFitsTheCluster) {
  const Scenario scenario = load(
      kHead + kApp +
      "background:\n"
      "  - {name: a, cluster: little, cores: 9, activity: 1}\n"
      "  - {name: b, cluster: big, cores: 0.5, activity: 0.5, memory_slowdown: 0.1, from_s: 1, "
      "to_s: 8, every_s: 3, for_s: 2}\n");
  ASSERT_EQ(scenario.background.size(), 4u);
  EXPECT_EQ(scenario.background[0].cluster, kLittle);
  EXPECT_EQ(scenario.background[0].cores, 4);
  EXPECT_EQ(scenario.background[0].stop_ns, 10'000 * kMs);
  const BackgroundLoad& last = scenario.background[3];
  EXPECT_EQ(last.cluster, kBig);
  EXPECT_EQ(last.start_ns, 7000 * kMs);
  EXPECT_EQ(last.stop_ns, 8000 * kMs) << "cut at to_s";
  EXPECT_DOUBLE_EQ(last.core_nf, 0.3) << "half of the plain load's 0.6";
  EXPECT_EQ(last.memory_slowdown, 0.1);
}

TEST_F(ScenarioFile, APlatformsOwnClusterNamesComeBeforeBigAndLittle) {
  // The fast cluster is called 'prime' and the slow one 'big'.
  spec_.clusters[kBig].name = "prime";
  spec_.clusters[kLittle].name = "big";
  const Scenario scenario = load(kHead + kApp +
                                 "background:\n  - {name: a, cluster: big}\n"
                                 "  - {name: b, cluster: prime}\n"
                                 "  - {name: c, cluster: little}\n");
  ASSERT_EQ(scenario.background.size(), 3u);
  EXPECT_EQ(scenario.background[0].cluster, kLittle);
  EXPECT_EQ(scenario.background[1].cluster, kBig);
  EXPECT_EQ(scenario.background[2].cluster, kLittle) << "no cluster has that name";
}

TEST_F(ScenarioFile, RefusesAFloorThatNoWidthReaches) {
  const std::string message = refusal(kHead + kApp + "    accuracy_floor_pct: 90\n");
  EXPECT_THAT(message, HasSubstr(path_ + ":8"));
  EXPECT_THAT(message, HasSubstr("the highest available is 70 %"));
  EXPECT_THAT(message, HasSubstr("ask for 70 or less"));
  EXPECT_THAT(
      refusal(kHead + kApp + "events:\n  - {at_s: 1, app: camera, accuracy_floor_pct: 71}\n"),
      HasSubstr("the highest available is 70 %"));
}

// 0.8 of the 70 % of the whole network in fp32.
TEST_F(ScenarioFile, AnAccuracyFloorMayBeAShareOfTheWholeNetworks) {
  const Scenario scenario = load(kHead + kApp +
                                 "    accuracy_floor_x: 0.8\n"
                                 "events:\n"
                                 "  - {at_s: 1, app: camera, accuracy_floor_x: 1}\n");
  EXPECT_DOUBLE_EQ(scenario.apps[0].required.accuracy_floor_pct, 56);
  EXPECT_DOUBLE_EQ(scenario.events[0].required.accuracy_floor_pct, 70);
  EXPECT_THAT(refusal(kHead + kApp + "    accuracy_floor_x: 1.1\n"), HasSubstr("accuracy_floor_x"));
  EXPECT_THAT(refusal(kHead + kApp + "    accuracy_floor_x: 0.5\n    accuracy_floor_pct: 9\n"),
              HasSubstr("'accuracy_floor_pct' is given as well"));
}

TEST_F(ScenarioFile, WarnsOfADeadlineThatNothingCanMeet) {
  // Four big cores need 12.5 ms at full width, 6.25 at half.
  const Scenario scenario = load(kHead + kApp +
                                 "    deadline_ms: 6\n"
                                 "events:\n"
                                 "  - {at_s: 1, app: camera, deadline_ms: 12}\n"
                                 "  - {at_s: 2, app: camera, accuracy_floor_pct: 70}\n");
  ASSERT_EQ(scenario.warnings.size(), 2u);
  EXPECT_THAT(scenario.warnings[0], HasSubstr("'camera'"));
  EXPECT_THAT(scenario.warnings[0], HasSubstr("6 ms is infeasible from the start"));
  EXPECT_THAT(scenario.warnings[0], HasSubstr("bigx4 at width 50 %) needs 6.25 ms"));
  EXPECT_THAT(scenario.warnings[1], HasSubstr("12 ms is infeasible from 2 s on"));
  EXPECT_THAT(scenario.warnings[1], HasSubstr("12.5 ms"));
  EXPECT_THAT(scenario.warnings[0], ::testing::Not(HasSubstr("\n")));
}

TEST_F(ScenarioFile, RefusesNamesThatAreNotThereAndNamesTheNearest) {
  EXPECT_THAT(refusal(kHead + "aps: []\n"), HasSubstr("apps"));
  std::string text = kHead + kApp;
  text.replace(text.find("profile: net"), 12, "profile: nett");
  EXPECT_THAT(refusal(text), HasSubstr("did you mean 'net'"));
  text = kHead + kApp;
  text.replace(text.find("periodic"), 8, "periodik");
  EXPECT_THAT(refusal(text), HasSubstr("periodic"));
  EXPECT_THAT(refusal(kHead + kApp + "    priorty: 2\n"), HasSubstr("priority"));
  EXPECT_THAT(refusal(kHead + kApp + "background:\n  - {name: a, cluster: bigg}\n"),
              HasSubstr("did you mean 'big'"));
  // The platform's own names first; these are the reserved ones too.
  EXPECT_THAT(
      refusal(kHead + kApp + "background:\n  - {name: a, cluster: nope}\n"),
      ::testing::EndsWith("use one of: " + spec_.clusters[0].name + ", " + spec_.clusters[1].name));
  // 10 s are nanoseconds in between, and are 10 again.
  EXPECT_THAT(refusal("schema: 1\nname: test\nduration_s: 60\n" + kApp +
                      "background:\n  - {name: a, cluster: big, to_s: 61}\n"),
              HasSubstr("give a number from 0 to 60"));
  load("schema: 1\nname: test\nduration_s: 60\n" + kApp +
       "background:\n  - {name: a, cluster: big, to_s: 60}\n");
  EXPECT_THAT(refusal(kHead + kApp + "events:\n  - {at_s: 1, app: camra, priority: 2}\n"),
              HasSubstr("did you mean 'camera'"));
  EXPECT_THROW(load_scenario("no_such_scenario", spec_), Error);
}

TEST_F(ScenarioFile, RefusesWhatContradictsItself) {
  struct Case {
    std::string text, says;
  };
  const std::string app = kHead + kApp;
  const std::string plain =
      "apps: [{name: a, profile: burn, arrival: {kind: periodic, period_ms: 1}}]\n";
  const std::string bursty =
      "apps: [{name: a, profile: net, arrival: {kind: bursty, period_ms: 10, "
      "burst_jobs: 3, burst_gap_ms: 5}}]\n";
  const std::string no_period = "apps: [{name: a, profile: net, arrival: {kind: poisson}}]\n";
  const std::string gap =
      "apps: [{name: a, profile: net, arrival: {kind: poisson, period_ms: 1, "
      "burst_jobs: 3}}]\n";
  const auto x_period = [](const std::string& x) {
    return "apps: [{name: a, profile: net, arrival: {kind: periodic, period_x: " + x + "}}]\n";
  };
  for (const Case& c : {
           Case{kHead, "apps"},
           Case{kHead + plain, "is a plain load"},
           Case{kHead + bursty, "a burst lasts longer than its period"},
           Case{kHead + no_period, "it has no period"},
           Case{kHead + gap, "the arrival is not bursty"},
           Case{kHead +
                    "apps: [{name: a, profile: net, arrival: {kind: poisson, period_ms: 9, jitter: "
                    "0.3}}]\n",
                "key 'jitter': the gaps of 'poisson' arrivals are random"},
           Case{app + "    work_correlation: 0.5\n", "does not vary from job to job"},
           Case{app + "events:\n  - {at_s: 1, app: camera, ambient_c: 5}\n",
                "changes nothing of an application"},
           Case{app + "    deadline_ms: 5\n    deadline_x: 2\n", "'deadline_ms' is given as well"},
           Case{app + "    energy_budget_mj: 5\n    energy_budget_x: 2\n", "is given as well"},
           Case{app + "    start_s: 5\n    stop_s: 4\n", "it stops before it starts"},
           Case{app + "    queue_limit: 17\n", "queue_limit"},
           Case{app + "  - name: camera\n    profile: net\n    arrival: {kind: poisson, period_ms: "
                      "9}\n",
                "another application is called 'camera'"},
           Case{app + "events:\n  - {at_s: 1}\n", "the event changes nothing"},
           Case{app + "events:\n  - {at_s: 1, app: camera}\n", "the event changes nothing"},
           Case{app + "events:\n  - {at_s: 1, deadline_ms: 5}\n", "of which application"},
           Case{app + "events:\n  - {at_s: 1, battery_pct: 5}\n", "the scenario has no battery"},
           Case{app + "events:\n  - {at_s: 11, ambient_c: 5}\n", "at_s"},
           Case{app + "background:\n  - {name: a, cluster: big, from_s: 5, to_s: 5}\n",
                "it ends before it begins"},
           Case{app + "background:\n  - {name: a, cluster: big, every_s: 5}\n", "give both"},
           Case{app + "background:\n  - {name: a, cluster: big, every_s: 5, for_s: 5}\n",
                "make it shorter"},
           Case{app + "ambient_c: 300\n", "ambient_c"},
           // 50 ms times 1e-6 is 50 ns: releases that no machine could keep up with.
           Case{kHead + x_period("0.000001"), "comes to 5e-05 ms"},
           Case{app + "background:\n  - {name: a, cluster: big, every_s: 0.002, for_s: 0.001}\n"
                      "  - {name: b, cluster: big, every_s: 0.002, for_s: 0.001}\n"
                      "  - {name: c, cluster: big, every_s: 0.002, for_s: 0.001}\n",
                "more than 10000 times"},
           Case{app + "background:\n  - {name: 'a;b', cluster: big}\n", "the name is not plain"},
           Case{kHead + kApp +
                    "  - name: a=b\n    profile: net\n    arrival: {kind: poisson, "
                    "period_ms: 9}\n",
                "the name is not plain"},
       }) {
    const std::string message = refusal(c.text);
    EXPECT_THAT(message, HasSubstr(c.says));
    EXPECT_THAT(message, HasSubstr(path_ + ":")) << "file and line";
  }
}

TEST_F(ScenarioFile, RefusesAMultipleThatComesToMoreThanADay) {
  // A job of 1e6 Mcycles at 1 MHz takes 1e6 s: a million times that does not fit 64 bits of ns.
  spec_.clusters[kBig].opps = {{1000, 1000}};
  spec_.clusters[kLittle].opps = {{1000, 1000}};
  spec_.apps[0].unit[kBig].mcycles = spec_.apps[0].unit[kLittle].mcycles = 1e6;
  EXPECT_THAT(refusal(kHead + kApp + "    deadline_x: 1000000\n"),
              HasSubstr("key 'deadline_x': comes to 1e+15 ms"));
}

TEST(Scenarios, LoadOnEveryPlatformWithoutAWarning) {
  const std::vector<std::string> names = list_configs("scenarios");
  for (const char* expected :
       {"single_periodic", "bursty", "event_driven", "dual_dnn", "background", "contention",
        "thermal_soak", "battery", "budget_grid", "accuracy_in_budget", "live", "drifting",
        "unannounced", "bad_sensors"}) {
    EXPECT_THAT(names, ::testing::Contains(expected));
  }
  const std::vector<std::string> platforms = list_configs("platforms");
  EXPECT_GE(platforms.size(), 3u);
  for (const std::string& platform : platforms) {
    for (const std::string& name : names) {
      PlatformSpec spec = measured_platform(platform);
      add_task_profiles(name, spec);
      const Scenario scenario = load_scenario(name, spec);
      EXPECT_EQ(scenario.name, name);
      EXPECT_FALSE(scenario.description.empty());
      EXPECT_THAT(scenario.warnings, ::testing::IsEmpty()) << name << " on " << platform;
    }
  }
}

TEST(Scenarios, LiveKeepsOneCoreAtFullSpeedBusyFor40To80PercentOfTheDeadline) {
  for (const std::string& platform : list_configs("platforms")) {
    const PlatformSpec spec = measured_platform(platform);
    const Scenario scenario = load_scenario("live", spec);
    ASSERT_EQ(scenario.apps.size(), 1u);
    EXPECT_EQ(scenario.duration_ns, 30'000 * kMs);
    const double reference = reference_time_ns(spec, spec.apps[scenario.apps[0].profile]);
    std::vector<Requirements> all = {scenario.apps[0].required};
    for (const ScenarioEvent& event : scenario.events) {
      if (event.kind == ScenarioEvent::Kind::kRequirements) all.push_back(event.required);
    }
    for (const Requirements& required : all) {
      const double load = reference / static_cast<double>(required.deadline_ns);
      EXPECT_GE(load, 0.4);
      EXPECT_LE(load, 0.8);
    }
  }
}

TEST_F(ScenarioFile, TasksTakeTheirTimeOnTheFastestCoreAndMoreElsewhere) {
  const std::string text = kHead +
                           "tasks:\n"
                           "  - {name: decoder, work_ms: 10, memory_share: 0.2, "
                           "arrival: {kind: periodic, period_ms: 40}}\n";
  EXPECT_THAT(refusal(text), HasSubstr("it is a task of plain load, which is simulated only"));
  add_task_profiles(path_, spec_);
  const Scenario scenario = load(text);
  EXPECT_TRUE(scenario.plain_load);
  ASSERT_EQ(scenario.apps.size(), 1u);
  EXPECT_EQ(scenario.apps[0].queue_limit, 1);
  EXPECT_EQ(scenario.apps[0].required.deadline_ns, 40 * kMs);
  const AppProfile& task = spec_.apps[static_cast<std::size_t>(scenario.apps[0].profile)];
  const auto time_ms = [&](int cluster, const OppChoice& opp) {
    const Mapping& one = spec_.mappings[static_cast<std::size_t>(spec_.find_mapping(cluster, 1))];
    return execution_ns(spec_, task, one, 0, opp) * 1e-6;
  };
  EXPECT_NEAR(time_ms(kBig, highest_opps(spec_)), 10, 1e-9);
  EXPECT_NEAR(time_ms(kBig, {}), 2 + 16, 1e-9);  // half the clock: memory waits as long
  // Half the capacity per MHz and half the clock.
  EXPECT_NEAR(time_ms(kLittle, highest_opps(spec_)), 2 + 32, 1e-9);
  EXPECT_THAT(refusal(kHead + "tasks:\n  - {name: a, work_ms: 1, profile: net}\n"),
              HasSubstr("profile"));
}

TEST(Fastest, IsTheQuickestThatReachesTheFloor) {
  const PlatformSpec spec = round_board();
  const FastestConfiguration any = fastest_configuration(spec, spec.apps[0], 0);
  EXPECT_EQ(spec.mappings[any.mapping].name, "bigx4");
  EXPECT_EQ(any.level, 0);
  EXPECT_DOUBLE_EQ(any.time_ns, 6.25e6);
  EXPECT_EQ(fastest_configuration(spec, spec.apps[0], 61).level, 1);
  EXPECT_EQ(fastest_configuration(spec, spec.apps[0], 71).mapping, -1);
}

}  // namespace
}  // namespace flyball
