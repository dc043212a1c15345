#include "agents/kalman.h"

#include <algorithm>
#include <cmath>

#include "agents/job_tracker.h"
#include "env/model/model.h"
#include "kernels/base/normal_tail.h"

namespace flyball {

void Kalman::Slowdown::observe(double ratio) {
  constexpr double kMeasurementNoise = 0.001, kLeastProcessNoise = 0.1, kForget = 0.3;
  process_ = std::max(kLeastProcessNoise, kForget * process_ + (1 - kForget) * gain_ * innovation_ *
                                                                   gain_ * innovation_);
  const double prior = (1 - gain_) * deviation_ + process_;
  gain_ = prior / (prior + kMeasurementNoise);
  innovation_ = ratio - mean_;
  mean_ += gain_ * innovation_;
  deviation_ = prior;
}

double Kalman::Slowdown::on_time(double profiled_ns, double limit_ns) const {
  return normal_tail((mean_ - limit_ns / profiled_ns) / deviation_);
}

void Kalman::IdleShare::observe(double ratio) {
  constexpr double kProcessNoise = 0.0001, kMeasurementNoise = 0.001;
  const double gain = variance_ / (variance_ + kMeasurementNoise);
  variance_ = (1 - gain) * (variance_ + kProcessNoise);
  share_ += gain * (ratio - share_);
}

Kalman::Kalman(const AgentContext& context)
    : platform_(context.belief.mean), apps_(context.belief) {}

void Kalman::bind(int slot, const Binding& binding, const Observation& now) {
  auto& place = apps_.bind(slot, binding, now);
  Profile profile(platform_, *place.profile, 0);
  // Expected of a platform whose power when idle is that of the lowest clocks.
  const std::span<const ProfilePoint> first = profile.frontier(0, 0);
  const double busy_mw =
      profile.idle_mw() + (first.empty() ? 0 : first[0].energy_mj / (first[0].time_ns * 1e-9));
  const double idle = profile.idle_mw() / busy_mw;
  place.own.emplace(App{.profile = std::move(profile),
                        .slowdown = {},
                        .idle = IdleShare(idle),
                        .chosen = {},
                        .chosen_release_ns = -1});
  choose(*place.own, now.app[slot]);
}

void Kalman::choose(App& app, const AppObservation& seen) const {
  const double mean = app.slowdown.mean();
  const auto limit_ns = static_cast<double>(seen.required.deadline_ns);
  // Energy from one job to the next, of which an idle platform has its share.
  const double period_ns = std::max(static_cast<double>(seen.required.period_ns), limit_ns);
  double least_mj = 0, likeliest = -1;
  bool safe = false;
  const int least = app.profile.least_accurate(seen.required.accuracy_floor_pct);
  app.profile.for_each_as_accurate(least, [&](int m, int l, const ProfilePoint& point) {
    const double likely = limit_ns > 0 ? app.slowdown.on_time(point.time_ns, limit_ns) : 1;
    const bool good = likely >= kProbability;
    const double busy_mw = app.profile.idle_mw() + point.energy_mj / (point.time_ns * 1e-9);
    const double busy_ns = point.time_ns * mean;
    const double mj =
        busy_mw * 1e-9 * (busy_ns + app.idle.share() * std::max(0.0, period_ns - busy_ns));
    const bool better = good != safe ? good : good ? mj < least_mj : likely > likeliest;
    if (!better) return;
    safe = good;
    least_mj = mj;
    likeliest = likely;
    app.chosen = {{static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(l)},
                  point.opp,
                  point.time_ns,
                  busy_mw};
  });
}

void Kalman::decide(const Observation& now, Decision& out) noexcept {
  for (int c = 0; c < now.cluster_count; ++c) out.action.opp[c] = 0;
  for (int a = 0; a < apps_.count(); ++a) {
    App* app = apps_.find(a);
    if (app == nullptr) continue;
    const AppObservation& seen = now.app[a];
    if (seen.active && seen.running.busy && seen.running.release_ns != app->chosen_release_ns) {
      choose(*app, seen);
      app->chosen_release_ns = seen.running.release_ns;
      out.fresh = true;
    }
    out.action.app[a] = app->chosen.setting;
    // Applications that share a cluster get the higher of their frequencies.
    for (int c = 0; c < now.cluster_count; ++c)
      out.action.opp[c] =
          std::max(out.action.opp[c], std::min(app->chosen.opp[c], now.cluster[c].opp_cap));
    const double expected_ns = app->chosen.time_ns * app->slowdown.mean();
    const auto limit_ns = static_cast<double>(std::max<std::int64_t>(1, seen.required.deadline_ns));
    out.reason = {Reason::Code::kChosen,
                  static_cast<std::uint8_t>(a),
                  {static_cast<float>(100 * (1 - expected_ns / limit_ns)),
                   static_cast<float>(app->slowdown.mean()),
                   static_cast<float>(seen.required.accuracy_floor_pct)}};
  }
}

void Kalman::learn(const Observation& outcome, const Action&, const Reward&) noexcept {
  const OppChoice opp = delivered_opps(outcome);
  for (const JobRecord& job : outcome.jobs()) {
    App* app = apps_.find(job.app);
    if (app == nullptr || job.dropped) continue;
    const double profiled_ns =
        execution_ns(platform_, apps_.profile(job.app), platform_.mappings[job.setting.mapping],
                     job.setting.level, opp);
    app->slowdown.observe(static_cast<double>(job.execution_ns()) / profiled_ns);
  }
  if (outcome.epoch_ns <= 0) return;
  for (int a = 0; a < apps_.count(); ++a) {
    const AppObservation& seen = outcome.app[a];
    if (apps_.bound(a) && (seen.finished > 0 || seen.backlog > seen.released)) return;
  }
  const double mw = outcome.energy_mj / (static_cast<double>(outcome.epoch_ns) * 1e-9);
  for (int a = 0; a < apps_.count(); ++a) {
    App* app = apps_.find(a);
    if (app != nullptr && app->chosen.busy_mw > 0) app->idle.observe(mw / app->chosen.busy_mw);
  }
}

}  // namespace flyball
