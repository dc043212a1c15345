// `flyball infer` in a process of its own, and a governor in this one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>

#include "tests/channel/channel_fixture.h"
#include "tests/governor/subprocess.h"
#include "tests/infer/infer_output.h"

namespace flyball {
namespace {

using testing::Flyball;
using ::testing::HasSubstr;
using testing::Json;
using testing::json_lines;
using testing::read_text;
using testing::TempDir;

class GovernedInfer : public ::testing::Test {
 protected:
  GovernedInfer() { setenv("FLYBALL_SOCKET", socket_.socket().c_str(), 1); }
  std::unique_ptr<Flyball> start(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"infer", "--json", "--period-ms", "4", "--out", out_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return std::make_unique<Flyball>(arguments);
  }
  std::vector<Json> lines() const { return json_lines(read_text(out_)); }
  /// Some job after the first `from` lines is as `key` says.
  bool job_with(const char* key, const Json& value, std::size_t from = 1) const {
    const std::vector<Json> all = lines();
    for (std::size_t i = from; i < all.size(); ++i)
      if (all[i].contains(key) && all[i][key] == value) return true;
    return false;
  }
  SocketDir socket_;
  TempDir dir_;
  const std::string out_ = dir_ / "out.json";
};

TEST_F(GovernedInfer, OffersItsKnobsAndWhatItAsksFor) {
  TestGovernor governor(socket_.path());
  const auto infer = start({"--deadline-ms", "30", "--accuracy", "55", "--name", "eyes"});
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().jobs.size() > 3; }));
  const auto seen = governor.agent.seen();
  ASSERT_EQ(seen.bound.size(), 1u);
  EXPECT_EQ(seen.bound[0].name, "eyes");
  ASSERT_EQ(seen.bound[0].levels.size(), 8u);  // four widths, each in int8 and fp32
  EXPECT_EQ(seen.bound[0].knobs[0].name, "width");
  EXPECT_EQ(seen.bound[0].knobs[1].name, "precision");
  EXPECT_GT(seen.bound[0].levels[7].accuracy_pct, seen.bound[0].levels[0].accuracy_pct);
  EXPECT_EQ(seen.required.deadline_ns, 30'000'000);
  EXPECT_EQ(seen.required.accuracy_floor_pct, 55);
  infer->signal(SIGINT);
  EXPECT_EQ(infer->wait().exit_code, 0);
}

TEST_F(GovernedInfer, RunsAtTheWidthThePrecisionAndTheThreadsThatItIsTold) {
  TestGovernor governor(socket_.path());
  governor.agent.level = 0;  // a quarter of the network, in int8
  ASSERT_GE(governor.mapping("smallx1"), 0);
  governor.agent.mapping = governor.mapping("smallx1");
  const auto infer = start();
  ASSERT_TRUE(comes_about([&] { return job_with("width_pct", 25); }));
  ASSERT_TRUE(comes_about([&] { return job_with("threads", 1); }));
  const std::size_t before = lines().size();
  governor.agent.level = 5;  // 75 %, in fp32
  ASSERT_TRUE(comes_about([&] { return job_with("width_pct", 75, before); }));
  infer->signal(SIGINT);
  EXPECT_EQ(infer->wait().exit_code, 0);
  for (const Json& line : lines()) {
    if (!line.contains("width_pct")) continue;
    EXPECT_EQ(line["precision"], line["width_pct"] == 25 ? "int8" : "fp32");
  }
}

TEST_F(GovernedInfer, GoesOnWithoutItsGovernorAndFindsTheNextOne) {
  auto governor = std::make_unique<TestGovernor>(socket_.path());
  governor->agent.level = 0;
  const auto infer = start();
  ASSERT_TRUE(comes_about([&] { return job_with("width_pct", 25); }));
  governor.reset();
  std::size_t from = lines().size();
  ASSERT_TRUE(comes_about([&] { return job_with("governed", false, from); }));
  EXPECT_TRUE(job_with("width_pct", 100, from));
  from = lines().size();
  governor = std::make_unique<TestGovernor>(socket_.path());
  governor->agent.level = 2;
  ASSERT_TRUE(comes_about([&] { return job_with("width_pct", 50, from); }));
  infer->signal(SIGINT);
  const testing::Finished finished = infer->wait();
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_THAT(finished.err, HasSubstr("the governor is gone; going on at full width"));
  const std::vector<Json> all = lines();
  const Json& totals = all.back()["totals"];
  EXPECT_EQ(totals["jobs"].get<std::size_t>(), all.size() - 2);
  EXPECT_LT(totals["governed"].get<int>(), totals["jobs"].get<int>());
  EXPECT_GT(totals["governed"].get<int>(), 0);
}

}  // namespace
}  // namespace flyball
