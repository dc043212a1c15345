// What a recording holds of a run, and what writing it costs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "governor/record/scenario_hash.h"
#include "governor/record/summary.h"
#include "tests/governor/allocation_count.h"
#include "tests/governor/recorder_fixture.h"
#include "tests/governor/subprocess.h"

namespace flyball::test {
namespace {

TEST_F(RecorderTest, GivesBackWhatWasRecorded) {
  EXPECT_EQ(info_.hashes.profile, 0u);
  info_.hashes.profile = 0x1234;
  info_.hashes.policy = 0x5678;
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
  EXPECT_EQ(info.hashes.profile, 0x1234u);
  EXPECT_EQ(info.hashes.policy, 0x5678u);
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
      if (i == 1) {
        outcome.sensed.mark_absent(Sensed::kPower);
        outcome.cluster[1].sensed.mark_held(Sensed::kTemp | Sensed::kClock);
        outcome.cluster[0].counters.held = Counters::kCycles;
      }
      recorder.on_epoch({*before_, decided, {}, Shield::Verdict::kPassed, outcome, *reward_, 5});
    }
  }
  const ReadBack back = read_back();
  EXPECT_EQ(back.epochs[0].power_mw, 100);
  EXPECT_TRUE(std::isnan(back.epochs[1].power_mw));
  EXPECT_FALSE(std::isfinite(back.epochs[1].cluster[1].temp_c));
  EXPECT_FALSE(back.epochs[1].sensors_ok);
  EXPECT_EQ(back.epochs[1].held, 2u);
  EXPECT_EQ(back.epochs[1].sensed.absent, Sensed::kPower);
  EXPECT_EQ(back.epochs[1].cluster[1].sensed.held, Sensed::kTemp | Sensed::kClock);
  EXPECT_EQ(back.epochs[1].cluster[0].counters.held, Counters::kCycles);
  EXPECT_EQ(back.epochs[2].cluster[1].sensed.held, 0);
  EXPECT_EQ(back.epochs[2].power_mw, 102);
  EXPECT_TRUE(back.epochs[2].sensors_ok);
}

// The block with the bind may be lost: who was there is known all the same from the next one on.
TEST_F(RecorderTest, ApplicationsComeAndGoAndEveryBlockKnowsThem) {
  const Binding door = with_widths("door", "net2", {{.accuracy_pct = 50}});
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

TEST_F(RecorderTest, TheRosterOfABlockIsOfBeforeIt) {
  {
    Recorder recorder(path_, info_);
    bind(recorder);
  }
  const std::string whole = contents(path_);
  const std::size_t records = whole.find(kBlockMagic) + kBlockHeaderBytes;
  EXPECT_EQ(whole[records], 1) << "a roster";
  EXPECT_EQ(whole[records + 1], 0) << "of nobody: the one who comes has a record of his own";
  EXPECT_EQ(whole[records + 2], 2) << "that";
}

TEST_F(RecorderTest, AFullRosterFitsIntoABlock) {
  Binding large;
  large.name = std::string(300, 'n');
  large.profile = "net";
  const std::string longest(32, 'v');
  large.knobs.resize(kMaxQualityKnobs, {longest, longest, {longest}});
  large.knobs[0].values.resize(kMaxKnobValues - kMaxQualityKnobs + 1, longest);
  large.levels.resize(kMaxLevels, {{255, 255, 255, 255}, 69.7});
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
  EXPECT_EQ(back.bindings[63].second.knobs, large.knobs);
  EXPECT_EQ(back.epochs[9].app[63].required.deadline_ns, kMaxApps);
  EXPECT_EQ(back.epochs[9].app[63].waiting[15].sequence, ~0ull);
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

// 10^8 epochs, which are a week at 6 ms, take no more than these: ten times as many as before them grow
// whoever reads them by less than a block, of the dozens by which the file grows. Each in a process of its
// own, of which Python tells the most that it had: what writing took is in none of them.
TEST_F(RecorderTest, ReadingTakesTheSameMemoryHoweverLongTheRun) {
  FLYBALL_STARTS_PROGRAMS();
  if (std::system("command -v python3 >/dev/null 2>&1") != 0) GTEST_SKIP() << "there is no python3";
  const auto record = [&](int epochs) {
    fs::remove(path_);
    Recorder recorder(path_, info_, {.flush_ns = 1'000'000 * kMs, .wait_for_disk = true});
    bind(recorder);
    for (int i = 0; i < epochs; ++i) epoch(recorder, i);
    ASSERT_EQ(recorder.finish(), "");
  };
  constexpr int kEpochs = 30'000;
  record(10 * kEpochs);
  ASSERT_GT(fs::file_size(path_), 12'000'000u);
  const std::string longer = path_ + ".long.flyrec", made = path_ + ".made";
  fs::rename(path_, longer);
  record(kEpochs);
  const auto peak_kb = [&](const std::string& words) {
    fs::remove_all(made);
    const std::string out = path_ + ".peak";
    const std::string command =
        "python3 -c 'import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
        "stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' " +
        std::string(FLYBALL_BIN_DIR) + "/flyball" + " " + words + " >" + out;
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return std::atol(contents(out).c_str());
  };
  for (const std::string& words : std::vector<std::string>{
           "record show % --json", "record export csv % --out " + made,
           "record export json % --out " + made, "record export perfetto % --out " + made}) {
    const auto of = [&](const std::string& file) {
      std::string filled = words;
      return peak_kb(filled.replace(filled.find('%'), 1, file));
    };
    const long before_kb = of(path_), after_kb = of(longer);
    EXPECT_GT(before_kb, 1000) << words;
    EXPECT_LT(after_kb - before_kb, 1500) << words;
  }
  // A page keeps the points that are drawn, of which there are so many at most: both records have more.
  EXPECT_LT(peak_kb("report " + longer + " --out " + made) -
                peak_kb("report " + path_ + " --out " + made),
            1500);
}

// Its name would be the second one's, and what the first goes on to write nobody's.
TEST_F(RecorderTest, TwoWritersRefuseEachOther) {
  {
    Recorder first(path_, info_);
    bind(first);
    epoch(first, 0);
    try {
      Recorder second(path_, info_);
      FAIL() << "two write one file";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("another flyball is recording into it"));
    }
    epoch(first, 1);
  }
  EXPECT_EQ(read_back().report.epochs, 2u);
  Recorder third(path_, info_);  // the first has ended
  bind(third);
  epoch(third, 0);
  EXPECT_EQ(third.finish(), "");
  EXPECT_EQ(read_back().report.epochs, 1u);
}

TEST_F(RecorderTest, JobsBeyondThoseOfAnEpochAreCounted) {
  {
    Recorder recorder(path_, info_);
    bind(recorder);
    Observation outcome = *before_;
    outcome.epoch_ns = outcome.now_ns = 50 * kMs;
    outcome.energy_mj = 400;
    for (int j = 0; j < kMaxEpochJobs + 8; ++j) {
      JobRecord job;
      job.sequence = static_cast<std::uint64_t>(j);
      outcome.add_job(job);
    }
    recorder.on_epoch({*before_, {}, {}, Shield::Verdict::kPassed, outcome, *reward_, 5});
  }
  const RecordingReport report = read_back().report;
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.jobs, static_cast<std::uint64_t>(kMaxEpochJobs));
  EXPECT_EQ(report.jobs_unlisted, 8u);
  EXPECT_THAT(report.unlisted(), ::testing::HasSubstr("8 more jobs are counted"));
  EXPECT_EQ(summarise(path_).energy_mj_per_job(), 10);
}

TEST_F(RecorderTest, RecordingAnEpochAllocatesNothing) {
  Recorder recorder(path_, info_, {.flush_ns = 100 * kMs, .wait_for_disk = true});
  bind(recorder);
  const std::uint64_t before = allocations();
  for (int i = 0; i < 1000; ++i) epoch(recorder, i);
  EXPECT_EQ(allocations() - before, 0u);
}

TEST(ScenarioHash, TellsWhichSensorIsLostAndUntilWhen) {
  Scenario power, temperature, until;
  power.sensors.lost_from_ns = temperature.sensors.temp_lost_from_ns = 1000 * kMs;
  until.sensors.lost_from_ns = 1000 * kMs;
  until.sensors.back_ns = 2000 * kMs;
  EXPECT_NE(scenario_hash(power), scenario_hash(temperature));
  EXPECT_NE(scenario_hash(power), scenario_hash(until));
  EXPECT_EQ(scenario_hash(power), scenario_hash(power));
}

}  // namespace
}  // namespace flyball::test
