#pragma once

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace flyball::testing {

/// A machine's /sys and /proc, made of files in a folder of their own.
class LinuxTree {
 public:
  LinuxTree() {
    std::string pattern = (std::filesystem::temp_directory_path() / "flyball-sys-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    root_ = pattern;
  }
  ~LinuxTree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  LinuxTree(const LinuxTree&) = delete;
  LinuxTree& operator=(const LinuxTree&) = delete;

  const std::string& root() const { return root_; }
  std::string path(const std::string& name) const { return root_ + name; }
  void write(const std::string& name, const std::string& text) const {
    const std::filesystem::path whole = path(name);
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole, std::ios::binary) << text;
  }
  std::string read(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  /// Its first line: a shorter text written over a longer one leaves the rest in a plain file.
  std::string line(const std::string& name) const {
    const std::string text = read(name);
    return text.substr(0, text.find('\n'));
  }
  void remove(const std::string& name) const { std::filesystem::remove_all(path(name)); }
  void pipe(const std::string& name) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    if (mkfifo(path(name).c_str(), 0600) != 0) throw std::runtime_error("mkfifo failed");
  }

  static std::string policy(int number) {
    return "/sys/devices/system/cpu/cpufreq/policy" + std::to_string(number) + "/";
  }
  /// A policy with a table, under schedutil, at its highest frequency.
  void add_policy(int first_cpu, int cpus, const std::string& table_khz, int min_khz, int max_khz,
                  int capacity) const {
    std::string related;
    for (int cpu = first_cpu; cpu < first_cpu + cpus; ++cpu) {
      if (!related.empty()) related += ' ';
      related += std::to_string(cpu);
      if (capacity > 0) {
        write("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpu_capacity",
              std::to_string(capacity) + "\n");
      }
    }
    const std::string at = policy(first_cpu);
    write(at + "related_cpus", related + "\n");
    write(at + "affected_cpus", related + "\n");
    write(at + "scaling_driver", "cpufreq-dt\n");
    write(at + "scaling_governor", "schedutil\n");
    write(at + "scaling_available_governors", "performance schedutil\n");
    if (!table_khz.empty()) write(at + "scaling_available_frequencies", table_khz + "\n");
    for (const char* file : {"cpuinfo_min_freq", "scaling_min_freq"})
      write(at + file, std::to_string(min_khz) + "\n");
    for (const char* file : {"cpuinfo_max_freq", "scaling_max_freq", "scaling_cur_freq"})
      write(at + file, std::to_string(max_khz) + "\n");
    write(at + "cpuinfo_transition_latency", "140000\n");
    write(at + "scaling_setspeed", "<unsupported>\n");
  }
  void add_cpus(int count) const {
    const std::string all = "0-" + std::to_string(count - 1) + "\n";
    for (const char* file : {"possible", "present", "online"})
      write(std::string("/sys/devices/system/cpu/") + file, all);
    write("/proc/self/status", "Name:\tflyball\nCpus_allowed_list:\t" + all);
    write_stat(std::vector<std::int64_t>(static_cast<std::size_t>(count), 0), 0);
  }
  /// /proc/stat after `elapsed_ticks`, of which CPU i was busy for `busy_ticks[i]`.
  void write_stat(const std::vector<std::int64_t>& busy_ticks, std::int64_t elapsed_ticks) const {
    std::string text = "cpu  0 0 0 0 0 0 0 0 0 0\n";
    for (std::size_t cpu = 0; cpu < busy_ticks.size(); ++cpu) {
      text += "cpu" + std::to_string(cpu) + " " + std::to_string(busy_ticks[cpu]) + " 0 0 " +
              std::to_string(elapsed_ticks - busy_ticks[cpu]) + " 0 0 0 0 0 0\n";
    }
    write("/proc/stat", text + "intr 0\nctxt 0\n");
  }

  /// As an Odroid XU3: two policies, four power rails, fan and throttling.
  void make_xu3() const {
    add_cpus(8);
    write("/proc/sys/kernel/osrelease", "6.1.0-18-armmp\n");
    write("/proc/device-tree/model", std::string("Hardkernel Odroid XU3\0", 22));
    write("/proc/sys/kernel/sched_energy_aware", "1\n");
    // In the driver's own order.
    add_policy(0, 4, "1400000 1200000 1000000 800000 600000 400000 200000", 200000, 1400000, 539);
    add_policy(4, 4, "2000000 1600000 1200000 800000 400000 200000", 200000, 2000000, 1024);
    const std::pair<const char*, const char*> rails[] = {
        {"3-0040", "1.250"}, {"3-0041", "0.150"}, {"3-0044", "0.200"}, {"3-0045", "0.400"}};
    for (const auto& [device, watts] : rails)
      write(std::string("/sys/bus/i2c/drivers/INA231/") + device + "/sensor_W",
            std::string(watts) + "\n");
    write("/sys/class/thermal/thermal_zone0/type", "cpu0-thermal\n");
    write("/sys/class/thermal/thermal_zone0/policy", "step_wise\n");
    write("/sys/class/thermal/thermal_zone0/temp", "55000\n");
    write("/sys/class/thermal/thermal_zone0/trip_point_0_type", "passive\n");
    write("/sys/class/thermal/thermal_zone0/trip_point_0_temp", "95000\n");
    write("/sys/class/thermal/cooling_device0/type", "thermal-cpufreq-0\n");
    write("/sys/class/thermal/cooling_device0/cur_state", "0\n");
    write("/sys/class/thermal/cooling_device0/max_state", "5\n");
    write("/sys/devices/system/cpu/cpu0/cpuidle/state0/name", "WFI\n");
    write("/sys/devices/system/cpu/cpu0/cpuidle/state0/latency", "1\n");
    write("/sys/devices/system/cpu/cpu4/cpuidle/state0/name", "WFI\n");
    write("/sys/devices/system/cpu/cpu4/cpuidle/state1/name", "cpu-sleep\n");
    write("/sys/devices/system/cpu/cpu4/cpuidle/state1/latency", "300\n");
    write("/sys/devices/system/cpu/cpu4/cpuidle/state0/time", "250000\n");
    write("/sys/devices/system/cpu/cpu4/cpuidle/state1/time", "750000\n");
    write("/sys/devices/system/cpu/cpu4/cpuidle/state1/usage", "31\n");
    write("/sys/devices/system/cpu/cpu4/cpuidle/state1/residency", "2000\n");
    write("/sys/devices/system/cpu/cpu4/cpuidle/state1/disable", "0\n");
    for (const char* resource : {"cpu", "memory", "io"})
      write(std::string("/proc/pressure/") + resource,
            "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
  }

  /// As a Jetson Nano: one policy, a GPU under devfreq, three rails.
  void make_nano() const {
    add_cpus(4);
    write("/proc/device-tree/model", "NVIDIA Jetson Nano Developer Kit");
    add_policy(0, 4, "102000 403200 825600 1479000", 102000, 1479000, 0);
    const std::string gpu = "/sys/class/devfreq/57000000.gpu/";
    write(gpu + "governor", "nvhost_podgov\n");
    write(gpu + "available_frequencies", "921600000 76800000 460800000\n");
    write(gpu + "min_freq", "76800000\n");
    write(gpu + "max_freq", "921600000\n");
    write(gpu + "cur_freq", "76800000\n");
    const std::string ina = "/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/";
    const char* rails[] = {"POM_5V_IN", "POM_5V_GPU", "POM_5V_CPU"};
    for (int i = 0; i < 3; ++i) {
      write(ina + "rail_name_" + std::to_string(i), std::string(rails[i]) + "\n");
      write(ina + "in_power" + std::to_string(i) + "_input", std::to_string(2000 / (i + 1)) + "\n");
    }
    write("/sys/class/thermal/thermal_zone1/type", "CPU-therm\n");
    write("/sys/class/thermal/thermal_zone1/temp", "41500\n");
  }

  /// As a laptop under intel_pstate, which has a policy per CPU and no table.
  void make_laptop(int cpus = 4) const {
    add_cpus(cpus);
    for (int cpu = 0; cpu < cpus; ++cpu) {
      add_policy(cpu, 1, "", 400000, 4700000, 0);
      write(policy(cpu) + "scaling_driver", "intel_pstate\n");
      write(policy(cpu) + "scaling_governor", "powersave\n");
      write(policy(cpu) + "scaling_available_governors", "performance powersave\n");
      write(policy(cpu) + "cpuinfo_transition_latency", "4294967295\n");
    }
    const std::string rapl = "/sys/class/powercap/intel-rapl:0/";
    write(rapl + "name", "package-0\n");
    write(rapl + "energy_uj", "262143000000\n");
    write(rapl + "max_energy_range_uj", "262143328850\n");
    write("/sys/class/powercap/intel-rapl:0:0/name", "core\n");
    write("/sys/class/powercap/intel-rapl:0:0/energy_uj", "1000\n");
    const std::string battery = "/sys/class/power_supply/BAT0/";
    write(battery + "type", "Battery\n");
    write(battery + "status", "Discharging\n");
    write(battery + "capacity", "81\n");
    write(battery + "power_now", "7400000\n");
    const std::string mouse = "/sys/class/power_supply/hidpp_battery_0/";
    write(mouse + "type", "Battery\n");
    write(mouse + "scope", "Device\n");
    write(mouse + "status", "Discharging\n");
    write(mouse + "capacity", "5\n");
    write(mouse + "power_now", "1\n");
    write("/sys/class/power_supply/AC/type", "Mains\n");
    write("/sys/class/power_supply/AC/online", "0\n");
  }

  /// As most virtual machines: cpufreq is there and empty.
  void make_vm() const {
    add_cpus(2);
    std::filesystem::create_directories(path("/sys/devices/system/cpu/cpufreq"));
  }

 private:
  std::string root_;
};

}  // namespace flyball::testing
