#pragma once

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <initializer_list>
#include <string>

#include "governor/supervisor/takeover.h"
#include "kernels/base/clock.h"
#include "tests/supervisor/fake_machine.h"

namespace flyball::testing {

inline void sleep_us(long us) {
  const timespec time{us / 1'000'000, us % 1'000'000 * 1000};
  nanosleep(&time, nullptr);
}

/// From now on, and in all that is started, these fail as where Linux does not know them.
inline void take_system_calls(std::initializer_list<long> numbers) {
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const long number : numbers) {
    program.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
    _exit(126);
}

/// A governor of its own process that takes over a tree of settings and changes them without end.
class StubGovernor {
 public:
  struct Options {
    std::string state_dir, root;
    std::int64_t period_ns = 50'000'000;
    std::string supervisor = std::string(FLYBALL_BIN_DIR) + "/flyball-supervisor";
    int epochs = -1;  ///< then it gives back and ends with status 0; -1: without end
    bool beats = true;
    bool hangs_at_end = false;  ///< when it has begun to give back
    bool old_linux = false;     ///< without close_range and pidfd_open, as boards' kernels are
  };
  static constexpr int kSupervisorDied = 3, kCannotStart = 4, kMissing = 5;

  explicit StubGovernor(const Options& options) : pid_(fork()) {
    if (pid_ == 0) {
      setpgid(0, 0);
      if (options.old_linux) take_system_calls({SYS_close_range, SYS_pidfd_open});
      _exit(run(options));
    }
    setpgid(pid_, pid_);
  }
  ~StubGovernor() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      wait();
    }
  }
  StubGovernor(const StubGovernor&) = delete;
  StubGovernor& operator=(const StubGovernor&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const { kill(pid_, number); }
  /// The exit status, 128 + signal when one ended it.
  int wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  /// As one write, without an end that a longer value before would keep: all values of a setting have
  /// the same length.
  static void change(Takeover& takeover, int sys, int setting, const std::string& name,
                     const char* value) {
    takeover.settings().intend(setting, value);
    write_file_setting(sys, setting_path(name), value);
    takeover.settings().written(setting, value);
  }

  static int run(const Options& options) {
    try {
      return govern(options);
    } catch (const Error& error) {
      dprintf(STDERR_FILENO, "stub: %s\n", error.what());
      return kCannotStart;
    }
  }

  static int govern(const Options& options) {
    RestoreReport remains;
    Takeover takeover =
        Takeover::begin({options.state_dir, options.root, 64, options.supervisor}, remains);
    const int sys = open((options.root + "/sys").c_str(), O_PATH | O_CLOEXEC);
    struct Turned {
      std::string name;
      int setting;
      std::array<const char*, 3> values;
    };
    std::vector<Turned> turned;
    for (const std::string policy : {"policy0/", "policy4/"}) {
      const auto take = [&](SettingKind kind, const std::string& name,
                            std::array<const char*, 3> values) {
        const std::string path = setting_path(policy + name);
        const auto setting =
            takeover.settings().take(kind, path, read_file_setting(sys, path).view());
        turned.push_back({policy + name, setting.value(), values});
      };
      take(SettingKind::kGovernor, "scaling_governor", {"userspace", "userspace", "userspace"});
      take(SettingKind::kMinimum, "scaling_min_freq", {"300000", "400000", "500000"});
      take(SettingKind::kMaximum, "scaling_max_freq", {"1500000", "1700000", "1900000"});
    }
    for (int epoch = 0; epoch != options.epochs; ++epoch) {
      if (options.beats && !takeover.beat(options.period_ns)) {
        return takeover.give_back().missing() == 0 ? kSupervisorDied : kMissing;
      }
      for (const Turned& each : turned) {
        change(takeover, sys, each.setting, each.name,
               each.values[static_cast<std::size_t>(epoch) % 3]);
      }
      sleep_us(200);
    }
    if (options.hangs_at_end) {
      takeover.begin_to_end();
      for (;;) pause();
    }
    return takeover.give_back().missing() == 0 ? 0 : kMissing;
  }

  pid_t pid_;
};

/// The machine, the state folder, and what a test asks of both.
class SupervisedFixture : public StateFixture {
 protected:
  SupervisedFixture() { make_cpufreq(root()); }

  StubGovernor::Options options() const {
    StubGovernor::Options options;
    options.state_dir = state_path();
    options.root = root();
    return options;
  }
  std::string read(const std::string& name) const {
    std::string text = file_text(root() + setting_path(name));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }
  void write(const std::string& name, const std::string& value) {
    write_text(root() + setting_path(name), value + "\n");
  }
  /// What reads otherwise than before anybody governed.
  std::string changed() const {
    std::string text;
    const std::pair<const char*, const char*> all[] = {{"scaling_governor", "schedutil"},
                                                       {"scaling_min_freq", "200000"},
                                                       {"scaling_max_freq", "2000000"}};
    for (const std::string policy : {"policy0/", "policy4/"}) {
      for (const auto& [name, value] : all) {
        if (read(policy + name) != value) text += policy + name + "=" + read(policy + name) + " ";
      }
    }
    return text;
  }
  template <typename Condition>
  static bool wait_for(const Condition& condition) {
    for (int tries = 0; tries < 60'000; ++tries) {
      if (condition()) return true;
      sleep_us(1000);
    }
    return false;
  }
  std::optional<SettingsFile> settings() const {
    const StateDir dir = StateDir::open_existing(state_path());
    return dir ? SettingsFile::open_existing(dir) : std::nullopt;
  }
  /// The supervisor, once the governor has changed something.
  pid_t wait_until_governing() const {
    wait_for([&] { return read("policy4/scaling_max_freq") != "2000000"; });
    return settings().value().supervisor().value().pid;
  }
  bool wait_until_unlocked() const {
    return wait_for([&] {
      const StateDir dir = StateDir::open_existing(state_path());
      return !dir || GovernorLock::try_lock(dir);
    });
  }
};

}  // namespace flyball::testing
