#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "governor/supervisor/give_back.h"
#include "tests/supervisor/state_fixture.h"

namespace flyball::testing {

inline constexpr const char* kPolicies = "/sys/devices/system/cpu/cpufreq/";

/// "policy0/scaling_governor" to its path on the machine.
inline std::string setting_path(const std::string& name) { return kPolicies + name; }

/// A tree of settings with two policies, as cpufreq shows them under schedutil.
inline void make_cpufreq(const std::string& root) {
  for (const char* policy : {"policy0", "policy4"}) {
    const std::string folder = root + kPolicies + policy + "/";
    std::filesystem::create_directories(folder);
    write_text(folder + "scaling_governor", "schedutil\n");
    write_text(folder + "scaling_min_freq", "200000\n");
    write_text(folder + "scaling_max_freq", "2000000\n");
    write_text(folder + "scaling_setspeed", "<unsupported>\n");
  }
}

/// Faults of a machine's settings by name, and the order in which they are written.
struct Faults {
  static inline std::map<std::string, int> refuse;           ///< errno of the write
  static inline std::vector<std::string> ignore;             ///< accepted, and nothing comes of it
  static inline std::vector<std::string> hang;               ///< until the test's program ends
  static inline std::vector<std::string> hang_reading;       ///< the same of a read
  static inline std::string readers;                         ///< a file: who hangs in a read
  static inline std::vector<std::string> slow;               ///< for longer than a step may take
  static inline std::map<std::string, std::string> becomes;  ///< what the machine makes of a write
  static inline std::string log;                             ///< a file: one line per write
  static void none() {
    refuse.clear();
    ignore.clear();
    hang.clear();
    hang_reading.clear();
    readers.clear();
    slow.clear();
    becomes.clear();
    log.clear();
  }
  static SettingAccess access() {
    SettingAccess access;
    access.write = write;
    access.read = read;
    return access;
  }

 private:
  static SettingReading read(int sys, const SettingsFile& file, int setting) {
    for (const std::string& name : hang_reading) {
      if (!file.path(setting).ends_with(name)) continue;
      if (!readers.empty()) std::ofstream(readers, std::ios::app) << getpid() << '\n';
      for (const pid_t test = getppid(); getppid() == test;) usleep(1000);
    }
    return read_setting(sys, file, setting);
  }
  static int write(int sys, const SettingsFile& file, int setting, std::string_view value) {
    const std::string path(file.path(setting));
    const std::string name =
        path.starts_with(kPolicies) ? path.substr(std::string(kPolicies).size()) : path;
    if (!log.empty()) std::ofstream(log, std::ios::app) << name << ' ' << value << '\n';
    if (std::find(hang.begin(), hang.end(), name) != hang.end()) {
      for (const pid_t test = getppid(); getppid() == test;) usleep(1000);  // it is not killed
    }
    if (std::find(slow.begin(), slow.end(), name) != slow.end()) usleep(600'000);
    if (const auto found = refuse.find(name); found != refuse.end()) return found->second;
    if (std::find(ignore.begin(), ignore.end(), name) != ignore.end()) return 0;
    const auto found = becomes.find(name);
    return write_setting(sys, file, setting, found == becomes.end() ? value : found->second);
  }
};

/// That machine, and a settings file for what is changed of it.
class MachineFixture : public StateFixture {
 protected:
  MachineFixture() : file_(SettingsFile::create(make_state(), root(), 64)) {
    make_cpufreq(root());
    Faults::none();
  }
  ~MachineFixture() override { Faults::none(); }

  std::string read(const std::string& name) const {
    std::string text = file_text(root() + setting_path(name));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }
  void write(const std::string& name, const std::string& value) {
    write_text(root() + setting_path(name), value + "\n");
  }
  /// Takes a setting and changes it, as the governor does.
  int take_over(SettingKind kind, const std::string& name, const std::string& value) {
    const auto setting = file_.take(kind, setting_path(name), read(name));
    if (!setting || !file_.intend(*setting, value)) throw std::runtime_error("not taken");
    write(name, value);
    file_.written(*setting, value);
    return *setting;
  }
  GiveBackResult give_back_all() {
    GiveBackOptions options;
    options.access = Faults::access();
    return give_back(file_, options);
  }
  /// What became of one.
  static Returned outcome(const GiveBackResult& result, int setting) {
    for (const SettingResult& each : result.settings) {
      if (each.setting == setting) return each.outcome;
    }
    throw std::runtime_error("not among the results");
  }

  SettingsFile file_;
};

}  // namespace flyball::testing
