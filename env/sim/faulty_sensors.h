#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "env/model/belief.h"
#include "env/platform.h"
#include "env/scenario/sensor_faults.h"
#include "kernels/base/random.h"

namespace flyball {

/// A platform seen through faulty sensors: the energy and power of everything that it shows (platform,
/// clusters, applications, jobs) and its temperatures are what the sensors make of them. The platform
/// itself is untouched, and truth() tells what was. The same seed gives the same readings.
class FaultySensors final : public Platform {
 public:
  /// The references outlive it. It is believed to be as `board`.
  FaultySensors(Platform& platform, const PlatformSpec& board, const SensorFaults& faults,
                std::uint64_t seed);
  FaultySensors(Platform& platform, const Belief& belief, const SensorFaults& faults,
                std::uint64_t seed);
  /// The platform is its own.
  FaultySensors(std::unique_ptr<Platform> platform, const PlatformSpec& board,
                const SensorFaults& faults, std::uint64_t seed);

  const Binding& binding(int slot) const override { return platform_.binding(slot); }
  void observe(Observation& out) const noexcept override { platform_.observe(out); }
  void amend(Action& action) const noexcept override { platform_.amend(action); }
  Status apply(const Action& action) noexcept override { return platform_.apply(action); }
  Status advance(const EpochRequest& request, Observation& out) noexcept override;
  const Observation* truth() const override { return truth_.get(); }
  void interrupt() override { platform_.interrupt(); }
  std::vector<KnobSetting> capture() const override { return platform_.capture(); }
  std::vector<KnobOutcome> restore(const std::vector<KnobSetting>& settings) override {
    return platform_.restore(settings);
  }

 private:
  void show_power(Observation& out);
  void show_temperatures(Observation& out);
  double shown_mj(const Observation& truth);
  double modelled_mj(const Observation& truth) const;
  double energy_at(std::int64_t ns) const;

  std::unique_ptr<Platform> own_;
  Platform& platform_;
  const PlatformSpec& board_;  ///< as believed
  SensorFaults faults_;
  Random random_, temp_random_;
  std::unique_ptr<Observation> truth_;  ///< of the last epoch; nullptr: all is shown as it is
  double stuck_mw_ = -1;
  double last_mw_ = -1;  ///< that it showed; negative: nothing yet
  int lost_ = 0, temp_lost_ = 0;  ///< readings in a row, as far as they are counted
  std::array<double, kMaxClusters> last_c_{};
  bool temp_shown_ = false;
  // What was used by the end of each of the last epochs; a ring, newest at head_.
  static constexpr int kHistory = 256;
  struct Mark {
    std::int64_t ns = 0;
    double mj = 0;
  };
  std::array<Mark, kHistory> history_{};
  int head_ = 0, marks_ = 1;
  struct Temperatures {
    std::int64_t ns = 0;
    std::array<double, kMaxClusters> c{};
  };
  std::array<Temperatures, kHistory> temps_{};
  int temp_head_ = 0, temp_marks_ = 0;
  bool temp_stuck_ = false;
  std::array<double, kMaxClusters> stuck_c_{};
  /// Since the running job began, true and as shown.
  struct Share {
    double true_mj = 0, shown_mj = 0;
  };
  std::array<Share, kMaxApps> job_{};
};

}  // namespace flyball
