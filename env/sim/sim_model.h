#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "env/ledger/cpu_allocator.h"
#include "env/ledger/job_ledger.h"
#include "env/model/model.h"
#include "env/model/platform_spec.h"
#include "env/model/thermal.h"
#include "env/scenario/scenario.h"
#include "env/sim/sim_state.h"

namespace flyball {

/// Everything about platform and scenario that a simulation needs and that never changes while it
/// runs, in the form in which it is needed. Shared by all states of one simulator.
class SimModel {
 public:
  SimModel(const PlatformSpec& spec, const Scenario& scenario, double max_step_ms);

  const PlatformSpec& spec;
  const Scenario& scenario;
  LedgerModel ledger;
  int clusters;
  int apps;
  std::int64_t max_step_ns;
  std::int64_t trip_poll_ns;
  std::int64_t decision_ns;
  bool idle_states;  ///< some cluster has them
  /// What an OPP means to whoever looks. The capacity is of one core: 1024 is the fastest core of
  /// the platform at its highest frequency.
  struct Point {
    std::int64_t freq_khz = 0;
    double capacity = 0;
  };
  std::array<std::array<Point, kMaxOpps>, kMaxClusters> point{};
  CpuAllocator cpus;
  std::vector<CpuSet> first_cpus;  ///< per mapping: of an application that is alone
  std::array<double, kMaxClusters> cores{}, per_core{};  ///< of each cluster; the inverse
  /// The bytes of an OppChoice that matter to a mapping: those of its clusters.
  std::array<std::uint64_t, kMaxMappings + 1> opp_mask{};

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

 private:
  static constexpr int kLeakFromC = -60;
  static constexpr int kLeakPoints = 261;  // to 200 C

  void tabulate();

  struct Term {
    int node, term, tau;  ///< tau: index into inverse_tau_
    double r_k_per_w;
  };
  std::vector<Term> terms_;
  std::vector<double> inverse_tau_;  ///< the distinct ones, 1/s
  std::array<std::array<double, kLeakPoints>, kMaxClusters> leak_{};
};

/// What rates and powers depend on while one job runs at most.
struct RatesKey {
  OppChoice opp{};
  int segment = -1;
  std::int16_t app = -1;  ///< of the job; -1: none runs
  AppSetting setting;
  friend bool operator==(const RatesKey&, const RatesKey&) = default;
};

/// Answers of SimModel that were asked for before. Pure memory: what it holds changes no result.
class SimCache {
 public:
  SimCache(int apps, int clusters)
      : clusters_(static_cast<std::size_t>(clusters)),
        costs_(static_cast<std::size_t>(apps) * kCosts),
        keys_(kRates),
        job_rates_(kRates),
        cluster_rates_(kRates * clusters_),
        lags_(kSteps) {}
  /// Where the rates for a key are, or have to be put.
  struct Rates {
    RatesKey* key;
    JobRates* job;
    ClusterRates* cluster;
  };
  Rates rates(const RatesKey& key);
  /// Stays valid until the next call for the same application.
  const JobCost& job_cost(const SimModel& model, int app, const AppSetting& setting,
                          const OppChoice& opp);
  /// Stays valid until the next call.
  const SimModel::Lags& lags(const SimModel& model, std::int64_t step_ns);

 private:
  static constexpr std::size_t kCosts = 64;  // per application
  // Nearly all thermal steps have one of a few lengths: the longest one's, and what is left of it
  // before a look at the trip points.
  static constexpr std::size_t kSteps = 8;
  struct StepLags {
    std::int64_t step_ns = 0;
    SimModel::Lags lags{};
  };
  static constexpr std::size_t kRates = 64;
  std::size_t clusters_;
  std::vector<JobCost> costs_;
  std::vector<RatesKey> keys_;
  std::vector<JobRates> job_rates_;
  std::vector<ClusterRates> cluster_rates_;
  std::vector<StepLags> lags_;
};

}  // namespace flyball
