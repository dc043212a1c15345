#pragma once

#include <span>
#include <vector>

#include "agents/agent.h"
#include "env/sim/simulator.h"
#include "governor/compare/released_jobs.h"
#include "governor/loop/control_loop.h"

namespace flyball {

/// Looks for a schedule of little energy, knowing the future: a beam search over decisions at releases and
/// finishes, played in forks of the simulation. At each of them every action of `choices` is tried, as it
/// is and with all clocks at their lowest. What a partial schedule is worth is its energy beyond idling,
/// less a price for the work that it has done, so that one that lags is not taken for a thrifty one; every
/// job unmet costs more than all energy. Returns the actions in their order, for Scripted.
struct ScheduleSearch {
  const std::vector<ReleasedJob>& jobs;
  double idle_mw = 0;
  double price_mj = 0;  ///< of work of 1
  std::size_t beam = 16;
};
std::vector<Action> search_schedule(const Simulator& at_start, std::span<const Action> choices,
                                    const ScheduleSearch& search);

/// What a policy did while there were jobs: the actions in force, and for how long.
class ActionTally final : public EpochSink {
 public:
  struct Entry {
    Action action;
    std::int64_t time_ns = 0;
  };
  ActionTally() { entries_.reserve(kMost); }
  void on_epoch(const EpochEvent& event) noexcept override;
  /// Longest first.
  std::vector<Entry> entries() const;

 private:
  static constexpr std::size_t kMost = 256;  // of those that come later nothing is known
  std::vector<Entry> entries_;
};

/// Plays a list of actions, one per release and finish.
class Scripted final : public Agent {
 public:
  explicit Scripted(std::vector<Action> actions) : actions_(std::move(actions)) {}
  std::string_view name() const override { return "search"; }
  EpochRequest epoch() const override { return kEpoch; }
  void bind(int, const Binding&, const Observation&) override {}
  void unbind(int) override {}
  void begin_run() override { next_ = 0; }
  void decide(const Observation&, Decision& out) noexcept override {
    if (next_ < actions_.size()) out.action = actions_[next_++];
  }

  static constexpr EpochRequest kEpoch{
      .interval_ns = 1'000'000'000, .stop_at_release = true, .stop_at_finish = true};

 private:
  std::vector<Action> actions_;
  std::size_t next_ = 0;
};

}  // namespace flyball
