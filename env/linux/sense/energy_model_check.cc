#include "env/linux/sense/energy_model_check.h"

#include <chrono>
#include <thread>

#include "env/linux/sense/cpu_usage.h"
#include "env/linux/sense/power_reading.h"
#include "kernels/base/clock.h"

namespace flyball {
namespace {

constexpr std::chrono::milliseconds kStep{50};  // five ticks of /proc/stat

}  // namespace

std::optional<EnergyModelCheck> check_energy_model(const SysTree& tree, const LinuxMachine& machine,
                                                   std::int64_t look_ns) {
  SettingCalls& calls = linux_setting_calls();
  PowerReading power(tree, machine, calls);
  bool in_watts = false;
  for (const EnergyModel& model : machine.energy_models) in_watts = in_watts || !model.abstract;
  if (!power.measures() || !in_watts) return std::nullopt;
  CpuUsage usage(tree, machine.online, calls);
  std::int64_t last_ns = monotonic_ns();
  const std::int64_t begin_ns = last_ns;
  double mw = 0;
  usage.read(last_ns);
  power.read(last_ns, mw);
  EnergyModelCheck check;
  check.source = power.source();
  while (last_ns - begin_ns < look_ns) {
    std::this_thread::sleep_for(kStep);
    const std::int64_t now_ns = monotonic_ns();
    const double step_s = static_cast<double>(now_ns - last_ns) * 1e-9;
    last_ns = now_ns;
    if (!usage.read(now_ns) || !power.read(now_ns, mw)) continue;
    check.seconds += step_s;
    check.measured_mw += mw * step_s;
    for (const CpufreqPolicy& policy : machine.policies) {
      const EnergyModel* model = machine.energy_model_of(policy.cpus.nth(0));
      const auto khz = tree.number(policy.folder + "/scaling_cur_freq");
      if (model == nullptr || !khz) continue;
      for (int i = 0; i < policy.cpus.count(); ++i) {
        const double busy = usage.busy_share(policy.cpus.nth(i));
        check.busy_cores += busy * step_s;
        check.modelled_mw += busy * model->power_mw(static_cast<double>(*khz)) * step_s;
      }
    }
  }
  if (check.seconds <= 0) return std::nullopt;
  for (double* sum : {&check.busy_cores, &check.modelled_mw, &check.measured_mw})
    *sum /= check.seconds;
  return check;
}

}  // namespace flyball
