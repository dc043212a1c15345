// `flyball run --platform linux`, end to end through the real program, on trees of files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "env/linux/actuate/clamp_calls.h"
#include "tests/env/linux_tree.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::vector<std::string> words(const LinuxTree& tree, const std::vector<std::string>& more) {
  std::vector<std::string> all = {"run",
                                  "--platform",
                                  "linux",
                                  "--sysfs-root",
                                  tree.root(),
                                  "--state-dir",
                                  tree.path("/run/flyball")};
  std::filesystem::create_directories(tree.path("/run"));
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// The policies' files, all of them.
std::string settings_of(const LinuxTree& tree) {
  std::string all;
  for (const int policy : {0, 4}) {
    for (const char* file : {"scaling_governor", "scaling_min_freq", "scaling_max_freq"})
      all += tree.line(LinuxTree::policy(policy) + file) + "\n";
  }
  return all;
}

TEST(CliRunLinux, GovernsWithEachActuatorAndLeavesAllAsItWas) {
  FLYBALL_STARTS_PROGRAMS();
  for (const std::string actuator : {"auto", "setspeed", "bounds"}) {
    const LinuxTree tree;
    tree.make_xu3();
    const std::string before = settings_of(tree);
    const Finished told =
        flyball_run(words(tree, {"--duration", "0.5", "--actuator", actuator, "--json"}));
    ASSERT_EQ(told.exit_code, 0) << told.err;
    const json result = json::parse(told.out);
    EXPECT_EQ(result.at("platform"), "linux");
    ASSERT_EQ(result.at("clusters").size(), 2u);
    const json& big = result.at("clusters")[1];
    EXPECT_EQ(big.at("actuator"), actuator == "setspeed" ? "setspeed" : "bounds");
    EXPECT_GT(big.at("writes"), 0) << actuator;
    EXPECT_EQ(big.at("refused"), 0) << actuator;
    EXPECT_EQ(result.at("power_source"), "rails A15, memory, GPU, A7 by INA231");
    EXPECT_EQ(settings_of(tree), before) << actuator;
  }
}

TEST(CliRunLinux, ADryRunSaysWhatItWouldDoAndWritesNothing) {
  const LinuxTree tree;
  tree.make_xu3();
  const std::string path = LinuxTree::policy(4) + "scaling_max_freq";
  const auto before = std::filesystem::last_write_time(tree.path(path));
  const Finished told = flyball_run(words(tree, {"--duration", "0.5", "--dry-run"}));
  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.err, HasSubstr("nothing is written"));
  EXPECT_THAT(told.err, HasSubstr("keeps energy-aware scheduling"));
  EXPECT_THAT(told.out, HasSubstr("0 writes by none"));
  EXPECT_EQ(std::filesystem::last_write_time(tree.path(path)), before);
}

TEST(CliRunLinux, SaysWhatIsMeasuredByTheFigureAndWhereItIsConfined) {
  const LinuxTree tree;
  tree.make_laptop(8);
  tree.write("/proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-3\n");
  const std::vector<std::string> dry = {"--duration", "0.6", "--dry-run"};
  const Finished told = flyball_run(words(tree, dry));
  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.err, HasSubstr("confines this process to CPUs 0-3 of 0-7"));
  EXPECT_THAT(told.err, HasSubstr("while nothing runs it is modelled"));
  EXPECT_THAT(told.err, HasSubstr("Ctrl-C ends it."));
  EXPECT_THAT(told.err, ::testing::Not(HasSubstr("gives everything back")));
  EXPECT_THAT(told.out, HasSubstr("(modelled)"));
  EXPECT_THAT(told.err + told.out, ::testing::Not(HasSubstr("W measured")));
  std::vector<std::string> as_json = dry;
  as_json.push_back("--json");
  const json result = json::parse(flyball_run(words(tree, as_json)).out);
  EXPECT_EQ(result.at("power_source"), "model") << "nothing ran, so RAPL was not read";
  EXPECT_EQ(result.at("power_measured_pct"), 0);
  EXPECT_EQ(result.at("allowed_cpus"), "0-3");
}

TEST(CliRunLinux, ASignalEndsItAndAllIsGivenBack) {
  FLYBALL_STARTS_PROGRAMS();
  const LinuxTree tree;
  tree.make_xu3();
  const std::string before = settings_of(tree);
  Flyball program(words(tree, {"--actuator", "setspeed", "--json"}));
  const std::string governor = LinuxTree::policy(4) + "scaling_governor";
  while (tree.line(governor) != "userspace") std::this_thread::yield();
  program.signal(SIGTERM);
  const Finished told = program.wait();
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_EQ(settings_of(tree), before);
}

TEST(CliRunLinux, KilledOutrightItsSupervisorGivesBack) {
  FLYBALL_STARTS_PROGRAMS();
  for (const bool from_here : {false, true}) {  // the supervisor has a working folder of its own
    const LinuxTree tree;
    tree.make_xu3();
    const std::string before = settings_of(tree);
    std::vector<std::string> all = words(tree, {"--actuator", "setspeed", "--json"});
    if (from_here) {
      for (std::string& word : all)
        if (word.starts_with('/')) word = std::filesystem::relative(word);
    }
    Flyball program(all);
    const std::string governor = LinuxTree::policy(4) + "scaling_governor";
    while (tree.line(governor) != "userspace") std::this_thread::yield();
    program.signal(SIGKILL);
    program.wait();
    while (settings_of(tree) != before) std::this_thread::yield();  // or the test runs out of time
  }
  SUCCEED();
}

TEST(CliRunLinux, PlainLoadIsRecordedAndReadAsAnyRun) {
  FLYBALL_STARTS_PROGRAMS();
  const LinuxTree tree;
  tree.make_xu3();
  const TempDir dir;
  const std::string record = dir / "plain.flyrec";
  const Finished ran =
      flyball_run(words(tree, {"--duration", "0.6", "--actuator", "bounds", "--policy",
                               "performance", "--record", record, "--json"}));
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const json result = json::parse(ran.out);
  EXPECT_EQ(result.at("record"), record);

  const Finished show = flyball_run({"record", "show", record, "--json"});
  ASSERT_EQ(show.exit_code, 0) << show.err;
  const json shown = json::parse(show.out);
  EXPECT_EQ(shown.at("platform"), "linux");
  EXPECT_EQ(shown.at("scenario"), "plain_load");
  EXPECT_EQ(shown.at("policy"), "performance");
  EXPECT_EQ(shown.at("epochs"), result.at("epochs"));
  EXPECT_EQ(shown.at("applications"), json::array());
  EXPECT_EQ(shown.at("finished"), 0);
  EXPECT_EQ(shown.at("problem"), nullptr);
  ASSERT_EQ(shown.at("clusters").size(), 2u);

  // What was decided is the highest clock of either cluster, as performance does.
  const Finished exported =
      flyball_run({"record", "export", "csv", record, "--out", dir / "tables"});
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  const std::string epochs = read_text(std::filesystem::path(dir / "tables") / "epochs.csv");
  EXPECT_EQ(std::count(epochs.begin(), epochs.end(), '\n') - 1, result.at("epochs"));
  std::istringstream lines(epochs);
  std::string heading, line;
  std::getline(lines, heading);
  const auto cells = [](const std::string& text) {
    std::vector<std::string> all;
    std::istringstream rest(text);
    for (std::string cell; std::getline(rest, cell, ',');) all.push_back(cell);
    return all;
  };
  const std::vector<std::string> names = cells(heading);
  int clocks = 0;
  while (std::getline(lines, line)) {
    const std::vector<std::string> row = cells(line);
    for (std::size_t i = 0; i < std::min(names.size(), row.size()); ++i) {
      if (names[i].find("applied") == std::string::npos ||
          names[i].find("khz") == std::string::npos)
        continue;
      EXPECT_TRUE(row[i] == "2000000" || row[i] == "1400000") << names[i] << " " << row[i];
      ++clocks;
    }
  }
  EXPECT_GT(clocks, 0) << heading;

  EXPECT_EQ(
      flyball_run({"record", "export", "perfetto", record, "--out", dir / "t.json"}).exit_code, 0);
  const Finished report = flyball_run({"report", record, "--out", dir / "report.html"});
  EXPECT_EQ(report.exit_code, 0) << report.err;
  EXPECT_THAT(read_text(dir / "report.html"), HasSubstr("plain_load"));

  // What needs to know what there was to do says so, in a line.
  for (const std::vector<std::string>& asked :
       {std::vector<std::string>{"replay", record, "--policy", "schedutil"},
        {"compare", "--platform", "odroid_xu3", "--policies", "schedutil,mine=" + record},
        {"compare", "--platform", "odroid_xu3", "--scenario", "audio", "--policies",
         "schedutil,mine=" + record}}) {
    const Finished told = flyball_run(asked);
    EXPECT_EQ(told.exit_code, 2) << asked[0];
    EXPECT_EQ(told.out, "");
    EXPECT_THAT(told.err, HasSubstr("is of plain load on a machine"));
    EXPECT_EQ(std::count(told.err.begin(), told.err.end(), '\n'), 1) << told.err;
  }
}

TEST(CliRunLinux, ARecordThatCannotBeWrittenIsRefusedBeforeAnythingIsTurned) {
  const LinuxTree tree;
  tree.make_xu3();
  const std::string before = settings_of(tree);
  const Finished told = flyball_run(
      words(tree, {"--duration", "0.5", "--record", tree.path("/no/such/folder/a.flyrec")}));
  EXPECT_EQ(told.exit_code, 2);
  EXPECT_THAT(told.err, HasSubstr("--record"));
  EXPECT_EQ(settings_of(tree), before);
  const std::string mine = tree.path("/mine.txt");
  std::ofstream(mine) << "my notes\n";
  EXPECT_EQ(flyball_run(words(tree, {"--duration", "0.5", "--record", mine})).exit_code, 2);
  EXPECT_EQ(read_text(mine), "my notes\n");
}

TEST(CliRunLinux, ClampsAreRefusedWhereTheLinuxKernelOrItsGovernorTakesNone) {
  const LinuxTree tree;
  tree.make_xu3();
  tree.write("/proc/sys/kernel/sched_util_clamp_max", "1024\n");
  const std::string before = settings_of(tree);
  const auto refusal = [&] {
    const Finished told =
        flyball_run(words(tree, {"--duration", "0.5", "--actuator", "uclamp", "--json"}));
    if (told.exit_code == 0) return std::string();
    EXPECT_EQ(told.exit_code, 2);
    EXPECT_EQ(std::count(told.err.begin(), told.err.end(), '\n'), 1) << told.err;
    return told.err;
  };
  if (const int error = probe_clamps(linux_clamp_calls()))
    EXPECT_THAT(refusal(), HasSubstr(std::generic_category().message(error)));
  else
    EXPECT_THAT(refusal(), HasSubstr("and none run here"));
  for (const int policy : {0, 4})
    tree.write(LinuxTree::policy(policy) + "scaling_governor", "ondemand\n");
  EXPECT_THAT(refusal(), HasSubstr("governor ondemand is in charge"));
  for (const int policy : {0, 4})
    tree.write(LinuxTree::policy(policy) + "scaling_governor", "schedutil\n");
  EXPECT_EQ(settings_of(tree), before);
}

TEST(CliRunLinux, AutoAndDoctorSayWhyClampsAreNotUsed) {
  const LinuxTree tree;
  tree.make_xu3();
  const Finished run = flyball_run(words(tree, {"--duration", "0.5", "--dry-run"}));
  EXPECT_THAT(run.err, HasSubstr("uclamp"));
  const auto doctor = [&] {
    return json::parse(flyball_run({"doctor", "--sysfs-root", tree.root(), "--json"}).out);
  };
  EXPECT_THAT(doctor().at("uclamp_reason").dump(), HasSubstr("CONFIG_UCLAMP_TASK"));
  tree.write("/proc/sys/kernel/sched_util_clamp_max", "1024\n");
  EXPECT_EQ(doctor().at("uclamp_reason"), nullptr);
}

TEST(CliRunLinux, RefusesWhatItCannotDo) {
  const LinuxTree machine;
  machine.make_vm();
  const Finished none = flyball_run(words(machine, {}));
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("has no cpufreq policy"));

  const LinuxTree tree;
  tree.make_xu3();
  const std::string before = settings_of(tree);
  const auto refused = [&](const std::vector<std::string>& more, const std::string& with) {
    const Finished told = flyball_run(words(tree, more));
    EXPECT_EQ(told.exit_code, 2) << with;
    EXPECT_THAT(told.err, HasSubstr(with));
    EXPECT_EQ(std::count(told.err.begin(), told.err.end(), '\n'), 1);
  };
  refused({"--actuator", "bound"}, "did you mean");
  refused({"--actuator", "uclamp"}, "CONFIG_UCLAMP_TASK");
  refused({"--csv", "x"}, "--csv: has no meaning for '--platform linux'");
  refused({"--policy", "q_learning"}, "decides by jobs");
  refused({"--policy", "userspace"}, "needs a frequency");
  EXPECT_EQ(settings_of(tree), before);
  const Finished elsewhere = flyball_run({"run", "--dry-run"});
  EXPECT_EQ(elsewhere.exit_code, 2);
  EXPECT_THAT(elsewhere.err, HasSubstr("--dry-run: is for '--platform linux'"));
}

}  // namespace
}  // namespace flyball::testing
