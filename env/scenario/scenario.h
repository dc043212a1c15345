#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "env/scenario/sensor_faults.h"
#include "env/spaces/binding.h"
#include "env/spaces/limits.h"
#include "env/spaces/requirements.h"

namespace flyball {

/// A job that a file names by itself.
struct ListedJob {
  std::int64_t release_ns = 0;
  std::int64_t deadline_ns = 0;  ///< after the release
  double work = 1;               ///< relative to the nominal job
};

/// How the jobs of an application are released.
struct Arrival {
  enum class Kind {
    kPeriodic,  ///< every period, with uniform jitter of +- jitter * period
    kBursty,  ///< periodic bursts: burst_jobs jobs spaced burst_gap_ns, then silence until the next
              ///< period
    kPoisson,  ///< event-driven: exponential gaps with mean period
    kListed,   ///< those of `listed`
  };
  Kind kind = Kind::kPeriodic;
  std::int64_t period_ns = 0;
  double jitter = 0;
  int burst_jobs = 1;
  std::int64_t burst_gap_ns = 0;
  std::vector<ListedJob> listed;  ///< ascending

  /// What `Requirements::period_ns` says of releases every `every_ns`.
  std::int64_t nominal_gap_ns(std::int64_t every_ns) const {
    return kind == Kind::kPoisson || kind == Kind::kListed ? 0 : every_ns / burst_jobs;
  }
};

/// How the work of an application's jobs changes over time, which it announces to nobody: a factor that
/// goes from one value to another in a line, and is constant before and after.
struct WorkTrend {
  std::int64_t from_ns = 0, to_ns = 0;  ///< equal: a step
  double before = 1, after = 1;

  double at(std::int64_t ns) const {
    if (ns >= to_ns) return after;
    if (ns <= from_ns) return before;
    return before + (after - before) * static_cast<double>(ns - from_ns) /
                        static_cast<double>(to_ns - from_ns);
  }
};

/// An application of a scenario, with all times resolved against the platform.
struct AppSpec {
  std::string name;
  int profile = 0;  ///< index into PlatformSpec::apps
  Arrival arrival;
  Requirements required;
  double work_cv =
      0;  ///< log-normal variation of the work from job to job (coefficient of variation)
  double work_correlation = 0;  ///< of successive jobs, 0 to <1
  int threads = 1;      ///< how many threads it starts where nobody maps it (Linux governors)
  int queue_limit = 4;  ///< a job released beyond this backlog is dropped and counts as missed
  std::int64_t start_ns = 0;
  std::int64_t stop_ns = 0;
  std::vector<WorkTrend> work_trends{};  ///< of all of which a job has the product

  /// Of a job that is released then, relative to one at the beginning.
  double work_at(std::int64_t release_ns) const {
    double factor = 1;
    for (const WorkTrend& trend : work_trends) factor *= trend.at(release_ns);
    return factor;
  }
};

/// What it tells the roster of itself when it comes.
Binding binding_of(const AppSpec& app, const AppProfile& profile);

/// Other load that comes and goes and that nobody governs.
struct BackgroundLoad {
  std::string name;
  int cluster = 0;
  double cores = 1;    ///< how many cores it keeps busy
  double core_nf = 0;  ///< switched capacitance of each
  double memory_slowdown =
      0;  ///< it slows every job by 1 + this, through shared memory, while it runs
  std::int64_t start_ns = 0;
  std::int64_t stop_ns = 0;
};

/// Something that changes at a time; the fields that are set apply.
struct ScenarioEvent {
  enum class Kind { kRequirements, kAmbient, kPreference, kBattery, kPeriod };
  std::int64_t at_ns = 0;
  Kind kind = Kind::kAmbient;
  int app = -1;           ///< kRequirements, kPeriod
  Requirements required;  ///< kRequirements: the complete new ones
  double value = 0;       ///< ambient_c, preference, battery_pct, period_ns
  bool announced = true;  ///< kPeriod: false: what the application says of itself stays as it was
};

/// What happens over time. Constant after loading.
struct Scenario {
  std::string name;
  std::string description;
  std::int64_t duration_ns = 0;
  double ambient_c = 25;
  double energy_preference = 0.5;
  double battery_mj = 0;     ///< capacity; 0 means mains
  double battery_pct = 100;  ///< at the start
  std::int64_t battery_until_ns = 0;  ///< that it has to last; 0: no matter
  std::vector<AppSpec> apps;
  bool plain_load = false;  ///< all of them are tasks, which leave nothing but clocks to choose
  std::vector<BackgroundLoad> background;
  std::vector<ScenarioEvent> events;  ///< ascending in time
  SensorFaults sensors;               ///< of the platform that plays it
  std::vector<std::string>
      warnings;  ///< one line each, for the user: what cannot be met from the start
};

/// Mean power at which `left_mj` of the battery lasts as long as the scenario asks; 0 when it does not
/// ask, or no longer.
double sustainable_mw(const Scenario& scenario, double left_mj, std::int64_t now_ns);

/// Reads configs/scenarios/NAME.yaml or a path (FILE.json is rt-app's), with times resolved against
/// `platform`, which has the scenario's tasks (plain_tasks.h). Throws Error (kInput) with file and
/// line.
Scenario load_scenario(const std::string& name_or_path, const PlatformSpec& platform);

}  // namespace flyball
