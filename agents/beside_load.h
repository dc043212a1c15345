#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "agents/agent.h"

namespace flyball {

/// An agent of applications on a machine that has other things to do as well. Level and mapping are
/// the agent's; the clock of every cluster is the higher of two: what the agent asks for where
/// applications are mapped, and what PlainLoad gives the load that is nobody's job. Where no
/// application is mapped, PlainLoad decides alone.
///
/// PlainLoad sees of a cluster only stretches in which no job ran there: how busy it is beside a job, nobody
/// can tell from how busy it is. What it gave last holds while jobs run, for a second at most; after
/// that nothing is known of other load, and the clock is the agent's. It steps once its own epoch is over,
/// however often jobs end epochs meanwhile.
///
/// What is learned is credited to what was done: Agent::replaced() as after the shield.
class BesideLoad final : public Agent {
 public:
  static constexpr std::int64_t kForgetNs = 1'000'000'000;
  /// Busy time is counted in ticks of 1 to 10 ms, so less of a look tells nothing.
  static constexpr std::int64_t kLeastLookNs = 4'000'000;

  BesideLoad(std::unique_ptr<Agent> of_jobs, const AgentContext& context);

  std::string_view name() const override { return of_jobs_->name(); }
  EpochRequest epoch() const override;
  void bind(int slot, const Binding& binding, const Observation& now) override {
    of_jobs_->bind(slot, binding, now);
  }
  void unbind(int slot) override { of_jobs_->unbind(slot); }
  void begin_run() override;
  void end_run() override { of_jobs_->end_run(); }
  void decide(const Observation& now, Decision& out) noexcept override;
  bool alternatives(const Observation& now, const Decision& decided,
                    DrawnActions& out) const override;
  void replaced(const Observation& now, const Action& decided,
                const Action& applied) noexcept override;
  void learn(const Observation& outcome, const Action& applied,
             const Reward& reward) noexcept override;
  void set_learning(bool on) override { of_jobs_->set_learning(on); }
  bool learns() const override { return of_jobs_->learns(); }
  bool guarded() const override { return of_jobs_->guarded(); }
  std::uint32_t feature_version() const override { return of_jobs_->feature_version(); }
  void save(ByteWriter& out) const override { of_jobs_->save(out); }
  std::size_t saved_bytes() const override { return of_jobs_->saved_bytes(); }
  std::vector<std::string> load(const std::vector<std::uint8_t>& payload, bool as_prior) override {
    return of_jobs_->load(payload, as_prior);
  }

 private:
  struct Look {
    double busiest_ns = 0, mean_ns = 0;  ///< busy time
    std::int64_t seen_ns = 0;            ///< within the step that is under way, without jobs
    std::int64_t last_ns = 0;            ///< when there was one
    double busiest = 0, mean = 0;        ///< what it told
  };
  void look(const Observation& now);
  void step(const Observation& now);
  /// Clusters that applications are mapped to, as bits.
  unsigned mapped(const Observation& now, const Action& action) const;
  /// What becomes of an action of the agent's.
  void lift(const Observation& now, Action& action) const;

  const PlatformSpec& platform_;
  std::unique_ptr<Agent> of_jobs_;
  std::unique_ptr<Agent> load_;  ///< a PlainLoad
  std::array<Look, kMaxClusters> look_{};
  std::int64_t stepped_ns_ = 0;
  bool stepped_ = false;
  Observation shown_;  ///< to PlainLoad: clusters only
  Decision load_decided_;
  Action own_;  ///< the agent's last
  const Observation* decided_on_ = nullptr;
  bool lifted_ = false;  ///< its last was not what was done, which it has not been told
};

}  // namespace flyball
