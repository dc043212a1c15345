#include "agents/linux_governor.h"

#include <algorithm>

#include "agents/opp_search.h"

namespace flyball {
namespace {

constexpr double kThroughout = 0.999;   // busy share of a CPU that did not sleep
constexpr std::int64_t kIdleTicks = 3;  // between looks at whether a limit moved

/// Epochs may be shorter than devfreq's looks.
constexpr std::int64_t kDevfreqNs = 10'000'000;

}  // namespace

double simple_ondemand_khz(double busy_pct, double cur_khz, double max_khz) {
  if (busy_pct > 90) return max_khz;
  if (busy_pct > 85) return cur_khz;
  // The Linux kernel divides by upthreshold - downdifferential / 2 in integers: 90 - 5 / 2 = 88.
  return cur_khz * busy_pct / 88;
}

LinuxGovernor::LinuxGovernor(const AgentContext& context, Placement::Kind placement)
    : platform_(context.belief.mean),
      apps_(context.belief),
      placement_(placement, context.belief.mean),
      explained_(context.belief.mean.big_cluster()),
      sampled_ns_(static_cast<std::size_t>(placement_.queues().cpu_count())) {}

void LinuxGovernor::bind(int slot, const Binding& binding, const Observation& now) {
  auto& place = apps_.bind(slot, binding, now);
  place.own = true;
  placement_.bind(slot, *place.profile, binding.threads);
}

void LinuxGovernor::unbind(int slot) {
  placement_.unbind(slot);
  apps_.unbind(slot);
}

void LinuxGovernor::see_scheduler(const Observation& now, const Action& action) {
  now_ns_ = now.now_ns;
  const bool tick = now.now_ns / kTickNs != (now.now_ns - now.epoch_ns) / kTickNs;
  for (std::size_t c = 0; c < platform_.clusters.size(); ++c) {
    const bool ran = now.cluster[c].util_max > 0;
    // Whatever did not run throughout woke or went to sleep. What did is looked at on ticks alone: an
    // epoch may have ended with an event of another cluster.
    const bool slept = ran && now.cluster[c].util_max < kThroughout;
    scheduled_[c] = slept || (tick && (ran || ticking_[c]));
    ticking_[c] = ran || (ticking_[c] && !tick);
  }
  for (const JobRecord& job : now.jobs()) {
    const auto& cores = platform_.mappings[job.setting.mapping].cores;
    for (std::size_t c = 0; c < platform_.clusters.size(); ++c)
      scheduled_[c] = scheduled_[c] || (cores[c] > 0 && !job.dropped);
  }
  for (std::size_t a = 0; a < static_cast<std::size_t>(now.app_count); ++a) {
    const AppObservation& app = now.app[a];
    if (app.released == 0) continue;
    const int mapping = app.running.busy ? app.running.setting.mapping : action.app[a].mapping;
    const auto& cores = platform_.mappings[static_cast<std::size_t>(mapping)].cores;
    for (std::size_t c = 0; c < platform_.clusters.size(); ++c)
      if (cores[c] > 0) scheduled_[c] = ticking_[c] = true;
  }
}

EpochRequest LinuxGovernor::scheduler_epoch() const {
  bool ticks = false;
  for (const bool ticking : ticking_) ticks = ticks || ticking;
  return {.interval_ns = (ticks ? 1 : kIdleTicks) * kTickNs - now_ns_ % kTickNs,
          .stop_at_release = true,
          .stop_at_finish = true};
}

EpochRequest LinuxGovernor::epoch() const {
  constexpr std::int64_t kLookNs = 10'000'000;
  return {.interval_ns = timer_ns() > 0 ? timer_ns() - gathered_.ns : kLookNs,
          .stop_at_release = true,
          .stop_at_finish = true};
}

void LinuxGovernor::see_busy(const Observation& now) {
  const RunQueues& queues = placement_.queues();
  std::array<double, kMaxClusters> most_ns{};
  for (int i = 0; i < queues.cpu_count(); ++i) {
    double& most = most_ns[static_cast<std::size_t>(queues.cpu(i).cluster)];
    most = std::max(most, queues.busy_ns(i) - sampled_ns_[static_cast<std::size_t>(i)]);
  }
  for (std::size_t c = 0; c < static_cast<std::size_t>(now.cluster_count); ++c) {
    busy_share_[c] = now.cluster[c].util_max;
    // Of an epoch in which CPUs took turns that says too much.
    if (apps_.count() == 0 || now.epoch_ns <= 0) continue;
    busy_share_[c] =
        std::min(busy_share_[c], (most_ns[c] - busiest_ns_[c]) / static_cast<double>(now.epoch_ns));
    busiest_ns_[c] = most_ns[c];
  }
}

void LinuxGovernor::sampled(int cluster) {
  const RunQueues& queues = placement_.queues();
  busiest_ns_[static_cast<std::size_t>(cluster)] = 0;
  for (int i = 0; i < queues.cpu_count(); ++i) {
    if (queues.cpu(i).cluster == cluster)
      sampled_ns_[static_cast<std::size_t>(i)] = queues.busy_ns(i);
  }
}

/// What next_opp() is shown; null: it is not time.
const Observation* LinuxGovernor::on_timer(const Observation& now) {
  // An epoch that ends a little early is none to wait for.
  constexpr std::int64_t kEarlyNs = 1'000'000;
  // Where no task is placed, no epoch ends before its time.
  if (timer_ns() <= 0 || now.epoch_ns <= 0 || apps_.count() == 0) {
    gathered_ = {};
    return &now;
  }
  const auto epoch_ns = static_cast<double>(now.epoch_ns);
  for (int i = 0; i < now.cluster_count; ++i) {
    const auto c = static_cast<std::size_t>(i);
    gathered_.busiest_ns[c] += busy_share(i) * epoch_ns;
    gathered_.mean_ns[c] += now.cluster[c].util_mean * epoch_ns;
    gathered_.counters[c].add(now.cluster[c].counters, 1, gathered_.ns == 0);
  }
  gathered_.ns += now.epoch_ns;
  if (gathered_.ns < timer_ns() - kEarlyNs) return nullptr;
  shown_ = now;
  shown_.epoch_ns = gathered_.ns;
  for (int i = 0; i < now.cluster_count; ++i) {
    const auto c = static_cast<std::size_t>(i);
    shown_.cluster[c].util_max = gathered_.busiest_ns[c] / static_cast<double>(gathered_.ns);
    shown_.cluster[c].util_mean = gathered_.mean_ns[c] / static_cast<double>(gathered_.ns);
    shown_.cluster[c].counters = gathered_.counters[c];
    sampled(i);
  }
  gathered_ = {};
  return &shown_;
}

int LinuxGovernor::gpu_opp(int cluster, const Observation& now, int cap) {
  const ClusterSpec& spec = cluster_spec(cluster);
  const ClusterObservation& seen = now.cluster[static_cast<std::size_t>(cluster)];
  GpuLoad& load = gpu_[static_cast<std::size_t>(cluster)];
  load.elapsed_ns += now.epoch_ns;
  load.busy_ns += seen.util_max * static_cast<double>(now.epoch_ns);
  if (now.epoch_ns > 0 && load.elapsed_ns < kDevfreqNs) return std::min(load.opp, cap);
  const double busy_pct =
      load.elapsed_ns > 0 ? 100 * load.busy_ns / static_cast<double>(load.elapsed_ns) : 0;
  load = {};
  // devfreq recommends without DEVFREQ_FLAG_LEAST_UPPER_BOUND: the lowest OPP that suffices.
  load.opp = lowest_at_least(spec,
                             simple_ondemand_khz(busy_pct, static_cast<double>(seen.freq_khz),
                                                 static_cast<double>(spec.opps.back().freq_khz)),
                             cap);
  return load.opp;
}

void LinuxGovernor::decide(const Observation& now, Decision& out) noexcept {
  out.fresh = true;
  if (now.app_count > 0) {
    placement_.observe(now);
    placement_.place(now, out.action);
  }
  see_scheduler(now, out.action);
  see_busy(now);
  const Observation* shown = on_timer(now);
  for (int c = 0; c < cluster_count(); ++c) {
    const ClusterSpec& cluster = cluster_spec(c);
    const ClusterObservation& seen = now.cluster[c];
    const int cap = std::min<int>(seen.opp_cap, cluster.max_opp());
    int opp = out.action.opp[c];
    if (cluster.kind == ClusterSpec::Kind::kGpu)
      opp = gpu_opp(c, now, cap);
    else if (shown != nullptr)
      opp = next_opp(c, *shown, cap);
    out.action.opp[c] = static_cast<std::uint8_t>(std::clamp(opp, 0, cap));
  }
  out.reason = {Reason::Code::kUtil,
                static_cast<std::uint8_t>(explained_),
                {static_cast<float>(100 * now.cluster[explained_].util_max)}};
}

}  // namespace flyball
