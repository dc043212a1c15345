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
      speed_share{};  ///< of the mapping's speed, per cluster; sums to 1
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
  /// The references outlive it.
  Feasibility(const PlatformSpec& spec, const std::vector<BackgroundSegment>& segments)
      : spec_(spec), segments_(segments), top_(highest_opps(spec)) {}
  bool feasible(const AppProfile& app, std::int64_t release_ns, std::int64_t deadline_ns,
                double work, double accuracy_floor_pct) const;

 private:
  bool feasible_at(const AppProfile& app, int level, std::int64_t release_ns,
                   std::int64_t deadline_ns, double work) const;
  /// Share of the mapping's speed that is left beside the background.
  double share_beside(const BackgroundSegment& segment, const JobCost& cost) const;

  const PlatformSpec& spec_;
  const std::vector<BackgroundSegment>& segments_;
  OppChoice top_;
};

}  // namespace flyball
