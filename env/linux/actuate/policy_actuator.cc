#include "env/linux/actuate/policy_actuator.h"

#include <algorithm>
#include <cerrno>

namespace flyball {
namespace {

const SettingText kUserspace("userspace");
constexpr std::int64_t kHzPerKhz = 1000;

/// A governor that stays where the limits put it, whatever the load.
bool stays_put(const CpufreqPolicy& policy) {
  return policy.governor == "powersave" || policy.governor == "userspace" || policy.drives_itself();
}

}  // namespace

PolicyActuator::Files PolicyActuator::files_of(const std::string& root, const CpufreqPolicy& policy,
                                               bool cooling) {
  const std::string folder = root + policy.folder;
  Files files;
  files.name = policy.name;
  files.governor = folder + "/scaling_governor";
  files.speed = folder + "/scaling_setspeed";
  files.min = folder + "/scaling_min_freq";
  files.max = folder + "/scaling_max_freq";
  files.units_per_khz = 1;
  files.hardware_max = {folder + "/cpuinfo_max_freq", folder + "/bios_limit"};
  files.table = policy.table_khz;
  files.lowest_khz = std::max(policy.hardware_min_khz, policy.min_khz);
  files.hardware_max_khz = policy.hardware_max_khz;
  files.highest_khz = cooling || policy.max_khz <= 0
                          ? policy.hardware_max_khz
                          : std::min(policy.hardware_max_khz, policy.max_khz);
  files.pins = stays_put(policy);
  return files;
}

PolicyActuator::Files PolicyActuator::files_of(const std::string& root, const DevfreqDevice& device,
                                               bool cooling) {
  const std::string folder = root + device.folder;
  Files files;
  files.name = device.name;
  files.governor = folder + "/governor";
  files.speed = folder + "/userspace/set_freq";
  files.min = folder + "/min_freq";
  files.max = folder + "/max_freq";
  files.clock = folder + "/cur_freq";  // set_freq reads as it was written
  files.units_per_khz = kHzPerKhz;
  files.table = device.table_hz;
  files.lowest_khz = std::max(device.table_hz.front(), device.min_hz) / kHzPerKhz;
  files.hardware_max_khz = device.table_hz.back() / kHzPerKhz;
  files.highest_khz = cooling || device.max_hz <= 0
                          ? files.hardware_max_khz
                          : std::min(files.hardware_max_khz, device.max_hz / kHzPerKhz);
  files.pins = true;
  return files;
}

PolicyActuator::PolicyActuator(const std::string& root, const CpufreqPolicy& policy,
                               ActuatorKind kind, bool cooling, SettingCalls& calls,
                               SettingHook* hook, const std::vector<std::string>& cooling_states)
    : PolicyActuator(files_of(root, policy, cooling), kind, cooling, calls, hook, cooling_states) {}

PolicyActuator::PolicyActuator(const std::string& root, const DevfreqDevice& device,
                               ActuatorKind kind, bool cooling, SettingCalls& calls,
                               SettingHook* hook, const std::vector<std::string>& cooling_states)
    : PolicyActuator(files_of(root, device, cooling), kind, cooling, calls, hook, cooling_states) {}

PolicyActuator::PolicyActuator(const Files& files, ActuatorKind kind, bool cooling,
                               SettingCalls& calls, SettingHook* hook,
                               const std::vector<std::string>& cooling_states)
    : name_(files.name),
      kind_(kind),
      lowest_khz_(files.lowest_khz),
      highest_khz_(files.highest_khz),
      pins_(files.pins),
      units_per_khz_(files.units_per_khz),
      table_(files.table),
      governor_(calls, hook, files.governor),
      speed_(calls, hook, files.speed),
      min_(calls, hook, files.min),
      max_(calls, hook, files.max) {
  if (!files.clock.empty()) clock_.emplace_back(calls, files.clock);
  // Limits read as what heat leaves of them: while something is held down, the user's own limit is
  // not known, and the lowered one must not become it.
  if (cooling && files.hardware_max_khz > 0) max_.set_found(text_of(files.hardware_max_khz));
  for (const std::string& file : cooling_states) cooling_states_.emplace_back(calls, file);
  for (const std::string& file : files.hardware_max) hardware_max_.emplace_back(calls, file);
}

SettingText PolicyActuator::text_of(std::int64_t khz) const noexcept {
  std::int64_t value = khz * units_per_khz_;
  const auto exact = std::lower_bound(table_.begin(), table_.end(), value);
  if (exact != table_.end() && *exact / units_per_khz_ == khz) value = *exact;
  return SettingText::of(value);
}

std::int64_t PolicyActuator::khz_of(const SettingText& text) const noexcept {
  const std::int64_t number = text.number();
  return number < 0 ? -1 : number / units_per_khz_;
}

void PolicyActuator::set(std::int64_t khz) noexcept {
  if (report_.stood_down || kind_ == ActuatorKind::kNone) return;
  khz = std::min(std::max(khz, lowest_khz_), highest_khz_);
  if (khz == report_.asked_khz && report_.error == 0) return;
  report_.asked_khz = khz;
  report_.error = 0;
  if (kind_ == ActuatorKind::kSetSpeed) {
    set_speed(khz);
  } else {
    set_bounds(khz);
  }
  count_writes();
}

void PolicyActuator::forget() noexcept {
  report_.asked_khz = 0;
  // What stands there is no more what was read back.
  for (Setting* setting : {&governor_, &speed_, &min_, &max_}) setting->read();
  // Of a driver that was loaded anew nothing is ours: another governor than ours is somebody's.
  if (kind_ == ActuatorKind::kSetSpeed && governor_.ours() && governor_.error() == 0 &&
      !(governor_.now() == kUserspace)) {
    report_.stood_down = true;
    report_.error = ECANCELED;
  }
}

void PolicyActuator::set_speed(std::int64_t khz) noexcept {
  if (!(governor_.now() == kUserspace)) {
    if (const int error = governor_.write(kUserspace)) return fail(error);
    // Linux loads the module as it is named; where there is none it refuses or keeps the old one.
    if (!(governor_.now() == kUserspace)) return fail(EREMOTEIO);
    speed_.read();
  }
  const auto in_force_khz = [&] {
    double hz = 0;
    if (!clock_.empty() && clock_.front().read_number(hz))
      return static_cast<std::int64_t>(hz) / units_per_khz_;
    return khz_of(speed_.now());
  };
  const std::int64_t before_khz = in_force_khz();
  if (const int error = speed_.write(text_of(khz))) {
    // A driver that was loaded anew has its default governor, and is taken with the next clock.
    if (error == EINVAL && !(governor_.read() == kUserspace) && governor_.error() == 0 &&
        governor_.ours()) {
      report_.stood_down = true;
      return fail(ECANCELED);
    }
    return fail(error);
  }
  judge(before_khz, in_force_khz());
}

void PolicyActuator::set_bounds(std::int64_t khz) noexcept {
  const std::int64_t before_khz = khz_of(max_.read());
  if (max_.error() != 0) return fail(max_.error());
  if (max_.changed_by_others(/*heat_lowers=*/true)) {
    min_.give_back(/*heat_lowers=*/true);  // what is still ours must not hold theirs up
    report_.stood_down = true;
    return fail(ECANCELED);
  }
  // After a nap it is found anew, but what heat leaves of the user's limit is not the user's.
  if (!max_.ours() && before_khz < khz_of(max_.found()) && is_cooling())
    max_.set_found(max_.found());
  // Lower than we left it: heat's doing, or that of somebody who is to be seen by whoever watches
  // before it is written over.
  if (max_.changed_by_others(/*heat_lowers=*/false) && before_khz != lowered_khz_ &&
      !is_cooling()) {
    lowered_khz_ = before_khz;
    report_.error = EAGAIN;
    return;
  }
  lowered_khz_ = 0;
  // What the user has set since flyball began holds as well.
  const std::int64_t limit_khz = max_.ours() ? khz_of(max_.found()) : before_khz;
  if (limit_khz > 0) khz = std::min(khz, limit_khz);
  const SettingText wanted = text_of(khz);
  const bool rises = khz > before_khz;
  int error = 0;
  // A lowest limit above the highest is taken and stays latent: going down, the lowest goes first.
  if (pins_ && !rises) error = min_.write(wanted);
  if (error == 0) error = max_.write(wanted);
  if (error == 0 && pins_ && rises) error = min_.write(wanted);
  if (error != 0) return fail(error);
  judge(before_khz, khz_of(max_.now()));
}

/// Drivers round up to the next operating point and clamp to the limits in force without a word, and
/// a driver that failed says it succeeded: only what is read back tells.
void PolicyActuator::judge(std::int64_t before_khz, std::int64_t now_khz) noexcept {
  report_.in_force_khz = std::max<std::int64_t>(now_khz, 0);
  if (now_khz == report_.asked_khz) return;
  const bool stuck = kind_ == ActuatorKind::kSetSpeed && now_khz == before_khz;
  if (stuck && now_khz != next_opp_khz(report_.asked_khz) &&
      std::min(report_.asked_khz, khz_of(max_.read())) != now_khz) {
    ++report_.ignored;
    report_.error = EREMOTEIO;
    return;
  }
  ++report_.rounded;
}

std::int64_t PolicyActuator::next_opp_khz(std::int64_t khz) const noexcept {
  const auto next = std::lower_bound(table_.begin(), table_.end(), khz * units_per_khz_);
  return next != table_.end() ? *next / units_per_khz_ : khz;
}

bool PolicyActuator::is_cooling() noexcept {
  return std::any_of(cooling_states_.begin(), cooling_states_.end(), [](HeldFile& file) {
    double state = 0;
    return file.read_number(state) && state > 0;
  });
}

bool PolicyActuator::speed_is_limited() noexcept {
  const std::int64_t khz = khz_of(speed_.found());
  const std::int64_t highest_khz = khz_of(max_.read()), lowest_khz = khz_of(min_.read());
  return (highest_khz > 0 && khz > highest_khz) || khz < lowest_khz || is_cooling();
}

bool PolicyActuator::max_is_limited() noexcept {
  return std::any_of(hardware_max_.begin(), hardware_max_.end(), [this](HeldFile& file) {
    double khz = 0;
    return file.read_number(khz) && khz > 0 && khz < static_cast<double>(khz_of(max_.found()));
  });
}

void PolicyActuator::fail(int error) noexcept {
  ++report_.refused;
  report_.error = error;
}

void PolicyActuator::hand_over() noexcept { give_back(/*heat_lowers=*/true); }

void PolicyActuator::give_back(bool heat_lowers) noexcept {
  if (report_.stood_down || kind_ == ActuatorKind::kNone) return;
  report_.error = 0;
  const auto back = [&](Setting& setting, bool heat, bool held) {
    if (const int error = setting.give_back(heat, held)) report_.error = error;
  };
  if (kind_ == ActuatorKind::kSetSpeed) {
    if (governor_.found() == kUserspace && speed_.ours())
      back(speed_, heat_lowers, speed_is_limited());
    back(governor_, false, false);
  } else if (max_.ours() || min_.ours()) {
    const bool cooling = is_cooling();
    back(max_, heat_lowers, cooling || max_is_limited());
    back(min_, heat_lowers, cooling);
  }
  report_.asked_khz = 0;
  report_.in_force_khz = 0;
  count_writes();
}

void PolicyActuator::stand_down() noexcept {
  give_back(is_cooling());  // a lower limit is theirs, but for heat's
  report_.stood_down = true;
}

void PolicyActuator::count_writes() noexcept {
  report_.writes = governor_.writes() + speed_.writes() + min_.writes() + max_.writes();
}

}  // namespace flyball
