#pragma once

#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "env/linux/linux_platform.h"
#include "governor/loop/control_loop.h"
#include "kernels/base/doorbell.h"
#include "kernels/base/latest.h"
#include "kernels/base/quiet_thread.h"

namespace flyball::cli {

/// Adds up what an epoch shows, and hands the newest of it to whoever tells people.
class LinuxSink final : public EpochSink {
 public:
  struct Cluster {
    double busy_ns = 0, busy_clock = 0;
    std::uint64_t decisions = 0;
    std::uint8_t last_opp = 255;
  };
  /// What is told, once a second. Plain data.
  struct State {
    struct Cluster {
      double util_max = 0;
      std::int64_t freq_khz = 0, asked_khz = 0;
      int error = 0;
    };
    std::int64_t now_ns = 0;
    double power_mw = 0;
    bool measured = false;  ///< that power
    bool napping = false;
    int clusters = 0;
    std::array<Cluster, kMaxClusters> cluster{};
  };

  explicit LinuxSink(const LinuxPlatform& platform) : platform_(platform) {}

  void on_epoch(const EpochEvent& event) noexcept override;

  Latest<State>& latest() { return latest_; }
  Doorbell& bell() { return bell_; }
  double mean_mw() const { return time_ns_ > 0 ? energy_mj_ * 1e9 / time_ns_ : 0; }
  double energy_mj() const { return energy_mj_; }
  /// Of the time for which power and energy were measured, 0 to 1; for the rest they are modelled.
  double measured_share() const { return time_ns_ > 0 ? measured_ns_ / time_ns_ : 0; }
  double seconds() const { return time_ns_ * 1e-9; }
  std::uint64_t epochs() const { return epochs_; }
  const Cluster& cluster(std::size_t c) const { return cluster_[c]; }
  double busy_pct(std::size_t c) const {
    return time_ns_ > 0 ? 100 * cluster_[c].busy_ns / time_ns_ : 0;
  }
  /// Mean over busy time; NaN when there was none.
  double busy_mhz(std::size_t c) const {
    return cluster_[c].busy_ns > 0 ? cluster_[c].busy_clock / cluster_[c].busy_ns * 1e-3
                                   : std::nan("");
  }

 private:
  void tell(const Observation& out);

  const LinuxPlatform& platform_;
  std::array<Cluster, kMaxClusters> cluster_{};
  double energy_mj_ = 0, time_ns_ = 0, measured_ns_ = 0;
  std::uint64_t epochs_ = 0;
  std::int64_t second_ = 0;
  State state_;
  Latest<State> latest_;
  Doorbell bell_;
};

/// The thread that tells people, so that no epoch waits for a terminal. It may outlive the platform: what
/// ends the run gives back first, and then waits for this.
class Teller {
 public:
  Teller(const LinuxPlatform& platform, LinuxSink& sink) : sink_(sink) {
    for (const ClusterSpec& cluster : platform.spec().clusters) names_.push_back(cluster.name);
    thread_ = quiet_thread([this] { body(); });
  }
  ~Teller() {
    stop_.store(true, std::memory_order_release);
    sink_.bell().ring();
    thread_.join();
  }
  Teller(const Teller&) = delete;
  Teller& operator=(const Teller&) = delete;

 private:
  void body();
  std::string line(const LinuxSink::State& state) const;

  std::vector<std::string> names_;  ///< of clusters
  LinuxSink& sink_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace flyball::cli
