#include "governor/loop/slowdown.h"

#include <algorithm>
#include <cmath>

namespace flyball {
namespace {

constexpr double kWeight = 0.2;   // of a new sample: follows a change within some 10 jobs
constexpr double kForget = 0.02;  // per job, of what was not used
constexpr double kWinsorise = 2.0;

}  // namespace

void OppHistory::note(const Observation& outcome, const OppChoice& applied) {
  OppChoice opp{};
  bool as_applied = true;
  for (int c = 0; c < outcome.cluster_count; ++c) {
    opp[c] = outcome.cluster[c].opp;
    as_applied = as_applied && opp[c] == applied[c];
  }
  if (!stretches_.empty() && stretches_.front().opp == opp) return;
  // Frequencies follow the epoch's start within the latencies of decision and transition (some
  // 0.2 ms); one that is not as applied was lowered by the thermal governor at some time within.
  const std::int64_t begin_ns = outcome.now_ns - outcome.epoch_ns;
  stretches_.push_front({as_applied ? begin_ns : outcome.now_ns - outcome.epoch_ns / 2, opp});
}

std::optional<double> OppHistory::jobs(const PlatformSpec& believed, const AppProfile& profile,
                                       const AppSetting& setting, std::int64_t from_ns,
                                       std::int64_t until_ns) const {
  const Mapping& mapping = believed.mappings[setting.mapping];
  double jobs = 0;
  const bool known = visit(from_ns, until_ns,
                           [&](std::int64_t begin_ns, std::int64_t end_ns, const OppChoice& opp) {
                             jobs += static_cast<double>(end_ns - begin_ns) /
                                     execution_ns(believed, profile, mapping, setting.level, opp);
                           });
  return known ? std::optional(jobs) : std::nullopt;
}

void SlowdownEstimate::take(const PlatformSpec& believed, const AppProfile& profile,
                            const OppHistory& history, const JobRecord& job) {
  const Mapping& mapping = believed.mappings[job.setting.mapping];
  const std::optional<double> jobs =
      history.jobs(believed, profile, job.setting, job.start_ns, job.finish_ns);
  if (!jobs || !(*jobs > 0) || !std::isfinite(*jobs)) return;
  const double slowdown = *jobs;
  const unsigned used = cluster_mask(mapping);
  const unsigned sets = 1u << believed.clusters.size();
  for (unsigned mask = 1; mask < sets; ++mask) {
    if (mask != used) cell_[mask].mean += kForget * (1 - cell_[mask].mean);
  }
  Cell& cell = cell_[used];
  cell.used = true;
  const double sample = std::clamp(slowdown, cell.mean / kWinsorise, cell.mean * kWinsorise);
  const double error = sample - cell.mean;
  cell.mean += kWeight * error;
  cell.deviation += kWeight * (std::abs(error) - cell.deviation);
  most_off_ = 0;
  for (unsigned mask = 1; mask < sets; ++mask) {
    if (cell_[mask].used) most_off_ = std::max(most_off_, std::abs(cell_[mask].mean - 1));
  }
}

double SlowdownEstimate::unsure(unsigned cluster_mask) const {
  constexpr double kDeviations = 1.25;  // mean absolute ones in a standard deviation
  const Cell& cell = cell_[cluster_mask];
  return std::hypot(kDeviations * cell.deviation, cell.used ? 0 : most_off_);
}

}  // namespace flyball
