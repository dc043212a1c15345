#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "env/model/model.h"
#include "env/model/platform_spec.h"

namespace flyball {
namespace {

const Mapping& mapping_of(const PlatformSpec& spec, const std::string& name) {
  const auto found = std::ranges::find(spec.mappings, name, &Mapping::name);
  if (found == spec.mappings.end()) throw std::invalid_argument(name);
  return *found;
}

// ncnn's benchmark table, RK3588, resnet50.
TEST(Boards, OnTheRk3588AllEightCoresTakeTwiceTheTimeOfTheFourBigOnes) {
  const PlatformSpec spec = load_platform("rk3588");
  const auto ms = [&](const char* mapping) {
    return 1e-6 * execution_ns(spec, spec.apps[0], mapping_of(spec, mapping),
                               spec.apps[0].level_count() - 1, highest_opps(spec));
  };
  EXPECT_NEAR(ms("A76ax1"), 108.70, 0.3);
  EXPECT_NEAR(ms("A76ax2+A76bx2"), 28.28, 0.3);
  EXPECT_NEAR(ms("A76ax2+A76bx2+A55x4"), 55.71, 0.3);
}

// All points have one voltage, so only what is lost to leakage and the rest of the board changes.
TEST(Boards, OnTheZynqASlowerClockSavesNothing) {
  const PlatformSpec spec = load_platform("zynq_ultrascale");
  const AppProfile& app = spec.apps[0];
  const int level = app.level_count() - 1;
  const Mapping& mapping = mapping_of(spec, "A53x4");
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

}  // namespace
}  // namespace flyball
