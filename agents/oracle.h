#pragma once

#include <array>

#include "agents/agent.h"
#include "env/model/model.h"

namespace flyball {

/// What could have been had: for every job that is about to start, with its true work and all
/// disturbances known, the configuration of least energy that meets deadline and accuracy floor, or
/// else the one that finishes first. Exhaustive: every mapping x every choice of OPPs for the
/// clusters it uses, tried in the simulator; the other clusters at their lowest. Several
/// applications are searched one after the other, each around what the ones before it got; a shared
/// cluster runs at the higher of their frequencies. Between jobs a cluster goes to its lowest if
/// that saves more than the next start costs.
///
/// Jobs are coupled where they queue. A job may then take its even share only of the time up to
/// the deadline of each job behind it, those that are still to be released included.
///
/// What is left out cannot be better: a level that reaches the floor and costs neither less time
/// nor less energy than another that does, and, since time falls as any frequency
/// rises, so a mapping that misses with all its clusters at their highest misses with every choice.
/// Deterministic: ties go to the first in order.
class Oracle final : public Agent {
 public:
  /// Throws Error (kInput) when `context.foresight` is null: only a simulated platform knows the
  /// future.
  explicit Oracle(const AgentContext& context);
  std::string_view name() const override { return "oracle"; }
  EpochRequest epoch() const override {
    return {.interval_ns = 50'000'000, .stop_at_release = true, .stop_at_finish = true};
  }
  void decide(const Observation& now, Action& out) override;
  const Explanation& why() const override { return why_; }
  /// Configurations tried in the last search.
  int tried() const { return tried_; }

 private:
  /// Deadlines of the jobs that have not finished, oldest first.
  struct Queue {
    std::array<std::int64_t, 64> deadline_ns{};
    std::uint32_t head = 0, count = 0;
    std::int64_t at(std::uint32_t i) const { return deadline_ns[(head + i) % deadline_ns.size()]; }
  };
  struct Plan {
    AppSetting setting;
    OppChoice opp{};
    bool made = false;    ///< for the oldest job of the queue
    double power_mw = 0;  ///< mean of the platform until the planned job's deadline
    OppChoice rest{};     ///< between jobs
  };
  struct Best {
    bool found = false, on_time = false;
    double cost = 0;  ///< energy when on time, finish otherwise
    double power_mw = 0;
    OppChoice own{};
    AppSetting setting;
  };
  void search(const Observation& now, int app, const Action& others);
  void search_mapping(const Observation& now, int app, Action action, const OppChoice& pace,
                      Best& best);
  Foresight::Outcome preview(const Action& others, const OppChoice& own, int app);
  double idle_saving_mj(const OppChoice& opp, std::int64_t idle_ns) const;
  void note_queue(const Observation& now, int app);
  void rest(const Observation& now, int app);
  std::int64_t latest_finish_ns(const Observation& now, int app) const;
  /// OPPs at which the jobs that run keep their pace although `mapping` joins them; false when they
  /// cannot.
  bool keep_pace(const Observation& now, int app, int mapping, OppChoice& opp) const;

  const PlatformSpec& platform_;
  const Scenario& scenario_;
  const Foresight& foresight_;
  std::array<std::array<bool, kMaxMappings>, kMaxApps> supported_{};
  /// Power of idling at an OPP beyond idling at the lowest, mW.
  std::array<std::array<double, kMaxOpps>, kMaxClusters> idle_above_mw_{};
  std::array<Plan, kMaxApps> plan_{};
  std::array<Queue, kMaxApps> queue_{};
  int tried_ = 0;
  Explanation why_;
};

}  // namespace flyball
