#pragma once

#include <limits>
#include <string>
#include <vector>

#include "governor/compare/matrix_results.h"
#include "governor/metrics/stratified.h"

namespace flyball {

/// A policy's figure over all cells.
struct Standing {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  double mean = kNone;
  Interval ci95{kNone, kNone};
  int cells = 0;  ///< that have one
  // Of ratios and gaps, whose outliers are not what matters.
  double iqm = kNone;
  Interval iqm_ci95{kNone, kNone};
  // Of misses and heat, which are never trimmed: the worst seed, and the mean over the cells of the mean of
  // the worst tenth, where each has 10 seeds.
  double worst = kNone, cvar10 = kNone;
};

/// How a policy differs from another on the same seeds: of ratios in % of the other's (geometric mean
/// over the seeds), of all else in the metric's unit.
struct Difference {
  double mean = Standing::kNone;
  Interval ci95{Standing::kNone, Standing::kNone};
  double improvement = Standing::kNone;  ///< share of seeds on which it is better, ties count half
  Interval improvement_ci95{Standing::kNone, Standing::kNone};
  double p = Standing::kNone, p_holm = Standing::kNone;  ///< that there is none; over the policies
  double effect = Standing::kNone;                       ///< Cohen's d of pairs
  int pairs = 0;
};

/// Where a policy stands among those compared.
struct Rank {
  enum class Mark {
    kNone,
    kBest,       ///< of those that keep their deadlines and could be deployed
    kTied,       ///< not to be told apart from it
    kLate,       ///< misses more than 1 % of the jobs that could be met, in some cell
    kYardstick,  ///< knows the future, or was chosen in hindsight
  };
  std::size_t policy = 0;
  Mark mark = Mark::kNone;
};

/// Statistics over the cells and seeds that are there. Seeds are drawn once for everything.
class MatrixStatistics {
 public:
  explicit MatrixStatistics(const MatrixResults& results);

  Standing standing(std::size_t policy, const MetricField& field) const;
  /// Of every policy less `against`; of itself there is nothing.
  std::vector<Difference> differences(std::size_t against, const MetricField& field) const;
  /// How far below 1 the least energy possible is as a share of what a policy took, %: what is left to be
  /// gained. 0 is the bound.
  Standing optimality_gap_pct(std::size_t policy) const;
  /// In which share of the seeds it keeps its deadlines with at most `tau` times the energy of the best
  /// that does (Dolan and More, 2002).
  Standing profile(std::size_t policy, double tau) const;
  /// Best first: those on time before those that are late.
  std::vector<Rank> ranking() const;
  /// What ranks: least energy, or most utility where not energy is wanted everywhere.
  const MetricField& criterion() const;
  /// Fewer pairs cannot tell so many policies apart at 5 %.
  int pairs_needed() const;
  int pairs() const;

 private:
  Strata values(std::size_t policy, const MetricField& field) const;
  Strata differences_of(std::size_t mine, std::size_t theirs, const MetricField& field) const;
  Strata late_misses(std::size_t policy) const;

  std::vector<std::string> policies_;
  std::vector<Comparison> cells_;
  std::vector<std::size_t> pairs_;
  bool energy_wanted_ = true;
  StratifiedBootstrap bootstrap_;
};

/// Of the jobs that could be met, that a policy may miss and still be on time.
inline constexpr double kOnTimeMissPct = 1;

}  // namespace flyball
