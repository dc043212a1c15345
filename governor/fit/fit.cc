#include "governor/fit/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "env/spaces/limits.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr double kLeast = 1e-3;           // mW or ms: what any unit takes
constexpr double kPoorPct = 10;           // noisy published tables stay below 8
constexpr double kEnergyTolerance = 0.1;  // published tables round: 4 % occur

bool is_gpu(const std::string& unit) {
  std::string lower;
  for (const char c : unit) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* word : {"gpu", "mali", "adreno", "maxwell"})
    if (lower.find(word) != lower.npos) return true;
  return false;
}

/// The number in "cpu4"; -1 when the name is none of a CPU.
int cpu_number(const std::string& unit) {
  if (unit.size() < 4 || unit.size() > 6 || unit.substr(0, 3) != "cpu") return -1;
  int number = 0;
  for (const char c : unit.substr(3)) {
    if (c < '0' || c > '9') return -1;
    number = 10 * number + (c - '0');
  }
  return number;
}

/// Clusters number their CPUs one after the other, so each but the last tells where it ends. The
/// first one begins at CPU 0, which freqbench leaves to the system.
int cores_by_number(const FittedPlatform& platform, const std::string& unit) {
  const int own = cpu_number(unit);
  if (own < 0) return 0;
  int next = 0;
  bool first = true;
  for (const FittedCluster& cluster : platform.clusters) {
    const int other = cpu_number(cluster.name);
    if (other > own && (next == 0 || other < next)) next = other;
    if (other >= 0 && other < own) first = false;
  }
  const int begin = first ? 0 : own;
  return next > 0 ? next - begin : 0;
}

void set_cores(FittedPlatform& platform, const std::map<std::string, int>& given) {
  for (FittedCluster& cluster : platform.clusters) {
    double busiest = 0;
    for (const FittedRow& row : cluster.rows) busiest = std::max(busiest, row.measured.cores);
    const int shown = std::max(1, static_cast<int>(busiest));
    cluster.gpu = is_gpu(cluster.name);
    cluster.cores = shown;
    if (cluster.gpu && shown > 1)
      input_error(fmt::format("unit '{}'", cluster.name), "is a GPU with more than one core",
                  "a GPU is taken as a whole: give it 1, or leave the cores out");
    if (cluster.gpu) continue;
    const int numbered = cores_by_number(platform, cluster.name);
    if (const auto found = given.find(cluster.name); found != given.end()) {
      if (found->second < shown)
        input_error(fmt::format("--cores {}={}", found->first, found->second),
                    fmt::format("the tables have rows of {} busy cores of it", shown), "give more");
      cluster.cores = found->second;
      cluster.cores_source = "as given";
    } else if (numbered > shown) {
      cluster.cores = numbered;
      cluster.cores_source = "by the number of the cluster after it";
    } else if (shown == 1) {
      cluster.cores_source = "assumed: the tables do not tell";
      platform.notes.push_back(fmt::format(
          "{}: one core is assumed, for no row has more; say '--cores {}=N' when you know.",
          cluster.name, cluster.name));
    }
  }
  for (const auto& [unit, count] : given) {
    const bool known =
        std::any_of(platform.clusters.begin(), platform.clusters.end(),
                    [&](const FittedCluster& cluster) { return cluster.name == unit; });
    if (!known)
      input_error(fmt::format("--cores {}={}", unit, count), "no table has a unit of that name",
                  "name one that is there");
  }
}

/// Of power, time and energy two give the third.
void complete(Measurement& row) {
  if (row.cores < 1) return;
  if (!row.power_mw && row.energy_mj && row.time_ms && *row.time_ms > 0)
    row.power_mw = *row.energy_mj / *row.time_ms * 1e3;
  if (!row.time_ms && row.energy_mj && row.power_mw && *row.power_mw > 0)
    row.time_ms = *row.energy_mj / *row.power_mw * 1e3;
}

void set_widths(FittedPlatform& platform) {
  std::map<double, std::vector<double>> accuracies;
  for (const FittedCluster& cluster : platform.clusters)
    for (const FittedRow& row : cluster.rows) {
      std::vector<double>& of = accuracies[row.measured.width_pct];
      if (row.measured.accuracy_pct) of.push_back(*row.measured.accuracy_pct);
    }
  for (const auto& [width, of] : accuracies) {
    FittedWidth one;
    one.width_pct = width;
    for (const double accuracy : of) one.accuracy_pct += accuracy / static_cast<double>(of.size());
    platform.widths.push_back(one);
  }
}

void count(FittedCluster& cluster, const std::vector<DeviceFactor>& devices) {
  double sum = 0;
  int kept = 0;
  for (const FittedRow& row : cluster.rows) {
    if (!row.measured.power_mw) continue;
    ++cluster.points;
    if (!row.kept()) {
      ++cluster.rejected;
      continue;
    }
    double factor = 1;
    for (const DeviceFactor& device : devices)
      if (device.file == row.measured.file) factor = device.factor;
    const double error = 100 * std::abs(row.law_mw * factor / *row.measured.power_mw - 1);
    sum += error;
    ++kept;
    cluster.max_error_pct = std::max(cluster.max_error_pct, error);
  }
  cluster.mean_error_pct = sum / std::max(1, kept);
}

/// Of the rows that are kept; 0: none has busy cores and a power.
double most_nj_per_cycle(const FittedCluster& cluster) {
  double most_nj = 0;
  for (const FittedRow& row : cluster.rows)
    if (row.kept() && row.measured.power_mw && row.measured.cores >= 1)
      most_nj = std::max(most_nj, *row.measured.power_mw / row.measured.mhz);
  return most_nj;
}

}  // namespace

void check_power_unit(const std::string& unit, double most_nj_per_cycle) {
  if (most_nj_per_cycle <= 0 || most_nj_per_cycle >= kLeastNjPerCycle) return;
  input_error(fmt::format("unit '{}'", unit),
              fmt::format("takes at most {:.2g} nJ a cycle, where no unit takes less than {:g}: is "
                          "the power in watts, or the clock in kHz?",
                          most_nj_per_cycle, kLeastNjPerCycle),
              "check the units in the headings");
}

double leakage_of(double temp_c) {
  const double kelvin = temp_c + 273.15;
  return kelvin * kelvin * std::exp(-kLeakageK / kelvin);
}

double leaking_part(double powered_cores, double cores) {
  return 1 - kLeakageCoreShare * (1 - powered_cores / cores);
}

double busy_cores(double cores, double parallel_fraction) {
  if (cores <= 1) return cores;
  const double parallel = parallel_fraction / cores;
  const double share = parallel / (1 - parallel_fraction + parallel);
  return cores * share + 1 - share;
}

void check_rows(FittedPlatform& platform) {
  for (FittedCluster& cluster : platform.clusters) {
    for (FittedRow& row : cluster.rows) {
      const Measurement& measured = row.measured;
      if (measured.power_mw && *measured.power_mw < kLeast) {
        row.rejected =
            fmt::format("a power of {:.4g} mW: nothing is left, or less", *measured.power_mw);
      } else if (measured.time_ms && measured.cores >= 1 && *measured.time_ms < kLeast) {
        row.rejected = fmt::format("a time of {:.4g} ms", *measured.time_ms);
      } else if (measured.power_mw && measured.time_ms && measured.energy_mj) {
        const double energy_mj = *measured.power_mw * *measured.time_ms / 1e3;
        if (!(std::abs(*measured.energy_mj / energy_mj - 1) <= kEnergyTolerance))
          row.rejected = fmt::format("an energy of {:.4g} mJ where power x time is {:.4g}",
                                     *measured.energy_mj, energy_mj);
      }
    }
    const double most_nj = most_nj_per_cycle(cluster);
    // Power in watts under a heading of milliwatts is a thousandth of what it was.
    check_power_unit(cluster.name, most_nj);
    if (most_nj > 0) continue;
    const FittedRow& first = cluster.rows.front();
    input_error(
        fmt::format("unit '{}'", cluster.name), "has no row of busy cores with a usable power",
        first.kept() ? "measure it, or remove the unit's rows"
                     : fmt::format("{}:{} has {}",
                                   platform.files[static_cast<std::size_t>(first.measured.file)],
                                   first.measured.line, first.rejected));
  }
}

FittedPlatform fit_platform(const Measurements& measurements, const Voltages& voltages,
                            const std::map<std::string, int>& cores) {
  FittedPlatform platform;
  platform.files = measurements.files;
  platform.coremark = measurements.coremark;
  platform.notes = measurements.notes;
  for (const Measurement& row : measurements.rows) {
    auto found =
        std::find_if(platform.clusters.begin(), platform.clusters.end(),
                     [&](const FittedCluster& cluster) { return cluster.name == row.unit; });
    if (found == platform.clusters.end()) {
      if (platform.clusters.size() == kMaxClusters)
        input_error(
            fmt::format("{}:{}", measurements.files[static_cast<std::size_t>(row.file)], row.line),
            fmt::format("'{}' would be the unit after the {} that a platform can have", row.unit,
                        kMaxClusters),
            "check the column of the unit, or fit fewer at a time");
      found = platform.clusters.emplace(platform.clusters.end());
      found->name = row.unit;
    }
    found->rows.push_back({.measured = row, .law_mw = 0, .law_ms = 0, .rejected = {}});
    complete(found->rows.back().measured);
  }
  set_cores(platform, cores);
  set_widths(platform);
  check_rows(platform);
  fit_times(platform);
  fit_powers(platform, voltages);
  fit_temperatures(platform);
  for (FittedCluster& cluster : platform.clusters) {
    count(cluster, cluster.devices);
    if (cluster.mean_error_pct > kPoorPct)
      platform.notes.push_back(
          fmt::format("{}: the law misses by {:.0f} % in the mean; is it one unit, with one clock, "
                      "doing one thing?",
                      cluster.name, cluster.mean_error_pct));
  }
  return platform;
}

}  // namespace flyball
