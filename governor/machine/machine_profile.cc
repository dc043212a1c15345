#include "governor/machine/machine_profile.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "env/linux/cpu_quota.h"
#include "env/model/network_levels.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

/// The first of these that the machine tells: of x86 in /proc/cpuinfo, of Arm boards in the device
/// tree. As it is told.
std::string raw_cpu_model() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    const std::size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos)
      return line.substr(colon + 2);
  }
  std::ifstream board("/proc/device-tree/model");
  std::string model;
  std::getline(board, model, '\0');
  return model;
}

/// Without what is no printable ASCII: the profile's file could not hold it.
std::string cpu_model() {
  std::string model = raw_cpu_model();
  std::erase_if(model, [](char c) { return c < ' ' || c > '~'; });
  return model.find_first_not_of(' ') == model.npos ? "unknown CPU" : model;
}

long read_number(const std::string& path) {
  std::ifstream file(path);
  long number = 0;
  return file >> number ? number : 0;
}

/// How fast Linux takes a core to be; equal for equal cores, 0 where it does not say.
long capacity_of(const std::string& sysfs, int cpu) {
  const std::string folder = fmt::format("{}/cpu{}", sysfs, cpu);
  const long capacity = read_number(folder + "/cpu_capacity");
  return capacity > 0 ? capacity : read_number(folder + "/cpufreq/cpuinfo_max_freq");
}

}  // namespace

MachineIdentity this_machine() {
  const Operators* operators = choose_operators();
  const int cpus = thread_affinity().count();
  // A quota of more than all CPUs binds nobody.
  const double quota = std::round(100 * read_cpu_quota().cpus.value_or(0)) / 100;
  return {cpu_model(), cpus, operators ? operators->name : "none", quota < cpus ? quota : 0};
}

std::vector<CpuSet> profile_cpu_sets(const std::string& sysfs) {
  std::vector<CpuSet> sets = growing_cpu_sets();
  const CpuSet available = thread_affinity();
  std::map<long, CpuSet> kinds;
  for (int i = 0; i < available.count(); ++i) {
    const int cpu = available.nth(i);
    kinds[capacity_of(sysfs, cpu)].add(cpu);
  }
  if (kinds.size() < 2) return sets;
  for (const auto& [capacity, cpus] : kinds) {
    for (const CpuSet& set : {CpuSet{cpus.nth(0)}, cpus}) {
      if (std::find(sets.begin(), sets.end(), set) == sets.end()) sets.push_back(set);
    }
  }
  return sets;
}

MachineProfile make_profile(const EngineCalibration& calibration, const Network& network,
                            const std::string& model, std::uint32_t checksum) {
  MachineProfile profile;
  profile.machine = this_machine();
  profile.machine.operators = network.operators().name;
  profile.model = model;
  profile.checksum = checksum;
  for (const EngineCalibration::Row& row : calibration.rows) {
    profile.rows.push_back({network.width_pct(row.width), row.precision == Precision::kInt8,
                            row.cpus, row.inference_ns / 1000, row.median_ns / 1000,
                            row.high_ns / 1000, row.batches});
  }
  return profile;
}

int MachineProfile::unstable_rows() const {
  return static_cast<int>(
      std::count_if(rows.begin(), rows.end(), [](const Row& row) { return row.unstable(); }));
}

double MachineProfile::time_spread() const {
  constexpr double kDeviations = 1.28;  // a normal time's deciles are so many away from its mean
  constexpr double kLeast = 0.05;       // what another day makes of it
  double sum = 0;
  for (const Row& row : rows) sum += row.spread() * row.spread();
  return rows.empty()
             ? kLeast
             : std::max(kLeast, std::sqrt(sum / static_cast<double>(rows.size())) / kDeviations);
}

const MachineProfile::Row* MachineProfile::find(int width_pct, bool int8, int cores) const {
  for (const Row& row : rows)
    if (row.width_pct == width_pct && row.int8 == int8 && row.cpus.count() == cores) return &row;
  return nullptr;
}

std::string MachineProfile::mismatch(const MachineIdentity& now,
                                     std::uint32_t model_checksum) const {
  const auto text = [](const MachineIdentity& m) {
    return fmt::format("{}, {} CPU{}{}, {}", m.cpu, m.cpus, m.cpus == 1 ? "" : "s",
                       m.cpu_quota > 0 ? fmt::format(" with a quota of {:.2f}", m.cpu_quota) : "",
                       m.operators);
  };
  if (!(machine == now)) {
    return fmt::format("it was measured on another machine ({}) than this one ({})", text(machine),
                       text(now));
  }
  if (checksum != model_checksum) {
    return fmt::format(
        "it was measured with another model (checksum {:08x}) than this one ({:08x})", checksum,
        model_checksum);
  }
  return "";
}

bool MachineProfile::apply(AppProfile& app, int cores) const {
  const NetworkLevel full = network_level(app, app.level_count() - 1);
  const Row* reference = find(full.width_pct, full.int8, 1);
  if (reference == nullptr) return false;
  std::vector<LevelProfile> levels = app.levels;
  for (std::size_t l = 0; l < levels.size(); ++l) {
    LevelProfile& level = levels[l];
    const NetworkLevel of = network_level(app, static_cast<int>(l));
    const Row* one = find(of.width_pct, of.int8, 1);
    if (one == nullptr) return false;
    level.time_factor = one->time_us / reference->time_us;
    level.parallel_fraction.clear();
    for (int n = 2; n <= cores; ++n) {
      const Row* row = find(of.width_pct, of.int8, n);
      if (row == nullptr) return false;
      // The fraction that gives this speed-up by Amdahl's law. More than all of it (caches), or
      // less than nothing, is more than the model knows.
      const double share = row->time_us / one->time_us;
      level.parallel_fraction.push_back(std::clamp((1 - share) / (1 - 1.0 / n), 0.0, 1.0));
    }
  }
  app.levels = std::move(levels);
  return true;
}

std::string state_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  std::string state = variable("XDG_STATE_HOME");
  if (!state.starts_with('/')) {
    if (variable("HOME").empty()) return "";
    state = variable("HOME") + "/.local/state";
  }
  return state + "/flyball";
}

std::string plain_file_name(std::string name) {
  for (char& c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.';
    if (!plain) c = '_';
  }
  return name;
}

std::string default_profile_path() {
  const std::string folder = state_folder();
  if (folder.empty()) {
    input_error("profile", "neither XDG_STATE_HOME nor HOME says where to keep it",
                "set one of them, or name a file");
  }
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  return folder + "/profile-" + plain_file_name(host[0] != '\0' ? host : "localhost") + ".yaml";
}

}  // namespace flyball
