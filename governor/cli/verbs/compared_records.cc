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

}  // namespace

const ComparedPolicy* record_among(const std::vector<ComparedPolicy>& policies) {
  const ComparedPolicy* found = nullptr;
  for (const ComparedPolicy& policy : policies) {
    if (!policy.recorded) continue;
    if (found != nullptr)
      input_error(fmt::format("--policies {}={}", policy.label, policy.file),
                  fmt::format("is a second recorded run beside {}, and has a workload of its own",
                              found->file),
                  "name one");
    found = &policy;
  }
  return found;
}

ComparedRecord load_compared_record(const std::vector<ComparedPolicy>& policies,
                                    const PlatformSpec& platform, const Belief& belief,
                                    bool own_workload, Scenario& scenario, CellContext& cell) {
  const ComparedPolicy& policy = *record_among(policies);
  ComparedRecord record;
  record.index = static_cast<std::size_t>(&policy - policies.data());
  record.label = policy.label;
  record.file = policy.file;
  const RecordedRun run = read_recorded_run(policy.file, platform);
  record.info = run.report.info;
  record.metrics = run.metrics;
  cell.recorded = record.label;
  // Where it has to be whole that is said first: a record that was cut may have lost its jobs.
  if (run.metrics.jobs == 0 && (own_workload || run.report.complete))
    refuse(record, "no job finished in it", "record a longer run");
  if (own_workload) {
    scenario = workload_of(record, run, platform, belief, cell);
    return record;
  }
  const ContentHashes here =
      recording_info(platform, belief, scenario, "", 0, reward_weights(belief)).hashes;
  if (record.info.hashes.scenario != here.scenario || record.info.hashes.platform != here.platform)
    refuse(record,
           fmt::format("is of scenario '{}' on '{}', or of other contents of them than '{}' here",
                       record.info.scenario, record.info.platform.name, scenario.name),
           "leave out --scenario: the others run on the record's workload then");
  check_whole(record, run, scenario);
  cell.notes.push_back(fmt::format("{} is the recorded run {} of {}; the others run on its seed",
                                   record.label, record.file, record.info.policy));
  return record;
}

}  // namespace flyball::cli
