#pragma once

#include <algorithm>
#include <array>
#include <boost/circular_buffer.hpp>
#include <cstdint>
#include <optional>
#include <vector>

#include "env/model/model.h"
#include "env/model/platform_spec.h"
#include "env/spaces/limits.h"
#include "env/spaces/observation.h"

namespace flyball {

/// The frequencies that were in force lately, as stretches of time: what a finished job ran at.
class OppHistory {
 public:
  /// Takes in an epoch that ended with `outcome`.
  void note(const Observation& outcome, const OppChoice& applied);
  /// How many jobs of `setting` that is, by what is believed of one that runs alone, from `from_ns` to
  /// `until_ns` at the clocks that were in force; absent when they are not all remembered.
  std::optional<double> jobs(const PlatformSpec& believed, const AppProfile& profile,
                             const AppSetting& setting, std::int64_t from_ns,
                             std::int64_t until_ns) const;

 private:
  /// Visits the stretches from `until_ns` back to `from_ns`, newest first; false when they are not
  /// all remembered.
  template <class Visitor>
  bool visit(std::int64_t from_ns, std::int64_t until_ns, Visitor&& visit_one) const {
    for (const Stretch& stretch : stretches_) {
      const std::int64_t begin_ns = std::max(stretch.from_ns, from_ns);
      if (until_ns > begin_ns) {
        visit_one(begin_ns, until_ns, stretch.opp);
        until_ns = begin_ns;
      }
      if (stretch.from_ns <= from_ns) return true;
    }
    return false;
  }

  struct Stretch {
    std::int64_t from_ns = 0;
    OppChoice opp{};
  };
  boost::circular_buffer<Stretch> stretches_{32};  ///< newest first
};

/// How much slower the jobs of one application run than is believed they would alone, per mapping's
/// set of clusters (background load on one cluster says nothing of another): 1 means as believed.
///
/// Each finished job gives one sample, its real time over the believed time at the frequencies that
/// were in force while it ran. Samples are winsorised to a factor of 2 around the estimate, so that
/// one preempted job moves it by at most its EWMA weight. What is not used drifts back to 1 at 2 %
/// a job (half gone after 34), or clusters that were once crowded would never be tried again.
///
/// It is the shield's own, whatever agents make of the same jobs (JobTracker): who guards does not ask
/// the guarded.
class SlowdownEstimate {
 public:
  SlowdownEstimate() : SlowdownEstimate(0.05) {}
  /// `deviation` of the samples, before there is one.
  explicit SlowdownEstimate(double deviation) { cell_.fill({1, deviation, false}); }
  void take(const PlatformSpec& believed, const AppProfile& profile, const OppHistory& history,
            const JobRecord& job);

  double mean(unsigned cluster_mask) const { return cell_[cluster_mask].mean; }
  /// Mean absolute deviation of the samples.
  double deviation(unsigned cluster_mask) const { return cell_[cluster_mask].deviation; }
  /// Standard deviation of what a job there takes, for who asks about somewhere else: where nothing has run
  /// it may be off by as much as elsewhere.
  double unsure(unsigned cluster_mask) const;

 private:
  struct Cell {
    double mean = 1;
    double deviation = 0;
    bool used = false;
  };
  std::array<Cell, 1u << kMaxClusters> cell_;
  double most_off_ = 0;  ///< from 1, of the means of those that were used
};

}  // namespace flyball
