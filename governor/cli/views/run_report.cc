#include "governor/cli/views/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "governor/cli/views/accuracy.h"
#include "governor/cli/views/levels.h"
#include "governor/cli/views/metrics_table.h"
#include "governor/cli/views/quota.h"
#include "governor/cli/views/warnings.h"
#include "governor/machine/machine_profile.h"
#include "governor/machine/promise.h"

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

bool measured(const LiveResult& result) { return result.measured_s > 0; }

/// Why figures are absent; empty when none is.
std::string absent_reason(const LiveResult& result) {
  if (!measured(result)) return "interrupted before it ran";
  return result.metrics.jobs > 0 ? "" : "no job finished";
}

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

/// Of all images that a policy's jobs looked at.
Tally total(const std::vector<Tally>& tallies) {
  Tally sum;
  for (const Tally& tally : tallies) {
    sum.right += tally.right;
    sum.total += tally.total;
  }
  return sum;
}

const AppProfile& profile_of(const RunReport& report, int app) {
  const auto a = static_cast<std::size_t>(app);
  return report.governed.spec.apps[static_cast<std::size_t>(report.scenario.apps[a].profile)];
}

/// Per level: recognised significantly less than the model file promises.
std::vector<bool> broken(const RunReport& report, const LiveResult& result) {
  std::vector<double> promised_pct;
  for (const LevelProfile& level : profile_of(report, 0).levels)
    promised_pct.push_back(level.accuracy_pct);
  return broken_promises(result.tallies, promised_pct, report.stream.engine.distinct_images());
}

/// Of all policies together; empty when every level keeps its promise.
std::string broken_sentence(const RunReport& report) {
  LiveResult all;
  all.tallies.resize(report.results.front().tallies.size());
  for (const LiveResult& result : report.results) {
    for (std::size_t level = 0; level < result.tallies.size(); ++level) {
      all.tallies[level].right += result.tallies[level].right;
      all.tallies[level].total += result.tallies[level].total;
    }
  }
  const std::vector<bool> levels = broken(report, all);
  std::string list;
  for (std::size_t level = 0; level < levels.size(); ++level) {
    if (!levels[level]) continue;
    const AppProfile& app = profile_of(report, 0);
    list += fmt::format("{}at {} {:.1f} % of {} images, not {:.1f} %", list.empty() ? "" : ", ",
                        app.level_text(static_cast<int>(level)), all.tallies[level].pct(),
                        all.tallies[level].total, app.levels[level].accuracy_pct);
  }
  if (list.empty()) return {};
  return fmt::format(
      "The model does not keep what its file promises, and this is no chance (1 in 1000): it "
      "recognised {}. 'flyball network verify --data' measures it again.",
      list);
}

/// What the agent turned between jobs: the settings that most jobs ran in.
Table settings_table(const RunReport& report, const LiveResult& result) {
  constexpr std::size_t kMostRows = 8;
  std::vector<Table::Column> columns = level_columns(profile_of(report, 0));
  columns.insert(columns.begin(), {{"application", ""}, {"mapping", "", true}});
  columns.insert(columns.end(), {{"jobs", ""}, {"share", "% of jobs"}});
  Table table(std::move(columns));
  // Not of the run's: those of applications that joined have no row here.
  std::uint64_t jobs = 0;
  for (const SettingUse& use : result.uses) jobs += use.jobs;
  for (std::size_t i = 0; i < std::min(result.uses.size(), kMostRows); ++i) {
    const SettingUse& use = result.uses[i];
    const AppProfile& app = profile_of(report, use.app);
    std::vector<std::string> cells = level_cells(app, use.setting.level);
    cells.insert(cells.begin(), {report.scenario.apps[static_cast<std::size_t>(use.app)].name,
                                 report.governed.spec.mappings[use.setting.mapping].name});
    cells.insert(cells.end(),
                 {fmt::to_string(use.jobs),
                  fixed(100 * static_cast<double>(use.jobs) / static_cast<double>(jobs), 1)});
    table.add_row(std::move(cells));
  }
  return table;
}

/// Promised by the model file against what the images of these jobs showed.
Table accuracy_table(const RunReport& report, const LiveResult& result) {
  const AppProfile& app = profile_of(report, 0);
  std::vector<Table::Column> columns = level_columns(app);
  columns.insert(columns.end(), {{"promised", "% top-1"}, {"measured", "% top-1"}, {"images", ""}});
  Table table(std::move(columns));
  for (std::size_t level = 0; level < result.tallies.size(); ++level) {
    const Tally& tally = result.tallies[level];
    if (tally.total == 0) continue;
    std::vector<std::string> cells = level_cells(app, static_cast<int>(level));
    cells.insert(cells.end(), {fixed(app.levels[level].accuracy_pct, 1), fixed(tally.pct(), 1),
                               fmt::to_string(tally.total)});
    table.add_row(std::move(cells));
  }
  return table;
}

Table comparison(const std::vector<LiveResult>& results) {
  Table table({{"policy", ""},
               {"ran", "s"},
               {"jobs", ""},
               {"energy", "mJ/job"},
               {"saved", "% energy"},
               {"missed", "% of jobs"},
               {"accuracy", "% top-1"},
               {"measured", "% top-1"},
               {"mean power", "mW"},
               {"latency p50", "ms"},
               {"latency p99", "ms"}});
  for (std::size_t i = results.size(); i-- > 0;) {  // the governed policy last, where the eye ends
    const Metrics& m = results[i].metrics;
    const double saving = i == 0 ? std::nan("") : saving_pct(results[0].metrics, m);
    const bool any = measured(results[i]);
    const Tally seen = total(results[i].tallies);
    const auto cell = [&](double value, int decimals) {
      return any ? fixed(value, decimals) : "-";
    };
    table.add_row({results[i].policy, fixed(results[i].measured_s, 1), fixed(m.jobs, 0),
                   cell(m.energy_mj_per_job, 2), cell(saving, 1), cell(m.deadline_miss_pct, 2),
                   cell(m.accuracy_pct, 2), seen.total > 0 ? fixed(seen.pct(), 2) : "-",
                   cell(m.power_mean_mw, 0), cell(m.latency_p50_ms, 2), cell(m.latency_p99_ms, 2)});
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
  for (const LiveResult& result : report.results) {
    if (const std::string reason = absent_reason(result); !reason.empty())
      say(fmt::format("{}: {}: '-' has no figure.", result.policy, reason));
  }
  if (ran_differently_long(report.results)) {
    say("They did not run equally long, so the longer ones met more of the stream.");
  }
  if (governed.metrics.infeasible_pct > 0) {
    say(fmt::format("{:.2f} % of {}'s jobs could not be met by any configuration.",
                    governed.metrics.infeasible_pct, governed.policy));
  }
  if (!governed.uses.empty()) {
    text += fmt::format("\nWhat {} chose from job to job:\n\n", governed.policy);
    text += settings_table(report, governed).render(columns) + '\n';
  }
  if (total(governed.tallies).total > 0) {
    say(fmt::format(
        "Accuracy is what the model file promises for the width and precision that a job "
        "ran at; measured is the share of its images that were recognised. Of {}:",
        governed.policy));
    text += '\n' + accuracy_table(report, governed).render(columns) + '\n';
  }
  if (const std::string broken = broken_sentence(report); !broken.empty()) say(broken);
  if (report.results.size() > 1) {
    say(fmt::format("Saved: energy per job that {} saved against that row.", governed.policy));
  }
  say(fmt::format("Power and energy: {}.", kPowerSource));
  if (!report.results.empty() && !report.results.front().counters.empty())
    say(report.results.front().counters + ".");
  for (const std::string& note : report.times_notes) say(note);
  for (const std::string& note : accuracy_notes(report.governed.spec, report.scenario)) say(note);
  for (const LiveResult& result : report.results) {
    for (const std::string& note : result.notes) say(fmt::format("{}: {}.", result.policy, note));
    if (result.throttling && result.throttling->throttled > 0)
      say(fmt::format("{}: {}", result.policy, throttling_sentence(*result.throttling)));
  }
  if (!report.record.empty()) {
    say(fmt::format("Recorded in {0}; 'flyball export {0} --csv DIR' makes CSV of it.",
                    report.record));
  }
  return text;
}

Json settings_json(const RunReport& report, const LiveResult& result) {
  Json settings = Json::array();
  for (const SettingUse& use : result.uses) {
    Json setting{{"app", report.scenario.apps[static_cast<std::size_t>(use.app)].name},
                 {"mapping", report.governed.spec.mappings[use.setting.mapping].name}};
    add_level(setting, profile_of(report, use.app), use.setting.level);
    setting["jobs"] = use.jobs;
    settings.push_back(std::move(setting));
  }
  return settings;
}

Json accuracy_json(const RunReport& report, const LiveResult& result) {
  Json levels = Json::array();
  const std::vector<bool> below = broken(report, result);
  for (std::size_t level = 0; level < result.tallies.size(); ++level) {
    const Tally& tally = result.tallies[level];
    const AppProfile& app = profile_of(report, 0);
    Json one = Json::object();
    add_level(one, app, static_cast<int>(level));
    one["promised_pct"] = app.levels[level].accuracy_pct;
    one["measured_pct"] = tally.total > 0 ? Json(tally.pct()) : Json(nullptr);
    one["below_promise"] = static_cast<bool>(below[level]);
    one["images"] = tally.total;
    levels.push_back(std::move(one));
  }
  return levels;
}

Json monitors_json(const LiveResult& result) {
  constexpr const char* kBetter[] = {"lower", "higher", "neither"};
  Json rows = Json::array();
  for (const MonitorFigure& figure : result.monitors) {
    const auto number = [&](double value) {
      return figure.valid > 0 ? number_or_null(value) : Json(nullptr);
    };
    rows.push_back({{"name", figure.monitor.name},
                    {"unit", figure.monitor.unit},
                    {"better", kBetter[static_cast<int>(figure.monitor.direction)]},
                    {"measured", figure.monitor.measured},
                    {"mean", number(figure.mean())},
                    {"least", number(figure.least)},
                    {"most", number(figure.most)},
                    {"epochs", figure.epochs},
                    {"valid_epochs", figure.valid},
                    {"held_epochs", figure.held},
                    {"absent_epochs", figure.absent()}});
  }
  return rows;
}

Json run_json(const RunReport& report) {
  Json json{
      {"schema", 1}, {"platform", report.governed.spec.name}, {"scenario", report.scenario.name}};
  json["seed"] = report.stream.seed;
  json["emulated"] = report.governed.spec.emulated;
  json["interrupted"] = report.interrupted;
  json["policy_file"] = report.policy_file.empty() ? Json(nullptr) : Json(report.policy_file);
  json["profile"] = report.governed.profile.empty() ? Json(nullptr) : Json(report.governed.profile);
  json["model"] = report.model;
  json["times_source"] = report.times_notes;
  json["record"] = report.record.empty() ? Json(nullptr) : Json(report.record);
  json["power_source"] = kPowerSource;
  json["counters_source"] = report.results.empty() || report.results.front().counters.empty()
                                ? Json(nullptr)
                                : Json(report.results.front().counters);
  json["accuracy_source"] = accuracy_notes(report.governed.spec, report.scenario);
  json["cpu_quota"] = quota_json(this_machine().cpu_quota);
  json["job_size_source"] = report.stream.profiled ? "profile" : "measured";
  json["warnings"] = warnings_of(report.governed.spec, {report.scenario});
  json["inference_ns"] = report.stream.inference_ns;
  json["inferences_per_job"] = report.stream.inferences_per_job;
  Json& rows = json["policies"] = Json::array();
  for (const LiveResult& result : report.results) {
    Json row{{"policy", result.policy},
             {"measured_s", result.measured_s},
             {"jobs", static_cast<std::uint64_t>(result.metrics.jobs)}};
    for (const MetricView& view : metric_views()) {
      // Nobody knows the future here, and no other clocks run beside.
      if (view.key.starts_with("energy_gap_to_") || view.key == "efficiency_pct") continue;
      row[std::string(view.key)] =
          measured(result) ? number_or_null(result.metrics.*view.value) : Json(nullptr);
    }
    row["governed_saves_pct"] =
        number_or_null(saving_pct(report.results.front().metrics, result.metrics));
    const Tally seen = total(result.tallies);
    row["accuracy_measured_pct"] = seen.total > 0 ? Json(seen.pct()) : Json(nullptr);
    if (const std::string reason = absent_reason(result); !reason.empty()) row["reason"] = reason;
    row["settings"] = settings_json(report, result);
    row["accuracy_monitor"] = accuracy_json(report, result);
    row["monitors"] = monitors_json(result);
    row["throttled_periods"] =
        result.throttling ? Json(result.throttling->throttled) : Json(nullptr);
    row["notes"] = result.notes;
    rows.push_back(row);
  }
  return json;
}

}  // namespace flyball::cli
