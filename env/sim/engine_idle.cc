#include <algorithm>
#include <cmath>

#include "env/model/idle_states.h"
#include "env/sim/engine.h"

// What idle cores do on a board that has idle states, and what it takes to wake them.

namespace flyball {

/// A job that starts waits until the cores of its mapping run: those in the deepest state last.
void Engine::wake(int a) {
  SimJob& run = s_.run[a];
  const auto& cores = m_.spec.mappings[s_.jobs.app[a].job_setting.mapping].cores;
  run.awake_ns = s_.now_ns;
  for (int c = 0; c < m_.clusters; ++c) {
    if (cores[c] == 0) continue;
    SimIdle& idle = s_.idle[c];
    const double waking_ns = exit_ns(m_.spec.clusters[c], idle.depth);
    idle.awake_ns =
        std::max(idle.awake_ns, s_.now_ns + static_cast<std::int64_t>(std::llround(waking_ns)));
    run.awake_ns = std::max(run.awake_ns, idle.awake_ns);
  }
  run.overhead_ns += static_cast<double>(run.awake_ns - s_.now_ns);
}

/// How deep the idle cores are, what that saves, and when it changes next. All idle cores of a
/// cluster count as idle since a job or the background last came on it or left it: which of them
/// were busy before is the scheduler's to say.
void Engine::look_at_idleness() {
  const BackgroundSegment& background = m_.ledger.segments[s_.script.segment];
  s_.idle_ns = kNeverNs;
  for (int a = 0; a < m_.apps; ++a) {
    if (s_.jobs.app[a].running && wakes(a)) s_.idle_ns = std::min(s_.idle_ns, s_.run[a].awake_ns);
  }
  for (int c = 0; c < m_.clusters; ++c) {
    const ClusterSpec& spec = m_.spec.clusters[c];
    if (spec.idle_states.empty()) continue;
    SimIdle& idle = s_.idle[c];
    auto occupied = static_cast<std::int32_t>(background.whole_cores[c]);
    bool gated = spec.gate_idle_cores;
    for (int a = 0; a < m_.apps; ++a) {
      if (!s_.jobs.app[a].running || s_.run[a].cores[c] == 0) continue;
      occupied += s_.run[a].cores[c];
      gated = gated || m_.ledger.profile[a]->unit[c].gate_idle_cores;
    }
    if (occupied != idle.occupied) idle.since_ns = s_.now_ns;
    idle.occupied = occupied;
    idle.depth = 0;
    if (occupied < spec.cores) {
      const std::int64_t idle_ns = s_.now_ns - idle.since_ns;
      idle.depth = idle_depth(spec, occupied == 0, idle_ns);
      const std::int64_t next_ns = next_depth_ns(spec, occupied == 0, idle_ns);
      if (next_ns != kNeverDeeper) s_.idle_ns = std::min(s_.idle_ns, idle.since_ns + next_ns);
    }
    idle.saved = idle_saving(spec, s_.knobs.cluster[c].opp, occupied, gated, idle.depth);
  }
}

}  // namespace flyball
