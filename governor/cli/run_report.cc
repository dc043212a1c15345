#include "governor/cli/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "governor/cli/accuracy.h"
#include "governor/cli/metrics_table.h"
#include "governor/cli/table.h"
#include "governor/cli/terminal.h"

namespace flyball::cli {
namespace {

constexpr const char* kPowerSource =
    "the platform file's model, driven by the times that cores were really busy";

/// Energy per job that `governed` saved against `other`, in percent.
double saving_pct(const Metrics& governed, const Metrics& other) {
  if (!(other.energy_mj_per_job > 0) || !(governed.energy_mj_per_job > 0)) return std::nan("");
  return 100 * (1 - governed.energy_mj_per_job / other.energy_mj_per_job);
}

bool ran_differently_long(const std::vector<LiveResult>& results) {
  const auto [shortest, longest] = std::minmax_element(
      results.begin(), results.end(),
      [](const LiveResult& a, const LiveResult& b) { return a.measured_s < b.measured_s; });
  return shortest->measured_s < 0.95 * longest->measured_s;
}

bool measured(const LiveResult& result) { return result.metrics.jobs > 0; }

std::string saving_sentence(const LiveResult& governed, const LiveResult& other) {
  const double saving = saving_pct(governed.metrics, other.metrics);
  if (!std::isfinite(saving)) return "";
  return fmt::format(
      "{} used {:.1f} % {} energy per job than {}, missed {:.2f} % of its jobs against {:.2f} %, "
      "at {:.1f} % accuracy against {:.1f} %.",
      governed.policy, std::abs(saving), saving >= 0 ? "less" : "more", other.policy,
      governed.metrics.deadline_miss_pct, other.metrics.deadline_miss_pct,
      governed.metrics.accuracy_pct, other.metrics.accuracy_pct);
}

Table comparison(const std::vector<LiveResult>& results) {
  Table table({{"policy", ""},
               {"ran", "s"},
               {"jobs", ""},
               {"energy", "mJ/job"},
               {"saved", "% energy"},
               {"missed", "% of jobs"},
               {"accuracy", "% top-1"},
               {"mean power", "mW"},
               {"latency p50", "ms"},
               {"latency p99", "ms"}});
  for (std::size_t i = results.size(); i-- > 0;) {  // the governed policy last, where the eye ends
    const Metrics& m = results[i].metrics;
    const double saving = i == 0 ? std::nan("") : saving_pct(results[0].metrics, m);
    const bool any = measured(results[i]);
    const auto cell = [&](double value, int decimals) {
      return any ? fixed(value, decimals) : "-";
    };
    table.add_row({results[i].policy, fixed(results[i].measured_s, 1), fixed(m.jobs, 0),
                   cell(m.energy_mj_per_job, 2), cell(saving, 1), cell(m.deadline_miss_pct, 2),
                   cell(m.accuracy_pct, 2), cell(m.power_mean_mw, 0), cell(m.latency_p50_ms, 2),
                   cell(m.latency_p99_ms, 2)});
  }
  return table;
}

}  // namespace

std::string run_text(const RunReport& report, int columns) {
  if (report.results.empty()) return "Interrupted before anything was measured.\n";
  std::string text;
  const auto say = [&](const std::string& sentence) { text += wrapped(sentence, columns); };
  if (report.interrupted) text += "Interrupted; this is what was measured.\n\n";
  text += comparison(report.results).render(columns) + '\n';
  const LiveResult& governed = report.results.front();
  for (std::size_t i = report.results.size(); i-- > 1;) {
    say(saving_sentence(governed, report.results[i]));
  }
  if (ran_differently_long(report.results)) {
    say("They did not run equally long, so the longer ones met more of the stream.");
  }
  if (governed.metrics.infeasible_pct > 0) {
    say(fmt::format("{:.2f} % of {}'s jobs could not be met by any configuration.",
                    governed.metrics.infeasible_pct, governed.policy));
  }
  if (report.results.size() > 1) {
    say(fmt::format("Saved: energy per job that {} saved against that row.", governed.policy));
  }
  say(fmt::format("Power and energy: {}.", kPowerSource));
  for (const std::string& note : accuracy_notes(report.platform, report.scenario)) say(note);
  for (const LiveResult& result : report.results) {
    for (const std::string& note : result.notes) say(fmt::format("{}: {}.", result.policy, note));
  }
  if (!report.record.empty()) {
    say(fmt::format("Recorded in {0}; 'flyball export {0} --csv DIR' makes CSV of it.",
                    report.record));
  }
  return text;
}

Json run_json(const RunReport& report) {
  Json json{{"schema", 1}, {"platform", report.platform.name}, {"scenario", report.scenario.name}};
  json["seed"] = report.stream.seed;
  json["emulated"] = report.platform.emulated;
  json["interrupted"] = report.interrupted;
  json["policy_file"] = report.policy_file.empty() ? Json(nullptr) : Json(report.policy_file);
  json["record"] = report.record.empty() ? Json(nullptr) : Json(report.record);
  json["power_source"] = kPowerSource;
  json["accuracy_source"] = accuracy_notes(report.platform, report.scenario);
  json["inference_ns"] = report.stream.inference_ns;
  json["inferences_per_job"] = report.stream.inferences_per_job;
  Json& rows = json["policies"] = Json::array();
  for (const LiveResult& result : report.results) {
    Json row{{"policy", result.policy},
             {"measured_s", result.measured_s},
             {"jobs", static_cast<std::uint64_t>(result.metrics.jobs)}};
    for (const MetricView& view : metric_views()) {
      if (view.value == &Metrics::energy_gap_to_oracle_pct)
        continue;  // nobody knows the future here
      row[std::string(view.key)] =
          measured(result) ? number_or_null(result.metrics.*view.value) : Json(nullptr);
    }
    row["governed_saves_pct"] =
        number_or_null(saving_pct(report.results.front().metrics, result.metrics));
    row["notes"] = result.notes;
    rows.push_back(row);
  }
  return json;
}

}  // namespace flyball::cli
