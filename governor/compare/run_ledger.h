#pragma once

#include <vector>

#include "governor/compare/lower_bound.h"
#include "governor/loop/control_loop.h"

namespace flyball {

/// What became of the released jobs under one policy: those met, which means finished by the deadline at
/// the floor, and the energy of it all.
struct RunLedger {
  std::vector<bool> met;  ///< per released job
  int unmet = 0;          ///< whose deadline was within the run, or that were dropped
  double energy_mj = 0;   ///< that the platform took
  /// The same with what the jobs that were still open and in time at the end lack, at the least that
  /// their work can cost: nobody gains by putting a job off beyond the end.
  double charged_mj = 0;
};

/// Keeps one from the loop.
class RunLedgerSink final : public EpochSink {
 public:
  /// They outlive it; without a bound nothing is charged for jobs that are open at the end.
  RunLedgerSink(const std::vector<ReleasedJob>& jobs, const LowerBound* bound);
  void on_epoch(const EpochEvent& event) noexcept override;
  /// `truth` stands at the end of the run.
  RunLedger result(const Simulator& truth) const;

 private:
  const std::vector<ReleasedJob>& jobs_;
  const LowerBound* bound_;
  std::vector<std::vector<std::uint32_t>> job_of_;  ///< per application and sequence
  std::vector<bool> met_, dropped_;
};

}  // namespace flyball
