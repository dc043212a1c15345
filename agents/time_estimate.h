#pragma once

#include <array>
#include <span>
#include <utility>

#include "agents/gaussian.h"
#include "env/model/model.h"
#include "env/model/platform_spec.h"

namespace flyball {

/// By how much the times of one kind of job differ from what is believed: per cluster a factor and the
/// share of memory, how much of a job spreads over cores, and how much less than its name each
/// cluster's lowest clock delivers. An extended Kalman filter on the model's time; the numbers are those
/// of `profile` and of `board`, which it corrects.
///
/// Lowest clocks have a number of their own because boards are known whose lowest delivers half: with
/// one factor for all clocks it pulls the others along whenever it is used, and they pull it back. Most
/// deliver what they are called, so it hardly moves until jobs take longer at one than what is known of
/// its cluster could explain.
class TimeEstimate {
 public:
  static constexpr int kMax = 3 * kMaxClusters + 1;
  // Where nobody says how sure the belief is.
  static constexpr double kFactorSpread = 0.2;  ///< of a logarithm
  static constexpr double kMemorySpread = 0.12;
  static constexpr double kParallelSpread = 0.12;
  /// Of the logarithm of the share that a lowest clock delivers; and from when what is known of its
  /// cluster does not explain its jobs: half of it is a deviation and a half.
  static constexpr double kLowestSpread = 0.05, kLowestDoubted = 0.45;

  /// Clocks that a job has had, and the share of its work that was done at them.
  static constexpr std::size_t kMostClocks = 4;  ///< of one job that are told apart
  struct AtClocks {
    OppChoice opp{};
    double share = 1;
  };

  /// `board` and `profile` are what is believed, and outlive it. How sure it begins is the board's
  /// `time_spread`, where that is known.
  TimeEstimate(PlatformSpec& board, AppProfile& profile);

  /// A job took `ratio` times what `profile` says, with so much relative noise. Returns by how much
  /// times of this setting have grown by what was learned.
  double take(const AppSetting& setting, std::span<const AtClocks> clocks, double ratio,
              double noise);
  double take(const AppSetting& setting, const OppChoice& opp, double ratio, double noise) {
    const AtClocks all{opp, 1};
    return take(setting, {&all, 1}, ratio, noise);
  }
  /// false: take() changes nothing.
  void set_learning(bool on) { learning_ = on; }
  /// Of a job's time, relative.
  double deviation(int mapping, int level, const OppChoice& opp) const;
  /// Whether a job on these cores and clocks would tell much of a lowest clock.
  bool tells_of_lowest(const Mapping& cores, const OppChoice& opp) const;
  /// The number of a cluster's lowest clock, which is the board's: all its estimates have one.
  int lowest(int cluster) const { return parallel_ + 1 + cluster; }
  /// Whether a job has told of a cluster's lowest clock since this was asked last.
  bool told_of_lowest(int cluster) {
    if (told_[cluster]) agreed_[cluster] = numbers_.mean(lowest(cluster));
    return std::exchange(told_[cluster], false);
  }
  /// The number of `cluster` as another estimate has it, which was told.
  void take_lowest(int cluster, const TimeEstimate& from);

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
  bool used(int number, const Mapping& cores, const OppChoice& opp) const;
  double spread(int number) const;
  void doubt_lowest(const Vector& slope, double off, double deviation);

  PlatformSpec& board_;
  AppProfile& profile_;
  int clusters_, parallel_;
  std::array<double, kMaxClusters>
      named_share_{};  ///< that lowest clocks deliver, as first believed
  std::array<double, kMaxClusters>
      top_ms_{};  ///< of a job on one core at the top, as first believed
  std::array<int, kMaxClusters> at_lowest_{};  ///< jobs that told of it, up to a few
  std::array<bool, kMaxClusters> told_{};
  std::array<double, kMaxClusters> agreed_{};  ///< what others have last been told, or have told
  Gaussian<kMax> numbers_;
  bool learning_ = true;
  double surprise_ = 0;  ///< as PowerEstimate's
};

}  // namespace flyball
