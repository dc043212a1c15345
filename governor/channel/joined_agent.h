#pragma once

#include <memory>

#include "agents/agent.h"

namespace flyball {

/// Two agents for one machine: `plain` for load that says nothing of itself, `jobs` for applications that
/// do. While no application is bound, `plain` decides. Else `jobs` does, but for the clocks of
/// clusters that serve no application: those are `plain`'s still. What else runs beside an
/// application gets the clock that the application needs.
class JoinedAgent final : public Agent {
 public:
  JoinedAgent(std::unique_ptr<Agent> plain, std::unique_ptr<Agent> jobs,
              const PlatformSpec& platform)
      : plain_(std::move(plain)), jobs_(std::move(jobs)), platform_(platform) {}

  std::string_view name() const override { return plain_->name(); }
  EpochRequest epoch() const override { return {.interval_ns = plain_->epoch().interval_ns}; }
  void bind(int slot, const Binding& binding, const Observation& now) override;
  void unbind(int slot) override;
  void begin_run() override;
  void end_run() override;
  void decide(const Observation& now, Decision& out) noexcept override;
  void replaced(const Observation& now, const Action& decided,
                const Action& applied) noexcept override;
  void learn(const Observation& outcome, const Action& applied,
             const Reward& reward) noexcept override;
  void set_learning(bool on) override;
  bool learns() const override { return plain_->learns(); }
  bool guarded() const override { return jobs_->guarded(); }

 private:
  bool serves_any(int cluster, const Observation& now, const Action& action) const noexcept;

  std::unique_ptr<Agent> plain_, jobs_;
  const PlatformSpec& platform_;
  Decision plain_decision_;
  int bound_ = 0;
};

}  // namespace flyball
