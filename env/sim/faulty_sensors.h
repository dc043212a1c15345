#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "env/model/belief.h"
#include "env/platform.h"
#include "kernels/base/random.h"

namespace flyball {

/// What is wrong with a board's power sensor.
struct SensorFaults {
  double noise = 0;                 ///< of a reading, relative, one standard deviation
  std::int64_t delay_ns = 0;        ///< a reading is what there was so long ago
  std::int64_t stuck_from_ns = -1;  ///< from then on it shows one value; negative: never
  bool present = true;              ///< false: power is the belief's model of what is seen

  /// Whether something can be learned from it.
  bool observable() const { return present && stuck_from_ns < 0; }
};

/// A platform seen through a faulty power sensor: the energy and power of everything that it shows
/// (platform, clusters, applications, jobs) are what the sensor makes of them, and a clock is shown as
/// the frequency that the operating point is said to have. The platform itself is untouched. The same
/// seed gives the same readings.
class FaultySensors final : public Platform {
 public:
  /// The references outlive it.
  FaultySensors(Platform& platform, const Belief& belief, const SensorFaults& faults,
                std::uint64_t seed);

  const Binding& binding(int slot) const override { return platform_.binding(slot); }
  void observe(Observation& out) const noexcept override;
  Status apply(const Action& action) noexcept override { return platform_.apply(action); }
  Status advance(const EpochRequest& request, Observation& out) noexcept override;
  void interrupt() override { platform_.interrupt(); }
  std::vector<KnobSetting> capture() const override { return platform_.capture(); }
  std::vector<KnobOutcome> restore(const std::vector<KnobSetting>& settings) override {
    return platform_.restore(settings);
  }

 private:
  double shown_mj(const Observation& truth);
  double modelled_mj(const Observation& truth) const;
  double energy_at(std::int64_t ns) const;
  void name_clocks(Observation& out) const;

  Platform& platform_;
  const Belief& belief_;
  SensorFaults faults_;
  Random random_;
  double stuck_mw_ = -1;
  // What was used by the end of each of the last epochs; a ring, newest at head_.
  static constexpr int kHistory = 256;
  struct Mark {
    std::int64_t ns = 0;
    double mj = 0;
  };
  std::array<Mark, kHistory> history_{};
  int head_ = 0, marks_ = 1;
  /// Since the running job began, true and as shown.
  struct Share {
    double true_mj = 0, shown_mj = 0;
  };
  std::array<Share, kMaxApps> job_{};
};

}  // namespace flyball
