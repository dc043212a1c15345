#include "agents/mean20.h"

#include <algorithm>
#include <numeric>

#include "agents/explain.h"
#include "agents/placement.h"

namespace flyball {

Mean20::Mean20(const AgentContext& context)
    : platform_(context.platform),
      scenario_(context.scenario),
      apps_(context.scenario.apps.size()) {
  Action placed;
  Placement(Placement::Kind::kBigFirst, platform_, scenario_).place(Observation{}, placed);
  for (std::size_t a = 0; a < apps_.size(); ++a) {
    apps_[a].mapping = placed.app[a].mapping;
    apps_[a].width = placed.app[a].level;
  }
}

const AppProfile& Mean20::profile(std::size_t app) const {
  return platform_.apps[static_cast<std::size_t>(scenario_.apps[app].profile)];
}

int Mean20::least_width(std::size_t app, double floor_pct) const {
  const auto& widths = profile(app).levels;
  for (std::size_t w = 0; w < widths.size(); ++w) {
    if (!widths[w].int8 && widths[w].accuracy_pct >= floor_pct) return static_cast<int>(w);
  }
  return static_cast<int>(widths.size()) - 1;
}

int Mean20::neighbour(std::size_t app, int width, int step) const {
  const auto& widths = profile(app).levels;
  for (int w = width + step; w >= 0 && w < static_cast<int>(widths.size()); w += step) {
    if (!widths[static_cast<std::size_t>(w)].int8) return w;
  }
  return width;
}

void Mean20::decide(const Observation& now, Action& out) {
  out = Action{};
  for (std::size_t c = 0; c < platform_.clusters.size(); ++c) {
    out.opp[c] = std::min(now.cluster[c].opp_cap,
                          static_cast<std::uint8_t>(platform_.clusters[c].max_opp()));
  }
  for (std::size_t a = 0; a < apps_.size(); ++a) {
    App& app = apps_[a];
    app.width = std::max(app.width, least_width(a, now.app[a].required.accuracy_floor_pct));
    out.app[a] = {static_cast<std::uint8_t>(app.mapping), static_cast<std::uint8_t>(app.width)};
    explain(why_, "{}: mean of {} jobs {:.1f} ms, limit {:.1f} -> width {}", scenario_.apps[a].name,
            app.latency_ms.size(), app.mean_ms,
            static_cast<double>(now.app[a].required.deadline_ns) * 1e-6,
            profile(a).levels[static_cast<std::size_t>(app.width)].width_pct);
  }
}

void Mean20::learn(const Observation& outcome, const Action&, double) {
  for (const JobRecord& job : outcome.jobs()) {
    if (job.dropped) continue;
    App& app = apps_[job.app];
    app.latency_ms.push_back(static_cast<double>(job.latency_ns()) * 1e-6);
    app.mean_ms = std::accumulate(app.latency_ms.begin(), app.latency_ms.end(), 0.0) /
                  static_cast<double>(app.latency_ms.size());
    if (!app.latency_ms.full()) continue;
    const Requirements& required = outcome.app[job.app].required;
    const double limit_ms = static_cast<double>(required.deadline_ns) * 1e-6;
    const auto& widths = profile(job.app).levels;
    const auto factor = [&](int w) { return widths[static_cast<std::size_t>(w)].time_factor; };
    const int up = neighbour(job.app, app.width, 1);
    int next = app.width;
    if (app.mean_ms > limit_ms) {
      next = std::max(neighbour(job.app, app.width, -1),
                      least_width(job.app, required.accuracy_floor_pct));
    } else if (app.mean_ms * factor(up) / factor(app.width) < kUpShare * limit_ms) {
      next = up;
    }
    if (next == app.width) continue;
    app.width = next;
    app.latency_ms.clear();  // times of another width say nothing of this one
  }
}

}  // namespace flyball
