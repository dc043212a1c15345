#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "env/linux/actuate/choice.h"
#include "env/linux/actuate/setting.h"
#include "env/linux/sense/held_file.h"

namespace flyball {

/// What became of the last clock that was asked of a policy.
struct PolicyReport {
  std::int64_t asked_khz = 0;     ///< 0: none, the policy is Linux's
  std::int64_t in_force_khz = 0;  ///< as read back; 0: not known
  int error = 0;                  ///< errno; EREMOTEIO: accepted, and nothing came of it
  bool stood_down = false;        ///< another program has taken the policy
  std::uint64_t writes = 0, refused = 0, rounded = 0, ignored = 0;
};

/// Turns the clock of one policy, or of a device under devfreq, in the calling thread; a write may take as long as the driver
/// likes. What cannot be had is reported and tried again with the next clock that is asked for.
///
/// setspeed takes the policy over with the userspace governor. Somebody who changes the governor
/// has taken it from us: we stand down. bounds moves the highest frequency, and where the governor
/// that is in charge does not follow load by itself the lowest one with it, in the order that never
/// crosses them. A device's governor looks at most every few epochs, so its limits move together. No
/// clock is asked for beyond the limits that the user had set. Devices tell clocks in Hz: a clock that
/// is asked for stands for the operating point that has so many whole kHz.
class PolicyActuator {
 public:
  /// The hook, the calls outlive it. `kind` is not kAuto. `cooling`: heat holds clocks down, as of
  /// when `policy` was read; `cooling_states`: the files that tell it later on.
  PolicyActuator(const std::string& root, const CpufreqPolicy& policy, ActuatorKind kind,
                 bool cooling, SettingCalls& calls, SettingHook* hook,
                 const std::vector<std::string>& cooling_states = {});
  PolicyActuator(const std::string& root, const DevfreqDevice& device, ActuatorKind kind,
                 bool cooling, SettingCalls& calls, SettingHook* hook,
                 const std::vector<std::string>& cooling_states = {});
  PolicyActuator(PolicyActuator&&) = default;

  void set(std::int64_t khz) noexcept;
  /// What it was set to may be gone, as with a driver that was loaded anew: the next set() does it all.
  void forget() noexcept;
  /// Linux governs it again, until the next set(): all is as it was found, and what others changed
  /// meanwhile stays.
  void hand_over() noexcept;
  /// Another program has taken it: what is still ours of it is given back, and nothing is set any
  /// more.
  void stand_down() noexcept;

  const PolicyReport& report() const { return report_; }
  ActuatorKind kind() const { return kind_; }
  const std::string& name() const { return name_; }  ///< "policy4"

 private:
  /// What of a policy and of a device is the same.
  struct Files {
    std::string name, governor, speed, min, max, clock;  ///< clock: empty where the speed tells it
    std::vector<std::string> hardware_max;
    std::int64_t units_per_khz;
    std::vector<std::int64_t> table;  ///< in those units
    std::int64_t lowest_khz, highest_khz, hardware_max_khz;
    bool pins;
  };
  PolicyActuator(const Files& files, ActuatorKind kind, bool cooling, SettingCalls& calls,
                 SettingHook* hook, const std::vector<std::string>& cooling_states);

  static Files files_of(const std::string& root, const CpufreqPolicy& policy, bool cooling);
  static Files files_of(const std::string& root, const DevfreqDevice& device, bool cooling);
  SettingText text_of(std::int64_t khz) const noexcept;
  std::int64_t khz_of(const SettingText& text) const noexcept;  ///< -1 when it is no number
  void set_speed(std::int64_t khz) noexcept;
  void set_bounds(std::int64_t khz) noexcept;
  void judge(std::int64_t before_khz, std::int64_t now_khz) noexcept;
  std::int64_t next_opp_khz(std::int64_t khz) const noexcept;
  bool is_cooling() noexcept;
  /// Whether a limit keeps the speed that was found from being had.
  bool speed_is_limited() noexcept;
  /// Whether the machine allows less than the highest that was found: then it cannot read as that.
  bool max_is_limited() noexcept;
  void fail(int error) noexcept;
  void give_back(bool heat_lowers) noexcept;
  void count_writes() noexcept;

  std::string name_;
  ActuatorKind kind_;
  std::int64_t lowest_khz_, highest_khz_;  ///< that the user and the hardware allow
  bool pins_;                              ///< both limits move
  std::int64_t units_per_khz_;
  std::vector<std::int64_t> table_;  ///< in those units
  std::vector<HeldFile> clock_;      ///< none, or where it is told what came of a speed
  std::vector<HeldFile> cooling_states_;
  std::vector<HeldFile> hardware_max_;  ///< what holds whoever asks for more: boost, firmware
  std::int64_t lowered_khz_ = 0;  ///< the limit that somebody, or something, has lowered
  Setting governor_, speed_, min_, max_;
  PolicyReport report_;
};

}  // namespace flyball
