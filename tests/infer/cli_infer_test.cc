// The real `flyball infer`, alone.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

#include "governor/machine/named_model.h"
#include "kernels/data/accuracy.h"
#include "kernels/data/procedural.h"
#include "tests/governor/subprocess.h"
#include "tests/infer/infer_output.h"
#include "tests/infer/pictures.h"

namespace flyball::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class CliInfer : public ::testing::Test {
 protected:
  CliInfer() { setenv("FLYBALL_SOCKET", (dir_ / "nobody.sock").c_str(), 1); }
  Finished infer(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "infer");
    return flyball_run(arguments);
  }
  /// One line on standard error that names what is wrong, and nothing else done.
  void expect_refused(const std::vector<std::string>& arguments, const std::string& why) {
    const Finished finished = infer(arguments);
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    EXPECT_EQ(finished.out, "");
    EXPECT_THAT(finished.err, StartsWith("flyball: "));
    EXPECT_THAT(finished.err, HasSubstr(why));
    EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
  }
  TempDir dir_;
};

TEST_F(CliInfer, WithoutAGovernorEveryJobRunsAllOfTheNetworkAndItSaysSoOnce) {
  const Finished finished = infer({"--jobs", "120", "--threads", "1", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("no governor at " + (dir_ / "nobody.sock")));
  EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
  const std::vector<Json> lines = json_lines(finished.out);
  ASSERT_EQ(lines.size(), 122u);
  EXPECT_EQ(lines.front()["schema"], 1);
  for (int i = 0; i < 120; ++i) {
    const Json& job = lines[1 + i];
    EXPECT_EQ(job["job"], i);
    EXPECT_EQ(job["width_pct"], 100);
    EXPECT_EQ(job["precision"], "fp32");
    EXPECT_EQ(job["threads"], 1);
    EXPECT_EQ(job["governed"], false);
    EXPECT_GT(job["latency_ms"], 0);
  }
  // What it recognises is what the network does, image by image.
  const NamedModel named = load_named_model();
  const Network network(named.model);
  const Dataset data = procedural_test_set(120);
  const float right_pct = measure_top1(network, Precision::kFloat32, data).back();
  const Json& totals = lines.back()["totals"];
  EXPECT_EQ(totals["jobs"], 120);
  EXPECT_EQ(totals["complete"], true);
  EXPECT_NEAR(totals["accuracy_pct"].get<double>(), static_cast<double>(right_pct), 1e-3);
  EXPECT_TRUE(totals["effect"]["latency_ms"].is_null());
}

TEST_F(CliInfer, EveryReleaseOfAPeriodIsRunOrCountedAsDropped) {
  const Finished finished = infer({"--rate", "2000", "--jobs", "300", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const std::vector<Json> lines = json_lines(finished.out);
  const Json& totals = lines.back()["totals"];
  EXPECT_EQ(totals["jobs"].get<int>() + totals["dropped"].get<int>(), 300);
  EXPECT_EQ(totals["jobs"].get<std::size_t>(), lines.size() - 2);
  int late = 0;
  for (std::size_t i = 1; i + 1 < lines.size(); ++i) {
    if (i > 1) {
      EXPECT_LT(lines[i - 1]["job"].get<int>(), lines[i]["job"].get<int>());
    }
    EXPECT_EQ(lines[i]["late"].get<bool>(), lines[i]["latency_ms"].get<double>() > 0.5);
    late += lines[i]["late"].get<bool>();
  }
  EXPECT_EQ(totals["late"], late);
}

TEST_F(CliInfer, TakesPicturesOfAnySizeByTheirNames) {
  write_bytes(dir_ / "b.ppm", kPpm);
  write_bytes(dir_ / "a.ppm", "P5 1 1 255\n\x42");
  const Finished finished = infer({"--images", dir_.path(), "--jobs", "4", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const std::vector<Json> lines = json_lines(finished.out);
  ASSERT_EQ(lines.size(), 6u);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(lines[1 + i]["image"], i % 2 == 0 ? "a.ppm" : "b.ppm");
    EXPECT_EQ(lines[1 + i]["class"], lines[1 + i % 2]["class"]);
    EXPECT_FALSE(lines[1 + i].contains("label"));
  }
  EXPECT_TRUE(lines.back()["totals"]["accuracy_pct"].is_null());
}

TEST_F(CliInfer, TextHasALinePerJobUnlessItIsQuiet) {
  Finished finished = infer({"--jobs", "3"});
  EXPECT_EQ(std::count(finished.out.begin(), finished.out.end(), '\n'), 2 + 3 + 2) << finished.out;
  EXPECT_THAT(finished.out, HasSubstr("\n      2  "));
  finished = infer({"--jobs", "3", "--quiet"});
  EXPECT_EQ(std::count(finished.out.begin(), finished.out.end(), '\n'), 1 + 2) << finished.out;
  EXPECT_THAT(finished.out, HasSubstr("3 jobs in "));
}

TEST_F(CliInfer, RefusesInOneLineWhatMakesNoSense) {
  expect_refused({"--period-ms", "0"}, "--period-ms 0: ");
  expect_refused({"--rate", "0"}, "--rate 0: ");
  expect_refused({"--period-ms", "-1"}, "--period-ms -1: is not a number from 0");
  expect_refused({"--period-ms", "5", "--rate", "5"}, "say the same thing");
  expect_refused({"--jobs", "0"}, "--jobs 0: ");
  expect_refused({"--objective", "beauty"}, "--objective beauty: ");
  expect_refused({"--model", "none"}, "none");
  expect_refused({"--images", dir_ / "nowhere"}, "nowhere: ");
  std::filesystem::create_directory(dir_ / "empty");
  expect_refused({"--images", dir_ / "empty"}, "has no pictures");
  write_bytes(dir_ / "cut.png", kPng.substr(0, 60));
  expect_refused({"--images", dir_ / "cut.png"}, "cut.png: ");
  write_bytes(dir_ / "cut.bin", std::string(5 * 3073, 'x'));
  expect_refused({"--images", dir_ / "cut.bin"}, "cut short");
  expect_refused({"--name", std::string(40, 'x')}, "name");
  expect_refused({"--threads", "1000"}, "--threads 1000: ");
  write_bytes(dir_ / "mine.txt", "not to be lost");
  expect_refused({"--out", dir_ / "mine.txt"}, "is there already");
  EXPECT_EQ(read_text(dir_ / "mine.txt"), "not to be lost");
}

TEST_F(CliInfer, OutTakesThePlaceOfOlderResults) {
  const std::string out = dir_ / "results.txt";
  for (const char* jobs : {"7", "2"}) {
    const Finished finished = infer({"--jobs", jobs, "--out", out});
    ASSERT_EQ(finished.exit_code, 0) << finished.err;
    EXPECT_EQ(finished.out, "");
  }
  EXPECT_THAT(read_text(out), HasSubstr("2 jobs in "));
  expect_refused({"--jobs", "1", "--json", "--out", out}, "is there already");
}

TEST_F(CliInfer, AReaderThatGoesEndsItAndADiskWithoutRoomIsSaid) {
  Flyball::Options options;
  options.out = Flyball::Out::kClosedPipe;
  Finished finished = Flyball({"infer"}, options).wait();  // without an end of its own
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  options.out = Flyball::Out::kFullDevice;
  finished = Flyball({"infer"}, options).wait();
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("standard output: No space left on device"));
  options.out = Flyball::Out::kFile;
  options.file_bytes = 4096;
  finished = Flyball({"infer", "--json", "--out", dir_ / "out.json"}, options).wait();
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("out.json: cannot be written: File too large"));
}

TEST_F(CliInfer, CtrlCEndsItWithItsTotals) {
  for (const bool endless : {true, false}) {
    const std::string out = dir_ / (endless ? "endless.json" : "bounded.json");
    std::vector<std::string> arguments = {"infer", "--json", "--period-ms", "3", "--out", out};
    if (!endless) arguments.insert(arguments.end(), {"--jobs", "1000000"});
    Flyball flyball(arguments);
    ASSERT_TRUE(comes_about([&] { return json_lines(read_text(out)).size() > 3; }));
    flyball.signal(SIGINT);
    EXPECT_EQ(flyball.wait().exit_code, endless ? 0 : 1);
    const std::vector<Json> lines = json_lines(read_text(out));
    EXPECT_EQ(lines.back()["totals"]["jobs"].get<std::size_t>(), lines.size() - 2);
    EXPECT_EQ(lines.back()["totals"]["complete"], false);
  }
}

}  // namespace
}  // namespace flyball::testing
