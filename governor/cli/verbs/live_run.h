#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "env/linux/cpu_quota.h"
#include "env/model/belief.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "governor/cli/interrupt.h"
#include "governor/cli/verbs/policies.h"
#include "governor/cli/views/live_text.h"
#include "governor/cli/views/setting_sink.h"
#include "governor/machine/inference_engine.h"
#include "governor/metrics/metrics.h"
#include "governor/metrics/monitor_figures.h"

namespace flyball::cli {

/// One policy that governs real jobs on the emulated platform, from an idle start to the end of the
/// scenario.
struct LiveRun {
  std::string policy;
  StartingPoint start;      ///< what it starts from
  std::string learn_to;     ///< policy file for what it learns; empty: none
  double duration_s = 0;    ///< the scenario is cut or stretched to this
  std::string record;       ///< recording to write; empty: none
  LiveTitle title;
  std::string channel_dir;  ///< applications of other processes may join it there; empty: none
  bool channel_asked = false;  ///< where it cannot be had, the run fails
};

struct LiveResult {
  std::string policy;
  Metrics metrics;
  std::vector<MonitorFigure> monitors;
  double measured_s = 0;
  bool whole = false;            ///< it ran to its end
  std::vector<SettingUse> uses;  ///< of the knobs, the most used first
  std::vector<Tally> tallies;    ///< per level of the stream's model: images its jobs recognised
  std::optional<CpuThrottling> throttling;  ///< by the CPU quota during the run; absent: none
  std::string record_problem;               ///< empty, or why the recording is not whole
  std::string learn_problem;                ///< empty, or why what it learned is not kept
  std::string counters;            ///< what measured the performance counters, and what is absent
  std::vector<std::string> notes;  ///< what did not go as asked, for the end
};

/// The scenario lasting `duration_s`: applications and loads that lasted to its end last to the new
/// one.
Scenario with_duration(Scenario scenario, double duration_s);

/// The jobs' parts that must be the same for every policy, so that all meet the same stream.
struct Stream {
  const PlatformSpec& platform;
  const Belief& belief;
  std::uint64_t times_hash;  ///< of the machine profile in use; 0: none
  const Scenario& scenario;
  InferenceEngine& engine;
  std::uint64_t seed = 1;
  bool profiled = false;                  ///< the platform's times are a profile's
  std::int64_t inference_ns = 0;          ///< the profile's, or measured by the first run
  std::vector<int> inferences_per_job{};  ///< of each application, known after the first run
};

/// Per level of the scenario's application: images that the engine's jobs saw and recognised so
/// far.
std::vector<Tally> tallies_of(const Stream& stream);

/// Told why no application of another process can join; empty when they can, or are not to.
using Introduce = std::function<void(const std::string& channel_problem)>;

/// `before_start` is called when all that can be refused has been accepted, before the first job.
/// Throws Error.
LiveResult run_live(Stream& stream, const LiveRun& run, const InterruptScope& interrupt, bool plain,
                    const Introduce& before_start = {});

/// Throws Error unless every policy can be made as it is written ("userspace" lacks its frequency).
void check_runs(const Stream& stream, const std::vector<LiveRun>& runs);

}  // namespace flyball::cli
