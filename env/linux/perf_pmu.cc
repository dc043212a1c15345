#include "env/linux/perf_pmu.h"

#include <linux/perf_event.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "kernels/base/whole_file.h"

namespace flyball {

namespace {

namespace fs = std::filesystem;

/// sysfs hands out a page at most.
constexpr std::size_t kMaxBytes = 64 * 1024;

std::string text_of(const fs::path& path) {
  std::string bytes;
  if (!read_whole_file(path.string(), kMaxBytes, bytes)) return {};
  while (!bytes.empty() && bytes.back() == '\n') bytes.pop_back();
  return bytes;
}

/// The name goes into a line for the user.
bool plain(const std::string& name) {
  return name.size() <= 64 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
         });
}

std::optional<PerfPmu> read_pmu(const fs::path& folder) {
  PerfPmu pmu;
  pmu.name = folder.filename().string();
  if (!plain(pmu.name)) return {};
  if (pmu.name.starts_with("armv")) pmu.kind = PerfPmu::Kind::kArm;
  // Uncore units have a `cpumask`; the old Arm kernels' core units have nothing.
  const std::string cpus = text_of(folder / "cpus");
  if (cpus.empty() && pmu.kind != PerfPmu::Kind::kArm) return {};
  if (!cpus.empty()) {
    const auto set = parse_cpu_list(cpus);
    if (!set || set->empty()) return {};
    pmu.cpus = *set;
  }
  const std::string type = text_of(folder / "type");
  const auto [end, error] = std::from_chars(type.data(), type.data() + type.size(), pmu.type);
  if (error != std::errc() || end != type.data() + type.size()) return {};
  return pmu;
}

}  // namespace

std::vector<PerfPmu> find_perf_pmus(const std::string& sysfs_root) {
  const fs::path devices = fs::path(sysfs_root) / "bus/event_source/devices";
  std::vector<PerfPmu> pmus;
  std::error_code error;
  for (fs::directory_iterator it(devices, error), end; !error && it != end; it.increment(error)) {
    if (auto pmu = read_pmu(it->path())) pmus.push_back(std::move(*pmu));
  }
  std::sort(pmus.begin(), pmus.end(),
            [](const PerfPmu& a, const PerfPmu& b) { return a.name < b.name; });
  if (pmus.size() > kMaxPmus) pmus.resize(kMaxPmus);
  if (pmus.empty()) {
    // AMD selects events by 12 bits, all others by 8; its generic cache events are those of L2.
    const bool amd = text_of(devices / "cpu/format/event").find("32-35") != std::string::npos;
    pmus.push_back({"cpu", amd ? PerfPmu::Kind::kAmd : PerfPmu::Kind::kGeneric, 0, {}});
  }
  return pmus;
}

std::optional<PerfEncoding> perf_encoding(const PerfPmu& pmu, CounterField field) {
  const bool arm = pmu.kind == PerfPmu::Kind::kArm;
  // Arm: numbers of the architecture (PMUv3, Arm ARM D13): INST_RETIRED, CPU_CYCLES, L2D_CACHE,
  // L2D_CACHE_REFILL, STALL_BACKEND. The unit's own type says whose they are on every kernel;
  // generic events of a chosen unit need Linux 6.6.
  const auto encode = [&](std::uint64_t generic, std::uint64_t raw) -> PerfEncoding {
    if (arm) return {pmu.type, raw};
    return {PERF_TYPE_HARDWARE, (std::uint64_t{pmu.type} << PERF_PMU_TYPE_SHIFT) | generic};
  };
  switch (field) {
    case CounterField::kInstructions:
      return encode(PERF_COUNT_HW_INSTRUCTIONS, 0x08);
    case CounterField::kCycles:
      return encode(PERF_COUNT_HW_CPU_CYCLES, 0x11);
    case CounterField::kCacheMisses:
      return encode(PERF_COUNT_HW_CACHE_MISSES, 0x17);
    case CounterField::kCacheReferences:
      return encode(PERF_COUNT_HW_CACHE_REFERENCES, 0x16);
    case CounterField::kStalledCycles:
      return encode(PERF_COUNT_HW_STALLED_CYCLES_BACKEND, 0x24);
    case CounterField::kContextSwitches:
    case CounterField::kCpuTime:
      break;
  }
  return {};
}

const char* perf_cache_level(const PerfPmu& pmu) {
  return pmu.kind == PerfPmu::Kind::kGeneric ? "LLC" : "L2";
}

}  // namespace flyball
