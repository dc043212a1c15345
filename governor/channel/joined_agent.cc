#include "governor/channel/joined_agent.h"

namespace flyball {

void JoinedAgent::bind(int slot, const Binding& binding, const Observation& now) {
  jobs_->bind(slot, binding, now);
  ++bound_;
}

void JoinedAgent::unbind(int slot) {
  jobs_->unbind(slot);
  --bound_;
}

void JoinedAgent::begin_run() {
  plain_->begin_run();
  jobs_->begin_run();
}

void JoinedAgent::end_run() {
  plain_->end_run();
  jobs_->end_run();
}

bool JoinedAgent::serves_any(int cluster, const Observation& now,
                             const Action& action) const noexcept {
  const auto c = static_cast<std::size_t>(cluster);
  for (int a = 0; a < now.app_count; ++a) {
    const AppObservation& app = now.app[a];
    if (!app.bound() || (!app.active && !app.running.busy)) continue;
    if (platform_.mappings[action.app[a].mapping].cores[c] > 0) return true;
    if (app.running.busy && platform_.mappings[app.running.setting.mapping].cores[c] > 0)
      return true;
  }
  return false;
}

void JoinedAgent::decide(const Observation& now, Decision& out) noexcept {
  plain_decision_.action = out.action;
  plain_decision_.reset();
  plain_->decide(now, plain_decision_);
  if (bound_ == 0) {
    out = plain_decision_;
    return;
  }
  jobs_->decide(now, out);
  bool any = false;
  for (int c = 0; c < now.cluster_count; ++c) {
    if (serves_any(c, now, out.action))
      any = true;
    else
      out.action.opp[c] = plain_decision_.action.opp[c];
  }
  if (!any) out.reason = plain_decision_.reason;
}

void JoinedAgent::replaced(const Observation& now, const Action& decided,
                           const Action& applied) noexcept {
  if (bound_ > 0) jobs_->replaced(now, decided, applied);
}

void JoinedAgent::learn(const Observation& outcome, const Action& applied,
                        const Reward& reward) noexcept {
  plain_->learn(outcome, applied, reward);
  if (bound_ > 0) jobs_->learn(outcome, applied, reward);
}

void JoinedAgent::set_learning(bool on) {
  plain_->set_learning(on);
  jobs_->set_learning(on);
}

}  // namespace flyball
