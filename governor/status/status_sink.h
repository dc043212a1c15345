#pragma once

#include <string_view>

#include "env/linux/linux_platform.h"
#include "governor/loop/control_loop.h"
#include "governor/status/plain_forecast.h"
#include "governor/status/status_page.h"

namespace flyball {

/// What was counted so far, for those who may control the governor: counters tell of other people's
/// programs, so that they are not in the page.
struct CounterTotals {
  struct Cluster {
    double instructions = 0, cycles = 0, references = 0, misses = 0;
    std::uint8_t valid = 0;  ///< Counters' bits: seen at least once
  };
  std::int32_t clusters = 0;
  std::array<Cluster, kMaxClusters> cluster{};
};

/// Writes a status page, every second and with every decision; neither allocates nor waits.
class StatusSink final : public EpochSink {
 public:
  static constexpr std::int64_t kWindowNs = 1'000'000'000;

  /// All outlive it.
  StatusSink(const LinuxPlatform& platform, StatusPage& page)
      : platform_(platform), page_(page), forecaster_(platform.spec()) {}
  /// Before the loop begins. May allocate.
  void begin(const StatusFacts& facts);
  void on_epoch(const EpochEvent& event) noexcept override;
  /// Something that the user ought to know. By the loop's thread, or before it begins.
  void note(std::string_view sentence) noexcept;
  const SeqSlot<CounterTotals>& counters() const { return counters_; }

 private:
  struct Window {
    struct Cluster {
      double busy_ns = 0, busiest_ns = 0, clock = 0, mw_ns = 0;
      // Of epochs for which something could be predicted.
      double predicted_busiest_ns = 0, predicted_mw_ns = 0, came_busiest_ns = 0, came_mw_ns = 0,
             scored_ns = 0;
    };
    double energy_mj = 0, measured_ns = 0;
    std::array<Cluster, kMaxClusters> cluster{};
    std::int64_t ns = 0;
  };
  /// Work that was wanted, averaged as the scheduler does: a single epoch is a tick or two.
  struct Demand {
    double busiest_khz = 0, mean_khz = 0;
  };
  ClusterObservation averaged(int cluster, const EpochEvent& event) noexcept;
  void predict(int cluster, const EpochEvent& event) noexcept;
  void decide(int cluster, const EpochEvent& event, const ClusterObservation& averaged) noexcept;
  void score(int cluster) noexcept;
  void count(int cluster, const ClusterObservation& seen) noexcept;
  void add(const Observation& out) noexcept;
  void end_window(const Observation& out) noexcept;

  const LinuxPlatform& platform_;
  StatusPage& page_;
  PlainForecaster forecaster_;
  StatusNow now_;
  Window window_;
  CounterTotals totals_;
  SeqSlot<CounterTotals> counters_;
  std::array<std::int64_t, kMaxClusters> last_asked_khz_{};
  std::array<Demand, kMaxClusters> demand_{};
  std::uint32_t decisions_ = 0, seconds_ = 0;
  double busy_error_sum_ = 0, power_error_sum_ = 0;
};

}  // namespace flyball
