// A recording that was closed is compressed, and nobody who reads it notices.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "governor/record/export.h"
#include "governor/record/frame.h"
#include "governor/record/record_codec.h"
#include "kernels/base/crc32c.h"
#include "tests/governor/recorder_fixture.h"

namespace flyball::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class RecordingCompressed : public RecorderTest {
 protected:
  void SetUp() override {
    if (!can_compress()) GTEST_SKIP() << "built without Zstandard";
  }
  std::string record(bool compress, int epochs = 200) {
    // A block for every second epoch, or for every hundredth where there are many.
    const std::int64_t flush_ns = (epochs > 1000 ? 5000 : 100) * kMs;
    Recorder recorder(path_, info_,
                      {.flush_ns = flush_ns, .wait_for_disk = true, .compress = compress});
    bind(recorder);
    for (int i = 0; i < epochs; ++i) epoch(recorder, i);
    EXPECT_EQ(recorder.finish(), "");
    return contents(path_);
  }
  std::string exported() const {
    const std::string folder = folder_ + "/csv";
    EXPECT_TRUE(export_csv(path_, folder).complete);
    return contents(folder + "/epochs.csv") + contents(folder + "/jobs.csv");
  }
  static std::vector<std::size_t> frames(const std::string& bytes) {
    std::vector<std::size_t> at;
    for (std::size_t i = bytes.find(kFrameMagic); i != bytes.npos;
         i = bytes.find(kFrameMagic, i + 1))
      at.push_back(i);
    return at;
  }
};

TEST_F(RecordingCompressed, IsSmallerAndReadsTheSame) {
  const std::string plain = record(false);
  const std::string before = exported();
  const RecordingReport plain_report = read_recording(path_, {});
  const std::string packed = record(true);
  EXPECT_LT(packed.size(), plain.size() * 2 / 3);
  EXPECT_THAT(packed, Not(HasSubstr(kBlockMagic)));
  EXPECT_EQ(exported(), before);
  const RecordingReport report = read_recording(path_, {});
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.epochs, 200u);
  EXPECT_EQ(report.jobs, 100u);
  EXPECT_EQ(report.blocks, plain_report.blocks);
  EXPECT_EQ(fs::status(path_).permissions() & fs::perms::owner_write, fs::perms::owner_write);
}

TEST_F(RecordingCompressed, UntilItIsClosedItIsAppendedToAndReadable) {
  Recorder recorder(path_, info_, {.flush_ns = 100 * kMs, .compress = true});
  bind(recorder);
  const std::string copy = folder_ + "/crashed.flyrec";
  RecordingReport report;
  for (int i = 0; report.epochs < 10; ++i) {
    epoch(recorder, i);
    fs::copy_file(path_, copy, fs::copy_options::overwrite_existing);
    report = read_recording(copy, {});
  }
  EXPECT_FALSE(report.ended);
  EXPECT_THAT(contents(copy), HasSubstr(kBlockMagic));
}

TEST_F(RecordingCompressed, WhoRecordsToTheSameNameMeanwhileIsLeftAlone) {
  Recorder first(path_, info_, {.flush_ns = 100 * kMs, .wait_for_disk = true, .compress = true});
  bind(first);
  for (int i = 0; i < 100; ++i) epoch(first, i);
  fs::remove(path_);  // whose lock would keep the second out
  Recorder second(path_, info_, {.flush_ns = 100 * kMs, .wait_for_disk = true});
  bind(second);
  EXPECT_EQ(first.finish(), "");
  for (int i = 0; i < 200; ++i) epoch(second, i);
  EXPECT_EQ(second.finish(), "");
  EXPECT_TRUE(read_recording(path_, {}).complete);
  EXPECT_EQ(read_recording(path_, {}).epochs, 200u);
}

// Compressing takes seconds where a recording is long.
TEST_F(RecordingCompressed, WhoTakesTheNameWhileItIsCompressedIsLeftAlone) {
  record(false, 20'000);
  const std::string other = folder_ + "/other";
  put(other, "another recording");
  std::atomic<bool> done = false;
  std::thread taker([&] {
    // What is compressed grows beside it.
    const auto growing = [&] {
      for (const fs::directory_entry& entry : fs::directory_iterator(folder_))
        if (entry.path().extension() == ".tmp") return true;
      return false;
    };
    while (!done && !growing()) {
    }
    fs::rename(other, path_);
  });
  compress_recording(path_);
  done = true;
  taker.join();
  EXPECT_EQ(contents(path_), "another recording");
}

TEST_F(RecordingCompressed, ADamagedFrameCostsItsBlocksOnly) {
  const std::string whole = record(true, 20'000);
  const std::vector<std::size_t> at = frames(whole);
  ASSERT_GE(at.size(), 3u);
  put_at(path_, at[1] + 100, static_cast<char>(whole[at[1] + 100] ^ 1));
  const RecordingReport report = read_recording(path_, {});
  EXPECT_TRUE(report.ended);
  EXPECT_FALSE(report.complete);
  EXPECT_GT(report.epochs, 5000u);
  EXPECT_LT(report.epochs, 20'000u);
  EXPECT_EQ(report.damaged_blocks, report.missing_blocks);
  EXPECT_THAT(report.problem(), Not(HasSubstr("not written")));
}

// What a frame says of its length is not believed: memory stays that of the longest block.
TEST_F(RecordingCompressed, AFrameThatWouldUnpackToMoreIsDamaged) {
  std::string bytes = record(true);
  const std::size_t at = frames(bytes).at(0);
  const auto claim = [&](std::uint32_t length) {
    auto* const frame = reinterpret_cast<std::uint8_t*>(bytes.data() + at);
    Encoder{frame + 8}(length);
    std::uint32_t packed = 0;
    Decoder{frame + 12, frame + 16}(packed);
    Encoder{frame + 16 + packed}(crc32c(frame, 16 + packed));
    put(path_, bytes);
    return read_recording(path_, {});
  };
  for (const std::uint32_t length : {0xFFFFFFFFu, 2u << 20, 1000u, 0u}) {
    const RecordingReport report = claim(length);
    EXPECT_EQ(report.epochs, 0u) << length;
    EXPECT_GE(report.damaged_blocks, 1u) << length;
  }
}

TEST_F(RecordingCompressed, CutOffAnywhereItIsReadUpToTheLastWholeFrame) {
  const std::string whole = record(true, 20'000);
  const std::vector<std::size_t> at = frames(whole);
  ASSERT_GE(at.size(), 2u);
  for (const std::size_t bytes : {at[1] + 7, at[1] + 16, at[1] + 2000, at[1]}) {
    fs::resize_file(path_, bytes);
    const RecordingReport report = read_recording(path_, {});
    EXPECT_GT(report.epochs, 1000u) << bytes;
    EXPECT_EQ(report.torn_bytes, bytes - at[1]) << bytes;
    EXPECT_EQ(report.damaged_blocks, 0u) << bytes;
    put(path_, whole);
  }
}

TEST_F(RecordingCompressed, AVersionAfterItIsRefused) {
  record(true);
  put_at(path_, sizeof "FLYREC\0", 7);
  EXPECT_THAT(error_of([&] { read_recording(path_, {}); }, Error::Kind::kInput),
              HasSubstr("has format version 7"));
}

}  // namespace
}  // namespace flyball::test
