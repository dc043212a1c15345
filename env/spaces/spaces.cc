#include "env/spaces/spaces.h"

#include <algorithm>
#include <limits>

#include "env/model/model.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "env/spaces/reward.h"

namespace flyball {
namespace {

using Direction = MonitorSpec::Direction;
using Kind = MonitorSpec::Kind;

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// FNV-1a, 64 bits (Fowler, Noll, Vo): stable over machines and versions, which std::hash is not.
class Fnv1a {
 public:
  void add(std::string_view text) {
    for (const char c : text) add_byte(static_cast<std::uint8_t>(c));
    add_byte(0);
  }
  void add(std::int64_t number) {
    for (int i = 0; i < 8; ++i) add_byte(static_cast<std::uint8_t>(number >> (8 * i)));
  }
  std::uint64_t value() const { return value_; }

 private:
  void add_byte(std::uint8_t byte) { value_ = (value_ ^ byte) * 0x100000001b3ULL; }
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

const AppProfile& profile_of(const PlatformSpec& platform, const AppSpec& app) {
  return platform.apps[static_cast<std::size_t>(app.profile)];
}

void add_knobs(const PlatformSpec& platform, const Scenario& scenario, std::vector<KnobSpec>& out) {
  for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
    const ClusterSpec& cluster = platform.clusters[c];
    KnobSpec knob{
        cluster.name + ".freq", "kHz", KnobSpec::Kind::kFrequency, static_cast<int>(c), {}};
    for (const OperatingPoint& opp : cluster.opps) {
      knob.values.push_back(std::to_string(opp.freq_khz));
    }
    out.push_back(std::move(knob));
  }
  for (std::size_t a = 0; a < scenario.apps.size(); ++a) {
    const AppSpec& app = scenario.apps[a];
    KnobSpec mapping{
        app.name + ".mapping", "cores", KnobSpec::Kind::kMapping, static_cast<int>(a), {}};
    for (const Mapping& m : platform.mappings) mapping.values.push_back(m.name);
    out.push_back(std::move(mapping));
    KnobSpec width{app.name + ".width", "%", KnobSpec::Kind::kLevel, static_cast<int>(a), {}};
    for (const LevelProfile& w : profile_of(platform, app).levels) {
      width.values.push_back(std::to_string(w.width_pct) + w.suffix());
    }
    out.push_back(std::move(width));
  }
}

/// The lowest limit that any application asks for; infinity when none does.
double power_limit_mw(const Scenario& scenario) {
  double limit = kNoLimit;
  for (const AppSpec& app : scenario.apps) {
    if (app.required.power_budget_mw > 0) limit = std::min(limit, app.required.power_budget_mw);
  }
  return limit;
}

double temp_limit_c(const PlatformSpec& platform, int cluster) {
  double limit = kNoLimit;
  for (const TripPoint& trip : platform.trips) {
    if (trip.kind == TripPoint::Kind::kCritical || trip.cluster != cluster) continue;
    limit = std::min(limit, trip.temp_c - 5);
  }
  return limit < kNoLimit ? limit : RewardWeights{}.temp_limit_c;
}

void add_monitors(const PlatformSpec& platform, const Scenario& scenario,
                  std::vector<MonitorSpec>& out) {
  const RewardWeights weights;
  const Direction lower = Direction::kLowerIsBetter, higher = Direction::kHigherIsBetter;
  const Direction neither = Direction::kNeither;
  out.push_back({"power", "mW", lower, 0, power_limit_mw(scenario), 2 * scenario.energy_preference,
                 Kind::kPower, 0});
  out.push_back({"battery", "%", higher, 0, 100, 0, Kind::kBattery, 0});
  for (std::size_t i = 0; i < platform.clusters.size(); ++i) {
    const ClusterSpec& cluster = platform.clusters[i];
    const int c = static_cast<int>(i);
    out.push_back({cluster.name + ".freq", "kHz", neither,
                   static_cast<double>(cluster.opps.front().freq_khz),
                   static_cast<double>(cluster.opps.back().freq_khz), 0, Kind::kFreq, c});
    out.push_back({cluster.name + ".util", "%", neither, 0, 100, 0, Kind::kUtil, c});
    out.push_back({cluster.name + ".power", "mW", lower, 0, kNoLimit, 0, Kind::kClusterPower, c});
    out.push_back({cluster.name + ".temp", "C", lower, scenario.ambient_c,
                   temp_limit_c(platform, c), weights.heat_per_c_s, Kind::kTemp, c});
  }
  for (std::size_t i = 0; i < scenario.apps.size(); ++i) {
    const AppSpec& app = scenario.apps[i];
    const int a = static_cast<int>(i);
    const double deadline_ms = static_cast<double>(app.required.deadline_ns) * 1e-6;
    out.push_back({app.name + ".latency", "ms", lower, 0, deadline_ms > 0 ? deadline_ms : kNoLimit,
                   0, Kind::kLatency, a});
    out.push_back({app.name + ".misses", "jobs", lower, 0, 0, weights.miss * app.required.priority,
                   Kind::kMisses, a});
    out.push_back({app.name + ".accuracy", "%", higher, app.required.accuracy_floor_pct, 100,
                   weights.accuracy_per_pct, Kind::kAccuracy, a});
    out.push_back({app.name + ".backlog", "jobs", lower, 0, 1, 0, Kind::kBacklog, a});
  }
}

/// What decides whether a learned policy fits: the knobs with their values and the kinds of
/// monitors, in order. An application counts by its profile: what it is called, and what it asks
/// for and when, is the scenario's affair.
std::uint64_t structure_hash(const PlatformSpec& platform, const Scenario& scenario,
                             const Spaces& spaces) {
  Fnv1a hash;
  hash.add("flyball spaces 1");
  hash.add(platform.name);
  for (const AppSpec& app : scenario.apps) hash.add(profile_of(platform, app).name);
  for (const KnobSpec& knob : spaces.knobs) {
    if (knob.kind == KnobSpec::Kind::kFrequency) hash.add(knob.name);
    hash.add(knob.unit);
    hash.add(static_cast<std::int64_t>(knob.kind));
    hash.add(knob.index);
    hash.add(static_cast<std::int64_t>(knob.values.size()));
    for (const std::string& value : knob.values) hash.add(value);
  }
  for (const MonitorSpec& monitor : spaces.monitors) {
    hash.add(static_cast<std::int64_t>(monitor.kind));
    hash.add(monitor.unit);
    hash.add(static_cast<std::int64_t>(monitor.direction));
    hash.add(monitor.index);
  }
  return hash.value();
}

/// Mean accuracy of an application's jobs that finished in the epoch; 0 when none did.
double accuracy_pct(const Observation& observation, int app) {
  double sum = 0;
  int jobs = 0;
  for (const JobRecord& job : observation.jobs()) {
    if (job.app != app || job.dropped) continue;
    sum += static_cast<double>(job.accuracy_pct);
    ++jobs;
  }
  return jobs > 0 ? sum / jobs : 0;
}

}  // namespace

Spaces Spaces::of(const PlatformSpec& platform, const Scenario& scenario) {
  Spaces spaces;
  add_knobs(platform, scenario, spaces.knobs);
  add_monitors(platform, scenario, spaces.monitors);
  spaces.hash = structure_hash(platform, scenario, spaces);
  return spaces;
}

Reading read(const MonitorSpec& monitor, const Observation& observation) {
  Reading reading{0, observation.now_ns, observation.sequence};
  const auto index = static_cast<std::size_t>(monitor.index);
  switch (monitor.kind) {
    case Kind::kPower:
      reading.value = observation.power_mw;
      break;
    case Kind::kBattery:
      reading.value = observation.battery_pct;
      break;
    case Kind::kFreq:
      reading.value = static_cast<double>(observation.cluster[index].freq_khz);
      break;
    case Kind::kUtil:
      reading.value = 100 * observation.cluster[index].util_max;
      break;
    case Kind::kClusterPower:
      reading.value = observation.cluster[index].power_mw;
      break;
    case Kind::kTemp:
      reading.value = observation.cluster[index].temp_c;
      break;
    case Kind::kLatency:
      reading.value = static_cast<double>(observation.app[index].last_latency_ns) * 1e-6;
      break;
    case Kind::kMisses:
      reading.value = observation.app[index].missed;
      break;
    case Kind::kAccuracy:
      reading.value = accuracy_pct(observation, monitor.index);
      break;
    case Kind::kBacklog:
      reading.value = observation.app[index].backlog;
      break;
  }
  return reading;
}

int setting_of(const KnobSpec& knob, const Action& action) {
  const auto index = static_cast<std::size_t>(knob.index);
  switch (knob.kind) {
    case KnobSpec::Kind::kFrequency:
      return action.opp[index];
    case KnobSpec::Kind::kMapping:
      return action.app[index].mapping;
    case KnobSpec::Kind::kLevel:
      return action.app[index].level;
  }
  return 0;
}

}  // namespace flyball
