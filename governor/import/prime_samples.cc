#include <fmt/format.h>

#include <cmath>
#include <map>
#include <set>

#include "governor/import/prime_log.h"
#include "kernels/base/error.h"

namespace flyball {

SampleLog prime_samples(const PrimeLog& log, const PlatformSpec& platform) {
  const auto unit_byte = [](long id) { return id >> 24; };
  SampleLog out;
  out.files = {log.path};
  struct Unit {
    const ClusterSpec* cluster = nullptr;
    double mhz = 0;
    double temp_c = NAN;
    double temp_s = 0;
  };
  std::map<long, Unit> units;
  std::set<long> untold, beyond;
  for (const PrimeRow& row : log.rows) {
    if (row.application || !row.used) continue;
    Unit& unit = units[unit_byte(row.id)];
    if (row.type == "PRIME_FREQ" && row.knob) {
      const auto known = log.device_knobs.find(row.id);
      const double count =
          known == log.device_knobs.end() ? 0 : known->second.most - known->second.least + 1;
      unit.cluster = nullptr;
      for (const ClusterSpec& cluster : platform.clusters)
        if (static_cast<double>(cluster.opps.size()) == count && !unit.cluster)
          unit.cluster = &cluster;
      if (!unit.cluster) {
        untold.insert(row.id);
        continue;
      }
      // It may have been set before it was registered, or under another range than its last.
      const double at = row.value - known->second.least;
      if (!(at >= 0 && at < count)) {
        unit.cluster = nullptr;
        beyond.insert(row.id);
        continue;
      }
      const auto index = static_cast<std::size_t>(at);
      unit.mhz = static_cast<double>(unit.cluster->opps[index].freq_khz) * 1e-3;
    } else if (row.type == "PRIME_TEMP") {
      // The hottest of those that were read together.
      constexpr double kTogetherS = 0.2;
      const bool together = row.time_s - unit.temp_s < kTogetherS;
      if (!together || !(unit.temp_c >= row.value)) unit.temp_c = row.value;
      unit.temp_s = row.time_s;
    } else if (row.type == "PRIME_POW" && unit.cluster) {
      Sample sample;
      sample.line = row.line;
      sample.time_s = row.time_s;
      sample.unit = unit.cluster->name;
      sample.mhz = unit.mhz;
      sample.power_mw = 1e3 * row.value;
      sample.temp_c = unit.temp_c;
      out.samples.push_back(std::move(sample));
    }
  }
  for (const long id : untold)
    out.notes.push_back(fmt::format(
        "What clocks the values of knob {} are is not told: '{}' has no cluster with as many.", id,
        platform.name));
  for (const long id : beyond)
    out.notes.push_back(fmt::format(
        "Knob {} is set to values that its last registration does not have: powers beside them are "
        "left out of the table.",
        id));
  if (out.samples.empty())
    input_error(log.path, fmt::format("no power was read beside a clock of '{}'", platform.name),
                "name the platform that the log is of, or leave --table out");
  return out;
}

}  // namespace flyball
