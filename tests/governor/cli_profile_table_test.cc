// `flyball profile --table`, end to end through the real program: on trees of files whose sensors are
// played by a known law from the clocks that the program sets and the load that it runs.

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "kernels/base/cpu_set.h"
#include "tests/env/linux_tree.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// P = C V^2 f busy + k V while it runs; idle draws kIdleA V.
struct Law {
  double core_nf, static_a, idle_a;
  double knee_mhz, low_v, top_mhz;  ///< V is flat up to the knee, then a line to 1 V
  double volts(double mhz) const {
    return mhz <= knee_mhz ? low_v : low_v + (1 - low_v) * (mhz - knee_mhz) / (top_mhz - knee_mhz);
  }
  double mw(double mhz, int busy) const {
    const double v = volts(mhz);
    return 1e3 * idle_a * v * (busy > 0 ? 1 : 0.2) +
           (busy > 0 ? core_nf * v * v * mhz * busy + 1e3 * static_a * v : 0);
  }
};

/// A policy of the CPUs of this machine, and the files that tell its power.
struct PlayedCluster {
  int policy;
  std::vector<int> cpus;
  Law law;
  std::string sensor;  ///< in W
};

/// Plays cpufreq and the sensors while it lives: every 4 ms the clocks follow what was set, and the rails
/// follow clocks and the program's threads that are on the cluster's CPUs alone and want to run.
class SensorPlay {
 public:
  SensorPlay(const LinuxTree& tree, std::vector<PlayedCluster> clusters, double board_mw = 0)
      : tree_(tree), clusters_(std::move(clusters)), board_mw_(board_mw) {
    thread_ = std::thread([this] { body(); });
  }
  ~SensorPlay() {
    end_ = true;
    thread_.join();
  }
  void watch(const Flyball& program) {
    const std::string status = program.status();
    const auto at = status.find("\nPid:");
    if (at != status.npos) program_ = std::atoi(status.c_str() + at + 5);
  }

 private:
  static void put(const std::string& path, const std::string& text) {
    const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    [[maybe_unused]] const auto written = pwrite(fd, text.data(), text.size(), 0);
    close(fd);
  }
  double mhz_of(int policy) const {
    const std::string at = LinuxTree::policy(policy);
    const bool exact = tree_.line(at + "scaling_governor") == "userspace";
    const std::string khz = tree_.line(at + (exact ? "scaling_setspeed" : "scaling_max_freq"));
    return std::atof(khz.c_str()) / 1e3;
  }
  std::map<int, int> running() const {
    std::map<int, int> on;
    const std::string tasks = "/proc/" + std::to_string(program_) + "/task";
    std::error_code ignored;
    for (const auto& task : std::filesystem::directory_iterator(tasks, ignored)) {
      const std::string status = read_text(task.path() / "status");
      if (status.find("State:\tR") == status.npos) continue;
      const auto list = status.find("Cpus_allowed_list:\t");
      if (list == status.npos) continue;
      const std::string cpus = status.substr(list + 19, status.find('\n', list) - list - 19);
      if (cpus.find_first_not_of("0123456789") == cpus.npos) ++on[std::atoi(cpus.c_str())];
    }
    return on;
  }
  void body() {
    std::map<int, int> seen;  // samples ago that a CPU was busy: barriers are not idle time
    while (!end_) {
      const auto on = program_ > 0 ? running() : std::map<int, int>();
      double sum_mw = board_mw_;
      std::map<std::string, double> rails;
      for (const PlayedCluster& cluster : clusters_) {
        int busy = 0;
        for (const int cpu : cluster.cpus) {
          int& last = seen.try_emplace(cpu, 1000).first->second;
          last = on.contains(cpu) ? 0 : last + 1;
          busy += last < 12;
        }
        const double mhz = mhz_of(cluster.policy);
        char text[32];
        snprintf(text, sizeof text, "%07.0f\n", mhz * 1e3);
        put(tree_.path(LinuxTree::policy(cluster.policy) + "scaling_cur_freq"), text);
        const double mw = mhz > 0 ? cluster.law.mw(mhz, busy) : 0;
        sum_mw += mw;
        rails[cluster.sensor] += mw;
      }
      char text[32];
      for (const auto& [file, mw] : rails) {
        const bool whole = board_mw_ > 0;  // one rail of everything, in uW
        if (whole)
          snprintf(text, sizeof text, "%012.0f\n", sum_mw * 1e3);
        else
          snprintf(text, sizeof text, "%012.7f\n", mw / 1e3);
        put(tree_.path(file), text);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(4));
    }
  }

  const LinuxTree& tree_;
  const std::vector<PlayedCluster> clusters_;
  const double board_mw_;
  std::atomic<pid_t> program_{0};
  std::atomic<bool> end_{false};
  std::thread thread_;
};

const Law kBig{0.6, 0.25, 0.05, 600, 0.8, 1800};
const Law kLittle{0.15, 0.06, 0.02, 400, 0.85, 1200};

std::string ina(const std::string& device) {
  return "/sys/bus/i2c/drivers/INA231/" + device + "/sensor_W";
}

/// Two policies of a CPU each that this machine lets us use, with a rail each; nothing with fewer.
std::vector<PlayedCluster> make_pair(const LinuxTree& tree) {
  const CpuSet here = thread_affinity();
  if (here.count() < 2 || here.nth(1) > 60) return {};
  const int little = here.nth(0), big = here.nth(1);
  tree.add_cpus(big + 1);
  std::filesystem::create_directories(tree.path("/run"));
  tree.add_policy(little, 1, "400000 600000 800000 1000000 1200000", 400000, 1200000, 500);
  tree.add_policy(big, 1, "400000 600000 900000 1200000 1500000 1800000", 400000, 1800000, 1024);
  for (const char* device : {"3-0040", "3-0045", "3-0041"})
    tree.write(ina(device), "00000.2000000\n");
  return {{little, {little}, kLittle, ina("3-0045")}, {big, {big}, kBig, ina("3-0040")}};
}

std::vector<std::string> words(const LinuxTree& tree, const std::string& table,
                               const std::vector<std::string>& more = {}) {
  std::vector<std::string> all = {"profile",
                                  "--table",
                                  table,
                                  "--sysfs-root",
                                  tree.root(),
                                  "--state-dir",
                                  tree.path("/run/flyball"),
                                  "--seconds",
                                  "0.4",
                                  "--settle",
                                  "0.3"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::string settings_of(const LinuxTree& tree, const std::vector<PlayedCluster>& clusters) {
  std::string all;
  for (const PlayedCluster& cluster : clusters)
    for (const char* file : {"scaling_governor", "scaling_min_freq", "scaling_max_freq"})
      all += tree.line(LinuxTree::policy(cluster.policy) + file) + "\n";
  return all;
}

TEST(CliProfileTable, MeasuresTheLawThatFitRecovers) {
  FLYBALL_STARTS_PROGRAMS();
  const LinuxTree tree;
  const std::vector<PlayedCluster> clusters = make_pair(tree);
  if (clusters.empty()) GTEST_SKIP() << "one CPU only";
  const std::string before = settings_of(tree, clusters);
  const TempDir dir;
  const std::string table = dir / "board.csv";
  SensorPlay play(tree, clusters);
  Flyball program(words(tree, table, {"--json"}));
  play.watch(program);
  const Finished told = program.wait();
  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_EQ(settings_of(tree, clusters), before);
  const json result = json::parse(told.out);
  ASSERT_EQ(result.at("sources").size(), 2u) << told.out;
  EXPECT_EQ(result.at("sources")[0].at("rail"), "rail A7 by INA231");
  EXPECT_EQ(result.at("sources")[1].at("rail"), "rail A15 by INA231");
  EXPECT_EQ(result.at("sources")[1].at("own"), true);
  int points = 0;
  for (const json& row : result.at("rows")) {
    if (row.at("power_mw").is_null()) continue;
    const bool big = row.at("unit") == "cpu" + std::to_string(clusters[1].policy);
    const Law& law = big ? kBig : kLittle;
    const double mw = law.mw(row.at("mhz"), row.at("cores"));
    EXPECT_NEAR(row.at("power_mw").get<double>() / mw, 1, 0.02) << row;
    ++points;
  }
  EXPECT_EQ(points, 5 + 6 + 2 * 2) << told.out;  // idle at the lowest and the highest clock of each

  // Its times are those of this machine, whose real clock nobody has turned: power alone is fitted.
  std::istringstream lines(read_text(table));
  std::ofstream powers(dir / "powers.csv");
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    std::vector<std::string> cells;
    std::istringstream rest(line);
    for (std::string cell; std::getline(rest, cell, ',');) cells.push_back(cell);
    if (cells.size() < 6 || cells[5].empty()) continue;
    powers << cells[0] << ',' << cells[1] << ',' << cells[2] << ',' << cells[5] << '\n';
  }
  powers.close();
  const Finished fitted = flyball_run({"fit", "--data", dir / "powers.csv", "--json"});
  ASSERT_EQ(fitted.exit_code, 0) << fitted.err;
  const json fit = json::parse(fitted.out);
  ASSERT_EQ(fit.at("clusters").size(), 2u);
  for (std::size_t c = 0; c < 2; ++c) {
    const json& cluster = fit.at("clusters")[c];
    EXPECT_EQ(cluster.at("rejected"), 0) << cluster;
    EXPECT_LT(cluster.at("mean_error_pct"), 1) << cluster;
  }
}

// One figure for everything, as of a battery or a chip under hwmon: what it draws idle is taken off.
TEST(CliProfileTable, OfARailOfTheWholeMachineIdlePowerIsTakenOff) {
  FLYBALL_STARTS_PROGRAMS();
  const LinuxTree tree;
  std::vector<PlayedCluster> clusters = make_pair(tree);
  if (clusters.empty()) GTEST_SKIP() << "one CPU only";
  for (const char* device : {"3-0040", "3-0045", "3-0041"}) tree.remove(ina(device));
  const std::string hwmon = "/sys/class/hwmon/hwmon0/";
  tree.write(hwmon + "name", "board\n");
  tree.write(hwmon + "power1_input", "000000000000\n");
  for (PlayedCluster& cluster : clusters) cluster.sensor = hwmon + "power1_input";
  const TempDir dir;
  SensorPlay play(tree, clusters, 2000);
  Flyball program(words(tree, dir / "t.csv", {"--json"}));
  play.watch(program);
  const Finished told = program.wait();
  ASSERT_EQ(told.exit_code, 0) << told.err;
  const json result = json::parse(told.out);
  EXPECT_EQ(result.at("sources")[0].at("own"), false);
  double idle_mw = 2000 + kLittle.mw(400, 0) + kBig.mw(400, 0);
  EXPECT_NEAR(result.at("sources")[1].at("idle_mw").get<double>(), idle_mw, 0.01 * idle_mw);
  for (const json& row : result.at("rows")) {
    if (row.at("power_mw").is_null()) continue;
    EXPECT_GT(row.at("cores"), 0);
    const bool big = row.at("unit") == "cpu" + std::to_string(clusters[1].policy);
    const Law& law = big ? kBig : kLittle;
    const double mw = law.mw(row.at("mhz"), 1) - law.mw(400, 0);
    EXPECT_NEAR(row.at("power_mw").get<double>(), mw, 0.02 * mw + 5) << row;
  }
  EXPECT_THAT(read_text(dir / "t.csv"), HasSubstr("less the"));
}

TEST(CliProfileTable, EachNumberOfCoresIsMeasured) {
  FLYBALL_STARTS_PROGRAMS();
  const CpuSet here = thread_affinity();
  if (here.count() < 2 || here.nth(1) != here.nth(0) + 1) GTEST_SKIP() << "no two CPUs in a row";
  const LinuxTree tree;
  std::filesystem::create_directories(tree.path("/run"));
  const int first = here.nth(0);
  tree.add_cpus(first + 2);
  tree.add_policy(first, 2, "600000 1800000", 600000, 1800000, 1024);
  tree.write(ina("3-0040"), "00000.2000000\n");
  const TempDir dir;
  SensorPlay play(tree, {{first, {first, first + 1}, kBig, ina("3-0040")}});
  Flyball program(words(tree, dir / "t.csv", {"--json"}));
  play.watch(program);
  const Finished told = program.wait();
  ASSERT_EQ(told.exit_code, 0) << told.err;
  std::map<std::pair<double, int>, double> mw;
  const json result = json::parse(told.out);
  for (const json& row : result.at("rows"))
    if (!row.at("power_mw").is_null())
      mw[{row.at("mhz").get<double>(), row.at("cores").get<int>()}] =
          row.at("power_mw").get<double>();
  for (const double mhz : {600.0, 1800.0})
    for (const int cores : {1, 2})
      EXPECT_NEAR((mw[{mhz, cores}]) / kBig.mw(mhz, cores), 1, 0.03) << mhz << " " << cores;
}

TEST(CliProfileTable, ADryRunTellsTheWorkAndTurnsNothing) {
  const LinuxTree tree;
  const std::vector<PlayedCluster> clusters = make_pair(tree);
  if (clusters.empty()) GTEST_SKIP() << "one CPU only";
  const std::string before = settings_of(tree, clusters);
  const TempDir dir;
  const Finished told = flyball_run(words(tree, dir / "t.csv", {"--dry-run"}));
  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, HasSubstr("6 clocks, 400 to 1800 MHz"));
  EXPECT_THAT(told.out, HasSubstr("rail A15 by INA231"));
  EXPECT_EQ(settings_of(tree, clusters), before);
  EXPECT_FALSE(std::filesystem::exists(dir / "t.csv"));
  EXPECT_FALSE(std::filesystem::exists(tree.path("/run/flyball")));
}

TEST(CliProfileTable, AWrongOptionIsNamedAsItWasGiven) {
  const Finished both = flyball_run({"profile", "--table", "-", "--json"});
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.err, HasSubstr("--table - and --json"));
  const Finished alone = flyball_run({"profile", "--settle", "1"});
  EXPECT_EQ(alone.exit_code, 2);
  EXPECT_THAT(alone.err, HasSubstr("--settle"));
}

TEST(CliProfileTable, WhatCannotBeMeasuredIsSaidInALineAndNothingIsWritten) {
  FLYBALL_STARTS_PROGRAMS();
  const TempDir dir;
  const std::string table = dir / "t.csv";
  const auto refused = [&](const LinuxTree& tree, int code, const std::string& why) {
    const Finished told = flyball_run(words(tree, table, {"--json"}));
    EXPECT_EQ(told.exit_code, code) << told.err;
    EXPECT_THAT(told.err, HasSubstr(why));
    EXPECT_EQ(told.out, "");
    EXPECT_FALSE(std::filesystem::exists(table));
  };
  {
    const LinuxTree none;
    none.add_cpus(2);
    none.add_policy(0, 2, "600000 1800000", 600000, 1800000, 1024);
    refused(none, 2, "no sensor tells this machine's power");
    // What charges tells nothing of the machine.
    none.write("/sys/class/power_supply/BAT0/type", "Battery\n");
    none.write("/sys/class/power_supply/BAT0/status", "Charging\n");
    none.write("/sys/class/power_supply/BAT0/power_now", "7400000\n");
    refused(none, 2, "unplug the machine");
  }
  {
    // The sensor stands still, whatever runs.
    const LinuxTree tree;
    const std::vector<PlayedCluster> clusters = make_pair(tree);
    if (clusters.empty()) GTEST_SKIP() << "one CPU only";
    const std::string before = settings_of(tree, clusters);
    refused(tree, 1, "no power sensor here draws more while the CPUs work");
    EXPECT_EQ(settings_of(tree, clusters), before);
  }
  const Finished alone = flyball_run({"profile", "--dry-run"});
  EXPECT_EQ(alone.exit_code, 2);
  EXPECT_THAT(alone.err, HasSubstr("is for '--table FILE'"));
  const LinuxTree tree;
  tree.make_xu3();
  const std::string mine = dir / "mine.csv";
  std::ofstream(mine) << "my,notes\n";
  EXPECT_EQ(flyball_run(words(tree, mine)).exit_code, 2);
  EXPECT_EQ(read_text(mine), "my,notes\n");
}

TEST(CliProfileTable, InterruptedOrDisturbedItGivesBackAndWritesNothing) {
  FLYBALL_STARTS_PROGRAMS();
  for (const bool rival : {false, true}) {
    const LinuxTree tree;
    const std::vector<PlayedCluster> clusters = make_pair(tree);
    if (clusters.empty()) GTEST_SKIP() << "one CPU only";
    const TempDir dir;
    SensorPlay play(tree, clusters);
    Flyball program(words(tree, dir / "t.csv"));
    play.watch(program);
    const std::string governor = LinuxTree::policy(clusters[1].policy) + "scaling_governor";
    while (tree.line(governor) != "userspace") std::this_thread::yield();
    // Who comes between a write and its reading back cannot be told from the kernel.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (rival) {
      tree.write(governor, "performance\n");
    } else {
      program.signal(SIGTERM);
    }
    const Finished told = program.wait();
    EXPECT_EQ(told.exit_code, 1) << told.err;
    EXPECT_THAT(told.err, HasSubstr(rival ? "has set" : "interrupted"));
    EXPECT_FALSE(std::filesystem::exists(dir / "t.csv"));
    EXPECT_EQ(tree.line(governor), rival ? "performance" : "schedutil");
    EXPECT_EQ(tree.line(LinuxTree::policy(clusters[0].policy) + "scaling_governor"), "schedutil");
  }
}

TEST(CliProfileTable, KilledOutrightItsSupervisorGivesBack) {
  FLYBALL_STARTS_PROGRAMS();
  const LinuxTree tree;
  const std::vector<PlayedCluster> clusters = make_pair(tree);
  if (clusters.empty()) GTEST_SKIP() << "one CPU only";
  const std::string before = settings_of(tree, clusters);
  const TempDir dir;
  Flyball program(words(tree, dir / "t.csv"));
  const std::string governor = LinuxTree::policy(clusters[1].policy) + "scaling_governor";
  while (tree.line(governor) != "userspace") std::this_thread::yield();
  program.signal(SIGKILL);
  program.wait();
  while (settings_of(tree, clusters) != before) std::this_thread::yield();  // or time runs out
  EXPECT_FALSE(std::filesystem::exists(dir / "t.csv"));
}

TEST(CliProfileTable, ClocksThatCannotBeSetAreMeasuredAsTheyAre) {
  FLYBALL_STARTS_PROGRAMS();
  const LinuxTree tree;
  const std::vector<PlayedCluster> clusters = make_pair(tree);
  if (clusters.empty()) GTEST_SKIP() << "one CPU only";
  for (const PlayedCluster& cluster : clusters) {
    const std::string at = LinuxTree::policy(cluster.policy);
    tree.write(at + "scaling_driver", "intel_pstate\n");  // takes no exact frequency
    tree.remove(at + "scaling_min_freq");
  }
  const TempDir dir;
  SensorPlay play(tree, clusters);
  Flyball program(words(tree, dir / "t.csv", {"--json"}));
  play.watch(program);
  const Finished told = program.wait();
  ASSERT_EQ(told.exit_code, 0) << told.err;
  const json result = json::parse(told.out);
  EXPECT_THAT(result.at("notes").dump(), HasSubstr("cannot be set"));
  for (const json& row : result.at("rows"))
    EXPECT_TRUE(row.at("mhz") == 1200.0 || row.at("mhz") == 1800.0) << row;
}

}  // namespace
}  // namespace flyball::testing
