#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "agents/linux_governor.h"

namespace flyball {

/// Governs load that says nothing of itself, from what a machine counts: how busy the busiest core
/// is, and where there are performance counters, which part of that waits for memory. Model-based:
/// nothing is learned. Per cluster and epoch
///
///   demand   work that was wanted, in kHz of the busiest core: busy share x clock, averaged with the
///            time constant of the scheduler's own average. What waits for memory takes as long at
///            any clock, so with a stall share m the busy share at another clock f' is
///            u ((1 - m) f / f' + m).
///   need     the lowest operating point at which the busy share stays below the target: 80 %, as
///            schedutil's headroom; the user's preference moves it within 70 to 90 %. Demand is for this
///            not less than the most that two epochs together have wanted lately, as the scheduler estimates a
///            task that wakes: what comes after a rest is not waited for, and one that is longer than its
///            fellows still fits. It is forgotten within a second or two. A core that two
///            epochs have hardly sufficed has wanted more than it did: how much, nobody saw, so the clock goes on
///            upwards until they do, and not only as far as what was done.
///   choice   of the operating points from there up the one at which the cluster takes least power
///            with that load: where leakage and the uncore outweigh voltage, the lowest clock is not
///            the cheapest, and finishing early is. With idle states, what is idle of an epoch is
///            taken for one piece: finishing early may then reach a state that being slow does not.
///
/// Demand cannot be told from a core that is always busy, so two things go to the top at once: a
/// load that sets in after idleness, unless it is what is expected, until it has been measured there; and a
/// core that was busy throughout, unless that is as usual: a picture that fills two epochs is no load that is new. That is
/// when a core that now does as much work in one go as it has lately (of which half counts a second
/// later) would be done within most of an epoch at the clock it has; it then gets twice the clock that
/// that takes. It comes down from there when m says that the clock does not help: to where 1.5 % of
/// the throughput would be lost, and back up, for a while, should 2 % of the instructions be.
///
/// Where a trip point would hold the cluster down, it stays below that by itself: a step down for
/// every quarter of a second within 2 K of it, back up when it is 5 K cooler.
///
/// An epoch of 18 ms sees a saturated core within 50 ms of its begin also where busy time is counted
/// in ticks of 10 ms: two epochs in a row, of which the first need only be busy for 60 %.
class PlainLoad final : public LinuxGovernor {
 public:
  static constexpr std::int64_t kEpochNs = 18'000'000;
  static constexpr double kAveragingNs = 46e6;  // PELT's half-life of 32 ms, as a time constant
  static constexpr double kTarget = 0.8;
  static constexpr double kRecentWeight = 0.5;  // of an epoch beside those before it
  // How soon less work is believed. With 2 s for what rests, /proc/stat's ticks of 10 ms kept a cluster with
  // next to nothing to do at a high clock.
  static constexpr double kPeakHalvesNs = 4e8;
  static constexpr double kCrowded = 1.6;      // of two epochs: little was left of them
  static constexpr double kMoreWanted = 1.45;  // assumed of what was done then
  static constexpr double kAsExpected = 2;     // times the expected: more is a load that is new
  static constexpr double kSaturated = 0.95;
  static constexpr double kBurstHalvesNs = 1e9;  // how soon long bursts are forgotten
  static constexpr double kUsualRest = 0.6;      // of an epoch, still to be done
  static constexpr double kUsualHaste = 2;
  static constexpr double kNothing = 0.02;     // busy share that is a timer's or two
  static constexpr double kOnset = 0.25;       // busy share that ends idleness
  static constexpr int kIdleEpochs = 12;       // before it
  static constexpr double kMemoryBound = 0.7;  // stall share from which coming down pays
  static constexpr double kPlannedLoss = 0.015, kLoss = 0.02;  // of throughput
  static constexpr std::int64_t kDistrustNs = 2'000'000'000;
  static constexpr double kHeatMarginK = 2, kCoolMarginK = 5;  // below the trip point
  static constexpr std::int64_t kHeatStepNs = 250'000'000;     // as often as Linux polls a zone

  explicit PlainLoad(const AgentContext& context);
  std::string_view name() const override { return "plain_load"; }
  void begin_run() override { policy_ = {}; }

 protected:
  std::int64_t timer_ns() const override { return kEpochNs; }
  int next_opp(int cluster, const Observation& now, int cap) override;

 private:
  /// Of a cluster at one operating point: power with nothing to do, and what a busy core adds.
  struct PointPower {
    double idle_mw = 0, busy_core_mw = 0;
  };
  struct Policy {
    double demand_khz = 0;
    double recent_khz = 0;    ///< wanted by the last epochs
    double expected_khz = 0;  ///< the most of that lately
    double util_before = 0;
    double burst = 0, longest_burst = 0;  ///< work in one go, kHz ns of the busiest core
    int idle_epochs = kIdleEpochs;        ///< in a row, before this one; a machine is found idle
    bool measuring = false;               ///< at the top since a load set in
    double top_rate = 0;                  ///< instructions per ns of a saturated cluster at the top
    std::int64_t distrust_until_ns = 0;   ///< the stall share misled
    int heat_steps = 0;                   ///< below the highest operating point
    std::int64_t heat_ns = 0;             ///< of the last of them
  };

  static void expect(Policy& policy, double util, double khz, double top_khz, double epoch_ns);
  int cool_cap(int cluster, const Observation& now, int cap, Policy& policy) const;
  int cheapest(int cluster, int least, int cap, double busy_core_khz, double busiest_khz) const;
  int burst_opp(int cluster, const Observation& now, int cap, const Policy& policy) const;
  int saturated_opp(int cluster, const ClusterObservation& seen, const Observation& now, int cap,
                    Policy& policy) const;

  std::vector<std::vector<PointPower>> power_;  ///< [cluster][opp]
  std::vector<double> trip_c_;                  ///< per cluster: the lowest that holds it down
  std::array<Policy, kMaxClusters> policy_{};
};

}  // namespace flyball
