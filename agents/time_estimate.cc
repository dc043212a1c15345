#include "agents/time_estimate.h"

#include <algorithm>
#include <cmath>

#include "agents/surprise.h"
#include "kernels/base/det_math.h"

namespace flyball {
namespace {

constexpr double kMostFactor = 1.4;  // of a logarithm: 0.25 to 4 times
constexpr double kMostMemory = 0.7;
constexpr double kLeastParallel = 0.2, kMostParallel = 0.99;
constexpr double kMostLate = 1.4;  // of a logarithm: a lowest clock delivers a quarter or more
constexpr double kStep = 1e-3;     // of a derivative
// Every job tells of a lowest clock while it is off by as much as a job's noise, and the first few.
constexpr double kTells = 0.1;
constexpr int kFirstJobs = 16;
// A job is one of a lowest clock if that explains so much of its time; doubted are so many deviations.
constexpr double kAtLowest = 0.3, kDoubted = 2;
constexpr double kTold = 0.01;  // of its number: others are told of more

}  // namespace

TimeEstimate::TimeEstimate(PlatformSpec& board, AppProfile& profile)
    : board_(board),
      profile_(profile),
      clusters_(static_cast<int>(board.clusters.size())),
      parallel_(2 * clusters_) {
  // Whoever is surer of the times is surer of what they are made of.
  const double factor = board.time_spread.value_or(kFactorSpread);
  const double surer = factor / kFactorSpread;
  for (int c = 0; c < clusters_; ++c) {
    const UnitProfile& unit = profile.unit[c];
    const auto top_khz = static_cast<double>(board.clusters[c].opps.back().freq_khz);
    top_ms_[c] = unit.mcycles * 1e6 / top_khz + unit.memory_ms;
    numbers_.add(0, factor);
    numbers_.add(top_ms_[c] > 0 ? unit.memory_ms / top_ms_[c] : 0, surer * kMemorySpread);
  }
  numbers_.add(profile.parallel_fraction, surer * kParallelSpread);
  for (int c = 0; c < clusters_; ++c) {
    const std::vector<OperatingPoint>& opps = board.clusters[c].opps;
    named_share_[c] = opps.front().delivered_share;
    // The highest is what times are counted by, and who says that one delivers less knows.
    const bool unknown = opps.size() > 1 && named_share_[c] == 1;
    numbers_.add(0, unknown ? surer * kLowestSpread : 0);
  }
}

/// Into the profile. Time and memory of a cluster belong together.
void TimeEstimate::put(int number, double value) const {
  if (number == parallel_) {
    profile_.parallel_fraction = std::clamp(value, kLeastParallel, kMostParallel);
    return;
  }
  if (number > parallel_) {
    const int of = number - lowest(0);
    board_.clusters[of].opps.front().delivered_share =
        named_share_[of] * det_exp(-std::clamp(value, 0.0, kMostLate));
    return;
  }
  const int c = number / 2;
  const bool is_factor = number % 2 == 0;
  const double factor = is_factor ? value : numbers_.mean(2 * c);
  const double memory = std::clamp(is_factor ? numbers_.mean(2 * c + 1) : value, 0.0, kMostMemory);
  const double ms = top_ms_[c] * det_exp(std::clamp(factor, -kMostFactor, kMostFactor));
  const auto top_khz = static_cast<double>(board_.clusters[c].opps.back().freq_khz);
  UnitProfile& unit = profile_.unit[c];
  unit.memory_ms = memory * ms;
  unit.mcycles = (1 - memory) * ms * top_khz * 1e-6;
}

void TimeEstimate::correct() {
  for (int i = 0; i < numbers_.size(); ++i) {
    if (i >= parallel_ || profile_.unit[i / 2].supported) put(i, numbers_.mean(i));
  }
}

double TimeEstimate::time_ns(int mapping, int level, const OppChoice& opp) const {
  return execution_ns(board_, profile_, board_.mappings[static_cast<std::size_t>(mapping)], level,
                      opp);
}

bool TimeEstimate::used(int number, const Mapping& cores, const OppChoice& opp) const {
  if (number == parallel_) return true;
  if (number < parallel_) return cores.cores[number / 2] > 0;
  const int c = number - lowest(0);
  return cores.cores[c] > 0 && opp[c] == 0 && numbers_.covariance(number, number) > 0;
}

double TimeEstimate::spread(int number) const {
  if (number > parallel_) return kLowestSpread;
  return number % 2 == 0 && number != parallel_ ? kFactorSpread : kMemorySpread;
}

bool TimeEstimate::tells_of_lowest(const Mapping& cores, const OppChoice& opp) const {
  for (int c = 0; c < clusters_; ++c) {
    const int number = lowest(c);
    if (used(number, cores, opp) &&
        (at_lowest_[c] < kFirstJobs || numbers_.covariance(number, number) > kTells * kTells)) {
      return true;
    }
  }
  return false;
}

/// `off`: of a job's time, the logarithm. Too much for what is known of the cluster, it is the clock.
void TimeEstimate::doubt_lowest(const Vector& slope, double off, double deviation) {
  for (int c = 0; c < clusters_; ++c) {
    const int number = lowest(c);
    if (slope[number] > 0) at_lowest_[c] = std::min(at_lowest_[c] + 1, kFirstJobs);
    if (slope[number] < kAtLowest) continue;
    const bool explains = off > 0 || numbers_.mean(number) > 0;
    const double known = numbers_.covariance(number, number);
    if (!explains || std::abs(off) < kDoubted * deviation) continue;
    if (known < 0.5 * kLowestDoubted * kLowestDoubted) numbers_.widen(number, kLowestDoubted);
  }
}

void TimeEstimate::take_lowest(int cluster, const TimeEstimate& from) {
  const int number = lowest(cluster);
  numbers_.restart(number, from.numbers_.mean(number), from.numbers_.covariance(number, number));
  agreed_[cluster] = numbers_.mean(number);
}

TimeEstimate::Vector TimeEstimate::gradient(int mapping, int level, const OppChoice& opp) const {
  Vector slope{};
  const Mapping& cores = board_.mappings[static_cast<std::size_t>(mapping)];
  // The board has one of each, and what another estimate has put there stays.
  std::array<double, kMaxClusters> shares{};
  for (int c = 0; c < clusters_; ++c) {
    shares[c] = board_.clusters[c].opps.front().delivered_share;
    if (used(lowest(c), cores, opp)) put(lowest(c), numbers_.mean(lowest(c)));
  }
  const double base = det_log(time_ns(mapping, level, opp));
  for (int i = 0; i < numbers_.size(); ++i) {
    if (!used(i, cores, opp)) continue;
    // Towards the inside of the range, so that a number at its end still has a slope.
    const double step = i == parallel_ ? -kStep : kStep;
    put(i, numbers_.mean(i) + step);
    slope[i] = (det_log(time_ns(mapping, level, opp)) - base) / step;
    put(i, numbers_.mean(i));
  }
  for (int c = 0; c < clusters_; ++c) {
    board_.clusters[c].opps.front().delivered_share = shares[c];
  }
  return slope;
}

double TimeEstimate::take(const AppSetting& setting, std::span<const AtClocks> clocks, double ratio,
                          double noise) {
  if (!learning_ || !(ratio > 0) || !std::isfinite(ratio)) return 1;
  Vector slope{};
  std::array<double, kMostClocks> before{};
  const std::size_t count = std::min(clocks.size(), before.size());
  for (std::size_t k = 0; k < count; ++k) {
    before[k] = time_ns(setting.mapping, setting.level, clocks[k].opp);
    const Vector one = gradient(setting.mapping, setting.level, clocks[k].opp);
    for (int i = 0; i < numbers_.size(); ++i) slope[i] += clocks[k].share * one[i];
  }
  doubt_lowest(slope, det_log(ratio), std::sqrt(numbers_.variance(slope) + noise * noise));
  const double deviation = std::sqrt(numbers_.variance(slope) + noise * noise);
  surprise_ += kSurpriseWeight * (det_log(ratio) / deviation - surprise_);
  if (std::abs(surprise_) > kSurprised) {
    for (int i = 0; i < numbers_.size(); ++i) {
      if (slope[i] != 0) numbers_.widen(i, spread(i) / 2);
    }
    surprise_ = 0;
  }
  numbers_.update(slope, std::clamp(det_log(ratio), -kOutlier * deviation, kOutlier * deviation),
                  noise * noise);
  const auto clamp = [&](int i, double least, double most) {
    numbers_.set_mean(i, std::clamp(numbers_.mean(i), least, most));
  };
  for (int c = 0; c < clusters_; ++c) {
    clamp(2 * c, -kMostFactor, kMostFactor);
    clamp(2 * c + 1, 0, kMostMemory);
    clamp(lowest(c), 0, kMostLate);
    const double moved = std::abs(numbers_.mean(lowest(c)) - agreed_[c]);
    told_[c] = told_[c] || slope[lowest(c)] >= kAtLowest || moved > kTold;
  }
  clamp(parallel_, kLeastParallel, kMostParallel);
  correct();
  double shrunk = 0;
  for (std::size_t k = 0; k < count; ++k) {
    shrunk += clocks[k].share * before[k] / time_ns(setting.mapping, setting.level, clocks[k].opp);
  }
  return shrunk > 0 ? 1 / shrunk : 1;
}

double TimeEstimate::deviation(int mapping, int level, const OppChoice& opp) const {
  return std::sqrt(numbers_.variance(gradient(mapping, level, opp)));
}

}  // namespace flyball
