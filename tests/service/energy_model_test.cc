// The Linux kernel's energy model as debugfs shows it: read as a belief, and compared by `doctor`.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/linux/machine_spec.h"
#include "env/linux/sense/energy_model_check.h"
#include "env/model/model.h"
#include "tests/status/governed.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

struct State {
  int khz, power;
};

void add_model(const LinuxTree& tree, const std::string& name, const std::string& cpus,
               const std::string& flags, std::initializer_list<State> states) {
  const std::string at = "/sys/kernel/debug/energy_model/" + name + "/";
  if (!cpus.empty()) tree.write(at + "cpus", cpus + "\n");
  if (!flags.empty()) tree.write(at + "flags", flags + "\n");
  for (const State& state : states) {
    const std::string in = at + "ps:" + std::to_string(state.khz) + "/";
    tree.write(in + "frequency", std::to_string(state.khz) + "\n");
    tree.write(in + "power", std::to_string(state.power) + "\n");
    tree.write(in + "cost", "1\n");
  }
}

/// As Linux 6.1 shows it: microwatts, by its flag.
void add_models(const LinuxTree& tree) {
  add_model(tree, "cpu0", "0-3", "0x1", {{200000, 30000}, {800000, 130000}, {1400000, 400000}});
  add_model(tree, "cpu4", "4-7", "0x1", {{200000, 120000}, {1200000, 900000}, {2000000, 2400000}});
  add_model(tree, "11800000.gpu", "", "0x1", {{600000, 2000000}});  // no CPUs: a device
}

TEST(EnergyModel, IsReadInTheUnitsThatItSays) {
  LinuxTree tree;
  tree.make_xu3();
  add_models(tree);
  add_model(tree, "cpu8", "8", "", {{100000, 50}});        // before 6.0: milliwatts
  add_model(tree, "cpu9", "9", "0x5", {{100000, 10000}});  // artificial
  const LinuxMachine machine = discover_machine(SysTree(tree.root()));
  ASSERT_EQ(machine.energy_models.size(), 4u);
  ASSERT_NE(machine.energy_model_of(5), nullptr);
  EXPECT_DOUBLE_EQ(machine.energy_model_of(5)->power_mw(2e6), 2400);
  EXPECT_DOUBLE_EQ(machine.energy_model_of(5)->power_mw(1.6e6), 1650);  // between two
  EXPECT_DOUBLE_EQ(machine.energy_model_of(5)->power_mw(9e6), 2400);
  EXPECT_DOUBLE_EQ(machine.energy_model_of(8)->power_mw(1e5), 50);
  EXPECT_EQ(machine.energy_model_of(9), nullptr);  // it has no watts
}

TEST(EnergyModel, IsWhatIsBelievedOfTheMachine) {
  LinuxTree tree;
  tree.make_xu3();
  add_models(tree);
  const LinuxMachine machine = discover_machine(SysTree(tree.root()));
  const PlatformSpec spec = make_machine_spec(machine).spec;
  ASSERT_EQ(spec.clusters.size(), 2u);
  for (std::size_t c = 0; c < 2; ++c) {
    const EnergyModel& model = *machine.energy_model_of(c == 0 ? 0 : 4);
    const double core_nf = spec.apps[0].unit[c].core_nf;
    double least_mv = 0;
    for (const OperatingPoint& opp : spec.clusters[c].opps) {
      // One busy core: C V^2 f, and nothing beside it.
      const double volts = opp.voltage_mv / 1e3, mhz = static_cast<double>(opp.freq_khz) / 1e3;
      EXPECT_NEAR(core_nf * volts * volts * mhz, model.power_mw(static_cast<double>(opp.freq_khz)),
                  1e-6)
          << c << " at " << opp.freq_khz;
      EXPECT_GE(opp.voltage_mv, least_mv);
      least_mv = opp.voltage_mv;
    }
    EXPECT_EQ(spec.clusters[c].uncore_nf, 0);
  }
}

TEST(EnergyModel, WithoutOneNothingChanges) {
  LinuxTree tree, with;
  tree.make_xu3();
  with.make_xu3();
  add_model(with, "cpu0", "0-3", "0x5", {{200000, 10}, {1400000, 100}});
  const PlatformSpec spec = make_machine_spec(discover_machine(SysTree(tree.root()))).spec;
  const PlatformSpec other = make_machine_spec(discover_machine(SysTree(with.root()))).spec;
  EXPECT_GT(spec.clusters[0].uncore_nf, 0);
  EXPECT_EQ(other.clusters[0].uncore_nf, spec.clusters[0].uncore_nf);
  EXPECT_FALSE(check_energy_model(SysTree(with.root()), discover_machine(SysTree(with.root())), 0));
}

// CPUs 0 and 4 are busy for half of the time, at 1400 and 2000 MHz; the rails say 2 W throughout.
TEST(EnergyModel, DoctorSaysHowFarItIsFromWhatIsMeasured) {
  LinuxTree tree;
  tree.make_xu3();
  add_models(tree);
  const PlayedLoad load(tree, 0.5);
  const SysTree sys(tree.root());
  const auto check = check_energy_model(sys, discover_machine(sys), 300'000'000);
  ASSERT_TRUE(check);
  EXPECT_NEAR(check->measured_mw, 2000, 1e-6);
  EXPECT_EQ(check->source, "rails A15, memory, GPU, A7 by INA231");
  // However busy they were seen to be, its power follows from that.
  EXPECT_GT(check->busy_cores, 0.1);
  EXPECT_NEAR(check->modelled_mw / check->busy_cores, (400 + 2400) / 2.0, 600);
  const Finished told = flyball_run({"doctor", "--sysfs-root", tree.root(), "--json"});
  const json doctor = json::parse(told.out);
  EXPECT_EQ(doctor.at("energy_models").size(), 2u);
  EXPECT_EQ(doctor.at("energy_models").at(1).at("states").at(2).at("power_mw"), 2400);
  const json& of = doctor.at("energy_model_check");
  const double off = of.at("modelled_mw").get<double>() / of.at("measured_mw").get<double>() - 1;
  EXPECT_NEAR(of.at("off_pct"), 100 * off, 1e-9);
  const Finished text = flyball_run({"doctor", "--sysfs-root", tree.root()});
  EXPECT_THAT(text.out, HasSubstr("a busy one takes 120 mW at 200 MHz to 2400 mW at 2000 MHz"));
  EXPECT_THAT(text.out, HasSubstr("measured (rails A15"));
}

TEST(EnergyModel, WhereNothingRunsNothingIsCompared) {
  LinuxTree tree;
  tree.make_xu3();
  add_models(tree);
  const json doctor =
      json::parse(flyball_run({"doctor", "--sysfs-root", tree.root(), "--json"}).out);
  EXPECT_EQ(doctor.at("energy_model_check").count("off_pct"), 0u);
}

}  // namespace
}  // namespace flyball::testing
