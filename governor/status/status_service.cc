#include "governor/status/status_service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cmath>

#include "env/linux/sense/idle_residency.h"
#include "kernels/base/clock.h"

namespace flyball {
namespace {

static_assert(StatusFacts::kIdleStates == IdleResidency::kMaxStates);

StatusFacts facts_of(const LinuxPlatform& platform, const StatusServiceOptions& options) {
  StatusFacts facts;
  facts.pid = getpid();
  facts.mode = static_cast<std::uint8_t>(options.mode);
  facts.start_ns = monotonic_ns();
  facts.epoch_ns = options.epoch_ns;
  facts.policy.set(options.policy);
  facts.power_source.set(platform.power_source());
  for (const LinuxPlatform::ClusterStatus& status : platform.clusters()) {
    const auto c = static_cast<std::size_t>(facts.clusters++);
    const auto& opps = platform.spec().clusters[c].opps;
    StatusFacts::Cluster& cluster = facts.cluster[c];
    cluster.name.set(status.name);
    cluster.cpus.set(status.cpus.to_string());
    cluster.policies.set(fmt::format("{}", fmt::join(status.policies, " ")));
    cluster.actuator.set(actuator_name(status.actuator));
    cluster.why.set(status.why);
    cluster.lowest_khz = opps.front().freq_khz;
    cluster.highest_khz = opps.back().freq_khz;
    for (const std::string& state : platform.idle_states(static_cast<int>(c)))
      cluster.idle_state[static_cast<std::size_t>(cluster.idle_states++)].set(state);
    for (const TripPoint& trip : platform.spec().trips) {
      if (trip.cluster == static_cast<int>(c) && trip.kind != TripPoint::Kind::kCritical)
        cluster.trip_c = std::fmin(cluster.trip_c, trip.temp_c);
    }
  }
  return facts;
}

}  // namespace

StatusService::StatusService(LinuxPlatform& platform, const StatusServiceOptions& options)
    : dir_(StateDir::make(options.state_dir)),
      sink_(platform, memory_.page()),
      control_(platform, sink_.counters(), options.policy, options.explores) {
  sink_.begin(facts_of(platform, options));
  const auto answer = [this](std::string_view request, bool may_control) {
    return control_.answer(request, may_control);
  };
  const ControlServer::Options served{options.holds_lock, control_group()};
  server_.emplace(dir_, memory_.read_only(), served, answer);
  if (options.metrics.any()) metrics_.emplace(dir_, memory_.page(), options.metrics);
}

}  // namespace flyball
