#include "governor/compare/joint_power.h"

#include <algorithm>
#include <bit>

#include "env/model/idle_states.h"

namespace flyball {

JointPower::JointPower(const SimModel& model, const Condition& condition)
    : m_(model), k_(condition) {
  for (int c = 0; c < m_.clusters; ++c) {
    const double wanted = k_.background->cores[c], cores = m_.cores[c];
    const double share = wanted > cores ? cores / wanted : 1;
    double& least = idle_mw_[static_cast<std::size_t>(c)];
    for (int opp = 0; opp <= m_.spec.clusters[static_cast<std::size_t>(c)].max_opp(); ++opp) {
      const double mw = cluster_mw(c, opp, share, {});
      least = opp == 0 ? mw : std::min(least, mw);
    }
  }
}

double JointPower::cluster_mw(int c, int opp, double share,
                              std::span<const RunningJob> jobs) const {
  const ClusterSpec& spec = m_.spec.clusters[static_cast<std::size_t>(c)];
  ClusterLoad load;
  load.opp = opp;
  load.busy_cores = k_.background->cores[c];
  load.busy_nf = k_.background->nf[c];
  load.gate_idle_cores = spec.gate_idle_cores;
  for (const RunningJob& job : jobs) {
    if (job.cost->busy_cores[c] == 0) continue;
    load.busy_cores += job.cost->busy_cores[c];
    load.busy_nf += job.cost->busy_nf[c];
    load.static_ma += job.cost->static_ma[c];
    load.gate_idle_cores = load.gate_idle_cores || job.profile->unit[c].gate_idle_cores;
  }
  load.busy_cores *= share;
  load.busy_nf *= share;
  ClusterPower power = cluster_power(spec, load);
  if (!spec.idle_states.empty()) {
    // The least: whatever is idle has been so for long.
    int occupied = static_cast<int>(k_.background->whole_cores[c]);
    for (const RunningJob& job : jobs) occupied += static_cast<int>(job.cost->cores[c]);
    const ClusterPower saved =
        idle_saving(spec, opp, occupied, load.gate_idle_cores, deepest_idle(spec, occupied == 0));
    power.fixed_mw -= saved.fixed_mw;
    power.leak -= saved.leak;
  }
  return power.fixed_mw + power.leak * k_.leakage_mw[static_cast<std::size_t>(c)];
}

double JointPower::mw(const OppChoice& opp, std::span<const RunningJob> jobs,
                      std::span<double> work_per_s) const {
  double total_mw = m_.spec.board_mw, memory_sum = 0;
  unsigned used = 0;
  std::array<double, kMaxClusters> share;
  for (const RunningJob& job : jobs) {
    used |= job.cost->clusters;
    memory_sum += job.cost->memory_share;
  }
  for (int c = 0; c < m_.clusters; ++c) {
    if ((used >> c & 1) == 0) {
      total_mw += idle_mw_[static_cast<std::size_t>(c)];
      continue;
    }
    double wanted = k_.background->cores[c];
    for (const RunningJob& job : jobs) wanted += job.cost->cores[c];
    share[c] = wanted > m_.cores[c] ? m_.cores[c] / wanted : 1;
    total_mw += cluster_mw(c, opp[c], share[c], jobs);
  }
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const JobCost& cost = *jobs[j].cost;
    double speed = 0;
    for (unsigned left = cost.clusters; left != 0; left &= left - 1) {
      const int c = std::countr_zero(left);
      speed += cost.speed_share[c] * share[c];
    }
    const double slowdown =
        1 + k_.background->slowdown + cost.memory_share * (memory_sum - cost.memory_share);
    work_per_s[j] = 1e9 * speed / (cost.alone_ns * slowdown);
  }
  return total_mw;
}

}  // namespace flyball
