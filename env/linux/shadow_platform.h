#pragma once

#include <array>
#include <vector>

#include "env/linux/linux_platform.h"

namespace flyball {

/// Load as it was seen at the clock that Linux chose, laid on another one. What waits for memory takes
/// as long at any clock, the rest as many cycles; what does not fit into an epoch goes on in the next.
///
/// What cannot be known: how much more a core that is busy throughout would do at a higher clock, and
/// how a program would behave that waits for its own late work.
class ShadowLedger {
 public:
  /// Sums over the time watched. Energy is modelled, of both in the same way.
  struct Tally {
    double ns = 0;
    double busy_ns = 0,
           ours_busy_ns = 0;  ///< of the busiest core: as it was, as it would have been
    double linux_mj = 0, ours_mj = 0;
    double linux_clock = 0, ours_clock = 0;  ///< kHz times busy ns
    double work = 0, late_work = 0;  ///< cycles of the busiest core; late: by more than an epoch
    double linux_slow_ns = 0;        ///< Linux's core was busy throughout below our clock
  };

  /// The platform outlives it.
  explicit ShadowLedger(const PlatformSpec& platform) : platform_(platform) {}
  /// An epoch of `ns`: makes of what was seen what would have been seen at operating point `opp`.
  void imagine(int cluster, int opp, double ns, ClusterObservation& seen) noexcept;
  /// Nothing of it is late any more.
  void forget_backlog(int cluster) noexcept { backlog_[static_cast<std::size_t>(cluster)] = 0; }
  const Tally& tally(int cluster) const { return tally_[static_cast<std::size_t>(cluster)]; }

 private:
  double power_mw(int cluster, int opp, double busy_cores, double temp_c) const noexcept;

  const PlatformSpec& platform_;
  std::array<Tally, kMaxClusters> tally_{};
  std::array<double, kMaxClusters> backlog_{};  ///< cycles of the busiest core
};

/// A Linux machine whose own governor stays in charge, with clocks that are only imagined: the agent
/// is shown what it would have seen with those that it chose. Writes nothing.
class ShadowPlatform final : public Platform {
 public:
  /// `real` only looks (LinuxOptions::dry_run), and outlives it.
  explicit ShadowPlatform(LinuxPlatform& real) : real_(real), ledger_(real.spec()) {}
  const Binding& binding(int slot) const override { return real_.binding(slot); }
  void observe(Observation& out) const noexcept override { real_.observe(out); }
  Status apply(const Action& action) noexcept override;
  Status advance(const EpochRequest& request, Observation& out) noexcept override;
  void interrupt() override { real_.interrupt(); }
  std::vector<KnobSetting> capture() const override { return real_.capture(); }
  std::vector<KnobOutcome> restore(const std::vector<KnobSetting>&) override { return {}; }

  const ShadowLedger::Tally& tally(int cluster) const { return ledger_.tally(cluster); }
  /// What was measured under Linux, and for how long: a sensor may tell nothing for a while.
  double measured_mj() const { return measured_mj_; }
  double measured_ns() const { return measured_ns_; }

 private:
  LinuxPlatform& real_;
  ShadowLedger ledger_;
  Action action_;
  double measured_mj_ = 0, measured_ns_ = 0;
};

}  // namespace flyball
