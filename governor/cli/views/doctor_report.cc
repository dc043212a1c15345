#include "governor/cli/views/doctor_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include "env/linux/actuate/choice.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "kernels/base/counted.h"

namespace flyball::cli {
namespace {

struct Line {
  std::string label, text;
};
using Lines = std::vector<Line>;

double mhz(std::int64_t khz) { return static_cast<double>(khz) / 1e3; }

std::string steps_of(const CpufreqPolicy& policy) {
  if (policy.table_khz.empty()) return "no table of steps";
  return fmt::format("{} steps", policy.table_khz.size());
}

ActuatorChoice device_actuator(const DevfreqDevice& device) {
  if (!device.runs_jobs()) return {ActuatorKind::kNone, "no job runs on it: it is Linux's"};
  return choose_actuator(device, ActuatorKind::kAuto);
}

std::string device_text(const DevfreqDevice& device) {
  return fmt::format("{}: {:.0f} to {:.0f} MHz, governor {}", device.name,
                     static_cast<double>(device.min_hz) / 1e6,
                     static_cast<double>(device.max_hz) / 1e6,
                     device.governor.empty() ? "unknown" : device.governor);
}

std::string policy_text(const CpufreqPolicy& policy) {
  if (policy.governor.empty() && policy.error != 0)
    return fmt::format("CPUs {}: cannot be read", policy.cpus.to_string());
  std::string text =
      fmt::format("CPUs {}: {:.0f} to {:.0f} MHz, {}", policy.cpus.to_string(),
                  mhz(policy.hardware_min_khz), mhz(policy.hardware_max_khz), steps_of(policy));
  if (policy.min_khz > policy.hardware_min_khz || policy.max_khz < policy.hardware_max_khz) {
    text +=
        fmt::format(", held within {:.0f} to {:.0f} MHz", mhz(policy.min_khz), mhz(policy.max_khz));
  }
  text += fmt::format(", governor {}, driver {}", policy.governor,
                      policy.driver.empty() ? "unknown" : policy.driver);
  if (policy.capacity > 0) text += fmt::format(", capacity {}", policy.capacity);
  return text;
}

const char* kind_name(PowerSensor::Kind kind) {
  switch (kind) {
    case PowerSensor::Kind::kRapl:
      return "RAPL";
    case PowerSensor::Kind::kHwmon:
      return "hwmon";
    case PowerSensor::Kind::kIna231:
      return "INA231";
    case PowerSensor::Kind::kIna3221:
      return "INA3221";
    case PowerSensor::Kind::kBattery:
      break;
  }
  return "battery";
}

std::string power_text(const PowerSensor& sensor) {
  return fmt::format("rail '{}' by {}{}", sensor.rail, kind_name(sensor.kind),
                     sensor.readable ? "" : ", not readable by this user");
}

std::string zone_text(const ThermalZone& zone) {
  std::string text = zone.type;
  if (zone.temp_mc) text += fmt::format(" {:.1f} C", static_cast<double>(*zone.temp_mc) / 1e3);
  if (!zone.governor.empty()) text += ", governor " + zone.governor;
  for (const ThermalTrip& trip : zone.trips)
    text += fmt::format(", {} at {:.0f} C", trip.type, static_cast<double>(trip.temp_mc) / 1e3);
  return text;
}

std::string supply_text(const PowerSupply& supply) {
  std::string text = supply.type;
  if (supply.capacity_pct) text += fmt::format(" {} %", *supply.capacity_pct);
  if (!supply.status.empty()) text += ", " + supply.status;
  if (supply.online) text += *supply.online ? ", plugged in" : ", not plugged in";
  if (!supply.of_system) text += " (of a device, not this machine's)";
  return text;
}

/// The share is of the idle time of the first of the CPUs.
std::string idle_text(const IdleTable& table) {
  std::string text = fmt::format("CPUs {}:", table.cpus.to_string());
  double idle_us = 0;
  for (const IdleState& state : table.states)
    idle_us += static_cast<double>(state.time_us.value_or(0));
  for (const IdleState& state : table.states) {
    text += fmt::format("{} {}", &state == &table.states.front() ? "" : ",", state.name);
    if (state.latency_us) text += fmt::format(" {} us", *state.latency_us);
    std::vector<std::string> more;
    // Waiting for an interrupt pays at once.
    if (state.residency_us.value_or(0) > 1)
      more.push_back(fmt::format("pays from {} us on", *state.residency_us));
    if (state.time_us && idle_us > 0)
      more.push_back(
          fmt::format("{:.0f} % of idle", 100 * static_cast<double>(*state.time_us) / idle_us));
    if (state.disabled) more.push_back("switched off");
    if (!more.empty()) text += fmt::format(" ({})", fmt::join(more, ", "));
  }
  return text;
}

std::string model_text(const EnergyModel& model) {
  const EnergyModel::State &low = model.states.front(), &high = model.states.back();
  if (model.abstract) {
    return fmt::format("CPUs {}: the Linux kernel's, without watts: its powers only compare",
                       model.cpus.to_string());
  }
  return fmt::format(
      "CPUs {}: a busy one takes {:.0f} mW at {:.0f} MHz to {:.0f} mW at {:.0f} MHz, the Linux "
      "kernel "
      "believes",
      model.cpus.to_string(), low.power_mw, mhz(low.freq_khz), high.power_mw, mhz(high.freq_khz));
}

std::string check_text(const EnergyModelCheck& check) {
  if (!check.is_comparable()) {
    return fmt::format("nothing ran in {:.1f} s, so it is not compared with {}", check.seconds,
                       check.source);
  }
  const double off = check.off_pct();
  return fmt::format(
      "it says {:.0f} mW for the load of {:.1f} s ({:.1f} busy cores), {:.0f} % {} than the {:.0f} "
      "mW "
      "measured ({}), which has in it what else is fed there",
      check.modelled_mw, check.seconds, check.busy_cores, std::abs(off), off < 0 ? "less" : "more",
      check.measured_mw, check.source);
}

Lines offers(const DoctorFinding& found) {
  const LinuxMachine& machine = found.machine;
  const std::string& counters = found.counters;
  Lines lines;
  for (const CpufreqPolicy& policy : machine.policies)
    lines.push_back({policy.name, policy_text(policy)});
  for (const DevfreqDevice& device : machine.devfreq) {
    lines.push_back({element_name(device.kind), device_text(device)});
  }
  for (const PowerSensor& sensor : machine.power) lines.push_back({"power", power_text(sensor)});
  for (const EnergyModel& model : machine.energy_models)
    lines.push_back({"energy", model_text(model)});
  if (found.energy) lines.push_back({"", check_text(*found.energy)});
  for (const ThermalZone& zone : machine.zones) lines.push_back({zone.name, zone_text(zone)});
  for (const CoolingDevice& device : machine.cooling) {
    if (device.state > 0)
      lines.push_back({device.name, fmt::format("{} holds something down: state {} of {}",
                                                device.type, device.state, device.max_state)});
  }
  for (const PowerSupply& supply : machine.supplies)
    lines.push_back({supply.name, supply_text(supply)});
  for (const IdleTable& table : machine.idle) lines.push_back({"idle", idle_text(table)});
  if (!machine.pressure.empty()) lines.push_back({"pressure", joined(machine.pressure)});
  if (machine.places_by_energy())
    lines.push_back({"scheduler", "places tasks by energy while schedutil governs every policy"});
  if (machine.uclamp) lines.push_back({"uclamp", "utilisation clamps of threads"});
  if (!counters.empty()) lines.push_back({"counters", counters});
  return lines;
}

/// Why '--actuator uclamp' is refused; empty where it is not.
std::string clamps_reason(const LinuxMachine& machine) {
  if (machine.policies.empty())
    return machine.uclamp ? "" : why_no_clamps(machine, CpufreqPolicy());
  for (const CpufreqPolicy& policy : machine.policies)
    if (why_no_clamps(machine, policy).empty()) return "";
  return why_no_clamps(machine, machine.policies.front());
}

/// Each thing that is not there, once.
std::vector<std::string> lacks(const LinuxMachine& machine) {
  std::vector<std::string> lines;
  const auto lack = [&](bool is, const char* what) {
    if (is) lines.push_back(what);
  };
  lack(machine.kernel.empty(), "the kernel's version (proc/sys/kernel/osrelease)");
  lack(machine.online.empty(), "the list of CPUs (sys/devices/system/cpu/online)");
  if (machine.policies.empty()) {
    lines.push_back(machine.cpufreq_folder
                        ? "cpufreq: no driver, its folder is empty; clocks cannot be governed here "
                          "(most virtual machines)"
                        : "cpufreq: not in this Linux kernel; clocks cannot be governed here");
  }
  lack(machine.devfreq.empty(), "GPU and memory clocks under devfreq");
  lack(machine.power.empty(), "power sensors: power and energy are modelled");
  lack(!machine.power.empty() &&
           std::none_of(machine.power.begin(), machine.power.end(),
                        [](const PowerSensor& sensor) { return sensor.readable; }),
       "power sensors that this user may read: power and energy are modelled");
  lack(machine.zones.empty(), "thermal zones");
  lack(machine.idle.empty(), "idle states");
  lack(machine.pressure.empty(), "pressure stall information");
  if (const std::string why = clamps_reason(machine); !why.empty())
    lines.push_back("utilisation clamps of threads, for '--actuator uclamp': " + why);
  lack(!machine.policies.empty() && !machine.places_by_energy(), "energy-aware scheduling");
  return lines;
}

std::vector<std::string> conflicts(const LinuxMachine& machine) {
  std::vector<std::string> lines;
  for (const RivalDaemon& rival : machine.rivals) {
    lines.push_back(fmt::format("{} (process {}) turns {}", rival.name, rival.pid, rival.turns));
  }
  for (const CpufreqPolicy& policy : machine.policies) {
    if (policy.governor == "userspace")
      lines.push_back(policy.name + " is under governor userspace: some program sets its speed");
  }
  if (machine.quota.cpus) {
    lines.push_back(fmt::format("{} leaves this process {:.2f} cores' worth of time",
                                machine.quota.source, *machine.quota.cpus));
  }
  if (is_confined(machine)) {
    lines.push_back(fmt::format("a cpuset or affinity confines this process to CPUs {} of {}",
                                machine.allowed.to_string(), machine.online.to_string()));
  }
  return lines;
}

Lines costs(const DoctorFinding& found) {
  Lines lines;
  for (const ReadCost& cost : found.reads)
    lines.push_back(
        {cost.what, fmt::format("{}, {:.1f} us each to read, {}", counted(cost.files, "file"),
                                cost.us_a_file, cost.when)});
  if (const auto& epochs = found.epochs) {
    lines.push_back(
        {"an epoch",
         fmt::format("{:.0f} us of a core to sense and decide with {:.1f} cores busy: at {:.0f} a "
                     "second {:.2f} % of a core; in a nap, twice a second",
                     epochs->cpu_us, epochs->busy_cores, epochs->epochs_a_second(),
                     epochs->share_of_a_core_pct())});
    lines.push_back({"writes",
                     "not tried, for doctor changes nothing; only what changes is written, "
                     "by a thread that no epoch waits for"});
  }
  return lines;
}

/// The text beside its label, wrapped into what is left of the line.
void render(const char* heading, const Lines& lines, int columns, std::string& out) {
  out += fmt::format("\n{}\n", heading);
  std::size_t width = 0;
  for (const Line& line : lines) width = std::max(width, line.label.size());
  const std::size_t indent = width > 0 ? width + 4 : 2;
  for (const Line& line : lines) {
    std::string margin = fmt::format("{:{}}", line.label.empty() ? "" : "  " + line.label, indent);
    std::istringstream each(wrapped(line.text, std::max(columns - static_cast<int>(indent), 20)));
    for (std::string part; std::getline(each, part); margin.assign(margin.size(), ' '))
      out += margin + part + '\n';
  }
}

Lines unlabelled(const std::vector<std::string>& texts) {
  Lines lines;
  for (const std::string& text : texts) lines.push_back({"", text});
  return lines;
}

}  // namespace

std::string doctor_text(const DoctorFinding& found, int columns) {
  const LinuxMachine& machine = found.machine;
  std::string out = wrapped(
      fmt::format("Linux {}{}, CPUs {} online", machine.kernel.empty() ? "?" : machine.kernel,
                  machine.model.empty() ? "" : " on " + machine.model,
                  machine.online.empty() ? "?" : machine.online.to_string()),
      columns);
  const auto section = [&](const char* heading, const Lines& lines) {
    if (!lines.empty()) render(heading, lines, columns, out);
  };
  section("Offers", offers(found));
  section("Lacks", unlabelled(lacks(machine)));
  section("Conflicts", unlabelled(conflicts(machine)));
  section("Costs", costs(found));
  Lines choices;
  for (const CpufreqPolicy& policy : machine.policies) {
    const ActuatorChoice choice = choose_actuator(machine, policy, ActuatorKind::kAuto);
    choices.push_back({policy.name, fmt::format("{}: {}", actuator_name(choice.kind), choice.why)});
  }
  for (const DevfreqDevice& device : machine.devfreq) {
    const ActuatorChoice choice = device_actuator(device);
    choices.push_back({device.name, fmt::format("{}: {}", actuator_name(choice.kind), choice.why)});
  }
  section("Would be governed by", choices);
  return out;
}

Json doctor_json(const DoctorFinding& found) {
  const LinuxMachine& machine = found.machine;
  Json json{{"schema", 1},
            {"kernel", machine.kernel},
            {"model", machine.model},
            {"online_cpus", machine.online.to_string()},
            {"allowed_cpus", machine.allowed.to_string()},
            {"on_battery", machine.on_battery()}};
  if (machine.quota.cpus) json["cpu_quota_cores"] = *machine.quota.cpus;
  Json& policies = json["policies"] = Json::array();
  for (const CpufreqPolicy& policy : machine.policies) {
    const ActuatorChoice choice = choose_actuator(machine, policy, ActuatorKind::kAuto);
    Json one{{"name", policy.name},
             {"cpus", policy.cpus.to_string()},
             {"driver", policy.driver},
             {"governor", policy.governor},
             {"frequencies_khz", policy.table_khz},
             {"hardware_min_khz", policy.hardware_min_khz},
             {"hardware_max_khz", policy.hardware_max_khz},
             {"min_khz", policy.min_khz},
             {"max_khz", policy.max_khz},
             {"actuator", actuator_name(choice.kind)},
             {"actuator_reason", choice.why}};
    if (policy.transition_latency_ns) one["transition_latency_ns"] = *policy.transition_latency_ns;
    if (policy.capacity > 0) one["capacity"] = policy.capacity;
    policies.push_back(std::move(one));
  }
  Json& devfreq = json["devfreq"] = Json::array();
  for (const DevfreqDevice& device : machine.devfreq) {
    devfreq.push_back({{"name", device.name},
                       {"gpu", device.gpu()},
                       {"element", element_name(device.kind)},
                       {"actuator", actuator_name(device_actuator(device).kind)},
                       {"actuator_reason", device_actuator(device).why},
                       {"governor", device.governor},
                       {"frequencies_hz", device.table_hz},
                       {"min_hz", device.min_hz},
                       {"max_hz", device.max_hz}});
  }
  Json& power = json["power"] = Json::array();
  for (const PowerSensor& sensor : machine.power) {
    power.push_back(
        {{"rail", sensor.rail}, {"by", kind_name(sensor.kind)}, {"readable", sensor.readable}});
  }
  Json& models = json["energy_models"] = Json::array();
  for (const EnergyModel& model : machine.energy_models) {
    Json one{{"cpus", model.cpus.to_string()}, {"abstract", model.abstract}};
    Json& states = one["states"] = Json::array();
    for (const EnergyModel::State& state : model.states) {
      Json entry{{"freq_khz", state.freq_khz}};
      entry[model.abstract ? "power" : "power_mw"] = state.power_mw;
      states.push_back(std::move(entry));
    }
    models.push_back(std::move(one));
  }
  if (found.energy) {
    const EnergyModelCheck& check = *found.energy;
    Json& one = json["energy_model_check"] = {{"seconds", check.seconds},
                                              {"busy_cores", check.busy_cores},
                                              {"modelled_mw", check.modelled_mw},
                                              {"measured_mw", check.measured_mw},
                                              {"measured_by", check.source}};
    if (check.is_comparable()) one["off_pct"] = check.off_pct();
  }
  Json& zones = json["thermal_zones"] = Json::array();
  for (const ThermalZone& zone : machine.zones) {
    Json one{{"name", zone.name}, {"type", zone.type}, {"governor", zone.governor}};
    if (zone.temp_mc) one["temp_c"] = static_cast<double>(*zone.temp_mc) / 1e3;
    Json& trips = one["trips"] = Json::array();
    for (const ThermalTrip& trip : zone.trips)
      trips.push_back({{"type", trip.type}, {"temp_c", static_cast<double>(trip.temp_mc) / 1e3}});
    zones.push_back(std::move(one));
  }
  Json& idle = json["idle_states"] = Json::array();
  for (const IdleTable& table : machine.idle) {
    Json one{{"cpus", table.cpus.to_string()}};
    Json& states = one["states"] = Json::array();
    for (const IdleState& state : table.states) {
      Json entry{{"name", state.name}, {"disabled", state.disabled}};
      if (state.latency_us) entry["latency_us"] = *state.latency_us;
      if (state.residency_us) entry["residency_us"] = *state.residency_us;
      if (state.time_us) entry["time_us"] = *state.time_us;
      if (state.entered) entry["entered"] = *state.entered;
      states.push_back(std::move(entry));
    }
    idle.push_back(std::move(one));
  }
  Json& supplies = json["power_supplies"] = Json::array();
  for (const PowerSupply& supply : machine.supplies) {
    Json one{{"name", supply.name}, {"type", supply.type}, {"of_system", supply.of_system}};
    if (!supply.status.empty()) one["status"] = supply.status;
    if (supply.capacity_pct) one["capacity_pct"] = *supply.capacity_pct;
    supplies.push_back(std::move(one));
  }
  json["pressure"] = machine.pressure;
  json["uclamp"] = machine.uclamp;
  const std::string no_clamps = clamps_reason(machine);
  json["uclamp_reason"] = no_clamps.empty() ? Json(nullptr) : Json(no_clamps);
  json["energy_aware_scheduling"] = machine.places_by_energy();
  if (!found.counters.empty()) json["counters"] = found.counters;
  json["lacks"] = lacks(machine);
  json["conflicts"] = conflicts(machine);
  Json& reads = json["costs"]["reads"] = Json::array();
  for (const ReadCost& cost : found.reads)
    reads.push_back({{"what", cost.what},
                     {"files", cost.files},
                     {"us_a_file", cost.us_a_file},
                     {"when", cost.when}});
  if (const auto& epochs = found.epochs)
    json["costs"]["epoch"] = {{"cpu_us", epochs->cpu_us},
                              {"busy_cores", epochs->busy_cores},
                              {"epochs_a_second", epochs->epochs_a_second()},
                              {"share_of_a_core_pct", epochs->share_of_a_core_pct()}};
  Json& rivals = json["rival_daemons"] = Json::array();
  for (const RivalDaemon& rival : machine.rivals)
    rivals.push_back({{"name", rival.name}, {"process", rival.pid}, {"turns", rival.turns}});
  return json;
}

}  // namespace flyball::cli
