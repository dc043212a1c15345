// `flyball doctor`, end to end through the real program.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/env/linux_tree.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

Finished doctor(const LinuxTree& tree, bool as_json) {
  std::vector<std::string> words = {"doctor", "--sysfs-root", tree.root()};
  if (as_json) words.push_back("--json");
  return flyball_run(words);
}

TEST(CliDoctor, SaysWhatABoardOffersAndHowItWouldBeGoverned) {
  const LinuxTree tree;
  tree.make_xu3();
  const Finished told = doctor(tree, false);
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, HasSubstr("Hardkernel Odroid XU3"));
  EXPECT_THAT(told.out, HasSubstr("CPUs 4-7: 200 to 2000 MHz, 6 steps"));
  EXPECT_THAT(told.out, HasSubstr("rail 'A15' by INA231"));
  EXPECT_THAT(told.out, HasSubstr("bounds: keeps energy-aware scheduling"));
  EXPECT_THAT(told.out, HasSubstr("CPUs 0-3: WFI 1 us\n"));
  EXPECT_THAT(told.out,
              HasSubstr("CPUs 4-7: WFI (25 % of idle), cpu-sleep 300 us (pays from 2000 us "
                        "on, 75 % of idle)\n"));
  const json result = json::parse(doctor(tree, true).out);
  EXPECT_EQ(result.at("schema"), 1);
  EXPECT_EQ(result.at("policies")[1].at("frequencies_khz").size(), 6u);
  EXPECT_EQ(result.at("policies")[1].at("actuator"), "bounds");
  EXPECT_EQ(result.at("energy_aware_scheduling"), true);
  const json& states = result.at("idle_states")[1].at("states");
  EXPECT_EQ(states[1], (json{{"name", "cpu-sleep"},
                             {"disabled", false},
                             {"latency_us", 300},
                             {"residency_us", 2000},
                             {"time_us", 750'000},
                             {"entered", 31}}));
  EXPECT_FALSE(states[0].contains("residency_us")) << "what the driver does not say";
}

TEST(CliDoctor, InAVirtualMachineAbsenceIsSaidOnce) {
  const LinuxTree tree;
  tree.make_vm();
  const Finished told = doctor(tree, false);
  EXPECT_EQ(told.exit_code, 0) << told.err;
  const std::string sentence = "cpufreq: no driver, its folder is empty";
  EXPECT_THAT(told.out, HasSubstr(sentence));
  EXPECT_EQ(told.out.find(sentence), told.out.rfind(sentence));
  EXPECT_THAT(told.out, Not(HasSubstr("Conflicts")));
  EXPECT_EQ(told.err, "");
}

TEST(CliDoctor, SaysWhatLookingCosts) {
  const LinuxTree tree;
  tree.make_xu3();
  const Finished told = doctor(tree, false);
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, HasSubstr("\nCosts\n"));
  EXPECT_THAT(told.out, HasSubstr("2 files, "));
  EXPECT_THAT(told.out, HasSubstr("% of a core"));
  const json costs = json::parse(doctor(tree, true).out).at("costs");
  EXPECT_EQ(costs.at("reads")[0].at("what"), "load");
  EXPECT_GT(costs.at("reads")[0].at("us_a_file"), 0);
  const json& epoch = costs.at("epoch");
  EXPECT_GT(epoch.at("cpu_us"), 0);
  EXPECT_GT(epoch.at("epochs_a_second"), 0);
  EXPECT_NEAR(epoch.at("share_of_a_core_pct").get<double>(),
              1e-4 * epoch.at("cpu_us").get<double>() * epoch.at("epochs_a_second").get<double>(),
              1e-6);
  const LinuxTree machine;
  machine.make_vm();
  EXPECT_FALSE(json::parse(doctor(machine, true).out).at("costs").contains("epoch"))
      << "no clock can be governed there";
}

TEST(CliDoctor, NamesRivalsAndTheMouse) {
  const LinuxTree tree;
  tree.make_laptop();
  tree.write("/proc/77/cmdline", std::string("/usr/sbin/tlp-pd\0", 17));
  const Finished told = doctor(tree, false);
  EXPECT_THAT(told.out, HasSubstr("tlp-pd (process 77)"));
  EXPECT_THAT(told.out, HasSubstr("of a device, not this machine's"));
  const json result = json::parse(doctor(tree, true).out);
  EXPECT_EQ(result.at("on_battery"), true);
  EXPECT_EQ(result.at("rival_daemons")[0].at("process"), 77);
}

TEST(CliDoctor, RefusesAFolderThatIsNotThere) {
  const Finished told = flyball_run({"doctor", "--sysfs-root", "/nowhere"});
  EXPECT_EQ(told.exit_code, 2);
  EXPECT_THAT(told.err, HasSubstr("--sysfs-root /nowhere: is no folder"));
  EXPECT_EQ(told.out, "");
}

TEST(CliDoctor, TellsOfThisMachine) {
  const Finished told = flyball_run({"doctor", "--json"});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  const json result = json::parse(told.out);
  EXPECT_FALSE(std::string(result.at("online_cpus")).empty());
  EXPECT_FALSE(std::string(result.at("counters")).empty());
}

TEST(CliDoctor, SaysWhatAFolderDoesNotHold) {
  const TempDir empty;
  const std::vector<std::string> root = {"--sysfs-root", empty.path().string()};
  for (std::vector<std::string> verb : {std::vector<std::string>{"doctor"},
                                        {"run", "--platform", "linux", "--dry-run"},
                                        {"restore"}}) {
    verb.insert(verb.end(), root.begin(), root.end());
    const Finished told = flyball_run(verb);
    EXPECT_EQ(told.exit_code, 2) << told.err;
    EXPECT_THAT(told.err, HasSubstr("holds neither 'sys' nor 'proc'"));
    EXPECT_EQ(told.out, "");
  }
  // Half of it is a machine of which some things cannot be told.
  std::filesystem::create_directory(empty / "sys");
  const Finished told = flyball_run({"doctor", "--sysfs-root", empty.path().string()});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, HasSubstr("the list of CPUs (sys/devices/system/cpu/online)"));
  EXPECT_THAT(told.out, HasSubstr("the kernel's version (proc/sys/kernel/osrelease)"));
}

}  // namespace
}  // namespace flyball::testing
