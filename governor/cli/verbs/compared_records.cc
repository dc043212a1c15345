#include "governor/cli/verbs/compared_records.h"

#include <fmt/format.h>

#include <algorithm>

#include "governor/metrics/session.h"
#include "governor/replay/recorded_decisions.h"
#include "governor/replay/recorded_scenario.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

[[noreturn]] void refuse(const ComparedRecord& record, const std::string& why,
                         const std::string& remedy) {
  input_error(fmt::format("--policies {}={}", record.label, record.file), why, remedy);
}

/// Its jobs and all that happened beside them, and how true the simulation of it is.
Scenario workload_of(const ComparedRecord& record, const RecordedRun& run,
                     const PlatformSpec& platform, const Belief& belief, CellContext& cell) {
  RecordedScenario found = recorded_scenario(run, platform);
  if (!found.refusal.empty())
    refuse(record, "its workload cannot be played: " + found.refusal,
           "compare without it, or record a run that can");
  const Metrics replayed =
      play_recorded_decisions(run, platform, found.scenario, reward_weights(belief));
  cell.notes.push_back(fmt::format(
      "{} is the recorded run {} of {}; the others are simulated on its workload, as 'flyball "
      "replay' does. Its own decisions come to {:+.2g} % of its energy and {:+.2g} points of its "
      "misses there: differences as small as that are the model's. Its figures are as its sensors "
      "said",
      record.label, record.file, record.info.policy,
      100 * (replayed.energy_mj_per_job / run.metrics.energy_mj_per_job - 1),
      replayed.deadline_miss_pct - run.metrics.deadline_miss_pct));
  for (const std::string& assumed : found.assumed)
    cell.notes.push_back(fmt::format("{}: {}", record.label, assumed));
  if (const std::string problem = run.report.problem(); !problem.empty())
    cell.notes.push_back(fmt::format("{}: {}", record.label, problem));
  return std::move(found.scenario);
}

/// The others live through all of the scenario, and what they had is what was true.
void check_whole(const ComparedRecord& record, const RecordedRun& run, const Scenario& scenario) {
  const std::string own = "leave out --scenario: the others run on the record's workload then";
  if (!run.report.complete) refuse(record, "is not whole: " + run.report.problem(), own);
  const RecordedRun::Epoch* last = run.epochs.empty() ? nullptr : &run.epochs.back();
  const std::int64_t epoch_ns = last == nullptr ? 0 : last->end_ns - last->start_ns;
  if (run.unusable.empty() && run.duration_ns() + epoch_ns < scenario.duration_ns)
    refuse(record,
           fmt::format("ends after {:.3g} s of the {:.3g} s of scenario '{}'",
                       static_cast<double>(run.duration_ns()) * 1e-9,
                       static_cast<double>(scenario.duration_ns) * 1e-9, scenario.name),
           own);
  if (scenario.sensors.any())
    refuse(record,
           fmt::format("its figures are what the faulty sensors of scenario '{}' showed, the "
                       "others' what was true",
                       scenario.name),
           "compare policies by name: each is run there");
}

RecordedFigures::Policy& policy_of(RecordedFigures& figures, const ComparedRecord& record,
                                   std::size_t seeds) {
  auto found = std::ranges::find(figures.policies, record.policy, &RecordedFigures::Policy::index);
  if (found != figures.policies.end()) return *found;
  const auto after = std::ranges::upper_bound(figures.policies, record.policy, {},
                                              &RecordedFigures::Policy::index);
  found = figures.policies.insert(after, {record.policy, record.info.policy, {}, {}});
  found->per_seed.resize(seeds);
  found->files.resize(seeds);
  return *found;
}

/// Of all that came, sorted. Those that came over the channel are in no scenario, and in none of its hashes.
std::vector<std::string> applications_of(const RecordedRun& run) {
  std::vector<std::string> names;
  for (const RecordedRun::App& app : run.apps) names.push_back(app.binding.name);
  std::ranges::sort(names);
  return names;
}

std::vector<std::string> applications_of(const Scenario& scenario) {
  std::vector<std::string> names;
  for (const AppSpec& app : scenario.apps) names.push_back(app.name);
  std::ranges::sort(names);
  return names;
}

bool same_contents(const RecordingInfo& one, const RecordingInfo& other) {
  return one.hashes.scenario == other.hashes.scenario &&
         one.hashes.platform == other.hashes.platform;
}

}  // namespace

bool RecordedFigures::has(std::size_t index, std::size_t seed) const {
  const auto found = std::ranges::find(policies, index, &Policy::index);
  return found != policies.end() && !found->files[seed].empty();
}

void RecordedFigures::put_agents(std::vector<std::string>& agents) const {
  for (const Policy& one : policies)
    agents.insert(agents.begin() + static_cast<std::ptrdiff_t>(one.index), one.agent);
}

void RecordedFigures::put_figures(std::size_t seed, std::vector<Metrics>& figures) const {
  for (const Policy& one : policies)
    figures.insert(figures.begin() + static_cast<std::ptrdiff_t>(one.index), one.per_seed[seed]);
}

ComparedRecords records_among(const std::vector<ComparedPolicy>& policies) {
  ComparedRecords records;
  records.alone = true;
  std::vector<std::uint64_t> seeds;
  for (std::size_t p = 0; p < policies.size(); ++p) {
    if (!policies[p].recorded()) records.alone = false;
    for (const std::string& file : policies[p].records) {
      bool any = false;
      RecordingVisitor visitor;
      visitor.on_bind = [&](int, const Binding&, const Observation&) { any = true; };
      records.runs.push_back({p, policies[p].label, file, read_recording(file, visitor).info});
      const ComparedRecord& run = records.runs.back();
      if (!any && run.info.scenario == kRecordedPlainLoad)
        refuse(run,
               "is of plain load on a machine, which is never the same twice, and has no jobs to "
               "count",
               "look at it by 'flyball report', or record runs of a scenario");
      const auto same = std::ranges::find(records.runs, p, &ComparedRecord::policy);
      if (same->info.policy != run.info.policy)
        refuse(run,
               fmt::format("is of policy '{}', and {} under the same name of '{}'", run.info.policy,
                           same->file, same->info.policy),
               "give it a name of its own");
      seeds.push_back(run.info.seed);
    }
  }
  std::ranges::sort(seeds);
  seeds.erase(std::unique(seeds.begin(), seeds.end()), seeds.end());
  records.seeds = std::move(seeds);
  return records;
}

void ComparedRecords::choose_others(bool scenario_named) {
  if (alone)
    others = Others::kNone;
  else if (!scenario_named && runs.size() == 1)
    others = Others::kOwnWorkload;
  loads_scenario = scenario_named || others == Others::kScenario;
}

std::vector<std::string> ComparedRecords::scenarios() const {
  std::vector<std::string> names;
  for (const ComparedRecord& run : runs)
    if (std::ranges::find(names, run.info.scenario) == names.end())
      names.push_back(run.info.scenario);
  return names;
}

RecordedFigures ComparedRecords::load_own(const PlatformSpec& platform, const Belief& belief,
                                          Scenario& scenario, CellContext& cell) {
  ComparedRecord& record = runs.front();
  record.placed = true;
  const RecordedRun run = read_recorded_run(record.file, platform);
  if (run.metrics.jobs == 0) refuse(record, "no job finished in it", "record a longer run");
  scenario = workload_of(record, run, platform, belief, cell);
  RecordedFigures figures;
  RecordedFigures::Policy& policy = policy_of(figures, record, 1);
  policy.per_seed[0] = run.metrics;
  policy.files[0] = record.file;
  return figures;
}

RecordedFigures ComparedRecords::load(const PlatformSpec& platform, const Belief& belief,
                                      Scenario& scenario, CellContext& cell) {
  RecordedFigures figures;
  if (others == Others::kOwnWorkload) {
    figures = load_own(platform, belief, scenario, cell);
  } else {
    ContentHashes here;
    if (loads_scenario)
      here = recording_info(platform, belief, scenario, "", 0, reward_weights(belief)).hashes;
    const ComparedRecord* first = nullptr;
    std::int64_t lasts_ns = 0;
    std::vector<std::string> applications;
    for (ComparedRecord& record : runs) {
      if (loads_scenario) {
        if (record.info.hashes.scenario != here.scenario ||
            record.info.hashes.platform != here.platform)
          continue;
      } else if (record.info.scenario != scenario.name ||
                 record.info.platform.name != platform.name) {
        continue;
      }
      record.placed = true;
      if (first != nullptr && !same_contents(record.info, first->info))
        refuse(record,
               fmt::format("is of other contents of scenario '{}' on '{}' than {}",
                           record.info.scenario, record.info.platform.name, first->file),
               "name runs of the same scenario for the same time, or compare them one by one");
      const RecordedRun run = read_recorded_run(record.file, platform);
      if (run.metrics.jobs == 0 && run.report.complete)
        refuse(record, "no job finished in it", "record a longer run");
      if (others == Others::kScenario) {
        check_whole(record, run, scenario);
        if (!std::ranges::includes(applications_of(scenario), applications_of(run)))
          refuse(record, fmt::format("had other applications than scenario '{}'", scenario.name),
                 "compare runs of the same applications");
      } else {
        if (!run.report.complete)
          refuse(record, "is not whole: " + run.report.problem(), "leave it out");
        const std::int64_t epoch_ns =
            run.epochs.empty() ? 0 : run.epochs.back().end_ns - run.epochs.back().start_ns;
        if (first == nullptr) {
          std::vector<std::string> ignored;
          if (!loads_scenario) scenario = scenario_as_said(run, platform, ignored);
          lasts_ns = run.duration_ns();
          applications = applications_of(run);
        } else if (applications_of(run) != applications) {
          refuse(record, fmt::format("had other applications than {}", first->file),
                 "compare runs of the same applications");
        } else if (std::abs(run.duration_ns() - lasts_ns) > epoch_ns) {
          refuse(record,
                 fmt::format("lasts for {:.3g} s, and {} for {:.3g} s",
                             static_cast<double>(run.duration_ns()) * 1e-9, first->file,
                             static_cast<double>(lasts_ns) * 1e-9),
                 "compare runs of the same length");
        }
      }
      if (first == nullptr) first = &record;
      RecordedFigures::Policy& policy = policy_of(figures, record, seeds.size());
      const auto s = static_cast<std::size_t>(std::ranges::lower_bound(seeds, record.info.seed) -
                                              seeds.begin());
      if (!policy.files[s].empty())
        refuse(record,
               fmt::format("is of the seed, scenario and platform that {} is of", policy.files[s]),
               "give it a name of its own, or leave it out");
      policy.files[s] = record.file;
      policy.per_seed[s] = run.metrics;
    }
  }
  for (const RecordedFigures::Policy& policy : figures.policies) {
    for (const std::string& file : policy.files)
      if (!file.empty()) figures.files.push_back(file);
    const auto run = std::ranges::find(runs, policy.index, &ComparedRecord::policy);
    cell.recorded.push_back(run->label);
  }
  return figures;
}

void ComparedRecords::check_places(const std::vector<CellContext>& cells) const {
  for (const ComparedRecord& run : runs) {
    if (run.placed) continue;
    std::string here;
    for (const CellContext& cell : cells)
      here += fmt::format("{}'{}' on '{}'", here.empty() ? "" : ", ", cell.scenario, cell.platform);
    refuse(run,
           fmt::format("is of scenario '{}' on '{}', or of other contents of them than {} here",
                       run.info.scenario, run.info.platform.name, here),
           runs.size() == 1
               ? "leave out --scenario: the others run on the record's workload then"
               : "name the scenario and the platform file that it is of, or leave it out");
  }
}

void ComparedRecords::keep_common_seeds(const std::vector<ComparedPolicy>& policies,
                                        const std::vector<RecordedFigures*>& figures,
                                        std::vector<CellContext>& cells) {
  std::vector<std::size_t> kept;
  std::vector<std::vector<std::string>> lacking(cells.size());
  for (std::size_t s = 0; s < seeds.size(); ++s) {
    bool all = true;
    for (const RecordedFigures* one : figures)
      for (std::size_t p = 0; p < policies.size(); ++p)
        all = all && (!policies[p].recorded() || one->has(p, s));
    if (all) kept.push_back(s);
  }
  for (std::size_t c = 0; c < cells.size(); ++c) {
    for (std::size_t p = 0; p < policies.size(); ++p) {
      if (!policies[p].recorded()) continue;
      std::vector<std::uint64_t> lacked;
      for (std::size_t s = 0; s < seeds.size(); ++s)
        if (!figures[c]->has(p, s)) lacked.push_back(seeds[s]);
      if (lacked.size() == seeds.size())
        input_error(
            "--policies " + policies[p].label,
            fmt::format("there is no recorded run of scenario '{}' on '{}' among its {}",
                        cells[c].scenario, cells[c].platform, policies[p].records.size()),
            "seeds are pairs: each recorded policy needs some that the others have, in each "
            "scenario on each platform");
      if (!lacked.empty())
        lacking[c].push_back(fmt::format("{} has none of seed{} {}", policies[p].label,
                                         lacked.size() == 1 ? "" : "s", fmt::join(lacked, ", ")));
    }
  }
  if (kept.empty()) {
    std::string why;
    for (std::size_t c = 0; c < cells.size(); ++c)
      if (!lacking[c].empty())
        why += fmt::format("{}in scenario '{}' on '{}' {}", why.empty() ? "" : "; ",
                           cells[c].scenario, cells[c].platform, fmt::join(lacking[c], ", "));
    input_error("--policies", "the recorded policies have no seed in common: " + why,
                "seeds are pairs: record runs of the same seeds");
  }
  std::vector<std::uint64_t> left_out, common;
  for (std::size_t s = 0; s < seeds.size(); ++s)
    (std::ranges::binary_search(kept, s) ? common : left_out).push_back(seeds[s]);
  for (std::size_t c = 0; c < cells.size(); ++c) {
    for (RecordedFigures::Policy& policy : figures[c]->policies) {
      for (std::size_t k = 0; k < kept.size(); ++k) {
        policy.per_seed[k] = policy.per_seed[kept[k]];
        policy.files[k] = policy.files[kept[k]];
        if (others == Others::kOwnWorkload) continue;  // said with how true it is
        cells[c].notes.push_back(fmt::format(
            "{} is the recorded run {} of {}{}", policies[policy.index].label, policy.files[k],
            policy.agent, others == Others::kScenario ? "; the others run on its seed" : ""));
      }
      policy.per_seed.resize(kept.size());
      policy.files.resize(kept.size());
    }
    if (!left_out.empty())
      cells[c].notes.push_back(fmt::format(
          "Compared are the {} seed{} that all recorded policies have; left out {} {}{}{}",
          kept.size(), kept.size() == 1 ? "" : "s", left_out.size() == 1 ? "is" : "are",
          fmt::join(left_out, ", "), lacking[c].empty() ? "" : ": ", fmt::join(lacking[c], "; ")));
  }
  seeds = std::move(common);
}

}  // namespace flyball::cli
