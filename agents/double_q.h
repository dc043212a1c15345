#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "agents/ablation.h"
#include "kernels/base/bytes.h"

namespace flyball {

/// What an action is worth, in two parts that are learned apart: the energy that it costs and all
/// other costs, both in reference jobs and as rewards (<= 0). The user's preference weighs the energy
/// when actions are compared, and never what is learned.
struct QValue {
  double energy = 0, penalty = 0;
  double weighed(double energy_weight) const { return energy_weight * energy + penalty; }
  friend QValue operator+(QValue a, QValue b) {
    return {a.energy + b.energy, a.penalty + b.penalty};
  }
  friend QValue operator-(QValue a, QValue b) {
    return {a.energy - b.energy, a.penalty - b.penalty};
  }
  friend QValue operator*(double s, QValue v) { return {s * v.energy, s * v.penalty}; }
};

/// Double Q-learning (van Hasselt, "Double Q-learning", NIPS 2010, algorithm 1) on a table of
/// corrections to a prior: the value of an action is prior + (A + B) / 2, with the prior given at
/// each call and both tables 0 at first. Of two tables one chooses the best next action and the
/// other says what it is worth, so that noise is not taken for value. The step of an entry is
/// max(floor, 1 / (kPriorVisits + visits)): the prior counts as much as that many visits. Allocates
/// when it is made, never after.
///
/// With `baseline_step` above 0, what all actions of a state have in common (other programs'
/// energy, for one) is learned by the state: an action never tried is then taken to be as far off
/// its prior as the others, not to be free of what they were found to cost.
class DoubleQ {
 public:
  struct Options {
    double discount = 0.6;
    double step_floor = 0.02;
    double prior_visits = 4;
    double baseline_step = 0;  ///< share of an error that goes to the state
  };
  /// What an action may be expected to be worth; one with `masked` is never chosen.
  struct Prior {
    QValue value;
    bool masked = true;
  };

  DoubleQ(int states, int actions, Options options)
      : states_(states),
        actions_(actions),
        options_(options),
        cell_(static_cast<std::size_t>(states) * static_cast<std::size_t>(actions)),
        base_(static_cast<std::size_t>(states)) {}

  QValue value(int state, int action, QValue prior) const {
    return prior + 0.5 * (side(true, state, action) + side(false, state, action));
  }
  /// The best action by both tables; `prior` has an entry per action. -1 when all are masked.
  int best(int state, std::span<const Prior> prior, double energy_weight) const {
    return argmax(prior, energy_weight,
                  [&](int i) { return value(state, i, prior[static_cast<std::size_t>(i)].value); });
  }
  /// The best of all but `other`; -1 when there is none.
  int second(int state, std::span<const Prior> prior, double energy_weight, int other) const {
    int best = -1;
    double best_value = 0;
    for (int i = 0; i < static_cast<int>(prior.size()); ++i) {
      const Prior& p = prior[static_cast<std::size_t>(i)];
      if (p.masked || i == other) continue;
      const double v = value(state, i, p.value).weighed(energy_weight);
      if (best < 0 || v > best_value) best = i, best_value = v;
    }
    return best;
  }
  /// One transition. `first` says which table learns (a fair coin). `next_prior` empty: the episode
  /// ends.
  void update(bool first, int state, int action, QValue prior, QValue reward, int next_state,
              std::span<const Prior> next_prior, double energy_weight) {
    QValue target = reward;
    const int chosen = argmax(next_prior, energy_weight, [&](int i) {
      return next_prior[static_cast<std::size_t>(i)].value + side(first, next_state, i);
    });
    if (chosen >= 0) {
      target = target + options_.discount * (next_prior[static_cast<std::size_t>(chosen)].value +
                                             side(!first, next_state, chosen));
    }
    Cell& c = at(state, action);
    Base& b = base_[static_cast<std::size_t>(state)];
    const QValue error = target - prior - side(first, state, action);
    std::uint32_t& visits = first ? c.visits_a : c.visits_b;
    const double step = std::max(options_.step_floor, 1 / (options_.prior_visits + ++visits));
    add(first ? c.a : c.b, step * error);
    add(first ? b.a : b.b, options_.baseline_step * error);
  }
  std::uint32_t visits(int state, int action) const {
    return at(state, action).visits_a + at(state, action).visits_b;
  }
  const Options& options() const { return options_; }
  int actions() const { return actions_; }

  /// Spoils what was learned: all of it gone, its opposite, or in the wrong entries.
  void ablate(Ablation how, Random& random) {
    if (how == Ablation::kShuffled) {
      for (std::size_t i = cell_.size() - 1; i > 0; --i) {
        std::swap(cell_[i], cell_[random.below(static_cast<std::uint32_t>(i) + 1)]);
      }
      return;
    }
    const float sign = how == Ablation::kZeroed ? 0 : -1;
    const auto scale = [sign](auto& both) {
      for (Side* side : {&both.a, &both.b}) side->energy *= sign, side->penalty *= sign;
    };
    for (Cell& c : cell_) scale(c);
    for (Base& b : base_) scale(b);
  }

  void save(ByteWriter& out) const {
    out.u32(static_cast<std::uint32_t>(states_));
    out.u32(static_cast<std::uint32_t>(actions_));
    out.words(std::as_bytes(std::span(cell_)));
    out.words(std::as_bytes(std::span(base_)));
  }
  /// That a table of such a shape writes.
  static constexpr std::size_t saved_bytes(std::size_t states, std::size_t actions) {
    return 8 + states * (actions * sizeof(Cell) + sizeof(Base));
  }
  /// Throws Error (kInput) when shape or values do not fit; then nothing has changed.
  void load(ByteReader& in) {
    in.expect(static_cast<std::uint32_t>(states_), "number of states");
    in.expect(static_cast<std::uint32_t>(actions_), "number of actions");
    std::vector<Cell> read(cell_.size());
    for (Cell& c : read) {
      c.a = load_side(in);
      c.b = load_side(in);
      c.visits_a = std::min(in.u32(), kMaxVisits);
      c.visits_b = std::min(in.u32(), kMaxVisits);
    }
    std::vector<Base> base(base_.size());
    for (Base& b : base) {
      b.a = load_side(in);
      b.b = load_side(in);
    }
    cell_ = std::move(read);
    base_ = std::move(base);
  }

 private:
  static constexpr std::uint32_t kMaxVisits = 1u << 30;
  struct Side {
    float energy = 0, penalty = 0;
  };
  struct Cell {
    Side a, b;
    std::uint32_t visits_a = 0, visits_b = 0;
  };
  struct Base {
    Side a, b;
  };
  static_assert(sizeof(Cell) == 6 * 4 && sizeof(Base) == 4 * 4, "they are written as words");
  static void add(Side& to, QValue by) {
    to.energy += static_cast<float>(by.energy);
    to.penalty += static_cast<float>(by.penalty);
  }
  static Side load_side(ByteReader& in) {
    Side side;
    side.energy = in.f32();
    side.penalty = in.f32();
    return side;
  }
  template <typename Value>
  int argmax(std::span<const Prior> prior, double energy_weight, Value&& value) const {
    int best = -1;
    double best_value = 0;
    for (int i = 0; i < static_cast<int>(prior.size()); ++i) {
      if (prior[static_cast<std::size_t>(i)].masked) continue;
      const double v = value(i).weighed(energy_weight);
      if (best < 0 || v > best_value) best = i, best_value = v;
    }
    return best;
  }
  QValue side(bool first, int state, int action) const {
    const Cell& c = at(state, action);
    const Base& b = base_[static_cast<std::size_t>(state)];
    const Side& own = first ? c.a : c.b;
    const Side& common = first ? b.a : b.b;
    return {static_cast<double>(own.energy) + static_cast<double>(common.energy),
            static_cast<double>(own.penalty) + static_cast<double>(common.penalty)};
  }
  const Cell& at(int state, int action) const {
    return cell_[static_cast<std::size_t>(state) * static_cast<std::size_t>(actions_) +
                 static_cast<std::size_t>(action)];
  }
  Cell& at(int state, int action) {
    return const_cast<Cell&>(static_cast<const DoubleQ*>(this)->at(state, action));
  }

  int states_, actions_;
  Options options_;
  std::vector<Cell> cell_;
  std::vector<Base> base_;
};

}  // namespace flyball
