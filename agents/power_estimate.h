#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "agents/gaussian.h"
#include "env/model/belief.h"
#include "env/model/model.h"
#include "env/spaces/observation.h"

namespace flyball {

/// By how much a board's power differs from what is believed: per cluster a factor of what switching
/// takes and one of what leaks, and one of the rest of the board. Few enough to be known after a few
/// jobs, and true of all mappings and operating points at once, since the model carries over
///   power = rest * board + sum over clusters (switching * V^2 f nF busy + leaking * leakage(V, T))
///
/// A measurement is the platform's energy from the end of one job to the end of the next, against what
/// is believed of the same stretch at the clocks, loads and temperatures that were seen. Only the
/// second and later of jobs with one setting count, from when a late sensor shows no other setting any
/// more, and the less the more their ends differ in power, so that a late sensor does no harm;
/// stretches with other load in them, or of a sensor that repeats itself, count nothing. What was
/// learned between a sensor's sticking and its being found to is taken back.
class PowerEstimate {
 public:
  static constexpr int kMax = 2 * kMaxClusters + 1;
  using Parts =
      std::array<double, kMax>;  ///< energy, believed: switching and leaking per cluster, rest
  static constexpr double kSpread = 0.6;  ///< of a factor, where nobody says how sure the belief is
  static constexpr double kLeast = 0.25, kMost = 6;  ///< of a factor
  /// By how much a reading may be late: sensors of boards average over 35 to 260 ms.
  static constexpr double kLateMs = 50;

  /// `corrected` is the board as it is believed now, of which the clocks that are delivered are taken.
  PowerEstimate(const Belief& prior, const PlatformSpec& corrected);

  /// Takes in an epoch; true when the factors have changed.
  bool observe(const Observation& outcome, const std::array<const AppProfile*, kMaxApps>& profile);
  /// false: it follows temperatures and the sensor's health, and no factor.
  void set_learning(bool on) { learning_ = on; }
  void forget_stretch() {
    stretch_ = {};
    last_ = {};
  }

  double switching(int cluster) const { return factor(2 * cluster); }
  double leaking(int cluster) const { return factor(2 * cluster + 1); }
  double rest() const { return factor(rest_); }
  /// Leakage at the temperatures of late over that at which plans are made (kPlanTempC).
  static constexpr double kPlanTempC = 60;
  double warmth(int cluster) const;
  /// Of an energy with these parts, and what of it is uncertain.
  double energy_mj(const Parts& parts) const;
  double variance(const Parts& parts) const { return factors_.variance(parts); }

  /// Whether the sensor repeats itself, so that nothing can be learned now.
  bool stuck() const;
  /// Whether something else ran in the stretch that closed last, or in the one before.
  bool disturbed() const { return disturbed_; }
  /// What of its energy may be its neighbours', for sensors that are late.
  double late_mj() const { return late_mj_; }
  /// How often the board was found to be another one than it was.
  int surprises() const { return surprises_; }

  Gaussian<kMax>& factors() { return factors_; }
  const Gaussian<kMax>& factors() const { return factors_; }

 private:
  struct Stretch {
    Parts believed_mj{};
    double seen_mj = 0;
    double end_mw = 0;  ///< believed, of its last epoch
    std::int64_t ns = 0;
    bool disturbed = false;
  };
  double at(int cluster, double temp_c) const;  ///< leakage at 1 V, mW
  double factor(int i) const { return std::clamp(factors_.mean(i), kLeast, kMost); }
  void add_epoch(const Observation& outcome,
                 const std::array<const AppProfile*, kMaxApps>& profile);
  bool close_stretch(const Observation& outcome);
  double awake_part(int cluster, double busy_cores, double epoch_ns);
  void watch_repeats(const Observation& outcome, double believed_mw);

  const PlatformSpec& board_;
  const PlatformSpec& corrected_;
  int clusters_, rest_;
  Gaussian<kMax> factors_;
  std::array<std::array<float, 192>, kMaxClusters>
      leakage_mw_{};                            ///< at 1 V, per kelvin from -40 C
  std::array<double, kMaxClusters> temp_c_;     ///< of late
  std::array<double, kMaxClusters> idle_ns_{};  ///< of a cluster with idle states, until now
  Stretch stretch_;
  std::uint64_t last_ = 0;  ///< the settings of the stretch before
  bool last_disturbed_ = false;
  double last_end_mw_ = 0;
  bool learning_ = true;
  bool disturbed_ = false;
  double late_mj_ = 0;
  int surprises_ = 0;
  double noise_;         ///< of a measurement, relative, squared
  double surprise_ = 0;  ///< by how many deviations measurements lie above what is expected, lately
  double shown_mw_ = -1, believed_mw_ = 0;  ///< of the last epoch
  int repeats_ = 0;
  bool repeated_ = false;             ///< the last reading was that before
  std::int64_t since_change_ns_ = 0;  ///< for how long the settings have been in use
  struct Before {
    Gaussian<kMax> factors;
    double noise = 0, surprise = 0;
    bool kept = false;
  };
  Before before_repeats_;  ///< what was known, where something was learned of readings that repeat
};

}  // namespace flyball
