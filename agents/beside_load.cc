#include "agents/beside_load.h"

#include <algorithm>

#include "agents/plain_load.h"

namespace flyball {

BesideLoad::BesideLoad(std::unique_ptr<Agent> of_jobs, const AgentContext& context)
    : platform_(context.belief.mean),
      of_jobs_(std::move(of_jobs)),
      load_(std::make_unique<PlainLoad>(context)) {}

EpochRequest BesideLoad::epoch() const {
  EpochRequest request = of_jobs_->epoch();
  request.interval_ns = std::min(request.interval_ns, PlainLoad::kEpochNs);
  return request;
}

void BesideLoad::begin_run() {
  of_jobs_->begin_run();
  load_->begin_run();
  look_ = {};
  stepped_ = lifted_ = false;
  stepped_ns_ = 0;
}

unsigned BesideLoad::mapped(const Observation& now, const Action& action) const {
  unsigned clusters = 0;
  const auto add = [&](const AppSetting& setting) {
    const auto& cores =
        platform_.mappings[std::min<std::size_t>(setting.mapping, platform_.mappings.size() - 1)]
            .cores;
    for (std::size_t c = 0; c < cores.size(); ++c) {
      if (cores[c] > 0) clusters |= 1u << c;
    }
  };
  for (int a = 0; a < now.app_count; ++a) {
    const AppObservation& app = now.app[a];
    if (!app.bound()) continue;
    add(action.app[a]);
    if (app.running.busy) add(app.running.setting);
  }
  return clusters;
}

void BesideLoad::look(const Observation& now) {
  unsigned with_jobs = 0;
  const auto add = [&](const AppSetting& setting) {
    const auto& cores = platform_.mappings[setting.mapping].cores;
    for (std::size_t c = 0; c < cores.size(); ++c) {
      if (cores[c] > 0) with_jobs |= 1u << c;
    }
  };
  for (int a = 0; a < now.app_count; ++a) {
    if (now.app[a].running.busy) add(now.app[a].running.setting);
  }
  for (const JobRecord& job : now.jobs()) {
    if (!job.dropped) add(job.setting);
  }
  for (int c = 0; c < now.cluster_count; ++c) {
    if ((with_jobs >> c & 1) != 0) continue;
    Look& look = look_[static_cast<std::size_t>(c)];
    look.busiest_ns += now.cluster[c].util_max * static_cast<double>(now.epoch_ns);
    look.mean_ns += now.cluster[c].util_mean * static_cast<double>(now.epoch_ns);
    look.seen_ns += now.epoch_ns;
  }
}

void BesideLoad::step(const Observation& now) {
  shown_ = now;
  shown_.app_count = 0;
  shown_.clear_jobs();
  shown_.epoch_ns = now.now_ns - stepped_ns_;
  for (int c = 0; c < now.cluster_count; ++c) {
    Look& look = look_[static_cast<std::size_t>(c)];
    if (look.seen_ns > 0 && look.seen_ns >= std::min(kLeastLookNs, shown_.epoch_ns)) {
      look.busiest = look.busiest_ns / static_cast<double>(look.seen_ns);
      look.mean = look.mean_ns / static_cast<double>(look.seen_ns);
      look.last_ns = now.now_ns;
    } else if (now.now_ns - look.last_ns > kForgetNs) {
      look.busiest = look.mean = 0;
    }
    look.busiest_ns = look.mean_ns = 0;
    look.seen_ns = 0;
    ClusterObservation& to = shown_.cluster[c];
    to.util_max = look.busiest;
    to.util_mean = look.mean;
  }
  load_decided_.reset();
  load_->decide(shown_, load_decided_);
  stepped_ns_ = now.now_ns;
  stepped_ = true;
}

void BesideLoad::lift(const Observation& now, Action& action) const {
  const unsigned with_apps = mapped(now, action);
  for (int c = 0; c < now.cluster_count; ++c) {
    const std::uint8_t of_load = load_decided_.action.opp[c];
    action.opp[c] = (with_apps >> c & 1) != 0 ? std::max(action.opp[c], of_load) : of_load;
  }
}

void BesideLoad::decide(const Observation& now, Decision& out) noexcept {
  of_jobs_->decide(now, out);
  own_ = out.action;
  decided_on_ = &now;
  if (now.epoch_ns > 0) look(now);
  if (!stepped_ || now.now_ns - stepped_ns_ >= PlainLoad::kEpochNs) step(now);
  lift(now, out.action);
  if (out.trial.any()) lift(now, out.trial.instead);
  lifted_ = !(out.action == own_);
}

/// Draws that differ in clocks alone may become one.
bool BesideLoad::alternatives(const Observation& now, const Decision& decided,
                              DrawnActions& out) const {
  struct Lifted final : DrawnActions {
    Lifted(const BesideLoad& self_in, const Observation& now_in, DrawnActions& to_in)
        : self(self_in), now(now_in), to(to_in) {}
    void take(const Action& action, double probability, const Trial& trial) override {
      Action lifted = action;
      self.lift(now, lifted);
      Trial of_it = trial;
      if (trial.any()) self.lift(now, of_it.instead);
      to.take(lifted, probability, of_it);
    }
    const BesideLoad& self;
    const Observation& now;
    DrawnActions& to;
  } lifted(*this, now, out);
  Decision own = decided;
  own.action = own_;
  return of_jobs_->alternatives(now, own, lifted);
}

void BesideLoad::replaced(const Observation& now, const Action&, const Action& applied) noexcept {
  lifted_ = false;
  if (!(applied == own_)) of_jobs_->replaced(now, own_, applied);
}

void BesideLoad::learn(const Observation& outcome, const Action& applied,
                       const Reward& reward) noexcept {
  // What it decided on is there until this returns.
  if (lifted_) of_jobs_->replaced(*decided_on_, own_, applied);
  lifted_ = false;
  of_jobs_->learn(outcome, applied, reward);
}

}  // namespace flyball
