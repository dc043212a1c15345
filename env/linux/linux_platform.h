#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "env/linux/actuate/choice.h"
#include "env/linux/actuate/clamp_calls.h"
#include "env/linux/actuate/clock_hand.h"
#include "env/linux/actuate/setting_calls.h"
#include "env/linux/jobs/job_source.h"
#include "env/linux/linux_tuning.h"
#include "env/linux/machine_spec.h"
#include "env/linux/perf_counter_source.h"
#include "env/platform.h"

namespace flyball {

struct LinuxOptions {
  ActuatorKind actuator = ActuatorKind::kAuto;
  bool dry_run = false;          ///< decides, and writes nothing
  std::int64_t duration_ns = 0;  ///< 0: until it is interrupted
  SettingHook* hook = nullptr;
  SettingCalls* calls = nullptr;      ///< null: this machine's
  ClampCalls* clamps = nullptr;       ///< null: this machine's
  const PerfMachine* perf = nullptr;  ///< null: this machine's, and none for another root
  /// What the machine is taken for, with the applications of `jobs` or with devices; null:
  /// make_machine_spec().
  const MachineSpec* made = nullptr;
  JobSource* jobs = nullptr;  ///< outlives the platform; null: plain load only
  /// On the run's clock: until then the battery has to last; 0: no matter.
  std::int64_t battery_until_ns = 0;
};

/// This very machine's clocks, under plain load and the jobs of a source. Per epoch: wait, read
/// /proc/stat, and of the clusters that were busy the clock and the counters: whatever was idle is
/// not read, so that looking wakes nobody. Temperatures and limits are read once a second, power ten
/// times. Writes are made by a thread per cluster (ClockHand); what became of them is in the
/// observation after.
///
/// While nothing runs and no application is there that may have jobs, all policies are Linux's own as
/// they were found, and the platform looks twice a second: an epoch then lasts that long, whatever was
/// asked for.
class LinuxPlatform final : public Platform {
 public:
  static constexpr std::int64_t kNapNs = 500'000'000;
  /// The busy time of all CPUs together, within kNapNs, up to which nothing runs: a tick or two.
  static constexpr std::int64_t kIdleNs = 25'000'000;

  /// Throws Error (kInput) when there is no clock to govern. Writes nothing before the first
  /// apply().
  LinuxPlatform(const SysTree& tree, const LinuxMachine& machine, const LinuxOptions& options);
  /// Gives everything back.
  ~LinuxPlatform() override;

  const PlatformSpec& spec() const;
  const Binding& binding(int slot) const override;
  void observe(Observation& out) const noexcept override;
  Status apply(const Action& action) noexcept override;
  Status advance(const EpochRequest& request, Observation& out) noexcept override;
  void interrupt() override;
  std::vector<KnobSetting> capture() const override;
  std::vector<KnobOutcome> restore(const std::vector<KnobSetting>& settings) override;
  /// Devices that nobody occupies are Linux's own, and not looked at.
  void occupy(unsigned clusters) noexcept override;

  /// Another program turns this policy ("policy4"): it is left to it, for the rest of the run.
  void stand_down(std::string_view policy) noexcept;
  /// While `left`, all policies are Linux's own as they were found, whatever apply() asks for.
  void leave_to_linux(bool left) noexcept;
  /// From the next apply() and advance() on; by the thread that calls those.
  void tune(const LinuxTuning& tuning) noexcept;
  const LinuxTuning& tuning() const;

  struct ClusterStatus {
    std::string name;
    CpuSet cpus;                        ///< none: it is a device
    std::vector<std::string> policies;  ///< or the device
    std::string element;                ///< "cpu", "gpu", "npu", "fpga"
    ActuatorKind actuator = ActuatorKind::kNone;
    std::string why;
    HandReport hand;
  };
  std::vector<ClusterStatus> clusters() const;
  /// Whether a policy is being written: who reads a file of one waits until its driver is done.
  bool is_writing() const noexcept;
  /// The same of one ("policy4"): those of a cluster are written one after the other.
  bool is_writing(std::string_view policy) const noexcept;
  /// What clusters() has of it; allocates nothing.
  HandReport hand(int cluster) const noexcept;
  /// Idle states of a cluster's CPUs, shallowest first; none where Linux shows none.
  const std::vector<std::string>& idle_states(int cluster) const;
  /// Which share of the time these CPUs were in it, 0 to 1, in the mean of a second or more; NaN until
  /// that is known.
  double idle_share(int cluster, int state) const noexcept;
  /// "rail package-0 by RAPL", or empty where power is modelled.
  const std::string& power_source() const;
  /// Whether the power and energy of the last epoch were measured by that. While nothing runs no core
  /// is woken to read a counter of energy, and a sensor may fail: then they are modelled.
  bool power_measured() const noexcept;
  /// power_source() counts energy, so that it tells nothing while nothing runs.
  bool power_only_while_busy() const noexcept;
  /// What is counted by what; empty: nothing is.
  std::string counters() const;
  /// Programs' threads in real time or by deadlines that are known. Where one ran within the last
  /// second, the clock does not go below what schedutil would give it.
  int realtime_threads() const;
  /// There are more of them than can be watched.
  bool realtime_list_full() const noexcept;
  bool napping() const;
  std::uint64_t naps() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace flyball
