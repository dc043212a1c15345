// The Q-learner without its tables: mappings are the arms of a learner of its own.

#include <algorithm>
#include <cmath>
#include <limits>

#include "agents/q_learning.h"

namespace flyball {
namespace {

constexpr double kArmNominalMargin = 1.5;  // as the priors'
constexpr double kLeastWeight = 0.1;       // of energy: who asks for none of it still gets a number

}  // namespace

/// As worth_a_trial() plans it, with the energy in its parts.
Arm QLearning::arm_of(const Observation& now, int slot, int mapping) const {
  const App& app = *apps_.find(slot);
  OppChoice cap{};
  for (int c = 0; c < now.cluster_count; ++c) cap[c] = now.cluster[c].opp_cap;
  const auto frontier = app.profile->frontier(mapping, app.level);
  const double slow = app.jobs.slowdown(mapping);
  const double worst = app.jobs.work(kWorstCases[0]);
  const double nominal_ns = limit_ns(now, slot, Job::kNext, app.jobs.work(kArmNominalMargin));
  const auto planned = static_cast<std::size_t>(cheapest_within(frontier, nominal_ns / slow, cap));
  const auto top = static_cast<std::size_t>(cheapest_within(frontier, 0, cap));
  const double longer =
      hurried(frontier[planned], frontier[top], slow,
              limit_ns(now, slot, Job::kNext, worst) * worst, app.jobs.work(0), worst);
  const PowerEstimate::Parts parts =
      board_.parts(app.known, mapping, app.level, frontier[planned].opp);
  Arm arm;
  arm.mapping = mapping;
  arm.units = mask_[static_cast<std::size_t>(mapping)];
  const int kinds = 2 * now.cluster_count;
  for (int i = 0; i < kinds; ++i) {
    arm.x[i] = parts[i] * app.jobs.work(0) * slow * longer / weights_.ref_energy_mj;
    arm.believed += arm.x[i];
  }
  arm.x[kinds] = 1;
  arm.x[kinds + 1] = app.jobs.other_load();
  return arm;
}

int QLearning::choose_arm(const Observation& now, int slot, const Situation& s,
                          std::span<const DoubleQ::Prior> prior, int greedy, bool hold,
                          Decision& out, bool& explored) {
  App& app = *apps_.find(slot);
  app.next_arm.valid = false;
  int chosen = hold ? app.mapping : std::max(0, greedy);
  if (!hold) app.best_mapping = chosen;
  if (app.known < 0 || greedy < 0) return chosen;
  ArmLearner& learner = *app.learned->arms;
  const int load = s.slow_state / 6 % kLoadRegimes, heat = s.slow_state / 2 % 3;
  const ArmState state{load, s.slow_state % 2 != 0 || heat > 0, app.learned->jobs};
  const bool ahead = app.arm_done && state.coupled && learner.looks_ahead();
  Arm best;
  if (hold && !ahead) {
    best = arm_of(now, slot, chosen);
    explored = app.next_arm.explored;
  } else {
    arm_room_.clear();
    std::size_t least = 0;
    const auto moving = [&](const Arm& arm) {
      return arm.mapping == now.app[slot].setting.mapping ? 1 : 1 + kMoveShare;
    };
    double least_cost = 0;
    for (int m = 0; m < app.profile->mapping_count(); ++m) {
      if (prior[static_cast<std::size_t>(m)].masked) continue;
      Arm arm = arm_of(now, slot, m);
      const double more = moving(arm);
      for (double& x : arm.x) x *= more;
      arm.believed *= more;
      const double cost = learner.cost(state, arm);
      if (arm_room_.empty() || cost < least_cost) least = arm_room_.size(), least_cost = cost;
      arm_room_.push_back(arm);
    }
    best = arm_room_[least];
    app.best_mapping = best.mapping;
    if (hold) {
      explored = chosen != best.mapping;
    } else {
      chosen = best.mapping;
      app.debt = std::max(
          0.0, app.debt - kForgiven * static_cast<double>(app.learned->jobs - app.debt_jobs));
      app.debt_jobs = app.learned->jobs;
      const double scale = std::max(1e-6, std::abs(least_cost));
      for (const Arm& arm : arm_room_) {
        if (arm.mapping != app.tried) continue;
        // What the last trial cost is known better now than before.
        app.debt += kTrialJobs * std::max(0.0, learner.cost(state, arm) / scale - 1);
      }
      app.tried = -1;
      if (learning_) {
        // Only what can be paid for.
        std::size_t kept = 0;
        for (std::size_t i = 0; i < arm_room_.size(); ++i) {
          const double worse = (learner.cost(state, arm_room_[i]) - least_cost) / scale;
          if (i != least && learner.frugal() && app.debt + kTrialJobs * worse > kMostDebt) continue;
          if (i == least) least = kept;
          arm_room_[kept++] = arm_room_[i];
        }
        arm_room_.resize(kept);
        std::fill(chance_room_.begin(), chance_room_.end(), 0.0);
        const ArmLearner::Choice choice = learner.choose(state, arm_room_, static_cast<int>(least),
                                                         rng_, std::span(chance_room_).first(kept));
        chosen = arm_room_[static_cast<std::size_t>(choice.arm)].mapping;
        explored = chosen != best.mapping;
        if (explored) app.tried = chosen;
        app.next_chances.clear();
        for (std::size_t i = 0; i < kept && choice.draw == ArmLearner::Draw::kKnown; ++i) {
          if (chance_room_[i] > 0)
            app.next_chances.push_back({arm_room_[i].mapping, chance_room_[i]});
        }
        if (choice.draw == ArmLearner::Draw::kUnknown) {
          draws_known_ = false;
          out.probability = std::numeric_limits<float>::quiet_NaN();
        }
      }
    }
  }
  app.next_arm = {arm_of(now, slot, chosen), state, true, explored};
  if (app.arm_done && learning_) {
    app.learned->fresh = false;
    learner.learn({app.done_arm.state, app.done_arm.arm, app.done_cost, app.done_noise,
                   app.done_disturbed, app.done_arm.explored, state, app.next_arm.arm, best});
  }
  app.arm_done = false;
  return chosen;
}

/// The second and later of jobs with one mapping tell: what a late sensor makes of the first is the
/// mapping's before.
void QLearning::finish_arm(App& app, bool seen, double energy_weight) {
  const bool same =
      app.done_arm.valid && app.arm.valid && app.done_arm.arm.mapping == app.arm.arm.mapping;
  app.arm_done = seen && same && !board_.power().stuck();
  app.done_arm = app.arm;
  app.done_cost = -app.cost.energy - app.cost.penalty / std::max(kLeastWeight, energy_weight);
  app.done_noise = board_.power().late_mj() / weights_.ref_energy_mj;
  app.done_disturbed = board_.power().disturbed();
  app.arm = {};
}

}  // namespace flyball
