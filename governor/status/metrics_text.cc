#include "governor/status/metrics_text.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace flyball {
namespace {

using Facts = StatusFacts::Cluster;
using Now = StatusNow::Cluster;

/// Of the governor as a whole. NaN is not known.
struct WholeMetric {
  MetricFamily family;
  double (*value)(const StatusFacts& facts, const StatusNow& now, std::int64_t at_ns);
};
struct ClusterMetric {
  MetricFamily family;
  double (*value)(const Facts& facts, const Now& now, bool seen);
};

double known_if(bool known, double value) { return known ? value : kUnknown; }

const std::vector<WholeMetric>& whole_metrics() {
  static const std::vector<WholeMetric> metrics = {
      {{"flyball_uptime_seconds", "gauge", "Since the governor started."},
       [](auto& facts, auto&, std::int64_t at_ns) {
         return static_cast<double>(at_ns - facts.start_ns) * 1e-9;
       }},
      {{"flyball_updated_seconds", "gauge",
        "Age of these figures; above a few seconds the governor has hung or sleeps."},
       [](auto&, auto& now, std::int64_t at_ns) {
         return known_if(now.at_ns > 0, static_cast<double>(at_ns - now.at_ns) * 1e-9);
       }},
      {{"flyball_epochs_total", "counter", "Decision intervals."},
       [](auto&, auto& now, std::int64_t) { return static_cast<double>(now.epochs); }},
      {{"flyball_naps_total", "counter", "Times that the machine was idle and left to Linux."},
       [](auto&, auto& now, std::int64_t) { return static_cast<double>(now.naps); }},
      {{"flyball_napping", "gauge", "1 while the machine is idle and left to Linux."},
       [](auto&, auto& now, std::int64_t) { return static_cast<double>(now.napping); }},
      {{"flyball_dry_run", "gauge", "1 where nothing is written."},
       [](auto& facts, auto&, std::int64_t) { return facts.mode == 0 ? 0.0 : 1.0; }},
      {{"flyball_power_watts", "gauge",
        "Mean of the last second; flyball_info says of which rail."},
       [](auto&, auto& now, std::int64_t) {
         return known_if(now.window_ns > 0, now.power_mw * 1e-3);
       }},
      {{"flyball_power_measured_ratio", "gauge",
        "Share of that second in which it was measured; else it is modelled."},
       [](auto&, auto& now, std::int64_t) {
         return known_if(now.window_ns > 0, now.measured_share);
       }},
      {{"flyball_energy_joules_total", "counter", "Of that power, since the governor started."},
       [](auto&, auto& now, std::int64_t) { return now.energy_mj * 1e-3; }},
      {{"flyball_preference_ratio", "gauge", "What is set: 0 performance first, 1 battery first."},
       [](auto&, auto& now, std::int64_t) { return now.preference; }},
      {{"flyball_predictions_scored_total", "counter",
        "Busy seconds of clusters whose predictions were compared with what came out."},
       [](auto&, auto& now, std::int64_t) { return static_cast<double>(now.scored); }},
      {{"flyball_prediction_busy_error_ratio", "gauge",
        "Mean absolute error of the busy share of the busiest core."},
       [](auto&, auto& now, std::int64_t) { return now.busy_error; }},
      {{"flyball_prediction_power_error_ratio", "gauge",
        "Mean absolute error of the modelled power, as a share of it."},
       [](auto&, auto& now, std::int64_t) { return now.power_error; }}};
  return metrics;
}

const std::vector<ClusterMetric>& cluster_metrics() {
  static const std::vector<ClusterMetric> metrics = {
      {{"flyball_clock_asked_hertz", "gauge", "The clock that was asked for last."},
       [](auto&, auto& now, bool) {
         return known_if(now.asked_khz > 0, static_cast<double>(now.asked_khz) * 1e3);
       }},
      {{"flyball_clock_delivered_hertz", "gauge",
        "Mean clock of the last second while it was busy."},
       [](auto&, auto& now, bool seen) { return known_if(seen, now.delivered_khz * 1e3); }},
      {{"flyball_clock_lowest_hertz", "gauge", "The lowest clock that the policy has."},
       [](auto& facts, auto&, bool) { return static_cast<double>(facts.lowest_khz) * 1e3; }},
      {{"flyball_clock_highest_hertz", "gauge", "The highest clock that the policy has."},
       [](auto& facts, auto&, bool) { return static_cast<double>(facts.highest_khz) * 1e3; }},
      {{"flyball_clock_minimum_hertz", "gauge", "The lower limit, where one is set."},
       [](auto&, auto& now, bool) {
         return known_if(now.min_khz > 0, static_cast<double>(now.min_khz) * 1e3);
       }},
      {{"flyball_clock_maximum_hertz", "gauge", "The upper limit, where one is set."},
       [](auto&, auto& now, bool) {
         return known_if(now.max_khz > 0, static_cast<double>(now.max_khz) * 1e3);
       }},
      {{"flyball_busiest_core_ratio", "gauge", "Mean busy share of the busiest core."},
       [](auto&, auto& now, bool seen) { return known_if(seen, now.busiest); }},
      {{"flyball_busy_ratio", "gauge", "Mean busy share of all cores."},
       [](auto&, auto& now, bool seen) { return known_if(seen, now.busy); }},
      {{"flyball_modelled_power_watts", "gauge", "Power as modelled."},
       [](auto&, auto& now, bool seen) { return known_if(seen, now.modelled_mw * 1e-3); }},
      {{"flyball_temperature_celsius", "gauge", "Temperature."},
       [](auto&, auto& now, bool seen) { return known_if(seen, now.temp_c); }},
      {{"flyball_trip_temperature_celsius", "gauge",
        "The lowest temperature at which Linux holds the clock down."},
       [](auto& facts, auto&, bool) { return facts.trip_c; }},
      {{"flyball_decisions_total", "counter", "Changes of the clock that were decided."},
       [](auto&, auto& now, bool) { return static_cast<double>(now.decisions); }},
      {{"flyball_writes_total", "counter", "Writes to the machine."},
       [](auto&, auto& now, bool) { return static_cast<double>(now.writes); }},
      {{"flyball_writes_refused_total", "counter", "Writes that Linux refused."},
       [](auto&, auto& now, bool) { return static_cast<double>(now.refused); }},
      {{"flyball_writes_rounded_total", "counter", "Writes that became another clock."},
       [](auto&, auto& now, bool) { return static_cast<double>(now.rounded); }},
      {{"flyball_writes_ignored_total", "counter", "Writes without effect."},
       [](auto&, auto& now, bool) { return static_cast<double>(now.ignored); }},
      {{"flyball_stood_down", "gauge", "1 where the policy is left to another program."},
       [](auto&, auto& now, bool) { return now.stood_down > 0 ? 1.0 : 0.0; }}};
  return metrics;
}

constexpr MetricFamily kInfo = {"flyball_info", "gauge",
                                "Always 1; who decides, and what power is of."};

/// A label's value, in which three characters mean something else.
std::string label(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\n') {
      escaped += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

void begin_family(std::string& text, const MetricFamily& family) {
  fmt::format_to(std::back_inserter(text), "# HELP {} {}\n# TYPE {} {}\n", family.name, family.help,
                 family.name, family.type);
}

/// As the governor counts, or exactly what the number is.
void add_sample(std::string& text, const char* name, const std::string& labels, double value) {
  fmt::format_to(std::back_inserter(text), "{}{} {:.12g}\n", name, labels, value);
}

}  // namespace

const std::vector<MetricFamily>& metric_families() {
  static const std::vector<MetricFamily> families = [] {
    std::vector<MetricFamily> all = {kInfo};
    for (const WholeMetric& metric : whole_metrics()) all.push_back(metric.family);
    for (const ClusterMetric& metric : cluster_metrics()) all.push_back(metric.family);
    return all;
  }();
  return families;
}

std::string metrics_text(const StatusFacts& facts, const StatusNow& now, std::int64_t at_ns) {
  std::string text;
  begin_family(text, kInfo);
  const std::string source = facts.power_source.get();
  add_sample(text, kInfo.name,
             fmt::format("{{policy=\"{}\",power_source=\"{}\"}}", label(facts.policy.get()),
                         label(source.empty() ? "modelled" : source)),
             1);
  for (const WholeMetric& metric : whole_metrics()) {
    const double value = metric.value(facts, now, at_ns);
    if (!std::isfinite(value)) continue;
    begin_family(text, metric.family);
    add_sample(text, metric.family.name, "", value);
  }
  for (const ClusterMetric& metric : cluster_metrics()) {
    bool begun = false;
    for (int c = 0; c < facts.clusters; ++c) {
      const Facts& cluster = facts.cluster[static_cast<std::size_t>(c)];
      const double value = metric.value(cluster, now.cluster[static_cast<std::size_t>(c)],
                                        now.window_ns > 0 && c < now.clusters);
      if (!std::isfinite(value)) continue;
      if (!begun) begin_family(text, metric.family);
      begun = true;
      add_sample(text, metric.family.name,
                 fmt::format("{{policy=\"{}\",cpus=\"{}\"}}", label(cluster.name.get()),
                             label(cluster.cpus.get())),
                 value);
    }
  }
  return text;
}

}  // namespace flyball
