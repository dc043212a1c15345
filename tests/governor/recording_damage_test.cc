// Damaged, foreign and unfinished recordings, and files that cannot be written.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "governor/record/export.h"
#include "kernels/base/crc32c.h"
#include "tests/governor/recorder_fixture.h"

namespace flyball::test {
namespace {

using ::testing::HasSubstr;
using RecordingDamage = RecorderTest;

TEST_F(RecordingDamage, ARecordingOfAnEarlierVersionIsRefusedWithTheReason) {
  small_recording();
  put_at(path_, sizeof "FLYREC\0", 1);
  EXPECT_THAT(error_of([&] { read_recording(path_, {}); }, Error::Kind::kInput),
              HasSubstr("has format version 1, this program reads 5; record the run again"));
}

// It differs in what is left out.
TEST_F(RecordingDamage, ARecordingOfTheVersionBeforeIsRead) {
  std::string whole = small_recording();
  whole[8] = 3;
  std::uint32_t length = 0;
  std::memcpy(&length, whole.data() + 12, 4);
  const std::uint32_t crc = crc32c(whole.data(), 16 + length);
  std::memcpy(whole.data() + 16 + length, &crc, 4);
  put(path_, whole);
  const RecordingReport report = read_recording(path_, {});
  EXPECT_EQ(report.blocks, 6u);
  EXPECT_EQ(report.jobs, 5u);
}

TEST_F(RecordingDamage, TheChecksumIsCrc32c) {
  EXPECT_EQ(crc32c("123456789", 9), 0xE3069283u);  // the check value of CRC-32C
}

TEST_F(RecordingDamage, CutOffAnywhereItIsReadableUpToTheLastWholeBlock) {
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

TEST_F(RecordingDamage, EveryFlippedBitIsNoticedAndCostsOneBlockOnly) {
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

TEST_F(RecordingDamage, AForeignFileIsRefusedByTheReader) {
  put(path_, std::string(1000, 'x'));
  EXPECT_THAT(error_of([&] { read_recording(path_, {}); }, Error::Kind::kInput),
              HasSubstr("is not a flyball recording"));
  EXPECT_THROW(read_recording(folder_ + "/none", {}), Error);
  EXPECT_THROW(read_recording(folder_, {}), Error);
}

TEST_F(RecordingDamage, APipeIsRefusedAndNotWaitedFor) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(error_of([&] { read_recording(path_, {}); }, Error::Kind::kInput),
              HasSubstr("is not a file"));
}

TEST_F(RecordingDamage, AHeaderWithAnIndexThatThereIsNotIsRefused) {
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

TEST_F(RecordingDamage, OnlyARecordingIsOverwritten) {
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

TEST_F(RecordingDamage, APathThatCannotBeWrittenIsRefusedAtOnce) {
  const std::string missing = folder_ + "/no/such/folder/run.flyrec";
  const std::string why = error_of([&] { Recorder recorder(missing, info_); }, Error::Kind::kInput);
  EXPECT_THAT(why, HasSubstr(missing));
  EXPECT_THAT(why, HasSubstr("there is no folder"));
  EXPECT_THROW(Recorder(folder_, info_), Error);
}

TEST_F(RecordingDamage, AHeaderThatCannotBeWrittenLeavesNoFile) {
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

TEST_F(RecordingDamage, AFullDiskIsReportedAtTheEndAndLeavesAReadableFile) {
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

TEST_F(RecordingDamage, WhatWasFlushedSurvivesSigkill) {
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

// Of a writer that nobody reads from some blocks are dropped; those and the ones that come through
// are all there were.
TEST(BlockWriter, SaysHowManyBlocksAreLost) {
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

}  // namespace
}  // namespace flyball::test
