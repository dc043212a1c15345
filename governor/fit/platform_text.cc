#include "governor/fit/platform_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "env/model/thermal.h"
#include "env/spaces/limits.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

// The dynamic CNN that the shipped scenarios run, on the chip whose A15 has its figures in
// configs/platforms/odroid_xu3.yaml: 201.6 Mcycles and 4.1 ms a job, while an A15 (Exynos 5250)
// does 4.57 CoreMarks per Mcycle.
constexpr double kCnnMcycles = 201.6, kCnnMemoryMs = 4.1, kCoreMarksPerMcycle = 4.57;

std::string base_name(const std::string& path) {
  return printable(std::filesystem::path(path).filename().string());
}

std::string number(double value) { return fmt::format("{:.6g}", value); }

/// Within the quotes of a YAML text.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

/// " +- 3 %", of what it is known within.
std::string within(const ParameterEstimate& estimate) {
  if (estimate.value <= 0) return "";
  if (!estimate.determined()) return " (interval not determined)";
  return fmt::format(" +- {:.2g} %", 100 * estimate.half / estimate.value);
}

double fastest_mcycles(const FittedPlatform& platform) {
  double least = 1e300;
  for (const FittedCluster& cluster : platform.clusters)
    if (!cluster.gpu) least = std::min(least, cluster.mcycles.value);
  return least;
}

/// With everything at work at the highest clocks, in W.
double peak_w(const FittedPlatform& platform) {
  double mw = 0;
  for (const FittedCluster& cluster : platform.clusters) {
    const FittedOpp& top = cluster.opps.back();
    const double volts = top.mv / 1e3;
    mw += volts * volts * static_cast<double>(top.khz) / 1e3 *
              (cluster.uncore_nf.value + cluster.cores * cluster.core_nf.value) +
          volts * cluster.static_ma.value;
  }
  return mw / 1e3;
}

void check(const FittedPlatform& platform) {
  bool cpu = false;
  for (const FittedCluster& cluster : platform.clusters) {
    cpu |= !cluster.gpu;
    if (cluster.opps.size() > kMaxOpps)
      input_error(
          fmt::format("unit '{}'", cluster.name),
          fmt::format("has {} clocks, and a platform can have {}", cluster.opps.size(), kMaxOpps),
          "leave some out");
    if (platform.has_time && (cluster.mcycles.value < 1e-3 || cluster.mcycles.value > 1e6))
      input_error(
          fmt::format("unit '{}'", cluster.name),
          fmt::format("by its times a job takes {:.3g} Mcycles, beside {:.3g} ms that do not "
                      "depend on the clock, and a platform can have 0.001 to 1000000",
                      cluster.mcycles.value, cluster.memory_ms.value),
          "check the times and their unit");
  }
  if (!cpu) input_error("--out", "none of the units is a CPU", "add the rows of one");
  if (platform.widths.back().width_pct != 100 && platform.has_time)
    input_error(
        "--out",
        fmt::format("the widest width is {:g} %, and costs are relative to all of the network",
                    platform.widths.back().width_pct),
        "add rows of 100 %");
}

void write_head(const FittedPlatform& platform, const PlatformTextOptions& options,
                std::string& out) {
  out += fmt::format(
      "{}. Time = mcycles / f + memory; power = V^2 f C + k V, of all that the table has.\n",
      kPlatformTextStart);
  out += fmt::format("# Source: {}\n",
                     options.source.empty() ? "not stated (--source)" : printable(options.source));
  for (const std::string& file : platform.files)
    out += fmt::format("# Table: {}\n", base_name(file));
  for (const std::string& note : platform.notes)
    out += fmt::format("# Note: {}\n", printable(note));
  const bool heat = std::any_of(platform.clusters.begin(), platform.clusters.end(),
                                [](const FittedCluster& cluster) { return cluster.r_k_per_w > 0; });
  const std::string description = !options.description.empty()
                                      ? options.description
                                      : fmt::format("{} cluster{}", platform.clusters.size(),
                                                    platform.clusters.size() == 1 ? "" : "s");
  out += fmt::format(
      "schema: 1\nname: {}\ndescription: \"{}; simulated, fitted to {}, heat {}\"\n\n",
      options.name, escaped(description),
      platform.coremark ? "CoreMark on one core" : "measurements", heat ? "fitted" : "assumed");
  out +=
      "board_mw: 0  # not in the tables\n"
      "# No published measurement was found. Assumed as on the Odroid XU3.\n"
      "migration_us: 50\ncold_cache_ms: 1\nlevel_switch_us: 0\n\n";
}

void write_rejected(const FittedPlatform& platform, const FittedCluster& cluster,
                    std::string& out) {
  for (const FittedRow& row : cluster.rows) {
    if (row.kept()) continue;
    out += fmt::format("    # Not used: {}:{}, {:g} MHz {}\n",
                       base_name(platform.files[static_cast<std::size_t>(row.measured.file)]),
                       row.measured.line, row.measured.mhz, printable(row.rejected));
  }
}

void write_cluster(const FittedPlatform& platform, const FittedCluster& cluster, std::string& out) {
  out += fmt::format(
      "  {}:\n    # {} of {} rows used; the power law errs by {:.1f} % in the mean, {:.1f} % at "
      "most.\n",
      cluster.name, cluster.points - cluster.rejected, cluster.points, cluster.mean_error_pct,
      cluster.max_error_pct);
  write_rejected(platform, cluster, out);
  for (const DeviceFactor& device : cluster.devices)
    out += fmt::format("    # {} draws {:.2f} times this.\n",
                       base_name(platform.files[static_cast<std::size_t>(device.file)]),
                       device.factor);
  out += fmt::format("    kind: {}\n    cores: {}{}\n", cluster.gpu ? "gpu" : "cpu", cluster.cores,
                     cluster.cores_source.empty() ? "" : "  # " + cluster.cores_source);
  const double capacity =
      platform.has_time
          ? std::clamp(1024 * fastest_mcycles(platform) / cluster.mcycles.value, 1.0, 1e6)
          : 1024;
  out += fmt::format("    capacity_per_mhz: {}{}\n", number(capacity),
                     platform.has_time ? "" : "  # assumed");
  out += "    transition_latency_us: 140  # assumed\n";
  if (!cluster.gpu) {
    const double coefficient = 1e3 * (cluster.core_nf.value + cluster.uncore_nf.value);
    if (coefficient >= 1)
      out += fmt::format("    dynamic_power_coefficient: {}  # of one busy core\n",
                         number(coefficient));
  }
  out += fmt::format("    gate_idle_cores: {}\n", cluster.gate_idle_cores);
  if (!cluster.cores_vary && cluster.cores > 1)
    out +=
        "    # One number of busy cores was measured: all that switches is taken as theirs, and "
        "the "
        "current as the cluster's.\n";
  const std::string uncore = within(cluster.uncore_nf);
  out += fmt::format("    uncore_nf: {}{}\n", number(cluster.uncore_nf.value),
                     uncore.empty() ? "" : "  #" + uncore);
  out += fmt::format("    idle_core_nf: {}\n", number(cluster.idle_core_nf.value));
  const bool leaks = cluster.leak_a.value > 0 || cluster.leak_c_a.value > 0;
  out += fmt::format("    leakage: {{a_w_per_v_k2: {}, b_k: {:g}, c_a: {}, core_share: {:g}}}{}\n",
                     number(cluster.leak_a.value), kLeakageK, number(cluster.leak_c_a.value),
                     kLeakageCoreShare,
                     leaks ? "" : "  # in static_ma: the tables do not tell it apart");
  switch (cluster.voltage_source) {
    case VoltageSource::kMeasured:
      out += "    # Voltages of the table.\n";
      break;
    case VoltageSource::kListed:
      out += "    # Voltages as listed beside the table.\n";
      break;
    case VoltageSource::kAssumed:
      out +=
          "    # Voltages are not known: 1000 mV at the top are assumed, and the curve is the one "
          "that suits the power.\n";
  }
  out += "    opps:\n";
  for (const FittedOpp& opp : cluster.opps)
    out += fmt::format("      - {{mhz: {}, mv: {}}}\n", number(static_cast<double>(opp.khz) / 1e3),
                       number(opp.mv));
}

void write_width(double width, double time, double activity, double accuracy,
                 std::string_view source, std::string& out) {
  out += fmt::format(
      "      - {{width_pct: {:g}, time_factor: {}, activity_factor: {}, accuracy_pct: {},\n"
      "         accuracy_source: \"{}\"}}\n",
      width, number(time), number(activity), number(accuracy), source);
}

void write_job(const FittedPlatform& platform, const std::string& name, std::string& out) {
  out += fmt::format(
      "  {}:\n    kind: network\n    parallel_fraction: {}{}\n    widths:\n", name,
      number(platform.parallel_fraction.value),
      platform.parallel_measured ? "" : "  # assumed: the number of busy cores does not vary");
  for (const FittedWidth& width : platform.widths) {
    if (platform.coremark) {
      write_width(width.width_pct, 1, 1, 100, "a benchmark, which is right or wrong", out);
      continue;
    }
    write_width(width.width_pct, &width == &platform.widths.back() ? 1 : width.time_factor,
                width.activity_factor, width.accuracy_pct,
                width.accuracy_pct > 0 ? "of the tables" : "not in the tables", out);
  }
  if (platform.coremark) out += fmt::format("    # A job is {:g} iterations.\n", kCoreMarkJob);
  out += "    units:\n";
  for (const FittedCluster& cluster : platform.clusters) {
    out += fmt::format("      {}: {{mcycles: {}, memory_ms: {}, core_nf: {}, static_ma: {}}}",
                       cluster.name, number(cluster.mcycles.value), number(cluster.memory_ms.value),
                       number(cluster.core_nf.value), number(cluster.static_ma.value));
    out += fmt::format("  # core_nf{}, static_ma{}\n",
                       within(cluster.core_nf).empty() ? " as it is" : within(cluster.core_nf),
                       within(cluster.static_ma).empty() ? " as it is" : within(cluster.static_ma));
  }
}

/// So that the shipped scenarios run on such a chip too.
void write_derived_cnn(const FittedPlatform& platform, std::string& out) {
  out +=
      "  # Derived, not measured: the network of odroid_xu3.yaml, whose A15 does 4.57 CoreMarks "
      "per Mcycle, with as many\n"
      "  # cycles as CoreMark has here in that proportion, the A15's memory part and CoreMark's "
      "power.\n"
      "  dynamic_cnn:\n    kind: network\n    parallel_fraction: 0.9  # assumed\n    widths:\n";
  constexpr std::string_view kQuoted =
      "as commonly quoted for Xun et al., MLCAD'19; not checked against its text";
  write_width(25, 0.3663, 1.383, 56, kQuoted, out);
  write_width(50, 0.5775, 1.255, 62.7, kQuoted, out);
  write_width(75, 0.7888, 1.128, 68.8, kQuoted, out);
  write_width(100, 1, 1, 71.2, "G. Merrett, KTN & eFutures, 12 June 2020, slide", out);
  out += "    units:\n";
  for (const FittedCluster& cluster : platform.clusters)
    out += fmt::format(
        "      {}: {{mcycles: {}, memory_ms: {:g}, core_nf: {}, static_ma: {}}}\n", cluster.name,
        number(cluster.mcycles.value / kCoreMarkJob * kCoreMarksPerMcycle * kCnnMcycles),
        kCnnMemoryMs, number(cluster.core_nf.value), number(cluster.static_ma.value));
}

void write_apps(const FittedPlatform& platform, const PlatformTextOptions& options,
                std::string& out) {
  out += "apps:\n";
  if (platform.has_time) {
    const std::string name = !options.app.empty() ? options.app
                             : platform.coremark  ? "coremark"
                                                  : "dynamic_cnn";
    write_job(platform, name, out);
    if (platform.coremark && name != "dynamic_cnn") write_derived_cnn(platform, out);
  }
  out += "  # What was measured, without an end.\n  busy:\n    kind: plain_load\n    units:\n";
  for (const FittedCluster& cluster : platform.clusters)
    out += fmt::format("      {}: {{core_nf: {}, static_ma: {}}}\n", cluster.name,
                       number(cluster.core_nf.value), number(cluster.static_ma.value));
  out += '\n';
}

void write_thermal(const FittedPlatform& platform, std::string& out) {
  // A phone or a small board in the open; and no hotter than it could be for long, for nothing here
  // throttles.
  const double assumed = std::min(8.0, 60 / std::max(peak_w(platform), 0.1));
  out += "thermal:\n";
  int nodes = 0;
  for (const FittedCluster& cluster : platform.clusters) {
    if (nodes++ == kMaxThermalNodes) break;
    const bool fitted = cluster.r_k_per_w > 0;
    out += fmt::format(
        "  {}:  # {}\n    cluster: {}\n    offset_c: {}\n    terms:\n      - {{r_k_per_w: {}, "
        "tau_s: {}}}\n",
        cluster.name,
        fitted ? "fitted to the temperatures, as settled ones at 25 C ambient; the time is assumed"
               : "assumed: no temperatures were measured",
        cluster.name, number(cluster.offset_c), number(fitted ? cluster.r_k_per_w : assumed), 5);
  }
}

}  // namespace

std::string platform_text(const FittedPlatform& platform, const PlatformTextOptions& options) {
  check(platform);
  std::string out;
  write_head(platform, options, out);
  out += "clusters:\n";
  for (const FittedCluster& cluster : platform.clusters) write_cluster(platform, cluster, out);
  const auto cpus = std::count_if(platform.clusters.begin(), platform.clusters.end(),
                                  [](const FittedCluster& cluster) { return !cluster.gpu; });
  out += fmt::format("\nmappings: {}\n\n", cpus > 1 ? "mixed" : "one_cluster");
  write_apps(platform, options, out);
  write_thermal(platform, out);
  return out;
}

}  // namespace flyball
