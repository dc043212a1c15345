#include "governor/supervisor/give_back.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "governor/supervisor/close_descriptors.h"
#include "governor/supervisor/give_back_lane.h"
#include "kernels/base/clock.h"

namespace flyball {
namespace {

constexpr std::size_t kLanesAtOnce = 16;
constexpr timespec kBetweenLooks = {0, 500'000};

/// Steps in memory that the processes which give back share with us.
class SharedSteps {
 public:
  explicit SharedSteps(int count)
      : size_(sizeof(GiveBackStep) * static_cast<std::size_t>(count + 1)) {
    void* bytes = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    steps_ = bytes == MAP_FAILED ? nullptr : static_cast<GiveBackStep*>(bytes);
  }
  ~SharedSteps() {
    if (steps_ != nullptr) munmap(steps_, size_);
  }
  SharedSteps(const SharedSteps&) = delete;
  SharedSteps& operator=(const SharedSteps&) = delete;
  GiveBackStep* data() const { return steps_; }

 private:
  std::size_t size_;
  GiveBackStep* steps_;
};

/// Starts `work` in a process of its own that keeps none of our descriptors but `keep`, and no
/// signal can end but SIGKILL. -1 when there cannot be one.
template <typename Work>
pid_t start_process(int keep, const Work& work) {
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t child = fork();
  if (child == 0) {
    if (keep > 3) close_descriptors(3, static_cast<unsigned>(keep) - 1);
    close_descriptors(static_cast<unsigned>(keep) + 1, ~0U);
    work();
    _exit(0);
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return child;
}

bool has_ended(pid_t process) {
  pid_t ended;
  do {
    ended = waitpid(process, nullptr, WNOHANG);
  } while (ended < 0 && errno == EINTR);
  return ended != 0;
}

/// A few settings that are given back one after the other.
class LaneProcess {
 public:
  LaneProcess(const GiveBackScene& scene, std::vector<int> settings, std::int64_t step_limit_ns)
      : scene_(scene), settings_(std::move(settings)), step_limit_ns_(step_limit_ns) {}

  void start() {
    progress_ = progress();
    since_ns_ = monotonic_ns();
    hung_before_.clear();
    for (const int setting : settings_) {
      if (is_at(setting, GiveBackStep::kWriting)) hung_before_.push_back(setting);
    }
    process_ = start_process(scene_.sys, [this] { run_lane(scene_, settings_); });
    if (process_ < 0) run_lane(scene_, settings_);  // no memory for a process: without the limit
  }

  /// True when all of it has been tried.
  bool look() {
    if (process_ > 0 && has_ended(process_)) process_ = -1;
    const int progress_now = progress();
    if (progress_now != progress_) {
      progress_ = progress_now;
      since_ns_ = monotonic_ns();
    }
    if (process_ > 0 && monotonic_ns() - since_ns_ > step_limit_ns_) {
      // A write cannot be stopped within the Linux kernel, and may come to a good end there if it is
      // let be: for one who is being killed, Linux starts no governor. Whoever reads is to write
      // nothing more when it comes back.
      if (!is_writing()) kill(process_, SIGKILL);
      if (!has_ended(process_)) abandoned_.push_back(process_);
      process_ = -1;
    }
    if (process_ > 0) return false;
    const bool all_tried = std::all_of(settings_.begin(), settings_.end(), [&](int setting) {
      return scene_.steps[setting].stage.load() != GiveBackStep::kPending;
    });
    if (all_tried) return true;
    if (progress_ == tried_before_) {  // its process ended, or hung, before any step
      run_lane(scene_, settings_);
      return true;
    }
    tried_before_ = progress_;
    start();
    return false;
  }

  /// Asks for those that hung, so that they do not stay as zombies, if they have ended by now.
  void reap() {
    for (const pid_t process : abandoned_) has_ended(process);
  }

 private:
  bool is_at(int setting, GiveBackStep::Stage stage) const {
    return scene_.steps[setting].stage.load() == stage;
  }
  /// This process, and not one before it that hangs in its write to this day.
  bool is_writing() const {
    return std::any_of(settings_.begin(), settings_.end(), [&](int setting) {
      return is_at(setting, GiveBackStep::kWriting) &&
             std::find(hung_before_.begin(), hung_before_.end(), setting) == hung_before_.end();
    });
  }
  int progress() const {
    int progress = 0;
    for (const int setting : settings_)
      progress += static_cast<int>(scene_.steps[setting].stage.load());
    return progress;
  }

  const GiveBackScene& scene_;
  std::vector<int> settings_;
  std::int64_t step_limit_ns_;
  pid_t process_ = -1;
  int progress_ = 0;
  int tried_before_ = -1;
  std::int64_t since_ns_ = 0;
  std::vector<pid_t> abandoned_;
  std::vector<int> hung_before_;  ///< settings in whose write a process before this one hangs
};

/// Drivers' modes first; tunables of all policies together when all governors are back.
enum Wave { kModes, kDevices, kShared, kWaves };

Wave wave_of(const SettingsFile& file, int setting) {
  if (file.kind(setting) == SettingKind::kDriverMode) return kModes;
  if (file.kind(setting) != SettingKind::kTunable) return kDevices;
  return name_in_folder(folder_of(folder_of(file.path(setting)))) == "cpufreq" ? kShared : kDevices;
}

/// What shares a device, and its lock in the Linux kernel.
std::string lane_of(const SettingsFile& file, int setting) {
  if (is_thread_setting(file.kind(setting))) return "threads";
  const std::string_view path = file.path(setting);
  const std::string_view folder = folder_of(path);
  return std::string(file.kind(setting) == SettingKind::kTunable ? folder_of(folder) : folder);
}

bool is_open(SettingState state, bool again) {
  const bool done = state == SettingState::kGivenBack || state == SettingState::kWasBack;
  return state == SettingState::kTaken || state == SettingState::kGivingBack || (again && done);
}

void run_wave(const GiveBackScene& scene, const std::vector<int>& settings, std::int64_t limit_ns) {
  std::map<std::string, std::vector<int>> by_lane;
  for (const int setting : settings) by_lane[lane_of(scene.file, setting)].push_back(setting);
  std::vector<LaneProcess> lanes;
  for (auto& [name, own] : by_lane) {
    std::stable_sort(own.begin(), own.end(),
                     [&](int a, int b) { return scene.file.kind(a) < scene.file.kind(b); });
    lanes.emplace_back(scene, std::move(own), limit_ns);
  }
  std::vector<LaneProcess*> running;
  std::size_t next = 0;
  while (next < lanes.size() || !running.empty()) {
    while (next < lanes.size() && running.size() < kLanesAtOnce) {
      lanes[next].start();
      running.push_back(&lanes[next++]);
    }
    std::erase_if(running, [](LaneProcess* lane) { return lane->look(); });
    scene.file.gives_back();
    if (!running.empty()) nanosleep(&kBetweenLooks, nullptr);
  }
  for (LaneProcess& lane : lanes) lane.reap();
}

/// Asking a sensor may hang as well.
bool is_hot(int sys, GiveBackStep& spare, std::int64_t limit_ns) {
  const pid_t process = start_process(sys, [&] {
    if (cooling_holds_clocks(sys)) spare.stage.store(GiveBackStep::kDone);
  });
  if (process < 0) return cooling_holds_clocks(sys);
  const std::int64_t until_ns = monotonic_ns() + limit_ns;
  while (!has_ended(process)) {
    if (monotonic_ns() > until_ns) {
      kill(process, SIGKILL);
      break;
    }
    nanosleep(&kBetweenLooks, nullptr);
  }
  return spare.stage.load() == GiveBackStep::kDone;
}

SettingResult result_of(const SettingsFile& file, int setting, const GiveBackStep& step) {
  SettingResult result;
  result.setting = setting;
  result.kind = file.kind(setting);
  result.name = is_thread_setting(result.kind)
                    ? "thread " + std::to_string(file.thread(setting).pid)
                    : std::string(file.path(setting));
  result.before = file.before(setting);
  result.before_is_certain = file.before_is_certain(setting);
  if (step.stage.load() == GiveBackStep::kDone) {
    result.outcome = step.outcome;
    result.error = step.error;
    result.found = step.found.view();
  } else {
    result.outcome = Returned::kHung;
  }
  return result;
}

}  // namespace

GiveBackResult give_back(SettingsFile& file, const GiveBackOptions& options) {
  GiveBackResult result;
  std::vector<int> waves[kWaves], asked;
  for (int setting = 0; setting < file.count(); ++setting) {
    if (!file.is_whole(setting)) {
      SettingResult torn;
      torn.setting = setting;
      torn.name = "entry " + std::to_string(setting + 1);
      result.settings.push_back(torn);
    } else if (is_open(file.state(setting), options.again) &&
               file.path(setting).starts_with(options.only_below)) {
      waves[wave_of(file, setting)].push_back(setting);
      asked.push_back(setting);
    }
  }
  if (asked.empty()) return result;
  const SharedSteps steps(file.count());
  const std::string folder = std::string(file.sysfs_root()) + "/sys";
  const FileDescriptor sys(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (steps.data() == nullptr || !sys) {
    const int error = errno;
    GiveBackStep none{};
    none.stage = GiveBackStep::kDone;
    none.outcome = Returned::kRefused;
    none.error = error;
    for (const int setting : asked) result.settings.push_back(result_of(file, setting, none));
    return result;
  }
  const bool hot = is_hot(sys.get(), steps.data()[file.count()], options.step_limit_ns);
  const GiveBackScene scene{file, options.access, sys.get(), steps.data(), hot};
  for (const std::vector<int>& wave : waves) run_wave(scene, wave, options.step_limit_ns);
  for (const int setting : asked) {
    result.settings.push_back(result_of(file, setting, steps.data()[setting]));
  }
  return result;
}

int GiveBackResult::count(Returned outcome) const {
  return static_cast<int>(
      std::count_if(settings.begin(), settings.end(),
                    [&](const SettingResult& each) { return each.outcome == outcome; }));
}

int GiveBackResult::missing() const {
  return static_cast<int>(
      std::count_if(settings.begin(), settings.end(),
                    [](const SettingResult& each) { return is_missing(each.outcome); }));
}

}  // namespace flyball
