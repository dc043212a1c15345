#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "env/model/model.h"
#include "env/model/platform_spec.h"
#include "env/model/thermal.h"
#include "env/scenario/scenario.h"

namespace flyball {

/// What a job costs in one configuration while it has its clusters to itself.
struct JobCost {
  std::uint64_t key = ~0ULL;
  double alone_ns = 0;                           ///< a job of work 1
  double memory_share = 0;                       ///< part of that which waits for memory
  double cycles_per_ns = 0;                      ///< of its fastest core
  int fastest = 0;                               ///< the cluster of that core
  std::array<double, kMaxClusters> cores{};      ///< of the mapping
  std::array<double, kMaxClusters> core_busy{};  ///< of its busiest core there, 0 to 1
  std::array<double, kMaxClusters> busy_cores{};
  std::array<double, kMaxClusters> busy_nf{};
  std::array<double, kMaxClusters> static_ma{};
  std::array<double, kMaxClusters>
      speed_share{};  ///< of the mapping's speed, per cluster; sums to 1
};

/// Everything about platform and scenario that a simulation needs and that never changes while it
/// runs, in the form in which it is needed. Shared by all states of one simulator.
class SimModel {
 public:
  SimModel(const PlatformSpec& spec, const Scenario& scenario, double max_step_ms);

  /// The background between two of its edges.
  struct Segment {
    std::int64_t start_ns = 0;
    std::array<double, kMaxClusters> cores{};
    std::array<double, kMaxClusters> whole_cores{};  ///< rounded up
    std::array<double, kMaxClusters> nf{};           ///< sum over those cores
    double slowdown = 0;                             ///< jobs take 1 + this times as long
  };

  const PlatformSpec& spec;
  const Scenario& scenario;
  int clusters;
  int apps;
  std::int64_t max_step_ns;
  std::int64_t trip_poll_ns;
  std::vector<Segment> segments;  ///< ascending; the first starts at 0
  std::array<const AppProfile*, kMaxApps> profile{};
  std::array<std::array<std::uint8_t, kMaxMappings>, kMaxApps> supported{};
  /// The bytes of an OppChoice that matter to a mapping: those of its clusters.
  std::array<std::uint32_t, kMaxMappings> opp_mask{};

  int segment_at(std::int64_t ns) const;
  JobCost job_cost(int app, const AppSetting& setting, const OppChoice& opp) const;
  /// mW at 1 V, for a whole cluster, from a table: linear between whole kelvins, which is within
  /// 1e-4.
  double leakage(int cluster, double temp_c) const {
    const double x = std::clamp(temp_c - kLeakFromC, 0.0, kLeakPoints - 1.001);
    const int i = static_cast<int>(x);
    const double low = leak_[cluster][i], high = leak_[cluster][i + 1];
    return low + (high - low) * (x - i);
  }
  /// How far each thermal lag moves within a step, in the order of `Term::tau`.
  using Lags = std::array<double, kMaxThermalNodes * kMaxThermalTerms>;
  void compute_lags(std::int64_t step_ns, Lags& lags) const;
  /// As thermal_advance(), with the terms laid out in a row.
  void thermal_step(double total_w, const Lags& lags, ThermalState& state) const;
  void update_temperatures(ThermalState& state) const;
  /// Whether any configuration that reaches the floor finishes such a job in time, had it been free
  /// at its release and alone but for the background, with no thermal cap and no switching to pay.
  bool feasible(int app, std::int64_t release_ns, std::int64_t deadline_ns, double work,
                double accuracy_floor_pct) const;

 private:
  bool feasible_at(int app, int level, const OppChoice& top, std::int64_t release_ns,
                   std::int64_t deadline_ns, double work) const;

  static constexpr int kLeakFromC = -60;
  static constexpr int kLeakPoints = 261;  // to 200 C

  void cut_segments();
  void tabulate();
  /// Share of the mapping's speed that is left beside the background.
  double share_beside(const Segment& segment, const Mapping& mapping, const JobCost& cost) const;

  struct Term {
    int node, term, tau;  ///< tau: index into inverse_tau_
    double r_k_per_w;
  };
  std::vector<Term> terms_;
  std::vector<double> inverse_tau_;  ///< the distinct ones, 1/s
  std::array<std::array<double, kLeakPoints>, kMaxClusters> leak_{};
};

/// Answers of SimModel that were asked for before. Pure memory: what it holds changes no result.
class SimCache {
 public:
  SimCache() : costs_(kMaxApps * kCosts), lags_(kSteps) {}
  /// Stays valid until the next call for the same application.
  const JobCost& job_cost(const SimModel& model, int app, const AppSetting& setting,
                          const OppChoice& opp);
  /// Stays valid until the next call.
  const SimModel::Lags& lags(const SimModel& model, std::int64_t step_ns);

 private:
  static constexpr std::size_t kCosts = 256;  // per application
  // Nearly all thermal steps have one of a few lengths: the longest one's, and what is left of it
  // before a look at the trip points.
  static constexpr std::size_t kSteps = 8;
  struct StepLags {
    std::int64_t step_ns = 0;
    SimModel::Lags lags{};
  };
  std::vector<JobCost> costs_;
  std::vector<StepLags> lags_;
};

}  // namespace flyball
