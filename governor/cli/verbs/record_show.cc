#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <sstream>

#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/record.h"
#include "governor/record/summary.h"

namespace flyball::cli {
namespace {

struct RecordShowVerb {
  std::string record;
  bool json = false;
};

std::string hash_text(std::uint64_t hash) { return hash == 0 ? "-" : fmt::format("{:016x}", hash); }

/// Monitors without a reading of every epoch that they were there; what is made of others is none.
std::vector<const MonitorFigure*> incomplete(const RecordingSummary& run) {
  std::vector<const MonitorFigure*> found;
  for (const MonitorFigure& one : run.monitors)
    if (one.monitor.type != Monitor::Type::kDerived && one.valid < one.epochs)
      found.push_back(&one);
  return found;
}

/// All counters of a cluster or an application are one name.
std::vector<std::string> short_names(const std::vector<const MonitorFigure*>& figures) {
  constexpr std::ptrdiff_t kCounters = 6;
  const auto owner = [](const MonitorFigure* one) {
    return one->monitor.name.substr(0, one->monitor.name.rfind('.') + 1);
  };
  std::vector<std::string> names;
  for (const MonitorFigure* one : figures) {
    const auto alike = std::ranges::count_if(figures, [&](const MonitorFigure* other) {
      return other->monitor.counter != 0 && owner(other) == owner(one);
    });
    const bool whole = one->monitor.counter != 0 && alike == kCounters;
    std::string name = whole ? owner(one) + "counters" : one->monitor.name;
    if (names.empty() || names.back() != name) names.push_back(std::move(name));
  }
  return names;
}

/// Those with the same counts together.
std::string readings_text(const RecordingSummary& run) {
  const auto figures = incomplete(run);
  if (figures.empty()) return "all of their own epoch";
  std::map<std::array<std::uint64_t, 3>, std::vector<const MonitorFigure*>> alike;
  for (const MonitorFigure* one : figures)
    alike[{one->epochs, one->held, one->absent()}].push_back(one);
  std::string text;
  for (const auto& [counts, of] : alike) {
    const auto [epochs, held, absent] = counts;
    text += fmt::format("{}{}: ", text.empty() ? "" : "; ", joined(short_names(of)));
    if (held > 0) text += fmt::format("held over in {}", held);
    if (absent > 0) text += fmt::format("{}absent in {}", held > 0 ? ", " : "", absent);
    text += fmt::format(" of {} epochs", epochs);
  }
  return text;
}

Json to_json(const std::string& file, const RecordingSummary& run) {
  const ContentHashes& hashes = run.report.info.hashes;
  Json json = recording_json(file, run.report);
  const auto hash = [](std::uint64_t value) {
    return value == 0 ? Json(nullptr) : Json(hash_text(value));
  };
  json["platform_hash"] = hash(hashes.platform);
  json["belief_hash"] = hash(hashes.belief);
  json["scenario_hash"] = hash(hashes.scenario);
  json["profile_hash"] = hash(hashes.profile);
  json["policy_hash"] = hash(hashes.policy);
  json["applications"] = run.apps;
  json["duration_s"] = run.duration_s;
  json["finished"] = run.finished;
  json["missed"] = run.missed;
  json["dropped"] = run.dropped;
  json["infeasible"] = run.infeasible;
  json["deadline_miss_pct"] = number_or_null(run.miss_pct());
  json["latency_p50_ms"] = number_or_null(run.latency_ms(50));
  json["latency_p99_ms"] = number_or_null(run.latency_ms(99));
  json["accuracy_pct"] = number_or_null(run.accuracy_pct);
  json["energy_mj"] = run.energy_mj;
  json["energy_mj_per_job"] = number_or_null(run.energy_mj_per_job());
  json["time_in_interval_pct"] = number_or_null(run.forecasts.time_held_pct());
  json["energy_in_interval_pct"] = number_or_null(run.forecasts.energy_held_pct());
  Json& readings = json["readings"] = Json::array();
  for (const MonitorFigure* one : incomplete(run)) {
    readings.push_back({{"monitor", one->monitor.name},
                        {"epochs", one->epochs},
                        {"held_epochs", one->held},
                        {"absent_epochs", one->absent()}});
  }
  json["decisions"] = run.report.decisions;
  json["explored"] = run.explored;
  json["replaced_by_shield"] = run.replaced;
  json["bytes_per_decision_epoch"] = number_or_null(run.report.bytes_per_decision());
  json["bytes_per_other_epoch"] = number_or_null(run.report.bytes_per_other_epoch());
  json["bytes_per_job"] = number_or_null(run.report.bytes_per_job());
  Json& clusters = json["clusters"] = Json::array();
  for (const RecordingSummary::Cluster& cluster : run.clusters) {
    clusters.push_back({{"cluster", cluster.name},
                        {"clock_mean_mhz", number_or_null(cluster.clock_mean_mhz)},
                        {"clock_changes", cluster.clock_changes},
                        {"power_mean_mw", number_or_null(cluster.power_mean_mw)},
                        {"temp_min_c", number_or_null(cluster.temp_min_c)},
                        {"temp_max_c", number_or_null(cluster.temp_max_c)}});
  }
  return json;
}

std::string to_text(const std::string& file, const RecordingSummary& run) {
  const RecordingInfo& info = run.report.info;
  std::string text = fmt::format("{}: {} on {}, scenario {}, seed {}\n\n", file, info.policy,
                                 info.platform.name, info.scenario, info.seed);
  const auto line = [&](const char* what, const std::string& value) {
    text += fmt::format("  {:<13} {}\n", what, value);
  };
  line("duration",
       fmt::format("{} s in {} epochs, {} new decisions ({} explored, {} changed by the "
                   "shield)",
                   fixed(run.duration_s, 2), run.report.epochs, run.report.decisions, run.explored,
                   run.replaced));
  line("applications", run.apps.empty() ? "none" : joined(run.apps));
  line("jobs", fmt::format("{} finished, {} missed ({} %), of these {} dropped; {} infeasible",
                           run.finished, run.missed, fixed(run.miss_pct(), 2), run.dropped,
                           run.infeasible));
  if (run.report.jobs_unlisted > 0) line("", run.report.unlisted());
  line("latency", fmt::format("{} ms median, {} ms in 99 of 100", fixed(run.latency_ms(50), 2),
                              fixed(run.latency_ms(99), 2)));
  line("accuracy", fixed(run.accuracy_pct, 2) + " % top-1");
  line("energy", fmt::format("{} mJ, {} mJ per job, {} mW mean", fixed(run.energy_mj, 1),
                             fixed(run.energy_mj_per_job(), 2),
                             fixed(run.duration_s > 0 ? run.energy_mj / run.duration_s : NAN, 1)));
  line("forecasts", fmt::format("{} % of times and {} % of energies within the 90 % interval",
                                fixed(run.forecasts.time_held_pct(), 1),
                                fixed(run.forecasts.energy_held_pct(), 1)));
  // Under each other, where there are many.
  constexpr int kLabel = 16;
  std::istringstream readings(
      wrapped(readings_text(run), Terminal::of(STDOUT_FILENO).columns - kLabel));
  const char* label = "readings";
  for (std::string each; std::getline(readings, each); label = "") line(label, each);
  line("contents",
       fmt::format("platform {}, belief {}, scenario {},", hash_text(info.hashes.platform),
                   hash_text(info.hashes.belief), hash_text(info.hashes.scenario)));
  line("", fmt::format("profile {}, policy {}", hash_text(info.hashes.profile),
                       hash_text(info.hashes.policy)));
  line("size",
       fmt::format(
           "{} bytes an epoch with a new decision, {} another, {} a job, before compression",
           fixed(run.report.bytes_per_decision(), 1), fixed(run.report.bytes_per_other_epoch(), 1),
           fixed(run.report.bytes_per_job(), 1)));
  line("file", run.report.complete ? fmt::format("complete, {} blocks", run.report.blocks)
                                   : "NOT COMPLETE: " + run.report.problem());
  Table table({{"cluster", ""},
               {"clock", "MHz mean"},
               {"changes", ""},
               {"power", "mW mean"},
               {"coolest", "C"},
               {"hottest", "C"}});
  for (const RecordingSummary::Cluster& cluster : run.clusters) {
    table.add_row({cluster.name, fixed(cluster.clock_mean_mhz, 0),
                   fmt::to_string(cluster.clock_changes), fixed(cluster.power_mean_mw, 1),
                   fixed(cluster.temp_min_c, 1), fixed(cluster.temp_max_c, 1)});
  }
  return text + '\n' + table.render(Terminal::of(STDOUT_FILENO).columns);
}

int run_record_show(const RecordShowVerb& verb) {
  const RecordingSummary run = summarise(verb.record);
  write_result(verb.json ? json_text(to_json(verb.record, run)) : to_text(verb.record, run));
  check_complete(verb.record, run.report, "the figures are of what is readable");
  return 0;
}

}  // namespace

Verb add_record_show(CLI::App& record) {
  auto verb = std::make_shared<RecordShowVerb>();
  CLI::App* parser = record.add_subcommand(
      "show", "Say on one screen what was recorded: policy, jobs, misses, energy, heat, damage");
  recording_option(*parser, verb->record);
  json_option(*parser, verb->json);
  parser->footer(
      "A recording that is not complete is shown as far as it goes, with status 1.\n"
      "Example:\n  flyball record show run.flyrec");
  return {parser, [verb] { return run_record_show(*verb); }};
}

}  // namespace flyball::cli
