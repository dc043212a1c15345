#include "agents/fixed_frequency.h"

#include "agents/opp_search.h"

namespace flyball {

FixedFrequency::FixedFrequency(const AgentContext& context, Kind kind, double khz)
    : LinuxGovernor(context, Placement::Kind::kBigFirst), kind_(kind), khz_(khz) {}

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

}  // namespace flyball
