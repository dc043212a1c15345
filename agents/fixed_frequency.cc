#include "agents/fixed_frequency.h"

#include <fmt/core.h>

#include <cstdlib>

#include "agents/opp_search.h"
#include "kernels/base/error.h"

namespace flyball {

FixedFrequency::FixedFrequency(const AgentContext& context, Kind kind, double khz)
    : LinuxGovernor(context, Placement::Kind::kIdleSibling), kind_(kind), khz_(khz) {}

std::string_view FixedFrequency::name() const {
  switch (kind_) {
    case Kind::kPerformance:
      return "performance";
    case Kind::kPowersave:
      return "powersave";
    case Kind::kUserspace:
      break;
  }
  return "userspace";
}

int FixedFrequency::next_opp(int cluster, const Observation&, int cap) {
  switch (kind_) {
    case Kind::kPerformance:
      return cap;
    case Kind::kPowersave:
      return 0;
    case Kind::kUserspace:
      break;
  }
  return lowest_at_least(cluster_spec(cluster), khz_, cap);
}

void check_operating_point(const PlatformSpec& platform, std::int64_t khz) {
  // In the other units that people write frequencies in, where it is an operating point in those.
  const std::int64_t as_mhz = khz <= 100'000 ? khz * 1000 : 0;
  const std::int64_t as_hz = khz % 1000 == 0 ? khz / 1000 : 0;
  std::int64_t nearest = 0, meant = 0;
  for (const ClusterSpec& cluster : platform.clusters) {
    if (cluster.kind != ClusterSpec::Kind::kCpu) continue;
    for (const OperatingPoint& opp : cluster.opps) {
      if (opp.freq_khz == khz) return;
      if (opp.freq_khz == as_mhz || opp.freq_khz == as_hz) meant = opp.freq_khz;
      if (nearest == 0 || std::abs(opp.freq_khz - khz) < std::abs(nearest - khz)) {
        nearest = opp.freq_khz;
      }
    }
  }
  input_error(
      fmt::format("policy 'userspace:{}'", khz),
      fmt::format("{} kHz is no operating point of any CPU cluster of '{}'", khz, platform.name),
      meant == 0 ? fmt::format("the nearest is 'userspace:{}'", nearest)
                 : fmt::format("frequencies are in kHz: did you mean 'userspace:{}'?", meant));
}

}  // namespace flyball
