#include "governor/record/scenario_hash.h"

#include <algorithm>

#include "kernels/base/hash.h"

namespace flyball {

std::uint64_t scenario_hash(const Scenario& scenario) {
  Fnv1a hash;
  hash.add(scenario.name);
  hash.add(scenario.duration_ns);
  for (const double number :
       {scenario.ambient_c, scenario.energy_preference, scenario.battery_mj, scenario.battery_pct})
    hash.add(number);
  hash.add(scenario.battery_until_ns);
  const auto add_required = [&](const Requirements& required) {
    hash.add_all(required.period_ns, required.deadline_ns, required.accuracy_floor_pct,
                 required.energy_budget_mj, required.power_budget_mw, required.priority,
                 required.grace_ns, static_cast<int>(required.objective));
  };
  for (const AppSpec& app : scenario.apps) {
    const Arrival& arrival = app.arrival;
    hash.add_all(app.name, app.profile, static_cast<int>(arrival.kind), arrival.period_ns,
                 arrival.jitter, arrival.burst_jobs, arrival.burst_gap_ns);
    for (const ListedJob& job : arrival.listed)
      hash.add_all(job.release_ns, job.deadline_ns, job.work);
    add_required(app.required);
    hash.add_all(app.work_cv, app.work_correlation, app.threads, app.queue_limit, app.start_ns,
                 app.stop_ns);
    for (const WorkTrend& trend : app.work_trends)
      hash.add_all(trend.from_ns, trend.to_ns, trend.before, trend.after);
  }
  for (const BackgroundLoad& load : scenario.background) {
    hash.add_all(load.name, load.cluster, load.cores, load.core_nf, load.memory_slowdown,
                 load.start_ns, load.stop_ns);
  }
  for (const ScenarioEvent& event : scenario.events) {
    hash.add(event.at_ns);
    hash.add(static_cast<int>(event.kind));
    hash.add(event.app);
    add_required(event.required);
    hash.add(event.value);
    if (!event.announced) hash.add("unannounced");
  }
  if (const SensorFaults& faults = scenario.sensors; faults.any()) {
    hash.add_all(faults.noise, faults.delay_ns, faults.stuck_from_ns, faults.temp_noise_c,
                 faults.temp_delay_ns, faults.temp_stuck_from_ns);
    // Only where there are some: scenarios of before are what they were.
    if (std::max({faults.lost_from_ns, faults.back_ns, faults.temp_lost_from_ns,
                  faults.temp_back_ns}) >= 0)
      hash.add_all(faults.lost_from_ns, faults.back_ns, faults.temp_lost_from_ns,
                   faults.temp_back_ns);
  }
  return hash.value();
}

}  // namespace flyball
