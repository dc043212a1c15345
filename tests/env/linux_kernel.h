#pragma once

#include <atomic>
#include <cerrno>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "env/linux/actuate/setting_calls.h"

namespace flyball::testing {

/// The files of policies as the cpufreq core answers for them, and of devices as devfreq does: a governor that must be userspace for
/// a speed to be set, operating points, limits that clamp, and the faults that drivers have. All other
/// files are what they are.
class CpufreqKernel final : public SettingCalls {
 public:
  struct Policy {
    std::string governor = "schedutil";
    std::vector<std::int64_t> table_khz;  ///< ascending; empty: none
    std::int64_t cur_khz = 0;
    std::int64_t user_min_khz = 0, user_max_khz = 0;  ///< as written
    std::int64_t heat_max_khz = 1'000'000'000;        ///< what heat leaves
    bool offline = false;                             ///< every access gives EBUSY
    bool gone = false;                                ///< the driver was unloaded
    bool no_userspace = false;                        ///< its module is not there
    bool fails_silently = false;
    int refuses = 0;                     ///< errno of every write
    std::chrono::milliseconds hangs{0};  ///< every write
    int epoch = 0;                 ///< of the driver: descriptors of an earlier one give ENODEV
    bool device = false;           ///< under devfreq: its files' names, and Hz
    bool refuses_crossed = false;  ///< as older kernels do with a lowest limit above the highest
  };

  /// A device under devfreq; its clocks in kHz here, too.
  Policy& add_device(const std::string& folder, std::vector<std::int64_t> table_khz) {
    Policy& device = add(folder, std::move(table_khz));
    device.governor = "simple_ondemand";
    device.device = true;
    return device;
  }

  Policy& add(const std::string& folder, std::vector<std::int64_t> table_khz) {
    Policy& policy = policies_[folder];
    policy.user_min_khz = table_khz.front();
    policy.cur_khz = policy.user_max_khz = table_khz.back();
    policy.table_khz = std::move(table_khz);
    return policy;
  }
  template <typename F>
  void change(const std::string& folder, F&& with) {
    const std::lock_guard lock(mutex_);
    with(policies_.at(folder));
  }
  Policy look(const std::string& folder) {
    const std::lock_guard lock(mutex_);
    return policies_.at(folder);
  }
  int writes() const { return writes_.load(); }
  int reads() const { return reads_.load(); }
  int opens() const { return opens_.load(); }
  /// Of one file: "policy4/scaling_cur_freq".
  int reads_of(const std::string& file) {
    const std::lock_guard lock(mutex_);
    return reads_of_[file];
  }
  std::vector<std::string> log() {  ///< "scaling_max_freq=1400000"
    const std::lock_guard lock(mutex_);
    return log_;
  }

  int open_file(const char* path, bool to_write) noexcept override {
    const std::lock_guard lock(mutex_);
    ++opens_;
    for (auto& [folder, policy] : policies_) {
      const std::string_view whole(path);
      const auto at = whole.find(folder + "/");
      if (at == std::string_view::npos) continue;
      if (policy.gone) return -ENOENT;
      std::string file(whole.substr(at + folder.size() + 1));
      if (policy.device && file.starts_with("userspace/") && policy.governor != "userspace")
        return -ENOENT;
      open_.push_back({&policy, policy.device ? as_cpufreq(file) : file, policy.epoch,
                       folder.substr(folder.rfind('/') + 1)});
      return kFirst + static_cast<int>(open_.size()) - 1;
    }
    return linux_setting_calls().open_file(path, to_write);
  }
  ssize_t read_file(int fd, char* buffer, std::size_t bytes) noexcept override {
    if (fd < kFirst) return linux_setting_calls().read_file(fd, buffer, bytes);
    const std::lock_guard lock(mutex_);
    ++reads_;
    const Open& open = open_.at(static_cast<std::size_t>(fd - kFirst));
    ++reads_of_[open.name + "/" + open.file];
    const Policy& policy = *open.policy;
    if (const int error = state(open)) return -error;
    std::string text = value(policy, open.file);
    if (policy.device && text.find_first_not_of("0123456789") == text.npos) text += "000";
    text += "\n";
    const std::size_t size = std::min(bytes, text.size());
    std::copy_n(text.begin(), size, buffer);
    return static_cast<ssize_t>(size);
  }
  ssize_t write_file(int fd, const char* bytes, std::size_t size) noexcept override {
    std::chrono::milliseconds hangs{0};
    {
      const std::lock_guard lock(mutex_);
      hangs = open_.at(static_cast<std::size_t>(fd - kFirst)).policy->hangs;
    }
    std::this_thread::sleep_for(hangs);
    const std::lock_guard lock(mutex_);
    ++writes_;
    const Open& open = open_.at(static_cast<std::size_t>(fd - kFirst));
    Policy& policy = *open.policy;
    if (const int error = state(open)) return -error;
    if (policy.refuses != 0) return -policy.refuses;
    std::string text(bytes, size);
    text.resize(std::min(text.find('\n'), text.size()));
    if (policy.device && open.file != "scaling_governor") {
      if (!text.ends_with("000")) return -EINVAL;  // no operating point of these tests
      text.resize(text.size() - 3);
    }
    log_.push_back(open.file + "=" + text);
    if (open.file == "scaling_governor") {
      if (text == "userspace" && policy.no_userspace) return -EINVAL;
      policy.governor = text;
    } else if (open.file == "scaling_setspeed") {
      if (policy.governor != "userspace") return -EINVAL;
      if (!policy.fails_silently) policy.cur_khz = resolved(policy, std::stoll(text));
    } else if (policy.refuses_crossed && crosses(policy, open.file, std::stoll(text))) {
      return -EINVAL;
    } else if (open.file == "scaling_min_freq") {
      policy.user_min_khz = std::stoll(text);
    } else if (open.file == "scaling_max_freq") {
      policy.user_max_khz = std::stoll(text);
    } else {
      return -EACCES;
    }
    return static_cast<ssize_t>(size);
  }
  void close_file(int fd) noexcept override {
    if (fd < kFirst) linux_setting_calls().close_file(fd);
  }

 private:
  struct Open {
    Policy* policy;
    std::string file;
    int epoch;
    std::string name;
  };
  static constexpr int kFirst = 1'000'000;  // of our descriptors
  static int state(const Open& open) {
    if (open.policy->gone || open.epoch != open.policy->epoch) return ENODEV;
    return open.policy->offline ? EBUSY : 0;
  }
  static std::string as_cpufreq(const std::string& file) {
    if (file == "userspace/set_freq") return "scaling_setspeed";
    return "scaling_" + file;
  }
  static bool crosses(const Policy& policy, const std::string& file, std::int64_t khz) {
    return file == "scaling_min_freq" ? khz > policy.user_max_khz
                                      : file == "scaling_max_freq" && khz < policy.user_min_khz;
  }
  static std::int64_t max_khz(const Policy& policy) {
    return std::min(policy.user_max_khz, policy.heat_max_khz);
  }
  static std::int64_t resolved(const Policy& policy, std::int64_t khz) {
    khz = std::max(std::min(khz, max_khz(policy)), std::min(policy.user_min_khz, max_khz(policy)));
    for (const std::int64_t each : policy.table_khz) {
      if (each >= khz) return each;
    }
    return policy.table_khz.back();
  }
  static std::string value(const Policy& policy, const std::string& file) {
    if (file == "scaling_governor") return policy.governor;
    if (file == "scaling_setspeed")
      return policy.governor == "userspace" ? std::to_string(policy.cur_khz) : "<unsupported>";
    if (file == "scaling_min_freq")
      return std::to_string(std::min(policy.user_min_khz, max_khz(policy)));
    if (file == "scaling_max_freq") return std::to_string(max_khz(policy));
    return std::to_string(policy.cur_khz);
  }

  std::mutex mutex_;
  std::map<std::string, Policy> policies_;
  std::vector<Open> open_;
  std::vector<std::string> log_;
  std::map<std::string, int> reads_of_;
  std::atomic<int> writes_{0}, reads_{0}, opens_{0};
};

}  // namespace flyball::testing
