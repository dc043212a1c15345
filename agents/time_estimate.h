#pragma once

#include <vector>

#include "agents/gaussian.h"
#include "env/model/model.h"
#include "env/model/platform_spec.h"

namespace flyball {

/// By how much the times of one kind of job differ from what is believed: per cluster a factor and the
/// share of memory, and how much of a job spreads over cores. An extended Kalman filter on the
/// model's time; the numbers are those of `profile`, which it corrects.
class TimeEstimate {
 public:
  static constexpr int kMax = 2 * kMaxClusters + 1;
  // Where nobody says how sure the belief is.
  static constexpr double kFactorSpread = 0.2;  ///< of a logarithm
  static constexpr double kMemorySpread = 0.12;
  static constexpr double kParallelSpread = 0.12;

  /// `board` and `profile` are what is believed, and outlive it. How sure it begins is the board's
  /// `time_spread`, where that is known.
  TimeEstimate(const PlatformSpec& board, AppProfile& profile);

  /// A job took `ratio` times what `profile` says, with so much relative noise. Returns by how much
  /// times of this setting have grown by what was learned.
  double take(const AppSetting& setting, const OppChoice& opp, double ratio, double noise);
  /// false: take() changes nothing.
  void set_learning(bool on) { learning_ = on; }
  /// Of a job's time, relative.
  double deviation(int mapping, int level, const OppChoice& opp) const;

  Gaussian<kMax>& numbers() { return numbers_; }
  const Gaussian<kMax>& numbers() const { return numbers_; }
  /// The profile anew from the numbers.
  void correct();

 private:
  using Vector = Gaussian<kMax>::Vector;
  double time_ns(int mapping, int level, const OppChoice& opp) const;
  /// Of the time's logarithm.
  Vector gradient(int mapping, int level, const OppChoice& opp) const;
  void put(int number, double value) const;

  const PlatformSpec& board_;
  AppProfile& profile_;
  int clusters_, parallel_;
  std::array<double, kMaxClusters>
      top_ms_{};  ///< of a job on one core at the top, as first believed
  Gaussian<kMax> numbers_;
  bool learning_ = true;
  double surprise_ = 0;  ///< as PowerEstimate's
};

}  // namespace flyball
