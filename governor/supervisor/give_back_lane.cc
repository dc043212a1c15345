#include "governor/supervisor/give_back_lane.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <optional>

namespace flyball {
namespace {

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

bool is_frequency(SettingKind kind) {
  return kind == SettingKind::kMinimum || kind == SettingKind::kMaximum ||
         kind == SettingKind::kSpeed;
}

/// Limits read as what heat leaves of them: lower than ours is still ours then.
bool lowered_by_heat(const SettingsFile::Ours& ours, std::string_view found) {
  const auto reading = number_of(found);
  for (int i = 0; reading && i < ours.count; ++i) {
    const auto value = number_of(ours.values[i]);
    if (value && *reading < *value) return true;
  }
  return false;
}

class Lane {
 public:
  Lane(const GiveBackScene& scene, const std::vector<int>& settings)
      : scene_(scene), file_(scene.file), settings_(settings) {}

  void run() {
    for (const int setting : settings_) {
      if (!is_pending(setting)) continue;
      const int other = pending_other_limit(setting);
      if (other >= 0 && must_rise_first(setting, other)) step(other);
      step(setting);
    }
  }

 private:
  bool is_pending(int setting) const {
    return scene_.steps[setting].stage.load() == GiveBackStep::kPending;
  }

  /// The maximum of the device whose minimum this is.
  int pending_other_limit(int setting) const {
    if (file_.kind(setting) != SettingKind::kMinimum) return -1;
    for (const int other : settings_) {
      if (file_.kind(other) == SettingKind::kMaximum && is_pending(other) &&
          folder_of(file_.path(other)) == folder_of(file_.path(setting))) {
        return other;
      }
    }
    return -1;
  }

  /// Otherwise the new maximum would be below the minimum of now, and comes after it.
  bool must_rise_first(int minimum, int maximum) const {
    const auto low_now = number_of(scene_.access.read(scene_.sys, file_, minimum).view());
    const auto high_then = number_of(file_.before(maximum));
    return low_now && high_then && *high_then >= *low_now;
  }

  void step(int setting) {
    GiveBackStep& step = scene_.steps[setting];
    step.stage.store(GiveBackStep::kBegun);
    step.outcome = try_to_give_back(setting, step);
    switch (step.outcome) {
      case Returned::kGivenBack:
        file_.set_state(setting, SettingState::kGivenBack);
        break;
      case Returned::kWasBack:
        file_.set_state(setting, SettingState::kWasBack);
        break;
      case Returned::kLeft:
        file_.set_state(setting, SettingState::kLeft);
        break;
      case Returned::kGone:
        file_.set_state(setting, SettingState::kGone);
        break;
      default:
        break;
    }
    step.stage.store(GiveBackStep::kDone);
  }

  static Returned refusal(int error, GiveBackStep& step) {
    step.error = error;
    const bool gone = error == ENOENT || error == ENODEV || error == ENXIO || error == ESRCH;
    return gone ? Returned::kGone : Returned::kRefused;
  }

  Returned try_to_give_back(int setting, GiveBackStep& step) {
    const std::string_view before = file_.before(setting);
    step.found = scene_.access.read(scene_.sys, file_, setting);
    if (step.found.error != 0) return refusal(step.found.error, step);
    const bool begun = file_.state(setting) == SettingState::kGivingBack;
    if (step.found.view() == before) return begun ? Returned::kGivenBack : Returned::kWasBack;
    // There was none under another governor, and there is none again when that is back.
    if (file_.kind(setting) == SettingKind::kSpeed && !number_of(before)) return Returned::kWasBack;
    const SettingsFile::Ours ours = file_.ours(setting);
    if (ours.count == 0 && file_.kind(setting) == SettingKind::kTunable) {
      const Returned verdict = may_give_back_tunable(setting, step);
      if (verdict != Returned::kGivenBack) return verdict;
    } else if (!ours.contains(step.found.view()) &&
               !(scene_.is_hot && is_frequency(file_.kind(setting)) &&
                 lowered_by_heat(ours, step.found.view()))) {
      return Returned::kLeft;
    }
    return write_back(setting, step);
  }

  /// A tunable that we never wrote went with its governor and came back with it as the default. It
  /// is ours to mend when we brought that governor back.
  Returned may_give_back_tunable(int setting, GiveBackStep& step) const {
    for (int governor = 0; governor < file_.count(); ++governor) {
      if (!is_governor_of(file_, governor, file_.path(setting))) continue;
      const SettingState state = file_.state(governor);
      if (state == SettingState::kGivenBack) return Returned::kGivenBack;
      if (state == SettingState::kTaken || state == SettingState::kGivingBack) {
        return refusal(EAGAIN, step);  // it waits for its governor
      }
    }
    return Returned::kLeft;
  }

  Returned write_back(int setting, GiveBackStep& step) {
    const std::string_view before = file_.before(setting);
    file_.set_state(setting, SettingState::kGivingBack);
    step.stage.store(GiveBackStep::kWriting);
    const int error = scene_.access.write(scene_.sys, file_, setting, before);
    if (error != 0) return refusal(error, step);
    const SettingReading after = scene_.access.read(scene_.sys, file_, setting);
    if (after.error != 0) return refusal(after.error, step);
    // Accepted is not done: a driver's failure is not reported by the write. Limits and speeds read
    // as what the machine makes of them, so anything but the value of before will do.
    const bool moved = after.view() != step.found.view();
    const bool held = scene_.is_hot || is_limited(setting);
    step.found = after;
    if (after.view() == before || (is_frequency(file_.kind(setting)) && (moved || held))) {
      return Returned::kGivenBack;
    }
    return Returned::kIgnored;
  }

  /// Whether a limit that is in force keeps a policy's speed, or the machine its highest, from what
  /// it was.
  bool is_limited(int setting) const {
    const std::string_view path = file_.path(setting);
    constexpr std::string_view kSpeed = "scaling_setspeed", kHighest = "scaling_max_freq";
    static_assert(kSpeed.size() == kHighest.size());
    const auto khz = number_of(file_.before(setting));
    char name[sizeof SettingEntry{}.path];
    if (!khz || !(path.ends_with(kSpeed) || path.ends_with(kHighest))) return false;
    const std::size_t folder = path.size() - kSpeed.size();
    const auto limit_khz = [&](std::string_view limit) {
      std::copy_n(path.begin(), folder, name);
      std::copy(limit.begin(), limit.end(), name + folder);
      return number_of(read_file_setting(scene_.sys, {name, folder + limit.size()}).view());
    };
    const auto is_below = [&](const auto& highest_khz) {
      return highest_khz && *highest_khz > 0 && *highest_khz < *khz;
    };
    if (path.ends_with(kHighest))
      return is_below(limit_khz("cpuinfo_max_freq")) || is_below(limit_khz("bios_limit"));
    const auto highest_khz = limit_khz("scaling_max_freq"),
               lowest_khz = limit_khz("scaling_min_freq");
    return (highest_khz && *khz > *highest_khz) || (lowest_khz && *khz < *lowest_khz);
  }

  const GiveBackScene& scene_;
  SettingsFile& file_;
  const std::vector<int>& settings_;
};

bool cools_by_clock(std::string_view type) {
  // By kernel: "cpufreq-cpu0" or "thermal-cpufreq-0", "devfreq-gpu" or "thermal-devfreq-0"; ACPI.
  return type.find("cpufreq") != type.npos || type.find("devfreq") != type.npos ||
         type == "Processor";
}

}  // namespace

bool is_governor_of(const SettingsFile& file, int governor, std::string_view tunable) {
  if (!file.is_whole(governor) || file.kind(governor) != SettingKind::kGovernor) return false;
  // POLICY/ondemand/x, or cpufreq/ondemand/x for all policies together.
  const std::string_view name = name_in_folder(folder_of(tunable));
  const std::string_view place = folder_of(folder_of(tunable));
  const std::string_view device = folder_of(file.path(governor));
  return file.before(governor) == name && (device == place || folder_of(device) == place);
}

void run_lane(const GiveBackScene& scene, const std::vector<int>& settings) {
  Lane(scene, settings).run();
}

bool cooling_holds_clocks(int sys) {
  const int folder = openat(sys, "class/thermal", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* devices = folder < 0 ? nullptr : fdopendir(folder);
  if (devices == nullptr) {
    if (folder >= 0) close(folder);
    return false;
  }
  bool holds = false;
  while (const dirent* device = readdir(devices)) {
    const std::string_view name = device->d_name;
    if (!name.starts_with("cooling_device") || name.size() > 40) continue;
    char path[96];
    const auto read = [&](const char* what) {
      std::snprintf(path, sizeof path, "/sys/class/thermal/%.40s/%s", device->d_name, what);
      return read_file_setting(sys, path);
    };
    if (!cools_by_clock(read("type").view())) continue;
    const auto state = number_of(read("cur_state").view());
    if (state && *state > 0) holds = true;
  }
  closedir(devices);
  return holds;
}

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? std::string_view{} : path.substr(0, slash);
}

std::string_view name_in_folder(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace flyball
