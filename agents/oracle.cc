#include "agents/oracle.h"

#include <algorithm>

#include "agents/explain.h"
#include "agents/profile.h"
#include "env/config/error.h"
#include "env/model/model.h"

namespace flyball {

namespace {

constexpr double kTempC = 60;  // for the leakage of idling: the middle of what the boards reach

const Foresight& need_foresight(const Foresight* foresight) {
  if (foresight == nullptr) {
    input_error("policy 'oracle'", "it needs to know the future, which only simulation does",
                "use it with 'flyball compare' on a simulated platform");
  }
  return *foresight;
}

}  // namespace

Oracle::Oracle(const AgentContext& context)
    : platform_(context.platform),
      scenario_(context.scenario),
      foresight_(need_foresight(context.foresight)) {
  for (std::size_t a = 0; a < scenario_.apps.size(); ++a) {
    const AppProfile& profile = platform_.apps[static_cast<std::size_t>(scenario_.apps[a].profile)];
    widths_ascend_[a] = true;
    for (std::size_t w = 1; w < profile.widths.size(); ++w) {
      widths_ascend_[a] =
          widths_ascend_[a] && profile.widths[w].time_factor >= profile.widths[w - 1].time_factor &&
          profile.widths[w].time_factor * profile.widths[w].activity_factor >=
              profile.widths[w - 1].time_factor * profile.widths[w - 1].activity_factor;
    }
    for (std::size_t m = 0; m < platform_.mappings.size(); ++m) {
      supported_[a][m] = runs_on(profile, platform_.mappings[m]);
    }
  }
  for (std::size_t c = 0; c < platform_.clusters.size(); ++c) {
    const ClusterSpec& cluster = platform_.clusters[c];
    ClusterLoad load;
    load.gate_idle_cores = cluster.gate_idle_cores;
    load.temp_c = kTempC;
    const double lowest_mw = cluster_power_mw(cluster, load);
    for (load.opp = 0; load.opp <= cluster.max_opp(); ++load.opp) {
      idle_above_mw_[c][static_cast<std::size_t>(load.opp)] =
          cluster_power_mw(cluster, load) - lowest_mw;
    }
  }
}

void Oracle::decide(const Observation& now, Action& out) {
  out = Action{};
  for (int a = 0; a < now.app_count; ++a) {
    out.app[a] = plan_[a].setting;
    if (now.app[a].backlog == 0) plan_[a].opp = {};
    for (int c = 0; c < kMaxClusters; ++c) out.opp[c] = std::max(out.opp[c], plan_[a].opp[c]);
  }
  for (int a = 0; a < now.app_count; ++a) {
    const AppObservation& seen = now.app[a];
    if (!seen.active || seen.released == 0 || seen.backlog == 0) continue;
    Plan& plan = plan_[a];
    const Arrival& arrival = scenario_.apps[a].arrival;
    const bool same_burst = now.now_ns - plan.released_ns < 2 * arrival.burst_gap_ns;
    plan.burst_job = same_burst ? plan.burst_job + 1 : 0;
    plan.released_ns = now.now_ns;

    // What the other applications need stays; this one's own frequencies are searched anew, except
    // while an earlier job of it still runs and needs them.
    Action others = out;
    others.opp = seen.backlog > 1 ? plan.opp : OppChoice{};
    for (int b = 0; b < now.app_count; ++b) {
      if (b == a) continue;
      for (int c = 0; c < kMaxClusters; ++c)
        others.opp[c] = std::max(others.opp[c], plan_[b].opp[c]);
    }
    search(now, a, others);
    out = others;
    out.app[a] = plan.setting;
    for (int c = 0; c < kMaxClusters; ++c) out.opp[c] = std::max(out.opp[c], plan.opp[c]);
  }
  for (int c = 0; c < now.cluster_count; ++c)
    out.opp[c] = std::min(out.opp[c], now.cluster[c].opp_cap);
}

std::int64_t Oracle::latest_finish_ns(const Observation& now, int app) const {
  const std::int64_t deadline = now.app[app].required.deadline_ns;
  const Arrival& arrival = scenario_.apps[app].arrival;
  if (arrival.kind != Arrival::Kind::kBursty || arrival.burst_jobs < 2)
    return now.now_ns + deadline;
  // A job that leaves no time to the rest of its burst is not the best for the stream: the burst's
  // whole time, from its first release to its last deadline, is shared evenly.
  const std::int64_t share =
      ((arrival.burst_jobs - 1) * arrival.burst_gap_ns + deadline) / arrival.burst_jobs;
  const std::int64_t index = std::min(plan_[app].burst_job, arrival.burst_jobs - 1);
  return now.now_ns + std::min(deadline, share + index * (share - arrival.burst_gap_ns));
}

Foresight::Outcome Oracle::preview(const Action& others, const OppChoice& own, int app) {
  ++tried_;
  Action action = others;
  for (int c = 0; c < kMaxClusters; ++c) action.opp[c] = std::max(action.opp[c], own[c]);
  return foresight_.preview(action, app);
}

double Oracle::idle_saving_mj(const OppChoice& opp, std::int64_t finish_ns,
                              std::int64_t deadline_ns) const {
  // A preview idles at the chosen frequencies until the deadline; really they fall at the epoch
  // after the finish.
  const std::int64_t idle_ns = deadline_ns - finish_ns - epoch().interval_ns / 2;
  if (idle_ns <= 0) return 0;
  double above_mw = 0;
  for (std::size_t c = 0; c < platform_.clusters.size(); ++c) above_mw += idle_above_mw_[c][opp[c]];
  return above_mw * static_cast<double>(idle_ns) * 1e-9;
}

void Oracle::search_mapping(const Observation& now, int app, Action action, Best& best) {
  const Mapping& mapping = platform_.mappings[action.app[app].mapping];
  const std::int64_t deadline_ns = now.now_ns + now.app[app].required.deadline_ns;
  const std::int64_t limit_ns = latest_finish_ns(now, app);
  const auto consider = [&](const OppChoice& own) {
    const Foresight::Outcome outcome = preview(action, own, app);
    const bool on_time = outcome.meets_deadline && outcome.finish_ns <= limit_ns;
    double cost = static_cast<double>(outcome.finish_ns);
    if (on_time) {
      OppChoice both = own;
      for (int c = 0; c < kMaxClusters; ++c) both[c] = std::max(both[c], action.opp[c]);
      cost = outcome.energy_mj - idle_saving_mj(both, outcome.finish_ns, deadline_ns);
    }
    if (!best.found || (on_time && !best.on_time) ||
        (on_time == best.on_time && cost < best.cost)) {
      best = {true, on_time, cost, own, action.app[app]};
    }
    return on_time;
  };

  OppChoice top{};
  for (std::size_t c = 0; c < kMaxClusters; ++c) {
    if (mapping.cores[c] > 0) {
      top[c] = static_cast<std::uint8_t>(
          std::min<int>(now.cluster[c].opp_cap, platform_.clusters[c].max_opp()));
    }
  }
  if (!consider(top)) return;  // not even this: no lower choice can be on time
  for_each_opp_choice(platform_, mapping, [&](const OppChoice& own) {
    for (int c = 0; c < kMaxClusters; ++c) {
      if (own[c] > top[c]) return;
    }
    if (own != top) consider(own);
  });
}

void Oracle::search(const Observation& now, int app, const Action& others) {
  const AppProfile& profile = platform_.apps[static_cast<std::size_t>(scenario_.apps[app].profile)];
  const double floor_pct = now.app[app].required.accuracy_floor_pct;
  const int widths = static_cast<int>(profile.widths.size());
  int least = 0;
  while (least < widths - 1 &&
         profile.widths[static_cast<std::size_t>(least)].accuracy_pct < floor_pct)
    ++least;
  const int widest = widths_ascend_[app] ? least : widths - 1;

  tried_ = 0;
  Best best;
  for (std::size_t m = 0; m < platform_.mappings.size(); ++m) {
    if (!supported_[app][m]) continue;
    for (int w = least; w <= widest; ++w) {
      Action action = others;
      action.app[app] = {static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(w)};
      search_mapping(now, app, action, best);
    }
  }
  if (!best.found) return;
  plan_[app].setting = best.setting;
  plan_[app].opp = best.own;
  plan_[app].on_time = best.on_time;
  explain(why_, "{}: {} of {} tried: {} width {}, {:.1f} {}", scenario_.apps[app].name,
          best.on_time ? "cheapest" : "late, fastest", tried_,
          platform_.mappings[best.setting.mapping].name,
          profile.widths[best.setting.width].width_pct, best.on_time ? best.cost : best.cost * 1e-6,
          best.on_time ? "mJ" : "ms");
}

}  // namespace flyball
