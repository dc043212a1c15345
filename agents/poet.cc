#include "agents/poet.h"

#include <algorithm>

#include "agents/job_tracker.h"

namespace flyball {

void Poet::Base::observe(double speed, double speedup) {
  constexpr double kProcessNoise = 1e-5, kMeasurementNoise = 1e-2;
  const double prior = variance_ + kProcessNoise;
  const double gain = prior * speedup / (speedup * speedup * prior + kMeasurementNoise);
  value_ += gain * (speed - speedup * value_);
  variance_ = (1 - gain * speedup) * prior;
}

std::vector<Poet::Corner> Poet::lower_hull(std::vector<Corner> points) {
  std::ranges::stable_sort(points, [](const Corner& a, const Corner& b) {
    return a.time_ns != b.time_ns ? a.time_ns < b.time_ns : a.energy_mj < b.energy_mj;
  });
  std::vector<Corner> hull;
  for (const Corner& next : points) {
    if (!hull.empty() && next.energy_mj >= hull.back().energy_mj) continue;  // slower, no cheaper
    while (hull.size() >= 2) {
      const Corner& a = hull[hull.size() - 2];
      const Corner& b = hull.back();
      // Whether b is above the line from a to the next.
      if ((b.energy_mj - a.energy_mj) * (next.time_ns - a.time_ns) <
          (next.energy_mj - a.energy_mj) * (b.time_ns - a.time_ns))
        break;
      hull.pop_back();
    }
    hull.push_back(next);
  }
  return hull;
}

Poet::Poet(const AgentContext& context) : platform_(context.belief.mean), apps_(context.belief) {}

void Poet::bind(int slot, const Binding& binding, const Observation& now) {
  auto& place = apps_.bind(slot, binding, now);
  place.own.emplace(App{.profile = Profile(platform_, *place.profile, 0)});
  App& app = *place.own;
  for (int least = 0; least < app.profile.level_count(); ++least) {
    std::vector<Corner> all;
    app.profile.for_each_as_accurate(least, [&](int m, int l, const ProfilePoint& p) {
      all.push_back({p.time_ns,
                     p.energy_mj,
                     p.opp,
                     {static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(l)}});
    });
    app.hull.push_back(lower_hull(std::move(all)));
  }
}

/// The mixture that has the speed-up.
void Poet::plan(App& app) const {
  const auto& hull = app.hull[static_cast<std::size_t>(app.level)];
  const double target_ns = hull.back().time_ns / app.speedup;
  app.jobs = 0;
  app.measured_ns = app.profiled_ns = 0;
  app.fast = 0;
  while (app.fast + 1 < hull.size() && hull[app.fast + 1].time_ns <= target_ns) ++app.fast;
  app.fast_jobs = kWindowJobs;
  if (app.fast + 1 >= hull.size() || hull[app.fast].time_ns >= target_ns) return;
  const double slow_ns = hull[app.fast + 1].time_ns;
  const double share = (slow_ns - target_ns) / (slow_ns - hull[app.fast].time_ns);
  // Rather too many fast ones than a goal that is missed by rounding.
  app.fast_jobs = static_cast<int>(kWindowJobs * share + 0.999);
}

void Poet::end_window(App& app, const Requirements& required) const {
  const auto& hull = app.hull[static_cast<std::size_t>(app.level)];
  const double slowest_ns = hull.back().time_ns;
  const double speed = app.jobs * slowest_ns / app.measured_ns;
  app.base.observe(speed, app.jobs * slowest_ns / app.profiled_ns);
  if (required.deadline_ns > 0) {
    const double goal = slowest_ns / (kDeadlineShare * static_cast<double>(required.deadline_ns));
    constexpr double kPole = 0.1;
    app.speedup += (1 - kPole) * (goal - speed) / std::max(app.base.value(), 0.01);
  } else {
    app.speedup = 1;
  }
  app.speedup = std::clamp(app.speedup, 1.0, slowest_ns / hull.front().time_ns);
  plan(app);
}

void Poet::decide(const Observation& now, Decision& out) noexcept {
  out.fresh = true;
  for (int c = 0; c < now.cluster_count; ++c) out.action.opp[c] = 0;
  for (int a = 0; a < apps_.count(); ++a) {
    App* app = apps_.find(a);
    if (app == nullptr) continue;
    const AppObservation& seen = now.app[a];
    const int level = app->profile.least_accurate(seen.required.accuracy_floor_pct);
    const auto& hull = app->hull[static_cast<std::size_t>(level)];
    if (hull.empty()) continue;
    if (level != app->level) {  // begins with the goal as if the profile were true
      app->level = level;
      const double goal_ns = kDeadlineShare * static_cast<double>(seen.required.deadline_ns);
      app->speedup = goal_ns > 0 ? std::clamp(hull.back().time_ns / goal_ns, 1.0,
                                              hull.back().time_ns / hull.front().time_ns)
                                 : 1;
      plan(*app);
    }
    out.action.app[a] = seen.setting;
    if (!seen.active) continue;
    const bool fast = app->jobs < app->fast_jobs || app->fast + 1 >= hull.size();
    const Corner& corner = hull[fast ? app->fast : app->fast + 1];
    out.action.app[a] = corner.setting;
    // Applications that share a cluster get the higher of their frequencies.
    for (int c = 0; c < now.cluster_count; ++c)
      out.action.opp[c] =
          std::max(out.action.opp[c], std::min(corner.opp[c], now.cluster[c].opp_cap));
    out.reason = {Reason::Code::kTable,
                  static_cast<std::uint8_t>(a),
                  {static_cast<float>(corner.time_ns * 1e-6), fast ? 1.0f : 0.0f}};
  }
}

void Poet::learn(const Observation& outcome, const Action&, const Reward&) noexcept {
  const OppChoice opp = delivered_opps(outcome);
  for (const JobRecord& job : outcome.jobs()) {
    App* app = apps_.find(job.app);
    if (app == nullptr || app->level < 0 || job.dropped || job.execution_ns() <= 0) continue;
    app->measured_ns += static_cast<double>(job.execution_ns());
    app->profiled_ns +=
        execution_ns(platform_, apps_.profile(job.app), platform_.mappings[job.setting.mapping],
                     job.setting.level, opp);
    if (++app->jobs >= kWindowJobs) end_window(*app, outcome.app[job.app].required);
  }
}

}  // namespace flyball
