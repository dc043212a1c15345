#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "env/linux/cpu_quota.h"
#include "env/linux/discover/sys_tree.h"
#include "kernels/base/cpu_set.h"

namespace flyball {

/// A frequency domain of CPUs under cpufreq.
struct CpufreqPolicy {
  std::string name;    ///< "policy4"
  std::string folder;  ///< below the tree's root
  CpuSet cpus;         ///< that belong to it, offline ones too
  std::string driver;
  std::string governor;                 ///< in charge; empty: it cannot be read
  std::vector<std::string> governors;   ///< loaded now; writing "userspace" loads it
  std::vector<std::int64_t> table_khz;  ///< ascending, without boost; empty: there is no table
  std::vector<std::int64_t> boost_khz;
  std::int64_t hardware_min_khz = 0, hardware_max_khz = 0;
  /// In force: what the user set, and what heat and firmware leave of it.
  std::int64_t min_khz = 0, max_khz = 0;
  std::optional<std::int64_t> transition_latency_ns;  ///< absent: unknown
  std::int64_t capacity = 0;  ///< of its fastest CPU, 1024 the machine's fastest; 0: not said
  int error = 0;              ///< errno of every access: EBUSY while all its CPUs are offline
  bool can_bound = false;     ///< limits can be written by this process
  bool can_set_speed = false;

  /// Drivers that run the clock themselves and offer no exact frequency.
  bool drives_itself() const;
};

/// A frequency domain without CPUs, under devfreq.
struct DevfreqDevice {
  enum class Kind : std::uint8_t { kGpu, kNpu, kFpga, kMemory, kOther };
  std::string name, folder, governor;
  std::vector<std::string> governors;  ///< loaded now
  std::vector<std::int64_t> table_hz;  ///< ascending; empty: there is no table
  std::int64_t min_hz = 0,
               max_hz = 0;  ///< in force; 0: not said, as of older kernels without a limit
  std::int64_t now_hz = 0;
  Kind kind = Kind::kOther;
  bool can_bound = false;      ///< limits can be written by this process
  bool can_set_speed = false;  ///< the userspace governor is there, and can be chosen

  bool gpu() const { return kind == Kind::kGpu; }
  /// Whether jobs run there: it is a processing element.
  bool runs_jobs() const { return kind == Kind::kGpu || kind == Kind::kNpu || kind == Kind::kFpga; }
};
/// "gpu", "npu", "fpga", "memory", or "device".
const char* element_name(DevfreqDevice::Kind kind);

struct ThermalTrip {
  std::string type;  ///< "passive", "critical"
  std::int64_t temp_mc = 0;
};
struct ThermalZone {
  std::string name, folder, type, governor;
  std::optional<std::int64_t> temp_mc;
  std::vector<ThermalTrip> trips;
  bool of_cpu = false;  ///< by its type: a CPU's or the package's
};
struct CoolingDevice {
  std::string name, type;
  std::int64_t state = 0, max_state = 0;  ///< 0: it holds nothing down
};

/// Something that tells power or energy. `rail` says of what.
struct PowerSensor {
  enum class Kind : std::uint8_t { kRapl, kHwmon, kIna231, kIna3221, kBattery };
  Kind kind = Kind::kRapl;
  std::string rail;              ///< "package-0", "A15", "total", "battery BAT0"
  std::string file;              ///< below the root; of energy for RAPL, of power else
  std::string current_file;      ///< hwmon without power: of mA, and `file` is of mV
  std::int64_t wraps_at_uj = 0;  ///< RAPL
  bool readable = false;
  bool of_board = false;  ///< hwmon: a chip that is made to measure a board's rails
  bool input = false;     ///< hwmon: by its label the rail that feeds the board's others
};

struct PowerSupply {
  std::string name, type, status;
  std::optional<std::int64_t> capacity_pct;
  bool of_system = false;  ///< false: a mouse's, a keyboard's
  std::optional<bool> online;
  bool tells_energy = false;  ///< what is left in it, in Wh or in Ah and V
};

/// A state of cpuidle. What the driver does not say is absent.
struct IdleState {
  std::string name;
  std::optional<std::int64_t> latency_us;    ///< to leave it, at worst
  std::optional<std::int64_t> residency_us;  ///< target: an idle time from which on it pays
  std::optional<std::int64_t> time_us;       ///< that the CPU has been in it since it booted
  std::optional<std::int64_t> entered;       ///< how often
  bool disabled = false;
};
struct IdleTable {
  CpuSet cpus;
  std::vector<IdleState> states;
};

/// What the Linux kernel believes of the power of CPUs, and places tasks by: a belief, as ours are.
struct EnergyModel {
  struct State {
    std::int64_t freq_khz = 0;
    double power_mw = 0;  ///< of one CPU that is busy
  };
  CpuSet cpus;
  std::vector<State> states;  ///< ascending
  bool abstract = false;      ///< only what they are to each other means something

  /// Between two states on the line through them; of the nearest beyond the ends.
  double power_mw(double freq_khz) const;
};

/// Another program that turns the same knobs.
struct RivalDaemon {
  std::string name;
  int pid = 0;
  const char* turns = "";
};

/// What a Linux machine shows of itself. Everything is optional.
struct LinuxMachine {
  std::string kernel;  ///< "6.1.0-18-arm64"
  std::string model;   ///< of the board or product; empty: not said
  CpuSet possible, online;
  CpuSet allowed;  ///< to this process, by cpuset and affinity
  CpuQuota quota;
  std::vector<CpufreqPolicy> policies;
  bool cpufreq_folder = false;  ///< is there, though perhaps empty
  std::vector<DevfreqDevice> devfreq;
  std::vector<ThermalZone> zones;
  std::vector<CoolingDevice> cooling;
  std::vector<PowerSensor> power;
  std::vector<EnergyModel> energy_models;  ///< from debugfs, which root alone may read
  std::vector<PowerSupply> supplies;
  std::vector<IdleTable> idle;
  std::vector<std::string> pressure;  ///< of "cpu", "memory", "io"
  std::vector<RivalDaemon> rivals;
  bool uclamp = false;
  bool energy_aware = false;  ///< offered, and switched on

  /// Energy-aware scheduling is possible: it is on, and the CPUs differ.
  bool places_by_energy() const;
  bool on_battery() const;
  /// Of that CPU, in milliwatts; nullptr when there is none.
  const EnergyModel* energy_model_of(int cpu) const;
};

/// Whether CPUs are online on which this process may not run.
bool is_confined(const LinuxMachine& machine);

LinuxMachine discover_machine(const SysTree& tree);

// Its parts.
std::vector<CpufreqPolicy> discover_cpufreq(const SysTree& tree);
std::vector<DevfreqDevice> discover_devfreq(const SysTree& tree);
void discover_thermal(const SysTree& tree, LinuxMachine& machine);
std::vector<EnergyModel> discover_energy_models(const SysTree& tree);
std::vector<PowerSensor> discover_power(const SysTree& tree);
std::vector<PowerSupply> discover_supplies(const SysTree& tree);
std::vector<RivalDaemon> find_rivals(const SysTree& tree);

}  // namespace flyball
