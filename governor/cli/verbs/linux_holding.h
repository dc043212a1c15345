#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "env/linux/linux_platform.h"
#include "governor/loop/control_loop.h"
#include "governor/machine/kept_settings.h"
#include "governor/supervisor/takeover.h"

namespace flyball::cli {

/// Throws Error (kInput) when there is none of that name.
ActuatorKind actuator_of(const std::string& name);

/// What 'run --actuator' takes.
const std::vector<std::string>& actuator_names();

/// Throws Error (kInput) with the reason where clocks cannot be asked for by clamps of threads: no clamps, no
/// schedutil, or the Linux kernel refuses them to this process.
void check_clamps(const LinuxMachine& machine);

/// Whether a governor would write anything here.
bool writes_any(const LinuxMachine& machine, ActuatorKind asked);

/// "tuned (process 12) turns governors: stop one of the two."
std::string rival_text(const RivalDaemon& rival);

/// What is to be seen of the machine by now. Throws Error (kFailure) unless it has the policies and devices
/// of `before`, which what was made of that counts.
LinuxMachine discover_again(const SysTree& tree, const LinuxMachine& before);

/// Linux's that were found, per cluster.
std::vector<std::string> governors_of(const LinuxMachine& machine, const LinuxPlatform& platform);

/// The machine's settings, from before the first write until all is given back.
class Holding {
 public:
  /// Gives back first what a governor before us has left, and waits for one that is giving back: what
  /// was discovered before is to be looked at again. Throws Error (kFailure).
  Holding(const std::string& state_dir, const SysTree& tree);
  Takeover& takeover() { return takeover_; }
  SettingHook& hook() { return kept_; }

 private:
  Takeover takeover_;
  KeptSettings kept_;
};

/// Tells the supervisor that the governor lives, and ends the run when there is no supervisor any
/// more: then nobody would give back.
class BeatSink final : public EpochSink {
 public:
  BeatSink(Takeover& takeover, LinuxPlatform& platform, std::int64_t period_ns)
      : takeover_(takeover), platform_(platform), period_ns_(period_ns) {
    takeover_.settings().expect(std::max(epoch_ns(), LinuxPlatform::kNapNs));
  }
  void on_epoch(const EpochEvent&) noexcept override;
  bool lost_supervisor() const { return lost_supervisor_; }

 private:
  std::int64_t epoch_ns() const { return std::max(period_ns_, platform_.tuning().epoch_ns); }

  Takeover& takeover_;
  LinuxPlatform& platform_;
  std::int64_t period_ns_;
  bool lost_supervisor_ = false;
};

/// At the end of a run, before anything else of it ends: all clusters are given back, beside each other.
/// For a driver that is being written it waits some seconds; the supervisor has more patience meanwhile.
void give_back_first(LinuxPlatform& platform, Takeover& takeover);

/// What a run ends with: throws Error (kFailure) when a setting does not have its old value, or the
/// supervisor was lost.
void check_given_back(const std::string& verb, const GiveBackResult& returned,
                      bool lost_supervisor);

}  // namespace flyball::cli
