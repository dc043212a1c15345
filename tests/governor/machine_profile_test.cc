#include "governor/machine/machine_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "env/model/model.h"
#include "governor/machine/decision_latency.h"
#include "governor/machine/governed_platform.h"
#include "kernels/base/error.h"
#include "tests/env/network_levels.h"
#include "tests/governor/own_configs.h"

namespace flyball::testing {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// On one core 100 % takes 400 us and 50 % 200; int8 half of that. Two cores are 1.6 times as fast
/// in fp32, and no faster in int8.
MachineProfile easy_profile() {
  MachineProfile profile;
  profile.machine = {"Test CPU \"X\"", 2, "avx2"};
  profile.model = "cnn";
  profile.checksum = 0x1234abcd;
  for (const bool two : {false, true})
    for (const int pct : {50, 100})
      for (const bool int8 : {true, false}) {
        const double us = 4.0 * pct * (int8 ? 0.5 : 1) / (two && !int8 ? 1.6 : 1);
        profile.rows.push_back(
            {pct, int8, two ? CpuSet{0, 1} : CpuSet{0}, us, us * 1.5, us * 2, 20});
      }
  return profile;
}

AppProfile app_with_levels() {
  AppProfile app;
  app.name = "cnn";
  app.parallel_fraction = 0.3;
  give_widths(app, {{50, 0.9, 1, 60, "", true},
                    {50, 0.9, 1, 61, ""},
                    {100, 0.9, 1, 70, "", true},
                    {100, 1, 1, 71, ""}});
  return app;
}

// Deciles half of the median apart on either side: of normal times 1.28 standard deviations.
TEST(MachineProfile, SaysHowSureItsTimesAre) {
  MachineProfile profile = easy_profile();
  EXPECT_NEAR(profile.time_spread(), 1.0 / 3 / 1.28, 1e-12);
  for (MachineProfile::Row& row : profile.rows) row.time_us = row.high_us = row.median_us;
  EXPECT_DOUBLE_EQ(profile.time_spread(), 0.05) << "another day is as far off";
}

TEST(MachineProfile, GivesTimeFactorsAndSpeedUps) {
  AppProfile app = app_with_levels();
  ASSERT_TRUE(easy_profile().apply(app, 2));
  EXPECT_DOUBLE_EQ(app.levels[0].time_factor, 0.25);
  EXPECT_DOUBLE_EQ(app.levels[1].time_factor, 0.5);
  EXPECT_DOUBLE_EQ(app.levels[2].time_factor, 0.5);
  EXPECT_DOUBLE_EQ(app.levels[3].time_factor, 1);
  // 1 / (1 - p + p / 2) = 1.6 for p = 0.75.
  EXPECT_NEAR(app.parallel_fraction_of(3, 2), 0.75, 1e-12);
  EXPECT_DOUBLE_EQ(app.parallel_fraction_of(2, 2), 0);
  EXPECT_DOUBLE_EQ(app.parallel_fraction_of(3, 1), 0.3);  // of no matter there
  EXPECT_NEAR(app.parallel_fraction_of(3, 4), 0.75, 1e-12);
  EXPECT_EQ(app.level_for(60.5), 2);  // as quick as 50 % in fp32, and more accurate
}

TEST(MachineProfile, WhatWasNotMeasuredChangesNothing) {
  AppProfile app = app_with_levels();
  EXPECT_FALSE(easy_profile().apply(app, 3));
  app.knobs[0].values[0] = "25";
  EXPECT_FALSE(easy_profile().apply(app, 2));
  EXPECT_DOUBLE_EQ(app.levels[1].time_factor, 0.9);
  EXPECT_TRUE(app.levels[3].parallel_fraction.empty());
}

TEST(MachineProfile, IsOfOneMachineAndOneModel) {
  const MachineProfile profile = easy_profile();
  EXPECT_EQ(profile.mismatch(profile.machine, 0x1234abcd), "");
  MachineIdentity other = profile.machine;
  other.cpus = 4;
  EXPECT_THAT(profile.mismatch(other, 0x1234abcd), HasSubstr("another machine (Test CPU"));
  other = profile.machine;
  other.operators = "portable";
  EXPECT_THAT(profile.mismatch(other, 0x1234abcd), HasSubstr("2 CPUs, portable"));
  other = profile.machine;
  other.cpu_quota = 0.3;
  EXPECT_THAT(profile.mismatch(other, 0x1234abcd), HasSubstr("2 CPUs with a quota of 0.30, avx2"));
  EXPECT_THAT(profile.mismatch(profile.machine, 1),
              HasSubstr("another model (checksum 1234abcd) than this one (00000001)"));
}

TEST(MachineProfile, KnowsTheSpreadOfEachTime) {
  MachineProfile profile = easy_profile();  // first decile, median, last: as 1, 1.5, 2
  EXPECT_DOUBLE_EQ(profile.rows[0].spread(), 1 / 3.0);
  EXPECT_EQ(profile.unstable_rows(), 8);  // above 30 %
  profile.rows[0].high_us = 1.8 * profile.rows[0].time_us;
  EXPECT_EQ(profile.unstable_rows(), 7);
}

TEST(MachineProfile, ItsHashIsOfWhatItSays) {
  const TempDir dir;
  const std::string path = dir / "p.yaml";
  MachineProfile profile = easy_profile();
  profile.decision_latency_us = 41.25;
  write_profile(path, profile);
  const std::uint64_t hash = content_hash(profile);
  EXPECT_EQ(content_hash(read_profile(path)), hash);
  std::ofstream(path, std::ios::app) << "# a comment\n";
  EXPECT_EQ(content_hash(read_profile(path)), hash);
  MachineProfile other = profile;
  other.rows[3].time_us += 0.001;
  EXPECT_NE(content_hash(other), hash);
  other = profile;
  other.decision_latency_us = 41.3;
  EXPECT_NE(content_hash(other), hash);
  other = profile;
  other.machine.cpu_quota = 1.5;
  EXPECT_NE(content_hash(other), hash);
}

TEST(MachineProfile, OlderFilesHaveNeitherQuotaNorDecisionLatency) {
  const TempDir dir;
  const std::string path = dir / "p.yaml";
  write_profile(path, easy_profile());
  EXPECT_THAT(read_text(path), Not(AnyOf(HasSubstr("cpu_quota"), HasSubstr("decision_latency"))));
  const MachineProfile read = read_profile(path);
  EXPECT_EQ(read.machine.cpu_quota, 0);
  EXPECT_EQ(read.decision_latency_us, 0);
}

TEST(MachineProfile, SurvivesItsFile) {
  const TempDir dir;
  const std::string path = dir / "deep/er/profile.yaml";
  MachineProfile profile = easy_profile();
  profile.machine.cpu_quota = 0.3;
  profile.decision_latency_us = 41.25;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  write_profile(path, profile);
  const MachineProfile read = read_profile(path);
  EXPECT_EQ(read.machine, profile.machine);
  EXPECT_EQ(read.model, "cnn");
  EXPECT_EQ(read.decision_latency_us, 41.25);
  EXPECT_EQ(read.checksum, profile.checksum);
  ASSERT_EQ(read.rows.size(), profile.rows.size());
  for (std::size_t i = 0; i < read.rows.size(); ++i) {
    EXPECT_EQ(read.rows[i].width_pct, profile.rows[i].width_pct);
    EXPECT_EQ(read.rows[i].int8, profile.rows[i].int8);
    EXPECT_EQ(read.rows[i].cpus, profile.rows[i].cpus);
    EXPECT_NEAR(read.rows[i].time_us, profile.rows[i].time_us, 1e-3);
    EXPECT_NEAR(read.rows[i].high_us, profile.rows[i].high_us, 1e-3);
    EXPECT_EQ(read.rows[i].batches, 20);
  }
}

std::string refusal(const std::string& path, const std::string& wrong, const std::string& right) {
  std::string text = read_text(path);
  text.replace(text.find(right), right.size(), wrong);
  const std::string broken = path + ".broken";
  std::ofstream(broken) << text;
  try {
    read_profile(broken);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::kInput);
    return error.what();
  }
  return "accepted";
}

TEST(MachineProfile, ADamagedFileIsRefusedWithTheLine) {
  const TempDir dir;
  const std::string path = dir / "profile.yaml";
  write_profile(path, easy_profile());
  EXPECT_THAT(refusal(path, "schema: 2", "schema: 1"), HasSubstr("schema"));
  EXPECT_THAT(refusal(path, "\"1234abc\"", "\"1234abcd\""),
              HasSubstr("broken:4: key 'checksum': is not eight hexadecimal digits"));
  for (const char* eight : {"\"-0000001\"", "\"+0000001\"", "\" 0000001\"", "\"0x000001\""})
    EXPECT_THAT(refusal(path, eight, "\"1234abcd\""), HasSubstr("eight hexadecimal digits"));
  EXPECT_THAT(refusal(path, "time_us: -1", "time_us: 100.000"),
              HasSubstr("broken:6: key 'time_us'"));
  EXPECT_THAT(refusal(path, "cpus: \"x\"", "cpus: \"0\""), HasSubstr("is no list of CPUs"));
  EXPECT_THAT(refusal(path, "precision: fp16", "precision: int8"), HasSubstr("precision"));
}

TEST(DecisionLatency, IsATime) {
  const double us = measure_decision_latency();
  EXPECT_GT(us, 0.5);  // less than what any system call takes
  EXPECT_TRUE(std::isfinite(us));
}

TEST(MachineProfile, AMachineOfTwoKindsIsMeasuredOnEach) {
  const CpuSet available = thread_affinity();
  if (available.count() < 2) GTEST_SKIP() << "this machine has one CPU";
  const TempDir dir;
  for (int i = 0; i < available.count(); ++i) {
    const std::string cpu = dir / ("cpu" + std::to_string(available.nth(i)));
    std::filesystem::create_directory(cpu);
    std::ofstream(cpu + "/cpu_capacity") << (i == 0 ? 446 : 1024);
  }
  const std::vector<CpuSet> sets = profile_cpu_sets(dir.path());
  const std::vector<CpuSet> same = growing_cpu_sets();
  EXPECT_EQ(profile_cpu_sets(dir / "nothing"), same);
  ASSERT_GT(sets.size(), same.size());
  EXPECT_EQ(sets[same.size()], CpuSet{available.nth(1)});  // one of the bigger kind alone
}

// What an accurate model promises is what its levels have.
TEST(GovernedPlatform, TakesAccuraciesFromTheModel) {
  const OwnConfigs configs;
  const GovernedPlatform host = load_governed_platform("host");
  const AppProfile& app = host.spec.apps[host.spec.find_app("dynamic_cnn")];
  ASSERT_EQ(app.level_count(), 8);
  EXPECT_FLOAT_EQ(app.levels[0].accuracy_pct, 55.5f);
  EXPECT_TRUE(network_level(app, 0).int8);
  EXPECT_FLOAT_EQ(app.levels[7].accuracy_pct, 71.2f);
  EXPECT_FALSE(network_level(app, 7).int8);
  EXPECT_THAT(app.levels[3].accuracy_source, HasSubstr("invented"));
  EXPECT_EQ(host.profile, "");
  ASSERT_EQ(host.notes.size(), 1u);
  EXPECT_THAT(host.notes[0], HasSubstr("assumptions: no profile of this machine is stored"));

  const GovernedPlatform board = load_governed_platform("odroid_xu3");
  const AppProfile& published = board.spec.apps[board.spec.find_app("dynamic_cnn")];
  EXPECT_EQ(published.level_count(), 4);
  EXPECT_DOUBLE_EQ(published.levels[3].accuracy_pct, 71.2);
  EXPECT_TRUE(board.notes.empty());
}

std::string load_error(const std::string& platform, const std::string& profile = "") {
  try {
    load_governed_platform(platform, profile);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(GovernedPlatform, RefusesAModelThatDoesNotFit) {
  const OwnConfigs configs;
  Model model = stand_in_model();
  model.accuracy = {};
  configs.set_model(model);
  EXPECT_THAT(load_error("host"), HasSubstr("nobody has measured its accuracy"));
  model = stand_in_model();
  model.activation_max.clear();
  configs.set_model(model);
  EXPECT_THAT(load_error("host"), HasSubstr("levels in int8"));
  model = seeded_model(plain_cifar_network(), 1);
  model.accuracy.top1_pct = model.accuracy.int8_top1_pct = {90};
  configs.set_model(model);
  EXPECT_THAT(load_error("host"), HasSubstr("its widths are 25, 50, 75, 100 %"));
  std::filesystem::remove(configs.model_path());
  EXPECT_THAT(load_error("host"), HasSubstr("model 'dynamic_cnn': there is none in "));
}

TEST(GovernedPlatform, UsesTheStoredProfileWhenItFits) {
  const OwnConfigs configs;
  const NamedModel named = load_named_model();
  MachineProfile profile;
  profile.machine = this_machine();
  profile.model = "dynamic_cnn";
  profile.checksum = named.checksum;
  for (const CpuSet& cpus : growing_cpu_sets())
    for (const int pct : {25, 50, 75, 100})
      for (const bool int8 : {true, false})
        profile.rows.push_back({pct, int8, cpus, (int8 ? 8.0 : 10.0) * pct, 1100, 1200, 3});
  std::filesystem::create_directories(std::filesystem::path(default_profile_path()).parent_path());
  write_profile(default_profile_path(), profile);

  const GovernedPlatform host = load_governed_platform("host");
  EXPECT_EQ(host.profile, default_profile_path());
  const AppProfile& app = host.spec.apps[host.spec.find_app("dynamic_cnn")];
  EXPECT_NEAR(app.levels[4].time_factor, 0.6, 1e-9);  // 75 % in int8
  // A quarter in int8 spreads from 200 to 1200 us, which is no steady measurement.
  EXPECT_THAT(host.notes, ElementsAre(HasSubstr("times were unstable"),
                                      HasSubstr("were measured on this machine")));
  EXPECT_EQ(host.inference_ns[static_cast<std::size_t>(host.spec.find_app("dynamic_cnn"))],
            1'000'000);
  const double assumed_us = load_platform("host").decision_latency_us;
  EXPECT_EQ(host.spec.decision_latency_us, assumed_us) << "the profile does not say";
  for (MachineProfile::Row& row : profile.rows) row.median_us = row.high_us = 1.05 * row.time_us;
  profile.decision_latency_us = 33;
  write_profile(default_profile_path(), profile);
  const GovernedPlatform steady = load_governed_platform("host");
  EXPECT_THAT(steady.notes, ElementsAre(HasSubstr("were measured on this machine")));
  EXPECT_EQ(steady.spec.decision_latency_us, 33);
  EXPECT_EQ(load_governed_platform("host", "none").profile, "");

  // Another model: the stored one is left out with the reason, an asked one is refused.
  Model model = stand_in_model();
  model.parameters[0] += 1;
  configs.set_model(model);
  const GovernedPlatform retrained = load_governed_platform("host");
  EXPECT_EQ(retrained.profile, "");
  EXPECT_THAT(retrained.notes, ElementsAre(HasSubstr("measured with another model")));
  EXPECT_THAT(load_error("host", default_profile_path()), HasSubstr("measured with another model"));
  EXPECT_THAT(load_error("odroid_xu3", default_profile_path()), HasSubstr("is simulated"));
}

}  // namespace
}  // namespace flyball::testing
