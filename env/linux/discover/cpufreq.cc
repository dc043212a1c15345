#include <algorithm>
#include <cerrno>

#include "env/linux/discover/linux_machine.h"

namespace flyball {
namespace {

constexpr std::int64_t kUnknownLatencyNs = 4294967295;  // CPUFREQ_ETERNAL
constexpr const char* kCpufreq = "/sys/devices/system/cpu/cpufreq";

/// A driver lists its frequencies in its own order.
std::vector<std::int64_t> ascending(std::vector<std::int64_t> khz) {
  std::erase_if(khz, [](std::int64_t each) { return each <= 0; });
  std::sort(khz.begin(), khz.end());
  khz.erase(std::unique(khz.begin(), khz.end()), khz.end());
  return khz;
}

CpuSet cpus_of(const SysTree& tree, const std::string& folder) {
  CpuSet cpus;
  for (const std::int64_t cpu : tree.numbers(folder + "/related_cpus")) {
    if (cpu >= 0 && cpu < kMaxCpus) cpus.add(static_cast<int>(cpu));
  }
  const int error = tree.read_error(folder + "/related_cpus");
  if (!cpus.empty() || error == 0 || error == ENOENT) return cpus;
  // While all of them are offline, newer kernels refuse this as well: a CPU that was there is linked to its
  // policy all the same, and a policy has the number of one of its CPUs.
  const std::string policy = folder.substr(folder.rfind('/') + 1);
  for (const std::string& cpu : tree.entries("/sys/devices/system/cpu", "cpu")) {
    const auto number = whole_number(std::string_view(cpu).substr(3));
    if (!number || *number < 0 || *number >= kMaxCpus) continue;
    if (tree.link_name("/sys/devices/system/cpu/" + cpu + "/cpufreq") == policy ||
        cpu.substr(3) == policy.substr(6))
      cpus.add(static_cast<int>(*number));
  }
  return cpus;
}

CpufreqPolicy policy_at(const SysTree& tree, const std::string& name) {
  CpufreqPolicy policy;
  policy.name = name;
  policy.folder = std::string(kCpufreq) + "/" + name;
  const auto at = [&](const char* file) { return policy.folder + "/" + file; };
  policy.cpus = cpus_of(tree, policy.folder);
  policy.error = tree.read_error(at("scaling_governor"));
  policy.driver = tree.line(at("scaling_driver")).value_or("");
  policy.governor = tree.line(at("scaling_governor")).value_or("");
  policy.governors = tree.words(at("scaling_available_governors"));
  policy.table_khz = ascending(tree.numbers(at("scaling_available_frequencies")));
  policy.boost_khz = ascending(tree.numbers(at("scaling_boost_frequencies")));
  policy.hardware_min_khz = tree.number(at("cpuinfo_min_freq")).value_or(0);
  policy.hardware_max_khz = tree.number(at("cpuinfo_max_freq")).value_or(0);
  policy.min_khz = tree.number(at("scaling_min_freq")).value_or(policy.hardware_min_khz);
  policy.max_khz = tree.number(at("scaling_max_freq")).value_or(policy.hardware_max_khz);
  const auto latency_ns = tree.number(at("cpuinfo_transition_latency"));
  if (latency_ns && *latency_ns >= 0 && *latency_ns < kUnknownLatencyNs) {
    policy.transition_latency_ns = latency_ns;
  }
  for (int i = 0; i < policy.cpus.count(); ++i) {
    const std::string cpu = "/sys/devices/system/cpu/cpu" + std::to_string(policy.cpus.nth(i));
    policy.capacity = std::max(policy.capacity, tree.number(cpu + "/cpu_capacity").value_or(0));
  }
  policy.can_bound = tree.writable(at("scaling_min_freq")) && tree.writable(at("scaling_max_freq"));
  policy.can_set_speed = !policy.drives_itself() && tree.writable(at("scaling_governor")) &&
                         tree.writable(at("scaling_setspeed"));
  return policy;
}

/// By how boards name them: "57000000.gpu", "11800000.mali", "17000000.gp10b", "fdab0000.npu",
/// "soc:dmc", "13d00000.external-memory-controller".
DevfreqDevice::Kind kind_of(const std::string& names) {
  using Kind = DevfreqDevice::Kind;
  const auto any = [&](std::initializer_list<const char*> marks) {
    return std::any_of(marks.begin(), marks.end(),
                       [&](const char* mark) { return names.find(mark) != std::string::npos; });
  };
  if (any({"gpu", "mali", "gp10b", "gv11b", "gm20b", "ga10b", "kgsl", "panfrost", "panthor"}))
    return Kind::kGpu;
  if (any({"npu", "nvdla", "ethos", "edgetpu", "rknn"})) return Kind::kNpu;
  if (any({"fpga"})) return Kind::kFpga;
  if (any({"dmc", "memory", "emc", "ddr", "dram", "mif", "llcc", "mbus", "noc", "cci", "bus"}))
    return Kind::kMemory;
  return Kind::kOther;
}

}  // namespace

const char* element_name(DevfreqDevice::Kind kind) {
  switch (kind) {
    case DevfreqDevice::Kind::kGpu:
      return "gpu";
    case DevfreqDevice::Kind::kNpu:
      return "npu";
    case DevfreqDevice::Kind::kFpga:
      return "fpga";
    case DevfreqDevice::Kind::kMemory:
      return "memory";
    case DevfreqDevice::Kind::kOther:
      break;
  }
  return "device";
}

bool CpufreqPolicy::drives_itself() const {
  return driver == "intel_pstate" || driver == "amd-pstate-epp";
}

std::vector<CpufreqPolicy> discover_cpufreq(const SysTree& tree) {
  std::vector<CpufreqPolicy> policies;
  for (const std::string& name : tree.entries(kCpufreq, "policy")) {
    if (!whole_number(std::string_view(name).substr(6))) continue;
    CpufreqPolicy policy = policy_at(tree, name);
    if (!policy.cpus.empty()) policies.push_back(std::move(policy));
  }
  return policies;
}

std::vector<DevfreqDevice> discover_devfreq(const SysTree& tree) {
  constexpr const char* kDevfreq = "/sys/class/devfreq";
  std::vector<DevfreqDevice> devices;
  for (const std::string& name : tree.entries(kDevfreq)) {
    DevfreqDevice device;
    device.name = name;
    device.folder = std::string(kDevfreq) + "/" + name;
    const auto at = [&](const char* file) { return device.folder + "/" + file; };
    device.governor = tree.line(at("governor")).value_or("");
    device.governors = tree.words(at("available_governors"));
    device.table_hz = ascending(tree.numbers(at("available_frequencies")));
    device.min_hz = tree.number(at("min_freq")).value_or(0);
    device.max_hz = tree.number(at("max_freq")).value_or(0);
    device.now_hz = tree.number(at("cur_freq")).value_or(0);
    if (device.governor.empty() && device.table_hz.empty() && device.now_hz == 0) continue;
    // On older kernels the Mali is named by its address alone, and its driver says what it is.
    device.kind = kind_of(name + " " + tree.link_name(at("device/driver")));
    device.can_bound = tree.writable(at("min_freq")) && tree.writable(at("max_freq"));
    // Writing another name than a loaded one loads nothing here.
    device.can_set_speed =
        tree.writable(at("governor")) && std::find(device.governors.begin(), device.governors.end(),
                                                   "userspace") != device.governors.end();
    devices.push_back(std::move(device));
  }
  return devices;
}

}  // namespace flyball
