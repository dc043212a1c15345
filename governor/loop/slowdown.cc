#include "governor/loop/slowdown.h"

#include <algorithm>
#include <cmath>

#include "env/model/model.h"

namespace flyball {
namespace {

constexpr double kWeight = 0.2;   // of a new sample: follows a change within some 10 jobs
constexpr double kForget = 0.02;  // per job, of what was not used
constexpr double kWinsorise = 2.0;

}  // namespace

SlowdownEstimate::SlowdownEstimate(const PlatformSpec& platform) : platform_(platform) {}

void SlowdownEstimate::note_opps(std::int64_t from_ns, const OppChoice& opp) {
  if (stretches_ > 0 && history_[head_].opp == opp) return;
  head_ = (head_ + 1) % kHistory;
  history_[head_] = {from_ns, opp};
  stretches_ = std::min(stretches_ + 1, kHistory);
}

/// Real time over modelled time, summed over the stretches of constant frequency the job ran
/// through; 0 when those are no longer remembered.
double SlowdownEstimate::slowdown_of(const JobRecord& job) const {
  double slowdown = 0;
  std::int64_t until = job.finish_ns;
  for (int back = 0; back < stretches_; ++back) {
    const Stretch& stretch = history_[(head_ - back + kHistory) % kHistory];
    const std::int64_t from = std::max(stretch.from_ns, job.start_ns);
    if (until > from) {
      const double alone_ns =
          execution_ns(platform_, *profiles_[job.app], platform_.mappings[job.setting.mapping],
                       job.setting.level, stretch.opp);
      if (!(alone_ns > 0)) return 0;
      slowdown += static_cast<double>(until - from) / alone_ns;
      until = from;
    }
    if (stretch.from_ns <= job.start_ns) return slowdown;
  }
  return 0;
}

void SlowdownEstimate::take(const JobRecord& job) {
  const double slowdown = slowdown_of(job);
  if (!(slowdown > 0)) return;
  const unsigned used = cluster_mask(platform_.mappings[job.setting.mapping]);
  auto& cells = cell_[job.app];
  for (unsigned mask = 1; mask < cells.size(); ++mask)
    if (mask != used) cells[mask].mean += kForget * (1 - cells[mask].mean);
  Cell& cell = cells[used];
  const double sample = std::clamp(slowdown, cell.mean / kWinsorise, cell.mean * kWinsorise);
  const double error = sample - cell.mean;
  cell.mean += kWeight * error;
  cell.deviation += kWeight * (std::abs(error) - cell.deviation);
}

void SlowdownEstimate::learn(const Observation& outcome, const Action& applied) {
  OppChoice opp{};
  bool as_applied = true;
  for (int c = 0; c < outcome.cluster_count; ++c) {
    opp[c] = outcome.cluster[c].opp;
    as_applied = as_applied && opp[c] == applied.opp[c];
  }
  // Frequencies follow the epoch's start within the transition latency (140 us on an Exynos 5422);
  // one that is not as applied was lowered by the thermal governor at some time within.
  const std::int64_t begin_ns = outcome.now_ns - outcome.epoch_ns;
  note_opps(as_applied ? begin_ns : outcome.now_ns - outcome.epoch_ns / 2, opp);
  for (const JobRecord& job : outcome.jobs())
    if (!job.dropped && job.app < kMaxApps && profiles_[job.app] != nullptr) take(job);
}

}  // namespace flyball
