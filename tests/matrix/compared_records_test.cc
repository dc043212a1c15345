// Several recorded runs in one comparison: seeds of one policy, or policies of their own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "governor/record/recorder.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class CliComparedRecords : public ::testing::Test {
 protected:
  std::string scenario(const std::string& name, int seconds) const {
    const std::string path = dir_ / (name + ".yaml");
    std::ofstream(path) << "schema: 1\nname: " << name
                        << "\ndescription: short\nduration_s: " << seconds
                        << "\napps:\n  - {name: camera, profile: dynamic_cnn, arrival: {kind: "
                           "periodic, period_x: 2}, work_cv: 0.2, deadline_x: 2}\n";
    return path;
  }
  std::string record(const std::string& name, const std::string& scenario,
                     const std::string& policy, int seed,
                     const std::string& platform = "odroid_xu3") const {
    const std::string path = dir_ / (name + ".flyrec");
    const Finished ran =
        flyball_run({"run", "--platform", platform, "--scenario", scenario, "--policy", policy,
                     "--seed", std::to_string(seed), "--record", path, "--json"});
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    return path;
  }
  /// The same run, whose application came over the channel: neither platform nor scenario know it.
  std::string of_guest(const std::string& record) const {
    const std::string path = record + ".guest.flyrec";
    std::unique_ptr<Recorder> recorder;
    auto before = std::make_unique<Observation>();
    RecordingVisitor visitor;
    visitor.on_info = [&](const RecordingInfo& info) {
      recorder = std::make_unique<Recorder>(path, info, Recorder::Options{.wait_for_disk = true});
    };
    visitor.on_start = [&](const Observation& now) { *before = now; };
    visitor.on_bind = [&](int slot, Binding binding, const Observation& now) {
      binding.name = binding.profile = "guest";
      recorder->on_bind(slot, binding, now);
      *before = now;
    };
    visitor.on_epoch = [&](const Observation& now, const DecisionRow& row) {
      recorder->on_epoch({*before, row.decision, row.applied, row.verdict, now, {}, row.decide_ns});
      *before = now;
    };
    read_recording(record, visitor);
    EXPECT_EQ(recorder->finish(), "");
    return path;
  }
  static Finished compared(const std::vector<std::string>& more) {
    std::vector<std::string> words = {"compare", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return flyball_run(words);
  }
  static json found(const std::vector<std::string>& more) {
    const Finished finished = compared(more);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return json::parse(finished.out);
  }
  static void refused(const std::vector<std::string>& more, const std::string& why) {
    const Finished finished = compared(more);
    EXPECT_EQ(finished.exit_code, 2) << finished.out;
    EXPECT_EQ(finished.out, "");
    EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
    EXPECT_THAT(finished.err, HasSubstr(why));
  }
  static json energies(const json& comparison, std::size_t policy) {
    return comparison.at("policies")[policy].at("energy_mj_per_job").at("per_seed");
  }
  const TempDir dir_;
};

TEST_F(CliComparedRecords, RunsOfOneNameAreSeedsOfOnePolicyAndPairsOfTheOthers) {
  const std::string short_one = scenario("short", 4);
  const std::string a = record("a", short_one, "schedutil", 4);
  const std::string b = record("b", short_one, "schedutil", 5);
  const json mixed = found({"--platform", "odroid_xu3", "--scenario", short_one, "--policies",
                            "rule,mine=" + b + ",mine=" + a});
  EXPECT_EQ(mixed.at("seeds"), 2);
  EXPECT_EQ(mixed.at("first_seed"), 4);
  ASSERT_EQ(mixed.at("policies").size(), 2u);
  const json really = found({"--platform", "odroid_xu3", "--scenario", short_one, "--policies",
                             "rule,schedutil", "--seeds", "2", "--seed", "4"});
  EXPECT_EQ(energies(mixed, 0), energies(really, 0));
  for (std::size_t s = 0; s < 2; ++s)
    EXPECT_NEAR(energies(mixed, 1)[s].get<double>(), energies(really, 1)[s].get<double>(), 0.01);
  EXPECT_TRUE(
      mixed.at("differences").at("policies")[0].at("energy_mj_per_job").at("ci95")[0].is_number());

  // Not named: the scenario of that name is another one here.
  refused({"--platform", "odroid_xu3", "--scenario", scenario("other", 3), "--policies",
           "rule,mine=" + a + ",mine=" + b},
          "is of scenario 'short'");
  refused({"--platform", "odroid_xu3", "--scenario", short_one, "--policies",
           "rule,mine=" + a + ",mine=" + a},
          "twice");
  refused({"--platform", "odroid_xu3", "--scenario", short_one, "--policies",
           "rule,mine=" + a + ",yours=" + b},
          "have no seed in common: in scenario 'short' on 'odroid_xu3' mine has none of seed 5, "
          "yours has none of seed 4");
  const std::string c = record("c", short_one, "rule", 7);
  refused({"--platform", "odroid_xu3", "--scenario", short_one, "--policies",
           "rule,mine=" + a + ",mine=" + c},
          "is of policy 'rule'");
}

TEST_F(CliComparedRecords, SeedsNeedNotFollowEachOther) {
  const std::string short_one = scenario("short", 4);
  const auto seed_of = [&](int seed, const std::string& policy) {
    return record(policy + std::to_string(seed), short_one, policy, seed);
  };
  const std::string a4 = seed_of(4, "schedutil"), a7 = seed_of(7, "schedutil"),
                    a9 = seed_of(9, "schedutil"), b4 = seed_of(4, "powersave"),
                    b9 = seed_of(9, "powersave"), b12 = seed_of(12, "powersave");
  const std::string csv = dir_ / "all.csv";
  const json mixed =
      found({"--platform", "odroid_xu3", "--scenario", short_one, "--csv", csv, "--policies",
             "rule,one=" + a9 + ",one=" + a4 + ",one=" + a7 + ",two=" + b12 + ",two=" + b4 +
                 ",two=" + b9});
  EXPECT_EQ(mixed.at("seeds"), 2);
  EXPECT_EQ(mixed.at("first_seed"), 4);
  EXPECT_EQ(mixed.at("seed_list"), json({4, 9}));
  EXPECT_THAT(mixed.at("notes").dump(),
              HasSubstr("Compared are the 2 seeds that all recorded policies have; left out are 7, "
                        "12: one has none of seed 12; two has none of seed 7"));
  EXPECT_THAT(mixed.at("notes").dump(), ::testing::Not(HasSubstr(a7)));

  // Every row is of the seed that it says: as that seed is by itself.
  for (const int seed : {4, 9}) {
    const json alone =
        found({"--platform", "odroid_xu3", "--scenario", short_one, "--policies",
               "rule,schedutil,powersave", "--seeds", "1", "--seed", std::to_string(seed)});
    const std::size_t s = seed == 4 ? 0 : 1;
    EXPECT_EQ(energies(mixed, 0)[s], energies(alone, 0)[0]);
    for (const std::size_t p : {1, 2})
      EXPECT_NEAR(energies(mixed, p)[s].get<double>(), energies(alone, p)[0].get<double>(), 0.01);
    EXPECT_THAT(read_text(csv), HasSubstr(",two," + std::to_string(seed) + ","));
  }
  EXPECT_EQ(read_text(csv).find(",two,7,"), std::string::npos);
  EXPECT_THAT(flyball_run({"compare", "--platform", "odroid_xu3", "--policies",
                           "one=" + a4 + ",one=" + a9 + ",two=" + b4 + ",two=" + b9})
                  .out,
              HasSubstr("2 seeds (4, 9)"));

  // Those that follow each other are said as ever.
  const json following =
      found({"--platform", "odroid_xu3", "--policies", "one=" + a4 + ",one=" + a7 + ",two=" + b4});
  EXPECT_EQ(following.at("seeds"), 1);
  EXPECT_FALSE(following.contains("seed_list"));
  EXPECT_THAT(following.at("notes").dump(),
              HasSubstr("the 1 seed that all recorded policies have; left out is 7: two has none "
                        "of seed 7"));
}

TEST_F(CliComparedRecords, RecordsAloneAreComparedWithoutSimulatingAnything) {
  const std::string short_one = scenario("short", 4);
  const std::string a = record("a", short_one, "schedutil", 4);
  const std::string b = record("b", short_one, "rule", 4);
  std::filesystem::remove(short_one);  // nobody needs it
  const json alone = found({"--platform", "odroid_xu3", "--policies", a + ",two=" + b});
  EXPECT_EQ(alone.at("scenario"), "short");
  EXPECT_EQ(alone.at("policies")[0].at("policy"), "a");
  EXPECT_EQ(alone.at("policies")[1].at("policy"), "two");
  EXPECT_LT(energies(alone, 1)[0], energies(alone, 0)[0]);
  EXPECT_TRUE(alone.at("policies")[0].at("energy_gap_to_bound_pct").at("mean").is_null());
  const std::string longer = scenario("short", 5);
  const std::string c = record("c", longer, "rule", 4);
  refused({"--platform", "odroid_xu3", "--policies", a + "," + c}, "of other contents of scenario");
  refused({"--platform", "odroid_xu3", "--policies", a}, "nothing to compare it with");
  const std::string d = record("d", longer, "schedutil", 5);
  refused({"--platform", "odroid_xu3", "--policies", "mine=" + a + ",mine=" + d},
          "or give one of the runs a name of its own");
  refused({"--platform", "odroid_xu3", "--policies", a + "," + b, "--bounds"},
          "nothing is simulated");
  refused({"--platform", "jetson_nano", "--policies", a + "," + b}, "is of scenario 'short'");
  refused({"--platform", "odroid_xu3", "--policies", a + "," + b, "--shard", "1/2"},
          "is not run in parts");
}

TEST_F(CliComparedRecords, RecordsAloneOfAScenarioThatIsNamedAreNotSimulatedEither) {
  const std::string short_one = scenario("short", 4);
  const std::string both =
      record("a", short_one, "schedutil", 4) + ",two=" + record("b", short_one, "rule", 4);
  const std::vector<std::string> words = {"--platform", "odroid_xu3", "--policies", both,
                                          "--scenario"};
  const auto of = [&](const std::string& scenario) {
    std::vector<std::string> all = words;
    all.push_back(scenario);
    return all;
  };
  const json named = found(of(short_one));
  EXPECT_EQ(energies(named, 0),
            energies(found({"--platform", "odroid_xu3", "--policies", both}), 0));
  const json& bounds = named.at("bounds");
  EXPECT_TRUE(bounds.at("best_found_mj_per_job").at("mean").is_null()) << bounds;
  EXPECT_THAT(bounds.at("no_bound_reason").dump(), HasSubstr("nothing was simulated"));
  EXPECT_THAT(named.at("notes").dump(), ::testing::Not(HasSubstr("the others run")));
  refused(of(scenario("other", 4)), "is of scenario 'short'");
  std::vector<std::string> text = of(short_one);
  text.insert(text.begin(), "compare");
  EXPECT_THAT(flyball_run(text).out, ::testing::Not(HasSubstr("some configuration")));
}

TEST_F(CliComparedRecords, ApplicationsThatCameOverTheChannelAreToBeTheSame) {
  const std::string short_one = scenario("short", 4);
  const std::string a = record("a", short_one, "schedutil", 4);
  const std::string b = record("b", short_one, "rule", 4);
  const std::string guests = "one=" + of_guest(a) + ",two=" + of_guest(b);
  const json alone = found({"--platform", "odroid_xu3", "--policies", guests});
  EXPECT_LT(energies(alone, 1)[0], energies(alone, 0)[0]);
  refused({"--platform", "odroid_xu3", "--policies", "one=" + a + ",two=" + of_guest(b)},
          "had other applications than " + a);
  refused({"--platform", "odroid_xu3", "--scenario", short_one, "--policies", "rule," + guests},
          "had other applications than scenario 'short'");
}

TEST_F(CliComparedRecords, EachScenarioOnEachPlatformHasItsOwn) {
  const std::string one = scenario("one", 3), two = scenario("two", 4);
  const std::string a = record("a", one, "schedutil", 2), b = record("b", two, "schedutil", 2);
  const std::vector<std::string> words = {"--platform", "odroid_xu3",
                                          "--scenario", one + "," + two,
                                          "--policies", "rule,mine=" + a + ",mine=" + b};
  const json both = found(words);
  EXPECT_EQ(both.at("schema"), 2);
  ASSERT_EQ(both.at("cells").size(), 2u);
  for (const json& cell : both.at("cells")) EXPECT_TRUE(energies(cell, 1)[0].is_number());
  refused({"--platform", "odroid_xu3", "--scenario", one + "," + two, "--policies",
           "rule,mine=" + a + ",yours=" + b},
          "there is no recorded run of scenario 'one' on 'odroid_xu3' among its 1");
}

TEST_F(CliComparedRecords, ARecordThatIsNotThereIsCalledThat) {
  refused({"--platform", "odroid_xu3", "--policies", "rule,mine=" + dir_ / "gone.flyrec"},
          "recording");
}

}  // namespace
}  // namespace flyball::testing
