// What 'profile --table' measures, on a machine of known laws whose time is its own.

#include "governor/machine/power_table.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "governor/fit/fit.h"
#include "kernels/base/error.h"
#include "kernels/base/random.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr double kParallel = 0.9, kHeatS = 0.5;

/// Two clusters, a rail each, and one of everything. A rail comes to rest as it warms up.
class PlayedMachine final : public TableMachine {
 public:
  struct Cluster {
    TableCluster cluster;
    double core_nf, static_a, idle_a, mcycles, memory_ms;
    std::int64_t khz;                       ///< now
    std::int64_t heat_khz = 1'000'000'000;  ///< more it does not get
  };
  std::vector<Cluster> of = {
      {{"little", CpuSet{0, 1, 2, 3}, {400'000, 800'000, 1'200'000}}, 0.15, 0.05, 0.02, 350, 2, 0},
      {{"big", CpuSet{4, 5, 6, 7}, {600'000, 1'000'000, 1'400'000, 1'800'000}},
       0.6,
       0.25,
       0.1,
       200,
       3,
       0}};
  bool own_rails = true;
  double board_mw = 1500, noise = 0.002, warm_up = 0.03;
  int rests_at_once = -1;          ///< a cluster that does not warm up
  double drift_mw_s = 0;           ///< something else draws ever more
  std::int64_t deaf_from_ns = -1;  ///< the sensors answer no more
  int asked = 0;

  static double volts(std::int64_t khz) { return 0.6 + static_cast<double>(khz) / 4e6; }
  double ms(const Cluster& c, double cores) const {
    return (c.mcycles / (static_cast<double>(c.khz) / 1e3) * 1e3 + c.memory_ms) *
           (1 - kParallel + kParallel / cores);
  }
  double mw(const Cluster& c, double cores) const {
    const double v = volts(c.khz), mhz = static_cast<double>(c.khz) / 1e3;
    const double busy = cores > 0 ? busy_cores(cores, kParallel) : 0;
    return c.core_nf * v * v * mhz * busy + (cores > 0 ? 1e3 * c.static_a * v : 0) +
           1e3 * c.idle_a * v * leaking_part(busy, 4);
  }
  std::int64_t now_ns() const { return now_ns_; }

  std::vector<TableCluster> clusters() const override {
    std::vector<TableCluster> all;
    for (const Cluster& c : of) all.push_back(c.cluster);
    return all;
  }
  std::vector<TableRail> rails() const override {
    std::vector<TableRail> all;
    if (own_rails) all = {{"rail of little", false}, {"rail of big", false}};
    all.push_back({"board", true});
    return all;
  }
  void wait(std::int64_t ns) override { now_ns_ += ns; }
  bool read_mw(std::size_t rail, double& mw_out) override {
    if (deaf_from_ns >= 0 && now_ns_ > deaf_from_ns) return false;
    const double since_s = static_cast<double>(now_ns_ - begun_ns_) / 1e9;
    double sum = 0;
    for (std::size_t c = 0; c < of.size(); ++c) {
      if (own_rails && rail < 2 && rail != c) continue;
      const int cores = loaded_ == c ? cores_ : 0;
      const bool warms = cores > 0 && static_cast<int>(c) != rests_at_once;
      sum += mw(of[c], cores) * (warms ? 1 - warm_up * std::exp(-since_s / kHeatS) : 1);
    }
    if (!own_rails || rail == 2) sum += board_mw;
    sum += drift_mw_s * static_cast<double>(now_ns_) / 1e9;
    mw_out = sum * (1 + noise * random_.normal());
    return true;
  }
  void ask(std::size_t c, std::int64_t khz) override {
    of[c].khz = std::min(khz, of[c].heat_khz);
    ++asked;
  }
  std::optional<std::int64_t> clock_khz(std::size_t c) override { return of[c].khz; }
  std::optional<double> temp_c() override { return 40 + cores_; }
  void run(const CpuSet& cpus, int width_pct) override {
    for (std::size_t c = 0; c < of.size(); ++c)
      if ((of[c].cluster.cpus & cpus) == cpus) loaded_ = c;
    cores_ = cpus.count();
    width_ = width_pct;
    begun_ns_ = now_ns_;
  }
  double stop() override {
    const double took = ms(of[loaded_], cores_) * width_ / 100;
    cores_ = 0;
    return took;
  }
  std::vector<int> widths_pct() const override { return {50, 100}; }

 private:
  std::int64_t now_ns_ = 0, begun_ns_ = 0;
  std::size_t loaded_ = 0;
  int cores_ = 0, width_ = 100;
  Random random_{1, 1};
};

class PowerTableTest : public ::testing::Test {
 protected:
  PowerTableTest() {
    for (auto& cluster : machine_.of) cluster.khz = cluster.cluster.khz.front();
  }
  FittedPlatform fit(const PowerTable& table) {
    std::ofstream(dir_ / "table.csv") << table_csv(table, "a test's load");
    Measurements measured;
    read_table(dir_ / "table.csv", measured);
    Voltages voltages;
    for (const auto& cluster : machine_.of)
      for (const std::int64_t khz : cluster.cluster.khz)
        voltages[{cluster.cluster.name, khz}] = 1e3 * PlayedMachine::volts(khz);
    return fit_platform(measured, voltages, {});
  }
  /// What a row of a rail that idle power was taken off is to say.
  double above_idle_mw(const TableRow& row) const {
    auto one = machine_.of[row.unit == "big"];
    one.khz = one.cluster.khz.front();
    const double idle = machine_.mw(one, 0);
    one.khz = static_cast<std::int64_t>(std::llround(row.mhz * 1e3));
    return machine_.mw(one, row.cores) - idle;
  }
  PlayedMachine machine_;
  TempDir dir_;
};

TEST_F(PowerTableTest, FitFindsTheLawsOfTheMachine) {
  const PowerTable table = measure_power_table(machine_, {});
  EXPECT_THAT(table.notes, ::testing::IsEmpty());
  ASSERT_EQ(table.sources.size(), 2u);
  EXPECT_EQ(table.sources[0].rail, "rail of little");  // not the board's, which rises as much
  EXPECT_EQ(table.sources[1].rail, "rail of big");
  EXPECT_TRUE(table.sources[0].own && table.sources[1].own);
  const FittedPlatform fitted = fit(table);
  EXPECT_NEAR(fitted.parallel_fraction.value, kParallel, 0.01);
  ASSERT_EQ(fitted.clusters.size(), 2u);
  for (std::size_t c = 0; c < 2; ++c) {
    const FittedCluster& one = fitted.clusters[c];
    const auto& truth = machine_.of[c];
    SCOPED_TRACE(one.name);
    EXPECT_EQ(one.cores, 4);
    EXPECT_EQ(one.rejected, 0);
    EXPECT_NEAR(one.core_nf.value, truth.core_nf, 0.03 * truth.core_nf);
    EXPECT_NEAR(one.static_ma.value, 1e3 * truth.static_a, 0.1 * 1e3 * truth.static_a);
    EXPECT_NEAR(one.mcycles.value, truth.mcycles, 0.02 * truth.mcycles);
    EXPECT_NEAR(one.memory_ms.value, truth.memory_ms, 0.2);
    EXPECT_LT(one.mean_error_pct, 1);
  }
  EXPECT_NEAR(fitted.widths.front().time_factor, 0.5, 0.01);
}

TEST_F(PowerTableTest, OfOneRailOfEverythingWhatIsIdleIsTakenOff) {
  machine_.own_rails = false;
  const PowerTable table = measure_power_table(machine_, {});
  ASSERT_EQ(table.sources.size(), 2u);
  EXPECT_FALSE(table.sources[1].own);
  int points = 0;
  for (const TableRow& row : table.rows) {
    if (!row.power_mw) continue;
    EXPECT_GT(row.cores, 0);
    const double mw = above_idle_mw(row);
    // The noise of the board's 2 W is on the LITTLE cores' 100 mW too.
    EXPECT_NEAR(*row.power_mw, mw, 0.02 * mw + 5) << row.unit << row.mhz;
    ++points;
  }
  EXPECT_EQ(points, 7 * 4);
}

TEST_F(PowerTableTest, AClockThatHeatHoldsDownIsTheRowsOwn) {
  machine_.of[1].heat_khz = 1'000'000;
  const PowerTable table = measure_power_table(machine_, {});
  for (const TableRow& row : table.rows) {
    if (row.unit == "big" && row.cores > 0) {
      EXPECT_LE(row.mhz, 1000);
    }
  }
  EXPECT_EQ(std::count_if(
                table.notes.begin(), table.notes.end(),
                [](const std::string& note) { return note.find("ran at 1000 MHz") != note.npos; }),
            2 * 4);
}

// The rail warms up for seconds, and the LITTLE cluster's is at rest at once.
TEST_F(PowerTableTest, PointsThatDoNotComeToRestAreLeftOutWithANote) {
  const auto points = [](const PowerTable& table, const std::string& unit) {
    return std::count_if(table.rows.begin(), table.rows.end(), [&](const TableRow& row) {
      return row.unit == unit && row.cores > 0 && row.power_mw;
    });
  };
  machine_.warm_up = 0.9;
  machine_.rests_at_once = 0;
  const PowerTable hasty =
      measure_power_table(machine_, {.settle_ns = 20'000'000, .measure_ns = 100'000'000});
  EXPECT_THAT(hasty.notes, Contains(HasSubstr("left out, since power went from")));
  EXPECT_EQ(points(hasty, "little"), 3 * 4);
  EXPECT_EQ(points(hasty, "big"), 0);
  const PowerTable patient =
      measure_power_table(machine_, {.settle_ns = 4'000'000'000, .measure_ns = 1'000'000'000});
  EXPECT_THAT(patient.notes, ::testing::Not(Contains(HasSubstr("left out"))));
  EXPECT_EQ(points(patient, "big"), 4 * 4);
}

TEST_F(PowerTableTest, WhatCannotBeMeasuredIsSaid) {
  machine_.of[0].cluster = {"little", {}, {}};
  machine_.of[1].cluster.khz.clear();
  machine_.of[1].khz = 1'400'000;
  const PowerTable table = measure_power_table(machine_, {});
  EXPECT_EQ(table.sources.size(), 1u);
  EXPECT_THAT(table.notes, Contains(HasSubstr("little: not measured, since none of its CPUs")));
  EXPECT_THAT(table.notes, Contains(HasSubstr("its clock cannot be set")));
  EXPECT_EQ(machine_.asked, 0);
  for (const TableRow& row : table.rows) EXPECT_EQ(row.mhz, 1400);
}

TEST_F(PowerTableTest, WithoutARailThatRisesThereIsNoTable) {
  machine_.deaf_from_ns = 0;
  try {
    measure_power_table(machine_, {});
    FAIL() << "a table of nothing";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no power sensor here draws more"));
  }
}

TEST_F(PowerTableTest, ASensorThatFallsSilentCostsItsPoints) {
  const std::size_t all = measure_power_table(machine_, {}).rows.size();
  machine_.deaf_from_ns = machine_.now_ns() + machine_.now_ns() / 2;
  const PowerTable table = measure_power_table(machine_, {});
  EXPECT_LT(table.rows.size(), all);
  EXPECT_THAT(table.notes, Contains(HasSubstr("the sensor did not answer")));
}

TEST_F(PowerTableTest, IdlePowerThatMovesIsSaid) {
  machine_.own_rails = false;
  machine_.drift_mw_s = 1;
  const PowerTable table = measure_power_table(machine_, {});
  EXPECT_THAT(table.notes, Contains(HasSubstr("idle power went from")));
  // It is taken off as it was in between.
  for (const TableRow& row : table.rows) {
    if (!row.power_mw || row.unit != "big") continue;
    EXPECT_NEAR(*row.power_mw, above_idle_mw(row), 0.02 * *row.power_mw + 8) << row.mhz;
  }
}

TEST(TableCores, AreEachUpToFourThenTwiceAsMany) {
  EXPECT_THAT(table_cores(1), ::testing::ElementsAre(1));
  EXPECT_THAT(table_cores(4), ::testing::ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(table_cores(6), ::testing::ElementsAre(1, 2, 3, 4, 6));
  EXPECT_THAT(table_cores(20), ::testing::ElementsAre(1, 2, 3, 4, 8, 16, 20));
}

}  // namespace
}  // namespace flyball::testing
