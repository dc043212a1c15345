#include "agents/mean20.h"

#include <algorithm>
#include <numeric>

namespace flyball {
namespace {

/// Whether it turns the first knob alone, as Dynamic-OFA does the width.
bool turns_to(const std::vector<LevelProfile>& levels, std::size_t level) {
  KnobValues whole = levels.back().knob;
  whole[0] = levels[level].knob[0];
  return levels[level].knob == whole;
}

}  // namespace

Mean20::Mean20(const AgentContext& context)
    : platform_(context.belief.mean),
      apps_(context.belief),
      placement_(Placement::Kind::kIdleSibling, context.belief.mean) {}

void Mean20::bind(int slot, const Binding& binding, const Observation& now) {
  auto& place = apps_.bind(slot, binding, now);
  place.own.emplace(App{});
  place.own->level = static_cast<int>(place.profile->levels.size()) - 1;
  placement_.bind(slot, *place.profile, binding.threads);
}

void Mean20::unbind(int slot) {
  placement_.unbind(slot);
  apps_.unbind(slot);
}

void Mean20::begin_run() {
  while (apps_.count() > 0) unbind(apps_.count() - 1);
}

int Mean20::least_level(int slot, double floor_pct) const {
  const auto& levels = apps_.profile(slot).levels;
  for (std::size_t l = 0; l < levels.size(); ++l) {
    if (turns_to(levels, l) && levels[l].accuracy_pct >= floor_pct) return static_cast<int>(l);
  }
  return static_cast<int>(levels.size()) - 1;
}

int Mean20::neighbour(int slot, int level, int step) const {
  const auto& levels = apps_.profile(slot).levels;
  for (int l = level + step; l >= 0 && l < static_cast<int>(levels.size()); l += step) {
    if (turns_to(levels, static_cast<std::size_t>(l))) return l;
  }
  return level;
}

void Mean20::decide(const Observation& now, Decision& out) noexcept {
  out.fresh = true;
  placement_.observe(now);
  placement_.place(now, out.action);
  for (std::size_t c = 0; c < platform_.clusters.size(); ++c) {
    out.action.opp[c] = std::min(now.cluster[c].opp_cap,
                                 static_cast<std::uint8_t>(platform_.clusters[c].max_opp()));
  }
  for (int a = 0; a < apps_.count(); ++a) {
    App* app = apps_.find(a);
    if (app == nullptr) continue;
    const Requirements& required = now.app[a].required;
    app->level = std::max(app->level, least_level(a, required.accuracy_floor_pct));
    out.action.app[a].level = static_cast<std::uint8_t>(app->level);
    out.reason = {Reason::Code::kMean,
                  static_cast<std::uint8_t>(a),
                  {static_cast<float>(app->latency_ms.size()), static_cast<float>(app->mean_ms),
                   static_cast<float>(static_cast<double>(required.deadline_ns) * 1e-6)}};
  }
}

void Mean20::learn(const Observation& outcome, const Action&, const Reward&) noexcept {
  for (const JobRecord& job : outcome.jobs()) {
    App* app = apps_.find(job.app);
    if (job.dropped || app == nullptr) continue;
    app->latency_ms.push_back(static_cast<double>(job.latency_ns()) * 1e-6);
    app->mean_ms = std::accumulate(app->latency_ms.begin(), app->latency_ms.end(), 0.0) /
                   static_cast<double>(app->latency_ms.size());
    if (!app->latency_ms.full()) continue;
    const Requirements& required = outcome.app[job.app].required;
    const double limit_ms = static_cast<double>(required.deadline_ns) * 1e-6;
    const auto& levels = apps_.profile(job.app).levels;
    const auto factor = [&](int l) { return levels[static_cast<std::size_t>(l)].time_factor; };
    const int up = neighbour(job.app, app->level, 1);
    int next = app->level;
    if (app->mean_ms > limit_ms) {
      next = std::max(neighbour(job.app, app->level, -1),
                      least_level(job.app, required.accuracy_floor_pct));
    } else if (app->mean_ms * factor(up) / factor(app->level) < kUpShare * limit_ms) {
      next = up;
    }
    if (next == app->level) continue;
    app->level = next;
    app->latency_ms.clear();  // times of another level say nothing of this one
  }
}

}  // namespace flyball
