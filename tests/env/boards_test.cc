#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "env/model/capacity.h"
#include "env/model/model.h"
#include "env/model/platform_spec.h"
#include "env/sim/simulator.h"
#include "tests/env/round_board.h"

namespace flyball {
namespace {

const Mapping& mapping_named(const PlatformSpec& spec, const std::string& name) {
  const auto found = std::ranges::find(spec.mappings, name, &Mapping::name);
  if (found == spec.mappings.end()) throw std::invalid_argument(name);
  return *found;
}

// ncnn's benchmark table, RK3588, resnet50.
TEST(Boards, OnTheRk3588AllEightCoresTakeTwiceTheTimeOfTheFourBigOnes) {
  const PlatformSpec spec = load_platform("rk3588");
  const auto ms = [&](const char* mapping) {
    return 1e-6 * execution_ns(spec, spec.apps[0], mapping_named(spec, mapping),
                               spec.apps[0].level_count() - 1, highest_opps(spec));
  };
  EXPECT_NEAR(ms("A76ax1"), 108.70, 0.3);
  EXPECT_NEAR(ms("A76ax2+A76bx2"), 28.28, 0.3);
  EXPECT_NEAR(ms("A76ax2+A76bx2+A55x4"), 55.71, 0.3);
}

// As the kernel's cpu_capacity, whatever else there is that is faster.
TEST(Boards, TheFastestCpuCoreAtItsTopHasACapacityOf1024) {
  for (const char* board : {"odroid_xu3", "jetson_nano", "zynq_ultrascale", "tensor_g3"}) {
    SCOPED_TRACE(board);
    const PlatformSpec spec = load_platform(board);
    Simulator sim(spec, of_apps({}));
    Action action;
    for (std::size_t c = 0; c < spec.clusters.size(); ++c)
      action.opp[c] = static_cast<std::uint8_t>(spec.clusters[c].max_opp());
    sim.apply(action);
    Observation out;
    sim.advance(ms(20), out);
    double highest = 0;
    for (int c = 0; c < out.cluster_count; ++c) {
      const ClusterSpec& cluster = spec.clusters[static_cast<std::size_t>(c)];
      const auto now_khz = static_cast<double>(out.cluster[c].freq_khz);
      EXPECT_EQ(out.cluster[c].capacity, core_capacity(spec, c, now_khz));
      if (cluster.kind == ClusterSpec::Kind::kCpu) {
        highest = std::max(highest, out.cluster[c].capacity / now_khz *
                                        static_cast<double>(cluster.opps.back().freq_khz));
      }
    }
    EXPECT_NEAR(highest, 1024, 1e-9);
  }
}

TEST(Boards, WithoutACpuTheFastestOfAllHas) {
  PlatformSpec spec = round_board();
  for (ClusterSpec& cluster : spec.clusters) cluster.kind = ClusterSpec::Kind::kGpu;
  EXPECT_DOUBLE_EQ(core_capacity(spec, kBig, 2e6), 1024);
  EXPECT_DOUBLE_EQ(core_capacity(spec, kLittle, 1e6), 256) << "half per MHz, half the MHz";
}

// All points have one voltage, so only what is lost to leakage and the rest of the board changes.
TEST(Boards, OnTheZynqASlowerClockSavesNothing) {
  const PlatformSpec spec = load_platform("zynq_ultrascale");
  const AppProfile& app = spec.apps[0];
  const int level = app.level_count() - 1;
  const Mapping& mapping = mapping_named(spec, "A53x4");
  double before_mj = 1e9;
  for (std::uint8_t opp = 0; opp < spec.clusters[0].opps.size(); ++opp) {
    const SteadyState state = steady_state(spec, app, mapping, level, {opp});
    const double board_mj = state.total_power_mw * state.time_ms / 1000;
    EXPECT_LT(board_mj, before_mj);
    before_mj = board_mj;
  }
  EXPECT_LT(
      execution_ns(spec, app, spec.mappings[spec.find_mapping(1, 1)], level, highest_opps(spec)),
      execution_ns(spec, app, mapping, level, highest_opps(spec)));
}

/// Of the whole network on one core of a cluster, at one of its points.
SteadyState on_one_core(const PlatformSpec& spec, int cluster, std::size_t opp) {
  const AppProfile& app = spec.apps[static_cast<std::size_t>(spec.find_app("dynamic_cnn"))];
  OppChoice choice{};
  choice[static_cast<std::size_t>(cluster)] = static_cast<std::uint8_t>(opp);
  return steady_state(spec, app, spec.mappings[spec.find_mapping(cluster, 1)],
                      app.level_count() - 1, choice);
}

// freqbench's table of it: whatever the LITTLE core does, a middle one does sooner and for less.
TEST(Boards, OnTheTensorG3AMiddleCoreBeatsALittleOneAtEveryPoint) {
  const PlatformSpec spec = load_platform("tensor_g3");
  const int little = spec.find_cluster("cpu1"), middle = spec.find_cluster("cpu4");
  for (std::size_t l = 0; l < spec.clusters[little].opps.size(); ++l) {
    const SteadyState slow = on_one_core(spec, little, l);
    bool beaten = false;
    for (std::size_t m = 0; m < spec.clusters[middle].opps.size(); ++m) {
      const SteadyState other = on_one_core(spec, middle, m);
      beaten = beaten || (other.time_ms < slow.time_ms && other.energy_mj < slow.energy_mj);
    }
    EXPECT_TRUE(beaten) << l;
  }
}

// freqbench's table of it: a slow LITTLE core leaks for so long that its highest clock is its cheapest.
TEST(Boards, OnTheSnapdragon888ALittleCoreIsCheapestAtItsTop) {
  const PlatformSpec spec = load_platform("snapdragon_888");
  const int little = spec.find_cluster("cpu1");
  const std::size_t top = spec.clusters[little].opps.size() - 1;
  for (std::size_t l = 0; l < top; ++l)
    EXPECT_GT(on_one_core(spec, little, l).energy_mj, on_one_core(spec, little, top).energy_mj);
}

TEST(Boards, OnTheHalfClockTheLowestPointTakesTwiceWhatItsNameSays) {
  const PlatformSpec spec = load_platform("half_clock");
  const int little = spec.find_cluster("A7");
  PlatformSpec believed = spec;
  believed.clusters[little].opps[0].delivered_share = 1;
  const UnitProfile& unit = spec.apps[0].unit[little];
  const double said_ms = unit.mcycles / 0.6 + unit.memory_ms;  // at 600 MHz
  EXPECT_NEAR(on_one_core(believed, little, 0).time_ms, said_ms, 1e-6);
  EXPECT_NEAR(on_one_core(spec, little, 0).time_ms, 2 * said_ms - unit.memory_ms, 1e-6);
  // And what looked cheapest of all is dearer than the next.
  EXPECT_LT(on_one_core(believed, little, 0).energy_mj, on_one_core(believed, little, 1).energy_mj);
  EXPECT_GT(on_one_core(spec, little, 0).energy_mj, on_one_core(spec, little, 1).energy_mj);
}

}  // namespace
}  // namespace flyball
