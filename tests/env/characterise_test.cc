#include "env/model/characterise.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <tuple>

#include "env/model/model.h"

namespace flyball {
namespace {

/// Prints model against measurement and remembers the errors.
class Comparison {
 public:
  explicit Comparison(const char* title) { fmt::print("{}\n", title); }

  void percent(const std::string& what, double model, double measured, double limit_pct) {
    const double error_pct = 100 * (model / measured - 1);
    fmt::print("  {:<34} model {:>8.4g}  measured {:>8.4g}  error {:+5.2f} %\n", what, model,
               measured, error_pct);
    EXPECT_LE(std::abs(error_pct), limit_pct) << what;
    sum_pct_ += std::abs(error_pct);
    ++count_;
  }
  void kelvin(const std::string& what, double model_c, double measured_c, double limit_k) {
    fmt::print("  {:<34} model {:>8.4g}  measured {:>8.4g}  error {:+5.2f} K\n", what, model_c,
               measured_c, model_c - measured_c);
    EXPECT_LE(std::abs(model_c - measured_c), limit_k) << what;
  }
  double mean_pct() const { return sum_pct_ / count_; }

 private:
  double sum_pct_ = 0;
  int count_ = 0;
};

std::vector<CharacteriseRow> rows_of(const PlatformSpec& spec, const char* app) {
  return characterise(spec, spec.apps[spec.find_app(app)]);
}

/// The row at the OPP nearest to `mhz`, of the whole application or of a quarter of the network.
CharacteriseRow row_at(const std::vector<CharacteriseRow>& rows, const std::string& unit,
                       double mhz, int cores, int width_pct) {
  const int level = width_pct == 100 ? rows.back().level : 0;
  CharacteriseRow best;
  double distance = 1e9;
  for (const CharacteriseRow& row : rows) {
    if (row.unit != unit || row.cores != cores || row.level != level) continue;
    if (std::abs(row.mhz - mhz) < distance) {
      distance = std::abs(row.mhz - mhz);
      best = row;
    }
  }
  EXPECT_LE(distance, 0.005 * mhz) << unit << " has no OPP near " << mhz;
  return best;
}

// G. Merrett, "Adapting AI to Available Resource in Mobile/Embedded Devices", KTN & eFutures,
// 12 June 2020, slide "Performance metrics": dynamic CNN, full width, one core or the GPU.
TEST(Fidelity, DynamicCnnTable) {
  struct Measured {
    const char* platform;
    const char* unit;
    double mhz, time_ms, power_mw, energy_mj;
  };
  constexpr Measured kTable[] = {
      {"jetson_nano", "GPU", 614, 7.4, 1340, 9.92}, {"jetson_nano", "GPU", 921, 4.93, 2500, 12.3},
      {"jetson_nano", "A57", 921, 69.4, 878, 60.9}, {"jetson_nano", "A57", 1430, 46.9, 1490, 69.9},
      {"odroid_xu3", "A15", 200, 1020, 326, 320},   {"odroid_xu3", "A15", 1000, 204, 846, 173},
      {"odroid_xu3", "A15", 1800, 117, 2120, 248},  {"odroid_xu3", "A7", 200, 1780, 72.4, 129},
      {"odroid_xu3", "A7", 700, 504, 141, 71.4},    {"odroid_xu3", "A7", 1300, 280, 329, 92.1},
  };
  Comparison all("dynamic_cnn, one core, full width (ms, mW, mJ):");
  for (const Measured& measured : kTable) {
    const PlatformSpec spec = load_platform(measured.platform);
    const CharacteriseRow row =
        row_at(rows_of(spec, "dynamic_cnn"), measured.unit, measured.mhz, 1, 100);
    const std::string what = fmt::format("{} {} MHz ", measured.unit, measured.mhz);
    all.percent(what + "time", row.time_ms, measured.time_ms, 5);
    all.percent(what + "power", row.power_mw, measured.power_mw, 5);
    // The source's own time x power differs from its energy by 4 % at A15 200 MHz. Here the model
    // is within the 5 % of the others all the same.
    all.percent(what + "energy", row.energy_mj, measured.energy_mj, 5);
  }
  fmt::print("  mean error {:.2f} %\n", all.mean_pct());
  EXPECT_LE(all.mean_pct(), 3);
}

// The log published with the PRiME-Framework: four A15 cores, the rail and the hottest core. At
// 2000 MHz 6.3 to 6.55 W and 93 to 95 C.
TEST(Fidelity, WhetstoneOnFourBigCores) {
  struct Measured {
    double mhz, power_w, temp_c;
  };
  constexpr Measured kTable[] = {
      {200, 0.32, 50}, {800, 1.17, 55}, {1400, 2.79, 64}, {2000, 6.425, 94}};
  const PlatformSpec spec = load_platform("odroid_xu3");
  const std::vector<CharacteriseRow> rows = rows_of(spec, "whetstone");
  Comparison all("whetstone, four A15 cores (W, C):");
  for (const Measured& measured : kTable) {
    const CharacteriseRow row = row_at(rows, "A15", measured.mhz, 4, 100);
    all.percent(fmt::format("{} MHz power", measured.mhz), row.power_mw / 1000, measured.power_w,
                6);
    all.kelvin(fmt::format("{} MHz hottest", measured.mhz), row.temp_c, measured.temp_c, 3);
    EXPECT_EQ(row.time_ms, 0);
    EXPECT_EQ(row.energy_mj, 0);
  }
}

// The Exynos 5422 model of the DS3 simulator, 1 to 4 busy cores at the highest OPP.
TEST(Fidelity, BusyCoresWithGatedAndClockedIdleCores) {
  struct Measured {
    const char* unit;
    double mhz, gated_w[4], clocked_w[4];
  };
  constexpr Measured kTable[] = {{"A15", 2000, {2.29, 3.73, 5.23, 6.91}, {3.32, 5.05, 6.15, 6.91}},
                                 {"A7", 1400, {0.27, 0.46, 0.63, 0.81}, {0.39, 0.59, 0.72, 0.81}}};
  const PlatformSpec spec = load_platform("odroid_xu3");
  const AppProfile& busy = spec.apps[spec.find_app("busy")];
  const std::vector<CharacteriseRow> rows = characterise(spec, busy);
  Comparison all("busy cores (W):");
  for (const Measured& measured : kTable) {
    const int cluster = spec.find_cluster(measured.unit);
    OppChoice opp{};
    opp[cluster] = static_cast<std::uint8_t>(spec.clusters[cluster].max_opp());
    for (int cores = 1; cores <= 4; ++cores) {
      const std::string what = fmt::format("{} {} MHz x{}", measured.unit, measured.mhz, cores);
      all.percent(what + ", idle gated",
                  row_at(rows, measured.unit, measured.mhz, cores, 100).power_mw / 1000,
                  measured.gated_w[cores - 1], 6);
      const SteadyState clocked =
          steady_state(spec, busy, spec.mappings[spec.find_mapping(cluster, cores)], 0, opp, 25,
                       IdleCores::kClocked);
      all.percent(what + ", idle clocked", clocked.unit_power_mw / 1000,
                  measured.clocked_w[cores - 1], 15);
    }
  }
}

// Rail power of the LITTLE cluster under light load, from the same log as Whetstone. One busy core
// draws more than a light load, an idle cluster less.
TEST(Fidelity, LightLoadOnTheLittleClusterLiesBetweenIdleAndOneBusyCore) {
  const PlatformSpec spec = load_platform("odroid_xu3");
  const ClusterSpec& a7 = spec.clusters[spec.find_cluster("A7")];
  const std::vector<CharacteriseRow> rows = rows_of(spec, "dynamic_cnn");
  constexpr std::pair<double, double> kTable[] = {
      {200, 0.027}, {600, 0.063}, {1000, 0.16}, {1400, 0.30}};
  fmt::print("A7 rail under light load (mW):\n");
  for (const auto& [mhz, watts] : kTable) {
    ClusterLoad idle;
    idle.gate_idle_cores = a7.gate_idle_cores;
    idle.temp_c = 46;
    for (int o = 0; o <= a7.max_opp(); ++o) {
      if (a7.opps[o].freq_khz == std::llround(mhz * 1000)) idle.opp = o;
    }
    const double idle_mw = cluster_power_mw(a7, idle);
    const double busy_mw = row_at(rows, "A7", mhz, 1, 100).power_mw;
    fmt::print("  {:>4} MHz  idle {:6.1f}  measured {:6.1f}  one busy core {:6.1f}\n", mhz, idle_mw,
               watts * 1000, busy_mw);
    EXPECT_LT(idle_mw, watts * 1000);
    EXPECT_GT(busy_mw, watts * 1000);
  }
}

// Claimed for the dynamic CNN (Xun et al., MLCAD'19): width alone 2.73x in time and 2.36x in
// energy, with mapping and frequency 41.6x and 10.6x.
TEST(Fidelity, PublishedDynamicRanges) {
  const PlatformSpec spec = load_platform("odroid_xu3");
  const std::vector<CharacteriseRow> rows = rows_of(spec, "dynamic_cnn");
  const CharacteriseRow a7 = row_at(rows, "A7", 700, 1, 100);
  const CharacteriseRow a7_narrow = row_at(rows, "A7", 700, 1, 25);
  Comparison all("dynamic ranges of the dynamic CNN (x):");
  all.percent("time, width alone", a7.time_ms / a7_narrow.time_ms, 2.73, 2);
  all.percent("energy, width alone", a7.energy_mj / a7_narrow.energy_mj, 2.36, 2);
  all.percent("time, width, mapping and DVFS",
              row_at(rows, "A7", 200, 1, 100).time_ms / row_at(rows, "A15", 1800, 1, 25).time_ms,
              41.6, 2);
  all.percent("energy, width, mapping and DVFS",
              row_at(rows, "A15", 200, 1, 100).energy_mj / a7_narrow.energy_mj, 10.6, 2);
}

TEST(Characterise, HasARowForEveryUnitFrequencyCoreCountAndWidth) {
  const PlatformSpec xu3 = load_platform("odroid_xu3");
  EXPECT_EQ(rows_of(xu3, "dynamic_cnn").size(), (19u + 13u) * 4 * 4);
  EXPECT_EQ(rows_of(xu3, "whetstone").size(), (19u + 13u) * 4);
  const PlatformSpec nano = load_platform("jetson_nano");
  EXPECT_EQ(rows_of(nano, "dynamic_cnn").size(), 15u * 4 * 4 + 12u * 4);
  EXPECT_EQ(rows_of(nano, "busy").size(), 15u * 4);  // CPU only

  std::set<std::tuple<std::string, double, int, int>> keys;
  for (const CharacteriseRow& row : rows_of(xu3, "dynamic_cnn")) {
    keys.emplace(row.unit, row.mhz, row.cores, row.level);
    EXPECT_NEAR(row.energy_mj, row.power_mw * row.time_ms / 1000, 1e-9 * row.energy_mj);
  }
  EXPECT_EQ(keys.size(), (19u + 13u) * 4 * 4);
}

TEST(Characterise, ShowsWhereEachAccuracyComesFrom) {
  for (const char* name : {"odroid_xu3", "jetson_nano"}) {
    const PlatformSpec spec = load_platform(name);
    const AppProfile& cnn = spec.apps[spec.find_app("dynamic_cnn")];
    ASSERT_EQ(cnn.levels.size(), 4u);
    EXPECT_DOUBLE_EQ(cnn.levels[3].accuracy_pct, 71.2);
    EXPECT_NE(cnn.levels[3].accuracy_source.find("slide"), std::string::npos);
    for (int w = 0; w < 3; ++w) {
      EXPECT_NE(cnn.levels[w].accuracy_source.find("not checked"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace flyball
