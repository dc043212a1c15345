#include "governor/compare/run_ledger.h"

#include <memory>

#include "env/sim/simulator.h"

namespace flyball {
namespace {

constexpr std::uint32_t kNoJob = ~0u;
constexpr float kFloorStepPct = 1e-4F;

}  // namespace

RunLedgerSink::RunLedgerSink(const std::vector<ReleasedJob>& jobs, const LowerBound* bound)
    : jobs_(jobs), bound_(bound), job_of_(kMaxApps), met_(jobs.size(), false), dropped_(jobs.size(), false) {
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    auto& job_of = job_of_[static_cast<std::size_t>(jobs[j].app)];
    job_of.resize(jobs[j].job.sequence + 1, kNoJob);
    job_of[jobs[j].job.sequence] = static_cast<std::uint32_t>(j);
  }
}

void RunLedgerSink::on_epoch(const EpochEvent& event) noexcept {
  for (const JobRecord& job : event.outcome.jobs()) {
    const auto& jobs = job_of_[job.app];
    const bool known = job.sequence < jobs.size() && jobs[job.sequence] != kNoJob;
    if (known && job.dropped) dropped_[jobs[job.sequence]] = true;
    if (!known || job.missed || job.accuracy_pct < job.accuracy_floor_pct - kFloorStepPct) continue;
    met_[jobs[job.sequence]] = true;
  }
}

RunLedger RunLedgerSink::result(const Simulator& truth) const {
  const auto end = std::make_unique<SimState>();
  truth.fork(*end);
  RunLedger ledger{.met = met_, .energy_mj = end->total_mj, .charged_mj = end->total_mj};
  for (std::size_t j = 0; j < met_.size(); ++j)
    ledger.unmet += !met_[j] && (dropped_[j] || jobs_[j].job.deadline_ns <= end->now_ns);
  const auto charge = [&](int app, const LedgerJob& job, double work) {
    if (bound_ != nullptr && job.deadline_ns > end->now_ns)
      ledger.charged_mj += work * bound_->cheapest_mj(app, job.accuracy_floor_pct);
  };
  for (int a = 0; a < truth.model().apps; ++a) {
    const LedgerApp& app = end->jobs.app[static_cast<std::size_t>(a)];
    if (app.running) charge(a, app.job, end->run[static_cast<std::size_t>(a)].left);
    for (std::uint32_t i = 0; i < app.waiting; ++i)
      charge(a, app.waiting_job(i), app.waiting_job(i).work);
  }
  return ledger;
}

}  // namespace flyball
