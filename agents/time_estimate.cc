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
constexpr double kStep = 1e-3;  // of a derivative

}  // namespace

TimeEstimate::TimeEstimate(const PlatformSpec& board, AppProfile& profile)
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
}

/// Into the profile. Time and memory of a cluster belong together.
void TimeEstimate::put(int number, double value) const {
  if (number == parallel_) {
    profile_.parallel_fraction = std::clamp(value, kLeastParallel, kMostParallel);
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
    if (i == parallel_ || profile_.unit[i / 2].supported) put(i, numbers_.mean(i));
  }
}

double TimeEstimate::time_ns(int mapping, int level, const OppChoice& opp) const {
  return execution_ns(board_, profile_, board_.mappings[static_cast<std::size_t>(mapping)], level,
                      opp);
}

TimeEstimate::Vector TimeEstimate::gradient(int mapping, int level, const OppChoice& opp) const {
  Vector slope{};
  const Mapping& cores = board_.mappings[static_cast<std::size_t>(mapping)];
  const double base = det_log(time_ns(mapping, level, opp));
  for (int i = 0; i < numbers_.size(); ++i) {
    if (i != parallel_ && cores.cores[i / 2] == 0) continue;
    // Towards the inside of the range, so that a number at its end still has a slope.
    const double step = i == parallel_ ? -kStep : kStep;
    put(i, numbers_.mean(i) + step);
    slope[i] = (det_log(time_ns(mapping, level, opp)) - base) / step;
    put(i, numbers_.mean(i));
  }
  return slope;
}

double TimeEstimate::take(const AppSetting& setting, const OppChoice& opp, double ratio,
                          double noise) {
  if (!learning_ || !(ratio > 0) || !std::isfinite(ratio)) return 1;
  const double before = time_ns(setting.mapping, setting.level, opp);
  const Vector slope = gradient(setting.mapping, setting.level, opp);
  const double deviation = std::sqrt(numbers_.variance(slope) + noise * noise);
  surprise_ += kSurpriseWeight * (det_log(ratio) / deviation - surprise_);
  if (std::abs(surprise_) > kSurprised) {
    for (int i = 0; i < numbers_.size(); ++i) {
      if (slope[i] != 0)
        numbers_.widen(i, (i % 2 == 0 && i != parallel_ ? kFactorSpread : kMemorySpread) / 2);
    }
    surprise_ = 0;
  }
  numbers_.update(slope, std::clamp(det_log(ratio), -kOutlier * deviation, kOutlier * deviation),
                  noise * noise);
  for (int c = 0; c < clusters_; ++c) {
    numbers_.set_mean(2 * c, std::clamp(numbers_.mean(2 * c), -kMostFactor, kMostFactor));
    numbers_.set_mean(2 * c + 1, std::clamp(numbers_.mean(2 * c + 1), 0.0, kMostMemory));
  }
  numbers_.set_mean(parallel_, std::clamp(numbers_.mean(parallel_), kLeastParallel, kMostParallel));
  correct();
  return time_ns(setting.mapping, setting.level, opp) / before;
}

double TimeEstimate::deviation(int mapping, int level, const OppChoice& opp) const {
  return std::sqrt(numbers_.variance(gradient(mapping, level, opp)));
}

}  // namespace flyball
