#include "governor/machine/linux_table_machine.h"

#include <time.h>

#include <algorithm>
#include <exception>

#include "kernels/base/clock.h"
#include "kernels/base/control_character.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr std::int64_t kBeatNs = 2'000'000'000;  // between two waits, at most
constexpr std::int64_t kLookNs = 500'000'000;
constexpr const char* kAgain = "nothing was written; measure again";

bool feeds_more(const PowerSensor& sensor) {
  // The first rail of a Jetson is the input; of a chip under hwmon it is not known what hangs on it.
  return sensor.kind != PowerSensor::Kind::kIna231 &&
         (sensor.kind != PowerSensor::Kind::kIna3221 || sensor.file.ends_with("in_power0_input"));
}

bool cools_cpus(const CoolingDevice& device) {
  return device.type.find("cpu") != std::string::npos ||
         device.type.find("Processor") != std::string::npos;
}

}  // namespace

std::string why_no_power(const LinuxMachine& machine) {
  std::string why = "no sensor tells this machine's power";
  for (const PowerSensor& sensor : machine.power) {
    if (sensor.kind == PowerSensor::Kind::kBattery && !machine.on_battery()) {
      why = sensor.rail + " tells power only while it discharges: unplug the machine";
      continue;
    }
    if (sensor.readable) return "";
    why = sensor.rail + " cannot be read by this process: start it as root";
  }
  return why;
}

LinuxTableMachine::LinuxTableMachine(const SysTree& tree, const LinuxMachine& machine,
                                     const MachineSpec& made, InferenceEngine& engine,
                                     Takeover* takeover, SettingHook* hook,
                                     const std::atomic<bool>& stop, bool clocks_can_be_set)
    : engine_(engine), takeover_(takeover), interrupted_(stop) {
  if (takeover_ != nullptr) {
    watch_.emplace(takeover_->settings());
    takeover_->settings().expect(kBeatNs);
  }
  for (const PowerSensor& sensor : machine.power) {
    if (!sensor.readable) continue;
    if (sensor.kind == PowerSensor::Kind::kBattery && !machine.on_battery()) continue;
    power_.emplace_back(tree, sensor, linux_setting_calls());
    rails_.push_back({power_.back().source(), feeds_more(sensor)});
  }
  for (const ThermalZone& zone : machine.zones)
    if (zone.of_cpu && zone.temp_mc)
      zones_.emplace_back(linux_setting_calls(), tree.path(zone.folder + "/temp"));
  for (std::size_t c = 0; c < made.spec.clusters.size(); ++c)
    if (made.device[c] < 0) add_cluster(tree, machine, made, c, clocks_can_be_set, hook);
}

void LinuxTableMachine::add_cluster(const SysTree& tree, const LinuxMachine& machine,
                                    const MachineSpec& made, std::size_t c, bool clocks_can_be_set,
                                    SettingHook* hook) {
  TableCluster cluster;
  // As freqbench has it, so that lists of voltages are found by the same name.
  cluster.name = "cpu" + std::to_string(std::max(0, made.cpus[c].nth(0)));
  cluster.cpus = made.cpus[c] & machine.online & thread_affinity();
  const bool cooling =
      std::any_of(machine.cooling.begin(), machine.cooling.end(),
                  [](const CoolingDevice& each) { return each.state > 0 && cools_cpus(each); });
  std::vector<std::string> cooling_states;
  for (const CoolingDevice& device : machine.cooling)
    if (cools_cpus(device))
      cooling_states.push_back(tree.path("/sys/class/thermal/" + device.name + "/cur_state"));
  std::vector<PolicyActuator> actuators;
  std::vector<HeldFile> clocks;
  std::int64_t lowest_khz = 0, highest_khz = 0;
  for (const int member : made.members[c]) {
    const CpufreqPolicy& policy = machine.policies[static_cast<std::size_t>(member)];
    clocks.emplace_back(linux_setting_calls(), tree.path(policy.folder + "/scaling_cur_freq"));
    lowest_khz = std::max(lowest_khz, policy.min_khz);
    const std::int64_t limit_khz =
        cooling || policy.max_khz <= 0 ? policy.hardware_max_khz : policy.max_khz;
    highest_khz = highest_khz == 0 ? limit_khz : std::min(highest_khz, limit_khz);
    // Exact clocks are what a table is of; where there are none, limits.
    ActuatorKind kind = choose_actuator(machine, policy, ActuatorKind::kSetSpeed).kind;
    if (kind == ActuatorKind::kNone)
      kind = choose_actuator(machine, policy, ActuatorKind::kBounds).kind;
    if (!clocks_can_be_set || kind == ActuatorKind::kNone) continue;
    actuators.emplace_back(tree.root(), policy, kind, cooling, linux_setting_calls(), hook,
                           cooling_states);
  }
  // Of policies that share a clock's name all have to be at it.
  if (!actuators.empty() && actuators.size() == made.members[c].size()) {
    for (const OperatingPoint& opp : made.spec.clusters[c].opps)
      if (opp.freq_khz >= lowest_khz && opp.freq_khz <= highest_khz)
        cluster.khz.push_back(opp.freq_khz);
  }
  clusters_.push_back(std::move(cluster));
  clock_.push_back(std::move(clocks));
  hand_.push_back(clusters_.back().khz.empty() || takeover_ == nullptr
                      ? nullptr
                      : std::make_unique<ClockHand>(std::move(actuators)));
}

void LinuxTableMachine::give_back() {
  if (takeover_ == nullptr) return;
  takeover_->begin_to_end();
  for (const auto& hand : hand_) {
    if (hand) hand->hand_over();
  }
  takeover_->wait_while([&] {
    return std::any_of(hand_.begin(), hand_.end(),
                       [](const auto& hand) { return hand && hand->report().busy; });
  });
}

LinuxTableMachine::~LinuxTableMachine() { stop(); }

void LinuxTableMachine::wait(std::int64_t ns) {
  const std::int64_t end_ns = monotonic_ns() + ns;
  for (;;) {
    if (interrupted_) failure("profile", "interrupted", kAgain);
    if (takeover_ != nullptr) {
      if (!takeover_->beat(kBeatNs)) {
        lost_supervisor_ = true;
        failure("supervisor", "was killed, so the measuring ended", kAgain);
      }
      look_for_rivals();
    }
    {
      const std::lock_guard lock(mutex_);
      if (!problem_.empty()) failure("profile", problem_, kAgain);
    }
    const std::int64_t left_ns = end_ns - monotonic_ns();
    if (left_ns <= 0) return;
    const timespec nap{0, static_cast<long>(std::min<std::int64_t>(left_ns, 100'000'000))};
    nanosleep(&nap, nullptr);
  }
}

void LinuxTableMachine::look_for_rivals() {
  for (; watched_ < takeover_->settings().count(); ++watched_) watch_->watch(watched_);
  // While a hand writes, what it reads as says nothing, and a driver that takes its time lets nobody read.
  if (std::any_of(hand_.begin(), hand_.end(),
                  [](const auto& hand) { return hand != nullptr && hand->report().busy; }))
    return;
  auto change = watch_->next();
  // For what no event tells, as what came before the first look. Of limits heat may be the cause.
  if (!change && monotonic_ns() - looked_ns_ >= kLookNs) {
    looked_ns_ = monotonic_ns();
    const SettingsFile& settings = takeover_->settings();
    for (int setting = 0; setting < watched_ && !change; ++setting)
      if (settings.kind(setting) == SettingKind::kGovernor) change = watch_->look_at(setting);
  }
  if (!change) return;
  std::string who = change->program[0] != 0 ? change->program.data() : "somebody else";
  if (change->pid != 0) who += " (process " + std::to_string(change->pid) + ")";
  failure("profile",
          printable(who + " has set " + std::string(takeover_->settings().path(change->setting)) +
                    " to '" + change->found.data() + "'"),
          "nothing was written; stop it, and measure again");
}

bool LinuxTableMachine::read_mw(std::size_t rail, double& mw) {
  return power_[rail].read(monotonic_ns(), mw);
}

void LinuxTableMachine::ask(std::size_t cluster, std::int64_t khz) {
  if (hand_[cluster]) hand_[cluster]->ask(khz);
}

/// Of several policies, the mean: a load on some of their CPUs is no reason for the others' clocks.
std::optional<std::int64_t> LinuxTableMachine::clock_khz(std::size_t cluster) {
  // A driver that is setting it lets nobody read.
  const HandReport hand = hand_[cluster] ? hand_[cluster]->report() : HandReport();
  if (hand.busy) return std::nullopt;
  double sum = 0;
  int count = 0;
  for (HeldFile& file : clock_[cluster]) {
    double khz = 0;
    if (file.read_number(khz) && khz > 0) sum += khz, ++count;
  }
  if (count == 0) {
    // Where the driver does not tell, what it has taken of what was asked.
    if (hand.error != 0 || hand.stood_down > 0 || hand.in_force_khz <= 0) return std::nullopt;
    return hand.in_force_khz;
  }
  return static_cast<std::int64_t>(sum / count);
}

std::optional<double> LinuxTableMachine::temp_c() {
  std::optional<double> hottest;
  for (HeldFile& zone : zones_) {
    double mc = 0;
    if (zone.read_number(mc)) hottest = std::max(hottest.value_or(mc / 1e3), mc / 1e3);
  }
  return hottest;
}

void LinuxTableMachine::run(const CpuSet& cpus, int width_pct) {
  stop();
  JobEngine::Setting setting;
  setting.cpus = cpus;
  setting.active = cpus.count();
  const std::vector<int> widths = widths_pct();
  setting.width =
      static_cast<int>(std::find(widths.begin(), widths.end(), width_pct) - widths.begin());
  {
    const std::lock_guard lock(mutex_);
    job_ms_.clear();
  }
  working_ = true;
  worker_ = std::thread([this, setting] { work(setting); });
}

void LinuxTableMachine::work(JobEngine::Setting setting) {
  constexpr std::size_t kMostJobs = 100'000;
  try {
    while (working_.load(std::memory_order_relaxed)) {
      const std::int64_t took_ns = engine_.run(setting, 1);
      const std::lock_guard lock(mutex_);
      if (!engine_.problem().empty()) problem_ = engine_.problem();
      if (job_ms_.size() < kMostJobs) job_ms_.push_back(static_cast<double>(took_ns) / 1e6);
    }
  } catch (const std::exception& error) {
    const std::lock_guard lock(mutex_);
    problem_ = error.what();
  }
  engine_.release_thread();
}

double LinuxTableMachine::stop() {
  if (!worker_.joinable()) return 0;
  working_ = false;
  worker_.join();
  if (job_ms_.empty()) return 0;
  const auto middle = job_ms_.begin() + static_cast<std::ptrdiff_t>(job_ms_.size() / 2);
  std::nth_element(job_ms_.begin(), middle, job_ms_.end());
  return *middle;
}

std::vector<int> LinuxTableMachine::widths_pct() const {
  std::vector<int> widths;
  const Network& network = engine_.network();
  for (int w = 0; w < network.widths(); ++w) widths.push_back(network.width_pct(w));
  return widths;
}

std::optional<double> LinuxTableMachine::accuracy_pct(int width_pct) const {
  const std::vector<int> widths = widths_pct();
  const auto width = std::find(widths.begin(), widths.end(), width_pct) - widths.begin();
  const Tally tally = engine_.tally(static_cast<int>(width), Precision::kFloat32);
  if (tally.total == 0) return std::nullopt;
  return tally.pct();
}

}  // namespace flyball
