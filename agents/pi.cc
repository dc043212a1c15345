#include "agents/pi.h"

#include <algorithm>
#include <cmath>

namespace flyball {

Pi::Pi(const AgentContext& context)
    : platform_(context.belief.mean),
      apps_(context.belief),
      placement_(Placement::Kind::kIdleSibling, context.belief.mean) {}

void Pi::bind(int slot, const Binding& binding, const Observation& now) {
  auto& place = apps_.bind(slot, binding, now);
  place.own.emplace(App{});
  placement_.bind(slot, *place.profile, binding.threads);
}

void Pi::unbind(int slot) {
  placement_.unbind(slot);
  apps_.unbind(slot);
}

void Pi::begin_run() {
  while (apps_.count() > 0) unbind(apps_.count() - 1);
}

double Pi::next_speed(double speed, double error, double error_before) {
  // The increment's form, which has nothing to wind up.
  const double change = kIntegral * error + kProportional * (error - error_before);
  return std::clamp(speed * std::exp(change), 0.01, 1.0);
}

void Pi::decide(const Observation& now, Decision& out) noexcept {
  out.fresh = true;
  placement_.observe(now);
  placement_.place(now, out.action);
  for (int c = 0; c < now.cluster_count; ++c) out.action.opp[c] = 0;
  for (int a = 0; a < apps_.count(); ++a) {
    const App* app = apps_.find(a);
    if (app == nullptr || !now.app[a].active) continue;
    const Mapping& mapping = platform_.mappings[out.action.app[a].mapping];
    for (int c = 0; c < now.cluster_count; ++c) {
      if (mapping.cores[c] == 0) continue;
      const auto& opps = platform_.clusters[static_cast<std::size_t>(c)].opps;
      const double khz = app->speed * static_cast<double>(opps.back().freq_khz);
      std::size_t opp = 0;
      while (opp + 1 < opps.size() && static_cast<double>(opps[opp].freq_khz) < khz) ++opp;
      out.action.opp[c] = std::max(
          out.action.opp[c], std::min(static_cast<std::uint8_t>(opp), now.cluster[c].opp_cap));
    }
    out.reason = {Reason::Code::kMean,
                  static_cast<std::uint8_t>(a),
                  {1, static_cast<float>(app->latency_ms),
                   static_cast<float>(static_cast<double>(now.app[a].required.deadline_ns) *
                                      kDeadlineShare * 1e-6)}};
  }
}

void Pi::learn(const Observation& outcome, const Action&, const Reward&) noexcept {
  for (const JobRecord& job : outcome.jobs()) {
    App* app = apps_.find(job.app);
    const std::int64_t deadline_ns = outcome.app[job.app].required.deadline_ns;
    if (app == nullptr || deadline_ns <= 0) continue;
    const double goal_ns = kDeadlineShare * static_cast<double>(deadline_ns);
    const double latency_ns = job.dropped ? 2 * goal_ns : static_cast<double>(job.latency_ns());
    const double error = std::log(std::max(latency_ns, 1.0) / goal_ns);
    app->speed = next_speed(app->speed, error, app->error);
    app->error = error;
    app->latency_ms = latency_ns * 1e-6;
  }
}

}  // namespace flyball
