#include "governor/cli/views/fit_report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "kernels/base/control_character.h"

namespace flyball::cli {
namespace {

constexpr const char* kNotDetermined =
    "no more rows that differ than parameters, or no error left over to tell it by";

std::string with_interval(const ParameterEstimate& estimate) {
  if (estimate.value <= 0) return "0";
  if (!estimate.determined()) return fmt::format("{:.4g} (+- not determined)", estimate.value);
  return fmt::format("{:.4g} +- {:.2g}", estimate.value, estimate.half);
}

Json estimate_json(const ParameterEstimate& estimate) {
  const char* reason =
      estimate.value > 0 ? kNotDetermined : "the rows do not show that it is above 0";
  return {{"value", estimate.value},
          {"half_width", number_or_null(estimate.half)},
          {"reason", estimate.determined() ? Json(nullptr) : Json(reason)}};
}

/// The model's, by their names in FittedCluster.
Json parameters_json(const FittedCluster& cluster) {
  Json json{{"core_nf", estimate_json(cluster.core_nf)},
            {"uncore_nf", estimate_json(cluster.uncore_nf)},
            {"idle_core_nf", estimate_json(cluster.idle_core_nf)},
            {"static_ma", estimate_json(cluster.static_ma)},
            {"leak_a", estimate_json(cluster.leak_a)},
            {"leak_c_a", estimate_json(cluster.leak_c_a)}};
  if (!cluster.has_time) return json;
  json["mcycles"] = estimate_json(cluster.mcycles);
  json["memory_ms"] = estimate_json(cluster.memory_ms);
  return json;
}

bool all_determined(const FittedPlatform& platform) {
  const auto told = [](const ParameterEstimate& one) { return one.value <= 0 || one.determined(); };
  return (!platform.parallel_measured || told(platform.parallel_fraction)) &&
         std::all_of(platform.clusters.begin(), platform.clusters.end(),
                     [&](const FittedCluster& cluster) {
                       const bool time =
                           !cluster.has_time || (told(cluster.mcycles) && told(cluster.memory_ms));
                       return time && told(cluster.core_nf) && told(cluster.uncore_nf) &&
                              told(cluster.idle_core_nf) && told(cluster.static_ma) &&
                              told(cluster.leak_a) && told(cluster.leak_c_a);
                     });
}

double factor_of(const FittedCluster& cluster, int file) {
  for (const DeviceFactor& device : cluster.devices)
    if (device.file == file) return device.factor;
  return 1;
}

std::string residual(double law, double measured) {
  return fmt::format("{:+.1f}", 100 * (law / measured - 1));
}

std::string where(const FittedPlatform& platform, const FittedRow& row) {
  return fmt::format("{}:{}",
                     printable(platform.files[static_cast<std::size_t>(row.measured.file)]),
                     row.measured.line);
}

std::string parameters(const FittedCluster& cluster) {
  std::string text = fmt::format("core {} nF, static {} mA", with_interval(cluster.core_nf),
                                 with_interval(cluster.static_ma));
  if (cluster.uncore_nf.value > 0)
    text += fmt::format(", uncore {} nF", with_interval(cluster.uncore_nf));
  if (cluster.idle_core_nf.value > 0)
    text += fmt::format(", idle core {} nF", with_interval(cluster.idle_core_nf));
  if (cluster.leak_c_a.value > 0)
    text += fmt::format(", constant leakage {} A", with_interval(cluster.leak_c_a));
  if (cluster.leak_a.value > 0)
    text += fmt::format(", leakage {} W/(V K^2)", with_interval(cluster.leak_a));
  if (cluster.has_time)
    text += fmt::format("; {} Mcycles a job, {} ms memory (time errs by {:.1f} % in the mean)",
                        with_interval(cluster.mcycles), with_interval(cluster.memory_ms),
                        cluster.mean_time_error_pct);
  return text;
}

std::string rows_of(const FittedCluster& cluster, int columns) {
  Table table({{"clock", "MHz"},
               {"cores", ""},
               {"width", "%"},
               {"power", "mW"},
               {"off by", "%"},
               {"time", "ms"},
               {"off by", "%"},
               {"", ""}});
  for (const FittedRow& row : cluster.rows) {
    const Measurement& measured = row.measured;
    const auto cell = [](const std::optional<double>& value) {
      return value ? fmt::format("{:.4g}", *value) : "-";
    };
    table.add_row(
        {fmt::format("{:g}", measured.mhz), fmt::format("{:g}", measured.cores),
         fmt::format("{:g}", measured.width_pct), cell(measured.power_mw),
         row.law_mw > 0
             ? residual(row.law_mw * factor_of(cluster, measured.file), *measured.power_mw)
             : "-",
         cell(measured.time_ms), row.law_ms > 0 ? residual(row.law_ms, *measured.time_ms) : "-",
         row.kept() ? "" : "rejected"});
  }
  return table.render(columns);
}

std::string devices_of(const FittedPlatform& platform, const FittedCluster& cluster) {
  const auto [least, most] = std::minmax_element(
      cluster.devices.begin(), cluster.devices.end(),
      [](const DeviceFactor& a, const DeviceFactor& b) { return a.factor < b.factor; });
  std::string text =
      fmt::format("Devices differ by {:.0f} % in power:", 100 * (most->factor / least->factor - 1));
  for (const DeviceFactor& device : cluster.devices)
    text += fmt::format(" {} draws {:.2f} times the law ({} rows){}",
                        printable(platform.files[static_cast<std::size_t>(device.file)]),
                        device.factor, device.rows, &device == &cluster.devices.back() ? "." : ",");
  return text;
}

}  // namespace

Json fit_json(const FittedPlatform& platform) {
  Json clusters = Json::array();
  for (const FittedCluster& cluster : platform.clusters)
    clusters.push_back({{"name", cluster.name},
                        {"points", cluster.points},
                        {"rejected", cluster.rejected},
                        {"mean_error_pct", cluster.mean_error_pct},
                        {"max_error_pct", cluster.max_error_pct},
                        {"parameters", parameters_json(cluster)}});
  return {{"schema", 1}, {"clusters", std::move(clusters)}};
}

std::string fit_report(const FittedPlatform& platform) {
  const int columns = Terminal::of(STDOUT_FILENO).columns;
  std::string text;
  for (const FittedCluster& cluster : platform.clusters) {
    text += fmt::format(
        "{}: {} rows, {} rejected; power errs by {:.1f} % in the mean, {:.1f} % at most\n",
        cluster.name, cluster.points, cluster.rejected, cluster.mean_error_pct,
        cluster.max_error_pct);
    text += wrapped(parameters(cluster), columns, 2) + '\n' + rows_of(cluster, columns);
    for (const FittedRow& row : cluster.rows)
      if (!row.kept())
        text += wrapped(fmt::format("Rejected: {}, {:g} MHz {}.", where(platform, row),
                                    row.measured.mhz, row.rejected),
                        columns, 2);
    if (!cluster.devices.empty()) text += wrapped(devices_of(platform, cluster), columns, 2);
    if (cluster.voltage_source == VoltageSource::kAssumed)
      text += wrapped(fmt::format("Voltages are not known: from {:.0f} mV to an assumed {:.0f} mV, "
                                  "by the shape of the power.",
                                  cluster.opps.front().mv, cluster.opps.back().mv),
                      columns, 2);
    text += '\n';
  }
  if (platform.parallel_measured)
    text += fmt::format("Of a job, {} spreads over cores.\n",
                        with_interval(platform.parallel_fraction));
  if (platform.has_time && platform.widths.size() > 1)
    for (const FittedWidth& width : platform.widths)
      text += fmt::format("Width {:g} %: {:.3f} of the time, a busy core's activity {:.3f}.\n",
                          width.width_pct, width.time_factor, width.activity_factor);
  for (const std::string& note : platform.notes) text += wrapped("Note: " + note, columns, 2);
  text += wrapped(
      "+- is a 95 % interval of the fit to the rows that were kept; errors and residuals are the "
      "law's distance from the "
      "measurement, in percent of it.",
      columns, 2);
  if (!all_determined(platform))
    text += wrapped(fmt::format("Not determined: {}.", kNotDetermined), columns, 2);
  return text;
}

}  // namespace flyball::cli
