#include "governor/record/recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "allocation_count.h"
#include "fakes.h"
#include "kernels/base/crc32c.h"
#include "kernels/base/error.h"

namespace flyball::test {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

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

class RecorderTest : public ::testing::Test {
 protected:
  RecorderTest() {
    std::string name = (fs::temp_directory_path() / "flyball_recorder_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = name;
    path_ = folder_ + "/run.flyrec";
    info_ = {"small", "steady", "fake", 7, {"big", "little"}, {"camera"}, {}, {}};
    info_.knobs = {
        {"big.freq", "kHz", KnobSpec::Kind::kFrequency, 0, {"500000", "1000000", "2000000"}},
        {"little.freq", "kHz", KnobSpec::Kind::kFrequency, 1, {"250000", "500000", "1000000"}},
        {"camera.mapping", "cores", KnobSpec::Kind::kMapping, 0, {"littlex1", "bigx1", "bigx2"}},
        {"camera.width", "%", KnobSpec::Kind::kLevel, 0, {"50", "100"}}};
    info_.monitors = {{"power", "mW", MonitorSpec::Direction::kLowerIsBetter, 0,
                       std::numeric_limits<double>::infinity(), 1, MonitorSpec::Kind::kPower, 0}};
  }
  ~RecorderTest() override { fs::remove_all(folder_); }

  /// Epoch `i`, of 50 ms, with a job in every second one.
  void epoch(Recorder& recorder, int i) const {
    const Scenario scenario = small_scenario();
    Observation before = small_observation(scenario), outcome = before;
    outcome.sequence = static_cast<std::uint64_t>(i) + 1;
    outcome.now_ns = (i + 1) * 50 * kMs;
    outcome.epoch_ns = 50 * kMs;
    outcome.energy_mj = 12.5;
    outcome.power_mw = 250;
    outcome.cluster[0] = {1'000'000, 0.5, 0.25, 200, 41.5, 1, 2};
    outcome.app[0].released = 1;
    if (i % 2 == 1) {
      JobRecord job = small_job(static_cast<std::uint64_t>(i / 2), i * 50 - 50, 80, 150, {2, 1});
      job.energy_mj = 20.25;
      job.accuracy_pct = 70;
      job.accuracy_floor_pct = 65;
      outcome.add_job(job);
    }
    const Action decided = small_action(2, 0, 2, 1), applied = small_action(1, 0, 2, 1);
    Explanation why;
    std::snprintf(why.text, sizeof why.text, "epoch %d, \"why\"", i);
    why.explored = true;
    why.value = -0.5f;
    RewardParts reward;
    reward.energy = 0.25;
    recorder.on_epoch(
        {before, decided, applied, why, Shield::Verdict::kReplaced, outcome, reward, 321});
  }

  /// Ten epochs, a block for every second one.
  std::string small_recording() {
    Recorder recorder(path_, info_, {.flush_ns = 100 * kMs});
    for (int i = 0; i < 10; ++i) epoch(recorder, i);
    EXPECT_EQ(recorder.finish(), "");
    return contents(path_);
  }

  struct ReadBack {
    RecordingReport report;
    std::vector<EpochRow> epochs;
    std::vector<JobRecord> jobs;
  };
  ReadBack read_back() const {
    ReadBack back;
    RecordingVisitor visitor;
    visitor.on_epoch = [&](const EpochRow& row) { back.epochs.push_back(row); };
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
};

TEST_F(RecorderTest, GivesBackWhatWasRecorded) {
  small_recording();
  const ReadBack back = read_back();
  EXPECT_TRUE(back.report.complete);
  EXPECT_EQ(back.report.info.platform, "small");
  EXPECT_EQ(back.report.info.policy, "fake");
  EXPECT_EQ(back.report.info.seed, 7u);
  ASSERT_EQ(back.report.info.knobs.size(), 4u);
  EXPECT_EQ(back.report.info.knobs[2].kind, KnobSpec::Kind::kMapping);
  EXPECT_EQ(back.report.info.knobs[2].values[2], "bigx2");
  EXPECT_EQ(back.report.info.monitors[0].desired_max, std::numeric_limits<double>::infinity());
  ASSERT_EQ(back.epochs.size(), 10u);
  ASSERT_EQ(back.jobs.size(), 5u);
  const EpochRow& row = back.epochs[3];
  EXPECT_EQ(row.sequence, 4u);
  EXPECT_EQ(row.now_ns, 200 * kMs);
  EXPECT_EQ(row.decide_ns, 321);
  EXPECT_EQ(row.energy_mj, 12.5);
  EXPECT_EQ(row.reward, -0.25);
  EXPECT_EQ(row.decided, small_action(2, 0, 2, 1));
  EXPECT_EQ(row.applied, small_action(1, 0, 2, 1));
  EXPECT_EQ(row.cluster[0].freq_khz, 1'000'000);
  EXPECT_EQ(row.cluster[0].temp_c, 41.5);
  EXPECT_EQ(row.app[0].deadline_ns, 150 * kMs);
  EXPECT_TRUE(row.explored);
  EXPECT_EQ(row.value, -0.5);
  EXPECT_STREQ(row.why, "epoch 3, \"why\"");
  EXPECT_STREQ(verdict_name(row.verdict), "replaced");
  const JobRecord& job = back.jobs[1];
  EXPECT_EQ(job.sequence, 1u);
  EXPECT_EQ(job.finish_ns, 180 * kMs);
  EXPECT_EQ(job.energy_mj, 20.25);
  EXPECT_EQ(job.setting, (AppSetting{2, 1}));
  EXPECT_EQ(job.accuracy_floor_pct, 65);
  EXPECT_FALSE(job.missed);
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
  for (std::size_t bytes = whole.size(); bytes-- > 0;) {
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
  for (std::size_t bit = 0; bit < 8 * whole.size(); bit += 3) {
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
  for (const int index : {-1, kMaxClusters, 1'000'000}) {
    RecordingInfo info = info_;
    ASSERT_EQ(info.knobs[0].kind, KnobSpec::Kind::kFrequency);
    info.knobs[0].index = index;
    { Recorder recorder(path_, info); }
    EXPECT_THAT(error_of([&] { read_recording(path_, {}); }, Error::Kind::kInput),
                HasSubstr("unreadable header"));
    info = info_;
    info.monitors[0].index = index;
    { Recorder recorder(path_, info); }
    EXPECT_THAT(error_of([&] { export_csv(path_, folder_); }, Error::Kind::kInput),
                HasSubstr("unreadable header"));
  }
}

TEST_F(RecorderTest, AFullDiskIsReportedAtTheEndAndLeavesAReadableFile) {
  // A file size limit answers a write as a full disk does, with another errno.
  struct rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const std::size_t whole = small_recording().size();
  struct rlimit limit = before;
  limit.rlim_cur = whole / 2;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::string problem;
  {
    Recorder recorder(path_, info_, {.flush_ns = 100 * kMs});
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

// A pipe that nobody empties is a disk that has stopped: the ring of 8 blocks fills, and what comes
// after it is lost, block by block.
TEST(BlockWriterTest, CountsEveryBlockThatIsLost) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  BlockWriter writer(FileDescriptor(ends[1]), 0, /*wait=*/false);
  for (int block = 0; block < 28; ++block) {
    std::uint8_t* room = writer.reserve(kBlockPayloadBytes);
    ASSERT_EQ(room != nullptr, block < 8) << block;
    if (room != nullptr) std::memset(room, 0, kBlockPayloadBytes);
  }
  EXPECT_EQ(writer.lost_blocks(), 20u);
  writer.submit();  // half a block, that would have been closed early, is one too
  EXPECT_EQ(writer.reserve(10), nullptr);
  EXPECT_EQ(writer.reserve(10), nullptr);
  EXPECT_EQ(writer.lost_blocks(), 21u);
  std::thread reader([&] {
    char bytes[65536];
    while (::read(ends[0], bytes, sizeof bytes) > 0) continue;
  });
  writer.close();
  reader.join();
  close(ends[0]);
  EXPECT_EQ(writer.error(), 0);
}

TEST_F(RecorderTest, WhatWasFlushedSurvivesSigkill) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Recorder recorder(path_, info_, {.flush_ns = 100 * kMs, .wait_for_disk = true});
    for (int i = 0;; ++i) {
      epoch(recorder, i);
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }
  while (!fs::exists(path_) || fs::file_size(path_) < 20'000)
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
  for (int i = 0; i < 20'000; ++i) epoch(recorder, i);  // 100 blocks through a ring of 8
  EXPECT_EQ(recorder.finish(), "");
  const RecordingReport report = read_recording(path_, {});
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.epochs, 20'000u);
  EXPECT_EQ(report.jobs, 10'000u);
}

TEST_F(RecorderTest, RecordingAnEpochAllocatesNothing) {
  Recorder recorder(path_, info_, {.flush_ns = 100 * kMs, .wait_for_disk = true});
  const auto allocated = [&](int from, int epochs) {
    const std::uint64_t before = allocations();
    for (int i = from; i < from + epochs; ++i) epoch(recorder, i);
    return allocations() - before;
  };
  // `epoch` itself makes a scenario; what matters is that nothing comes on top.
  const std::uint64_t before = allocations();
  { const Scenario scenario = small_scenario(); }
  const std::uint64_t per_epoch = allocations() - before;
  EXPECT_EQ(allocated(0, 1000), 1000 * per_epoch);
}

TEST_F(RecorderTest, ExportsCsv) {
  {
    Recorder recorder(path_, info_);
    epoch(recorder, 0);
    epoch(recorder, 1);
  }
  const std::string out = folder_ + "/csv";
  EXPECT_TRUE(export_csv(path_, out).complete);
  EXPECT_EQ(
      contents(out + "/epochs.csv"),
      "epoch,end_ns,epoch_ns,decide_ns,energy_mj,power_mw,battery_pct,energy_preference,reward,"
      "cost_energy,cost_misses,cost_accuracy,cost_budget,cost_heat,sensors_ok,jobs_unlisted,"
      "decided.big.freq_khz,decided.little.freq_khz,decided.camera.mapping,decided.camera.width_"
      "pct,decided.camera.precision,"
      "applied.big.freq_khz,applied.little.freq_khz,applied.camera.mapping,applied.camera.width_"
      "pct,applied.camera.precision,"
      "big.freq_khz,big.opp_cap,big.util_max,big.util_mean,big.power_mw,big.temp_c,"
      "little.freq_khz,little.opp_cap,little.util_max,little.util_mean,little.power_mw,little.temp_"
      "c,"
      "camera.active,camera.released,camera.finished,camera.missed,camera.backlog,"
      "camera.deadline_ns,camera.accuracy_floor_pct,camera.last_latency_ns,"
      "verdict,explored,expected_reward,why\n"
      "1,50000000,50000000,321,12.5,250,100,0.5,-0.25,0.25,0,0,0,0,1,0,"
      "2000000,250000,bigx2,100,fp32,1000000,250000,bigx2,100,fp32,1000000,2,0.5,0.25,200,41.5,0,2,"
      "0,0,0,0,"
      "1,1,0,0,0,150000000,70,0,replaced,1,-0.5,\"epoch 0, \"\"why\"\"\"\n"
      "2,100000000,50000000,321,12.5,250,100,0.5,-0.25,0.25,0,0,0,0,1,0,"
      "2000000,250000,bigx2,100,fp32,1000000,250000,bigx2,100,fp32,1000000,2,0.5,0.25,200,41.5,0,2,"
      "0,0,0,0,"
      "1,1,0,0,0,150000000,70,0,replaced,1,-0.5,\"epoch 1, \"\"why\"\"\"\n");
  EXPECT_EQ(contents(out + "/jobs.csv"),
            "app,job,release_ns,start_ns,finish_ns,deadline_ns,latency_ns,energy_mj,cycles,mapping,"
            "width_pct,precision,accuracy_pct,accuracy_floor_pct,missed,dropped,infeasible\n"
            "camera,0,0,0,80000000,150000000,80000000,20.25,0,bigx2,100,fp32,70,65,0,0,0\n");
}

// "100 int8" is one value of the knob, and two columns.
TEST_F(RecorderTest, ExportsThePrecisionBesideTheWidth) {
  RecordingInfo info = info_;
  info.knobs.back().values[1] = "100 int8";
  {
    Recorder recorder(path_, info);
    epoch(recorder, 0);
    epoch(recorder, 1);
  }
  const std::string out = folder_ + "/csv";
  export_csv(path_, out);
  EXPECT_THAT(contents(out + "/jobs.csv"), HasSubstr(",bigx2,100,int8,70,"));
  EXPECT_THAT(contents(out + "/epochs.csv"),
              HasSubstr("2000000,250000,bigx2,100,int8,1000000,250000,bigx2,100,int8,1000000,"));
}

}  // namespace
}  // namespace flyball::test
