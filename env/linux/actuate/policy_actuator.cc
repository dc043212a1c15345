#include "env/linux/actuate/policy_actuator.h"

#include <algorithm>
#include <cerrno>

namespace flyball {
namespace {

const SettingText kUserspace("userspace");

/// A governor that stays where the limits put it, whatever the load.
bool stays_put(const CpufreqPolicy& policy) {
  return policy.governor == "powersave" || policy.governor == "userspace" || policy.drives_itself();
}

}  // namespace

PolicyActuator::PolicyActuator(const std::string& root, const CpufreqPolicy& policy,
                               ActuatorKind kind, bool cooling, SettingCalls& calls,
                               SettingHook* hook, const std::vector<std::string>& cooling_states)
    : name_(policy.name),
      kind_(kind),
      lowest_khz_(std::max(policy.hardware_min_khz, policy.min_khz)),
      highest_khz_(cooling || policy.max_khz <= 0
                       ? policy.hardware_max_khz
                       : std::min(policy.hardware_max_khz, policy.max_khz)),
      pins_(stays_put(policy)),
      table_khz_(policy.table_khz),
      governor_(calls, hook, root + policy.folder + "/scaling_governor"),
      speed_(calls, hook, root + policy.folder + "/scaling_setspeed"),
      min_(calls, hook, root + policy.folder + "/scaling_min_freq"),
      max_(calls, hook, root + policy.folder + "/scaling_max_freq") {
  // Limits read as what heat leaves of them: while something is held down, the user's own limit is
  // not known, and the lowered one must not become it.
  if (cooling && policy.hardware_max_khz > 0)
    max_.set_found(SettingText::of(policy.hardware_max_khz));
  for (const std::string& file : cooling_states) cooling_states_.emplace_back(calls, file);
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

void PolicyActuator::set_speed(std::int64_t khz) noexcept {
  if (!(governor_.now() == kUserspace)) {
    if (const int error = governor_.write(kUserspace)) return fail(error);
    // Linux loads the module as it is named; where there is none it refuses or keeps the old one.
    if (!(governor_.now() == kUserspace)) return fail(EREMOTEIO);
    speed_.read();
  }
  const std::int64_t before_khz = speed_.now().number();
  if (const int error = speed_.write(SettingText::of(khz))) {
    // A driver that was loaded anew has its default governor, and is taken with the next clock.
    if (error == EINVAL && !(governor_.read() == kUserspace) && governor_.error() == 0 &&
        governor_.ours()) {
      report_.stood_down = true;
      return fail(ECANCELED);
    }
    return fail(error);
  }
  judge(before_khz, speed_.now().number());
}

void PolicyActuator::set_bounds(std::int64_t khz) noexcept {
  const std::int64_t before_khz = max_.read().number();
  if (max_.error() != 0) return fail(max_.error());
  if (max_.changed_by_others(/*heat_lowers=*/true)) {
    report_.stood_down = true;
    return fail(ECANCELED);
  }
  // After a nap it is found anew, but what heat leaves of the user's limit is not the user's.
  if (!max_.ours() && before_khz < max_.found().number() && is_cooling())
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
  const std::int64_t limit_khz = max_.ours() ? max_.found().number() : before_khz;
  if (limit_khz > 0) khz = std::min(khz, limit_khz);
  const SettingText wanted = SettingText::of(khz);
  const bool rises = khz > before_khz;
  int error = 0;
  // A lowest limit above the highest is taken and stays latent: going down, the lowest goes first.
  if (pins_ && !rises) error = min_.write(wanted);
  if (error == 0) error = max_.write(wanted);
  if (error == 0 && pins_ && rises) error = min_.write(wanted);
  if (error != 0) return fail(error);
  judge(before_khz, max_.now().number());
}

/// Drivers round up to the next operating point and clamp to the limits in force without a word, and
/// a driver that failed says it succeeded: only what is read back tells.
void PolicyActuator::judge(std::int64_t before_khz, std::int64_t now_khz) noexcept {
  report_.in_force_khz = std::max<std::int64_t>(now_khz, 0);
  if (now_khz == report_.asked_khz) return;
  const bool stuck = kind_ == ActuatorKind::kSetSpeed && now_khz == before_khz;
  if (stuck && now_khz != next_opp_khz(report_.asked_khz) &&
      std::min(report_.asked_khz, max_.read().number()) != now_khz) {
    ++report_.ignored;
    report_.error = EREMOTEIO;
    return;
  }
  ++report_.rounded;
}

std::int64_t PolicyActuator::next_opp_khz(std::int64_t khz) const noexcept {
  const auto next = std::lower_bound(table_khz_.begin(), table_khz_.end(), khz);
  return next != table_khz_.end() ? *next : khz;
}

bool PolicyActuator::is_cooling() noexcept {
  return std::any_of(cooling_states_.begin(), cooling_states_.end(), [](HeldFile& file) {
    double state = 0;
    return file.read_number(state) && state > 0;
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
  const auto back = [&](Setting& setting, bool heat) {
    if (const int error = setting.give_back(heat)) report_.error = error;
  };
  if (kind_ == ActuatorKind::kSetSpeed) {
    if (governor_.found() == kUserspace) back(speed_, heat_lowers);
    back(governor_, false);
  } else {
    back(max_, heat_lowers);
    back(min_, heat_lowers);
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
