#include "governor/compare/schedule_search.h"

#include <algorithm>
#include <memory>

namespace flyball {
namespace {

constexpr double kUnmetMj = 1e9;

struct Step {
  int parent = -1;  ///< index of the step before
  Action action;
};

/// A partial schedule.
struct Node {
  std::unique_ptr<SimState> state = std::make_unique<SimState>();
  int step = -1;
  double done = 0;  ///< work
  int unmet = 0;
};

struct Child {
  std::size_t parent = 0;
  Action action;
  double score = 0;
  double done = 0;
  int unmet = 0;
};

class Beam {
 public:
  Beam(const Simulator& sim, std::span<const Action> choices, const ScheduleSearch& search)
      : sim_(sim), search_(search) {
    for (const Action& choice : choices) {
      add(choice);
      Action rest = choice;
      rest.opp.fill(0);
      add(rest);
    }
    // In a hurry: the first job starts at the clocks that the board was found at.
    Action hurry = choices.front();
    for (const int part : {2, 4}) {
      for (int c = 0; c < sim.model().clusters; ++c) {
        const int highest = sim.model().spec.clusters[static_cast<std::size_t>(c)].max_opp();
        hurry.opp[static_cast<std::size_t>(c)] = static_cast<std::uint8_t>(highest * part / 4);
      }
      add(hurry);
    }
    for (const ReleasedJob& one : search.jobs) {
      auto& work = work_[static_cast<std::size_t>(one.app)];
      work.resize(one.job.sequence + 1, 0.0);
      work[one.job.sequence] = one.job.work;
    }
  }

  std::vector<Action> run() {
    nodes_.emplace_back();
    sim_.fork(*nodes_[0].state);
    while (!finished_) expand();
    const auto best = std::ranges::min_element(
        nodes_, {}, [&](const Node& node) { return score(*node.state, node.done, node.unmet); });
    std::vector<Action> actions;
    for (int step = best->step; step >= 0; step = steps_[static_cast<std::size_t>(step)].parent)
      actions.push_back(steps_[static_cast<std::size_t>(step)].action);
    std::ranges::reverse(actions);
    return actions;
  }

 private:
  void add(const Action& action) {
    if (std::ranges::find(choices_, action) == choices_.end()) choices_.push_back(action);
  }

  double score(const SimState& state, double done, int unmet) const {
    return state.total_mj - search_.idle_mw * static_cast<double>(state.now_ns) * 1e-9 -
           search_.price_mj * done + kUnmetMj * unmet;
  }

  Status play(const Node& from, const Action& action, SimState& state, double& done, int& unmet) {
    sim_.fork(*from.state, state);
    ended_->clear_jobs();
    const Status status = sim_.step(state, action, Scripted::kEpoch, ended_.get());
    done = from.done;
    unmet = from.unmet;
    for (const JobRecord& job : ended_->jobs()) {
      const bool met = !job.missed && job.accuracy_pct >= job.accuracy_floor_pct - 1e-4F;
      unmet += !met;
      if (!job.dropped) done += work_[job.app][job.sequence];
    }
    return status;
  }

  /// Jobs under way that no clock can save, or whose level, or that of the next job, is below the floor.
  int lost(const SimState& state) const {
    const PlatformSpec& spec = sim_.model().spec;
    int lost = 0;
    for (int a = 0; a < sim_.model().apps; ++a) {
      const LedgerApp& app = state.jobs.app[static_cast<std::size_t>(a)];
      const std::vector<LevelProfile>& levels = sim_.model().ledger.profile[a]->levels;
      lost += levels[app.setting.level].accuracy_pct < app.required.accuracy_floor_pct - 1e-4;
      if (!app.running) continue;
      if (levels[app.job_setting.level].accuracy_pct <
          static_cast<double>(app.job.accuracy_floor_pct) - 1e-4) {
        ++lost;
        continue;
      }
      if (app.job.deadline_ns == kNeverNs) continue;
      const double least_ns = execution_ns(
          spec, *sim_.model().ledger.profile[a], spec.mappings[app.job_setting.mapping],
          app.job_setting.level, highest_opps(spec), state.run[static_cast<std::size_t>(a)].left);
      lost += least_ns > static_cast<double>(app.job.deadline_ns - state.now_ns);
    }
    return lost;
  }

  /// What is under way has been done in part.
  double under_way(const SimState& state) const {
    double done = 0;
    for (int a = 0; a < sim_.model().apps; ++a) {
      const LedgerApp& app = state.jobs.app[static_cast<std::size_t>(a)];
      if (app.running) done += app.job.work - state.run[static_cast<std::size_t>(a)].left;
    }
    return done;
  }

  /// One decision further, in every schedule that is kept.
  void expand() {
    std::vector<Child> children;
    for (std::size_t n = 0; n < nodes_.size(); ++n) {
      for (const Action& action : choices_) {
        Child child{.parent = n, .action = action};
        if (play(nodes_[n], action, *scratch_, child.done, child.unmet) == Status::kFinished)
          finished_ = true;
        child.score =
            score(*scratch_, child.done + under_way(*scratch_), child.unmet + lost(*scratch_));
        children.push_back(child);
      }
    }
    std::ranges::stable_sort(children, {}, &Child::score);
    std::vector<Node> kept;
    std::vector<Child> taken;
    for (const Child& child : children) {
      if (kept.size() >= search_.beam) break;
      // As good, and no different in what is asked for: the same future.
      const bool same = std::ranges::any_of(taken, [&](const Child& other) {
        return other.score == child.score && other.action == child.action;
      });
      // Mappings and levels of the next jobs show their worth only later.
      const auto alike = std::ranges::count_if(
          taken, [&](const Child& other) { return other.action.app == child.action.app; });
      if (same || static_cast<std::size_t>(alike) > search_.beam / 2) continue;
      taken.push_back(child);
      Node& node = kept.emplace_back();
      play(nodes_[child.parent], child.action, *node.state, node.done, node.unmet);
      node.step = static_cast<int>(steps_.size());
      steps_.push_back({nodes_[child.parent].step, child.action});
    }
    nodes_ = std::move(kept);
  }

  const Simulator& sim_;
  const ScheduleSearch& search_;
  std::vector<Action> choices_;
  std::array<std::vector<double>, kMaxApps> work_;
  std::vector<Node> nodes_;
  std::vector<Step> steps_;
  std::unique_ptr<SimState> scratch_ = std::make_unique<SimState>();
  std::unique_ptr<Observation> ended_ = std::make_unique<Observation>();
  bool finished_ = false;
};

}  // namespace

void ActionTally::on_epoch(const EpochEvent& event) noexcept {
  bool busy = false;
  for (int a = 0; a < event.outcome.app_count; ++a)
    busy = busy || event.outcome.app[a].finished > 0 || event.outcome.app[a].running.busy;
  if (!busy) return;
  auto known = std::ranges::find(entries_, event.applied, &Entry::action);
  if (known == entries_.end()) {
    if (entries_.size() == kMost) return;
    entries_.push_back({event.applied});
    known = entries_.end() - 1;
  }
  known->time_ns += event.outcome.epoch_ns;
}

std::vector<ActionTally::Entry> ActionTally::entries() const {
  std::vector<Entry> sorted = entries_;
  std::ranges::stable_sort(sorted, std::ranges::greater{}, &Entry::time_ns);
  return sorted;
}

std::vector<Action> search_schedule(const Simulator& at_start, std::span<const Action> choices,
                                    const ScheduleSearch& search) {
  return Beam(at_start, choices, search).run();
}

}  // namespace flyball
