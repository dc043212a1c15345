#include "agents/oracle.h"

#include <algorithm>

#include "agents/explain.h"
#include "agents/opp_search.h"
#include "agents/profile.h"
#include "env/model/model.h"
#include "kernels/base/error.h"

namespace flyball {

namespace {

constexpr int kForeseenReleases = 8;  // beyond them an even share is the period, near enough
constexpr double kTempC = 60;  // for the leakage of idling: the middle of what the boards reach

const Foresight& need_foresight(const Foresight* foresight) {
  if (foresight == nullptr) {
    input_error("policy 'oracle'", "it needs to know the future, which only simulation does",
                "use it with 'flyball compare' on a simulated platform");
  }
  return *foresight;
}

/// The levels, as bits, that reach the floor, less those that another of them makes pointless.
std::uint32_t worth_trying(const AppProfile& profile, double floor_pct) {
  const double least_pct = profile.attainable_pct(floor_pct);
  const auto reaches = [&](int level) {
    return profile.levels[static_cast<std::size_t>(level)].accuracy_pct >= least_pct;
  };
  std::uint32_t levels = 0;
  for (int level = 0; level < profile.level_count(); ++level) {
    bool pointless = !reaches(level);
    for (int other = 0; other < profile.level_count() && !pointless; ++other) {
      if (other == level || !reaches(other) || !profile.never_dearer(other, level)) continue;
      if (!profile.never_dearer(level, other)) {
        pointless = true;
        continue;
      }
      // Of equals the most accurate stays, and of those the first.
      const double gain = profile.levels[static_cast<std::size_t>(other)].accuracy_pct -
                          profile.levels[static_cast<std::size_t>(level)].accuracy_pct;
      pointless = gain > 0 || (gain == 0 && other < level);
    }
    if (!pointless) levels |= 1u << level;
  }
  return levels;
}

}  // namespace

Oracle::Oracle(const AgentContext& context)
    : platform_(context.platform),
      scenario_(context.scenario),
      foresight_(need_foresight(context.foresight)) {
  for (std::size_t a = 0; a < scenario_.apps.size(); ++a) {
    const AppProfile& profile = platform_.apps[static_cast<std::size_t>(scenario_.apps[a].profile)];
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

void Oracle::note_queue(const Observation& now, int a) {
  const AppObservation& seen = now.app[a];
  Queue& queue = queue_[a];
  Plan& plan = plan_[a];
  for (std::uint32_t i = 0; i < seen.released && queue.count < queue.deadline_ns.size(); ++i) {
    queue.deadline_ns[(queue.head + queue.count++) % queue.deadline_ns.size()] =
        now.now_ns + seen.required.deadline_ns;
  }
  const std::uint32_t finished = std::min(seen.finished, queue.count);
  queue.head = (queue.head + finished) % queue.deadline_ns.size();
  queue.count = std::min(queue.count - finished, seen.backlog);  // dropped ones were the newest
  if (finished > 0 || seen.backlog == 0) plan.made = false;
  if (seen.backlog > 0) return;
  if (finished > 0) rest(now, a);
  plan.opp = {};
}

/// Which clocks stay up until the next job: those whose idling costs less than the start of that
/// job at the lowest frequency, for as long as a change takes.
void Oracle::rest(const Observation& now, int a) {
  Plan& plan = plan_[a];
  std::int64_t next_ns = 0;
  plan.rest = {};
  if (foresight_.next_releases(a, {&next_ns, 1}) == 0) return;
  const double idle_s = static_cast<double>(next_ns - now.now_ns) * 1e-9;
  for (int c = 0; c < now.cluster_count; ++c) {
    const double change_s = platform_.clusters[c].transition_latency_us * 1e-6;
    if (idle_above_mw_[c][plan.opp[c]] * idle_s <= plan.power_mw * change_s)
      plan.rest[c] = plan.opp[c];
  }
}

void Oracle::decide(const Observation& now, Action& out) {
  out = Action{};
  for (int a = 0; a < now.app_count; ++a) {
    note_queue(now, a);
    out.app[a] = plan_[a].setting;
  }
  for (int a = 0; a < now.app_count; ++a) {
    Plan& plan = plan_[a];
    if (queue_[a].count == 0 || plan.made) continue;
    Action others = out;
    others.opp = {};
    for (int b = 0; b < now.app_count; ++b) {
      if (b == a) continue;
      for (int c = 0; c < kMaxClusters; ++c)
        others.opp[c] = std::max(others.opp[c], plan_[b].opp[c]);
    }
    search(now, a, others);
    plan.made = true;
    out.app[a] = plan.setting;
    // The job was planned with the others' frequencies where it shares their clusters: it keeps
    // them when the others are done.
    const Mapping& mapping = platform_.mappings[plan.setting.mapping];
    for (int c = 0; c < kMaxClusters; ++c) {
      if (mapping.cores[c] > 0) plan.opp[c] = std::max(plan.opp[c], others.opp[c]);
    }
  }
  for (int a = 0; a < now.app_count; ++a) {
    const OppChoice& opp = queue_[a].count > 0 ? plan_[a].opp : plan_[a].rest;
    for (int c = 0; c < kMaxClusters; ++c) out.opp[c] = std::max(out.opp[c], opp[c]);
  }
  for (int c = 0; c < now.cluster_count; ++c)
    out.opp[c] = std::min(out.opp[c], now.cluster[c].opp_cap);
}

std::int64_t Oracle::latest_finish_ns(const Observation& now, int app) const {
  const Queue& queue = queue_[app];
  std::int64_t latest = queue.at(0);
  const auto share = [&](std::int64_t deadline_ns, std::int64_t jobs) {
    latest = std::min(latest, now.now_ns + (deadline_ns - now.now_ns) / jobs);
  };
  std::int64_t jobs = 1;
  for (std::uint32_t i = 1; i < queue.count; ++i) share(queue.at(i), ++jobs);

  std::array<std::int64_t, kForeseenReleases> release_ns;
  const std::size_t to_come = foresight_.next_releases(app, release_ns);
  for (std::size_t k = 0; k < to_come; ++k)
    share(release_ns[k] + now.app[app].required.deadline_ns, ++jobs);
  return latest;
}

bool Oracle::keep_pace(const Observation& now, int app, int mapping, OppChoice& opp) const {
  opp = {};
  bool kept = true;
  for (int c = 0; c < now.cluster_count; ++c) {
    const ClusterSpec& cluster = platform_.clusters[static_cast<std::size_t>(c)];
    int wanted = platform_.mappings[static_cast<std::size_t>(mapping)].cores[c];
    if (wanted == 0) continue;
    int needed = 0;
    for (int b = 0; b < now.app_count; ++b) {
      if (b == app || now.app[b].backlog == 0) continue;
      const int taken = platform_.mappings[plan_[b].setting.mapping].cores[c];
      if (taken == 0) continue;
      wanted += taken;
      needed = std::max<int>(needed, plan_[b].opp[c]);
    }
    if (wanted <= cluster.cores) continue;
    // Everyone's share of the cores shrinks by cores / wanted.
    const double khz =
        static_cast<double>(cluster.opps[static_cast<std::size_t>(needed)].freq_khz) * wanted /
        cluster.cores;
    opp[c] = static_cast<std::uint8_t>(lowest_at_least(cluster, khz, now.cluster[c].opp_cap));
    kept = kept && static_cast<double>(cluster.opps[opp[c]].freq_khz) >= khz;
  }
  return kept;
}

Foresight::Outcome Oracle::preview(const Action& others, const OppChoice& own, int app) {
  ++tried_;
  Action action = others;
  for (int c = 0; c < kMaxClusters; ++c) action.opp[c] = std::max(action.opp[c], own[c]);
  return foresight_.preview(action, app);
}

/// A preview idles at the chosen frequencies until the deadline; really they fall at the finish.
double Oracle::idle_saving_mj(const OppChoice& opp, std::int64_t idle_ns) const {
  if (idle_ns <= 0) return 0;
  double above_mw = 0;
  for (std::size_t c = 0; c < platform_.clusters.size(); ++c) above_mw += idle_above_mw_[c][opp[c]];
  return above_mw * static_cast<double>(idle_ns) * 1e-9;
}

void Oracle::search_mapping(const Observation& now, int app, Action action, const OppChoice& pace,
                            Best& best) {
  const Mapping& mapping = platform_.mappings[action.app[app].mapping];
  for (int c = 0; c < kMaxClusters; ++c) action.opp[c] = std::max(action.opp[c], pace[c]);
  const std::int64_t deadline_ns = queue_[app].at(0);
  const std::int64_t seen_ns = std::min(deadline_ns, scenario_.duration_ns);  // by a preview
  const std::int64_t limit_ns = latest_finish_ns(now, app);
  const auto consider = [&](const OppChoice& own) {
    const Foresight::Outcome outcome = preview(action, own, app);
    const bool on_time = outcome.meets_deadline && outcome.finish_ns <= limit_ns;
    double cost = static_cast<double>(outcome.finish_ns);
    if (on_time) {
      OppChoice both = own;
      for (int c = 0; c < kMaxClusters; ++c) both[c] = std::max(both[c], action.opp[c]);
      cost = outcome.energy_mj - idle_saving_mj(both, seen_ns - outcome.finish_ns);
    }
    if (!best.found || (on_time && !best.on_time) ||
        (on_time == best.on_time && cost < best.cost)) {
      const std::int64_t span_ns = std::max(outcome.finish_ns, seen_ns) - now.now_ns;
      best = {true, on_time,        cost, outcome.energy_mj / (static_cast<double>(span_ns) * 1e-9),
              own,  action.app[app]};
      for (int c = 0; c < kMaxClusters; ++c) best.own[c] = std::max(own[c], pace[c]);
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
  const std::uint32_t levels = worth_trying(profile, floor_pct);

  tried_ = 0;
  Best best;
  // A preview does not tell what a choice does to the jobs that already run. So where a mapping
  // takes cores from them they are sped up by as much; mappings that cannot make it up count only
  // when nothing else is on time.
  for (const bool kept : {true, false}) {
    for (std::size_t m = 0; m < platform_.mappings.size() && (kept || !best.on_time); ++m) {
      OppChoice pace;
      if (!supported_[app][m] || keep_pace(now, app, static_cast<int>(m), pace) != kept) continue;
      for (int w = 0; w < profile.level_count(); ++w) {
        if ((levels >> w & 1) == 0) continue;
        Action action = others;
        action.app[app] = {static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(w)};
        search_mapping(now, app, action, pace, best);
      }
    }
  }
  if (!best.found) return;
  plan_[app].setting = best.setting;
  plan_[app].opp = best.own;
  plan_[app].power_mw = best.power_mw;
  explain(why_, "{}: {} of {} tried: {} width {}{}, {:.1f} {}", scenario_.apps[app].name,
          best.on_time ? "cheapest" : "late, fastest", tried_,
          platform_.mappings[best.setting.mapping].name,
          profile.levels[best.setting.level].width_pct, profile.levels[best.setting.level].suffix(),
          best.on_time ? best.cost : best.cost * 1e-6, best.on_time ? "mJ" : "ms");
}

}  // namespace flyball
