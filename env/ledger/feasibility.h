#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "env/model/model.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"

namespace flyball {

/// What a job costs in one configuration while it has its clusters to itself.
struct JobCost {
  std::uint64_t key[2] = {~0ULL, ~0ULL};
  double alone_ns = 0;                           ///< a job of work 1
  double memory_share = 0;                       ///< part of that which waits for memory
  double cycles_per_ns = 0;                      ///< of its fastest core
  int fastest = 0;                               ///< the cluster of that core
  unsigned clusters = 0;                         ///< of the mapping, as bits
  std::array<double, kMaxClusters> cores{};      ///< of the mapping
  std::array<double, kMaxClusters> core_busy{};  ///< of its busiest core there, 0 to 1
  std::array<double, kMaxClusters> busy_cores{};
  std::array<double, kMaxClusters> busy_nf{};
  std::array<double, kMaxClusters> static_ma{};
  std::array<double, kMaxClusters>
      speed_share{};  ///< what each cluster's cores count for in the job's speed; sums to 1
};
JobCost job_cost(const PlatformSpec& spec, const AppProfile& app, const AppSetting& setting,
                 const OppChoice& opp);

/// The background load between two of its edges.
struct BackgroundSegment {
  std::int64_t start_ns = 0;
  std::array<double, kMaxClusters> cores{};
  std::array<double, kMaxClusters> whole_cores{};  ///< rounded up
  std::array<double, kMaxClusters> nf{};           ///< sum over those cores
  double slowdown = 0;                             ///< jobs take 1 + this times as long
};
/// Ascending; the first starts at 0.
std::vector<BackgroundSegment> background_segments(const PlatformSpec& spec,
                                                   const Scenario& scenario);
int segment_at(const std::vector<BackgroundSegment>& segments, std::int64_t ns);

/// Whether a job could have been met at all: by any configuration that reaches the accuracy floor,
/// had it been free at its release and alone but for the background, with no thermal cap and no
/// switching to pay.
class Feasibility {
 public:
  /// The references outlive it. What takes long is done here: jobs that are asked about end within
  /// an epoch.
  Feasibility(const PlatformSpec& spec, const std::vector<BackgroundSegment>& segments);
  /// `app`: index into the platform's.
  bool feasible(int app, std::int64_t release_ns, std::int64_t deadline_ns, double work,
                double accuracy_floor_pct) const;

 private:
  /// A mapping that the application can run on, at its highest clocks.
  struct Way {
    std::array<double, kMaxClusters> cores{}, speed_share{};
    /// Of a job of work 1 on it alone, at the quickest of the levels that are at least as accurate
    /// as that of the same place in `Ways::accuracy_pct`; beside a background it is the quickest too.
    std::vector<double> alone_ns;
  };
  struct Ways {
    std::vector<double> accuracy_pct;  ///< of the levels, descending
    std::vector<Way> way;
  };
  bool in_time(const Way& way, double alone_ns, std::int64_t release_ns, std::int64_t deadline_ns,
               double work) const;
  /// Share of the mapping's speed that is left beside the background.
  double share_beside(const BackgroundSegment& segment, const Way& way) const;

  const PlatformSpec& spec_;
  const std::vector<BackgroundSegment>& segments_;
  std::vector<Ways> ways_;  ///< per application
};

}  // namespace flyball
