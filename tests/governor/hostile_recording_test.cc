// Recordings that nobody recorded: with right checksums, and whatever a stranger put between them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "agents/explain.h"
#include "governor/record/block_writer.h"
#include "governor/record/export.h"
#include "governor/record/record_codec.h"
#include "governor/record/recording.h"
#include "governor/record/recording_header.h"
#include "governor/record/row_codec.h"
#include "kernels/base/control_character.h"
#include "kernels/base/crc32c.h"
#include "kernels/base/error.h"
#include "tests/governor/fakes.h"
#include "tests/governor/subprocess.h"

namespace flyball::test {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using testing::TempDir;

std::string word(std::uint32_t value) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &value, 4);
  return bytes;
}
std::string summed(const std::string& bytes) {
  return bytes + word(crc32c(bytes.data(), bytes.size()));
}
std::string block(std::uint32_t number, const std::string& records) {
  return summed(kBlockMagic + word(number) + word(static_cast<std::uint32_t>(records.size())) +
                records);
}

RecordingInfo small_info() {
  const PlatformSpec spec = small_platform();
  return recording_info(spec, Belief::of(spec), small_scenario(), "fake", 7, RewardWeights{});
}

/// Of the small platform; `change` is done to its JSON.
std::string header(const std::function<void(ordered_json&)>& change = {}) {
  const std::string whole = encode_header(small_info());
  ordered_json json = ordered_json::parse(whole.substr(16, whole.size() - 20));
  if (change) change(json);
  const std::string text = json.dump();
  return summed(whole.substr(0, 12) + word(static_cast<std::uint32_t>(text.size())) + text);
}

/// Records of a block, as the recorder codes them.
class Records {
 public:
  Records() {
    *this << [](Encoder& out) {
      out(static_cast<std::uint8_t>(RecordType::kRoster));
      out(std::uint8_t{0});
    };
  }
  Records& operator<<(const std::function<void(Encoder&)>& put) {
    std::string room(4096, '\0');
    auto* const begin = reinterpret_cast<std::uint8_t*>(room.data());
    Encoder out{begin};
    put(out);
    bytes_.append(room, 0, static_cast<std::size_t>(out.at - begin));
    return *this;
  }
  Records& bind(const Binding& binding) {
    const std::vector<Monitor> rows = stored_rows(info_.app_monitors);
    rows_.insert(rows_.end(), rows.begin(), rows.end());
    return *this << [&](Encoder& out) {
      out(static_cast<std::uint8_t>(RecordType::kBind));
      put_binding(out, 0, binding);
    };
  }
  Records& job(const JobRecord& job) {
    return *this << [&](Encoder& out) {
      out(static_cast<std::uint8_t>(RecordType::kJob));
      put_job(out, job, state_);
    };
  }
  Records& epoch() {
    return *this << [&](Encoder& out) {
      out(static_cast<std::uint8_t>(RecordType::kEpoch));
      out(true);
      put_decision(out, DecisionRow{}, {2, 0}, state_);
      RowCodec codec;
      codec.set_rows(rows_);
      BitWriter bits(out.at);
      codec.encode(Observation(), bits);
      out.at = bits.finish();
    };
  }
  const std::string& bytes() const { return bytes_; }

 private:
  const RecordingInfo info_ = small_info();
  std::vector<Monitor> rows_ = stored_rows(info_.monitors);
  RecordState state_;
  std::string bytes_;
};

class HostileRecordingTest : public ::testing::Test {
 protected:
  void put(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  std::string refusal(const std::function<void(ordered_json&)>& change) const {
    put(header(change));
    try {
      export_csv(path_, dir_.path().string());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Error::Kind::kInput);
      return error.what();
    }
    return "";
  }
  TempDir dir_;
  const std::string path_ = dir_ / "x.flyrec";
};

TEST_F(HostileRecordingTest, AHeaderOfNumbersThatCannotBeIsRefused) {
  EXPECT_EQ(refusal([](ordered_json&) {}), "") << "that of the recorder itself is taken";
  using Change = std::function<void(ordered_json&)>;
  const std::vector<Change> changes = {
      [](ordered_json& j) { j["clusters"] = ordered_json::array(); },
      [](ordered_json& j) { j["clusters"][0]["freq_khz"] = ordered_json::array(); },
      [](ordered_json& j) { j["clusters"][0]["freq_khz"][1] = 1e300; },
      [](ordered_json& j) { j["clusters"][0]["freq_khz"][1] = -1; },
      [](ordered_json& j) { j["clusters"][0]["freq_khz"][1] = 2.5; },
      [](ordered_json& j) { j["mappings"][0]["cores"][0] = 300; },
      [](ordered_json& j) { j["mappings"][0]["cores"][0] = 1e9; },
      [](ordered_json& j) { j["mappings"][0]["cores"] = 1; },
      [](ordered_json& j) { j["seed"] = 1e300; },
      [](ordered_json& j) { j["seed"] = -1; },
      [](ordered_json& j) { j["monitors"][0]["index"] = 0.5; },
      [](ordered_json& j) { j["monitors"][0]["index"] = ~std::uint64_t{0}; }};
  for (std::size_t i = 0; i < changes.size(); ++i)
    EXPECT_THAT(refusal(changes[i]), HasSubstr("unreadable header")) << "change " << i;
}

TEST_F(HostileRecordingTest, ADecisionIsExplainedOnAnyPlatform) {
  Decision decision;
  decision.reason.code = Reason::Code::kUtil;
  decision.reason.index = 63;
  EXPECT_EQ(explain(decision, PlatformSpec{}, {}), "");
}

TEST_F(HostileRecordingTest, NamesReachNoTerminalAsTheyAre) {
  const std::string evil = "a\x1b[2J\xe2\x80\xae";
  Records records;
  records.bind({evil, evil, 1, false, {}, {}}).epoch();
  put(header([&](ordered_json& json) {
        for (const char* key : {"platform", "scenario", "policy"}) json[key] = evil;
        json["clusters"][0]["name"] = evil;
        json["mappings"][0]["name"] = evil;
        json["monitors"][0]["name"] = json["app_monitors"][0]["unit"] = evil;
        json["measured"] = {evil};
      }) +
      block(0, records.bytes()));
  const auto clean = [](const std::string& name) { EXPECT_EQ(printable(name), name); };
  int bound = 0;
  RecordingVisitor visitor;
  visitor.on_bind = [&](int, const Binding& binding, const Observation&) {
    ++bound;
    EXPECT_EQ(binding.name, "a?[2J?");
    clean(binding.profile);
  };
  const RecordingInfo info = read_recording(path_, visitor).info;
  EXPECT_EQ(bound, 1);
  EXPECT_EQ(info.platform.clusters[0].name, "a?[2J?");
  for (const std::string& name :
       {info.platform.name, info.scenario, info.policy, info.platform.mappings[0].name,
        info.monitors[0].name, info.app_monitors[0].unit, info.measured.at(0)})
    clean(name);
  export_csv(path_, dir_.path().string());
  for (const std::string& csv : csv_files(dir_.path().string()))
    EXPECT_EQ(testing::read_text(csv).find_first_of("\x1b\xe2"), std::string::npos);
}

TEST_F(HostileRecordingTest, AJobThatEndsBeforeItBeginsIsDamage) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  JobRecord good;
  good.release_ns = 1, good.start_ns = 2, good.finish_ns = kMost, good.deadline_ns = kMost;
  std::vector<JobRecord> bad(4, good);
  bad[0].release_ns = -1, bad[0].deadline_ns = 5;
  bad[1].start_ns = 0;
  bad[2].finish_ns = 1;
  bad[3].deadline_ns = -1;
  const auto jobs_of = [&](const JobRecord& job) {
    put(header() + block(0, Records().job(job).epoch().bytes()));
    std::vector<JobRecord> jobs;
    RecordingVisitor visitor;
    visitor.on_job = [&](const JobRecord& one) { jobs.push_back(one); };
    const RecordingReport report = read_recording(path_, visitor);
    EXPECT_EQ(report.damaged_blocks, jobs.empty() ? 1u : 0u);
    return jobs.size();
  };
  EXPECT_EQ(jobs_of(good), 1u);
  for (const JobRecord& job : bad) EXPECT_EQ(jobs_of(job), 0u);
}

// A million headers that claim half a megabyte each: checksummed one by one, they take minutes.
TEST_F(HostileRecordingTest, AFloodOfBlockHeadersIsPassedOver) {
  std::string flood;
  while (flood.size() < 16u << 20) flood += kBlockMagic + word(1) + word(kBlockPayloadBytes);
  put(header() + block(0, Records().epoch().bytes()) + flood + block(1, Records().epoch().bytes()));
  const RecordingReport report = read_recording(path_, {});
  EXPECT_EQ(report.epochs, 2u) << "the block behind it is found";
  EXPECT_EQ(report.damaged_blocks, 1u);
}

}  // namespace
}  // namespace flyball::test
