#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/base/bytes.h"

namespace flyball {

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
  /// An action whose prior is at most this is masked: never chosen.
  static constexpr double kMasked = -1e30;

  DoubleQ(int states, int actions, Options options)
      : states_(states),
        actions_(actions),
        options_(options),
        cell_(static_cast<std::size_t>(states) * static_cast<std::size_t>(actions)),
        base_(static_cast<std::size_t>(states)) {}

  double value(int state, int action, double prior) const {
    return prior + 0.5 * (side(true, state, action) + side(false, state, action));
  }
  /// The best action by both tables; `prior` has an entry per action. -1 when all are masked.
  int best(int state, std::span<const double> prior) const {
    return argmax(prior,
                  [&](int i) { return value(state, i, prior[static_cast<std::size_t>(i)]); });
  }
  /// One transition. `first` says which table learns (a fair coin). `next_prior` empty: the episode
  /// ends.
  void update(bool first, int state, int action, double prior, double reward, int next_state,
              std::span<const double> next_prior) {
    double target = reward;
    if (!next_prior.empty()) {
      const int chosen = argmax(next_prior, [&](int i) {
        return next_prior[static_cast<std::size_t>(i)] + side(first, next_state, i);
      });
      if (chosen >= 0) {
        target += options_.discount *
                  (next_prior[static_cast<std::size_t>(chosen)] + side(!first, next_state, chosen));
      }
    }
    Cell& c = at(state, action);
    Base& b = base_[static_cast<std::size_t>(state)];
    const double error = target - prior - side(first, state, action);
    std::uint32_t& visits = first ? c.visits_a : c.visits_b;
    const double step = std::max(options_.step_floor, 1 / (options_.prior_visits + ++visits));
    (first ? c.a : c.b) += static_cast<float>(step * error);
    (first ? b.a : b.b) += static_cast<float>(options_.baseline_step * error);
  }
  std::uint32_t visits(int state, int action) const {
    return at(state, action).visits_a + at(state, action).visits_b;
  }
  const Options& options() const { return options_; }

  void save(ByteWriter& out) const {
    out.u32(static_cast<std::uint32_t>(states_));
    out.u32(static_cast<std::uint32_t>(actions_));
    for (const Cell& c : cell_) {
      out.f32(c.a);
      out.f32(c.b);
      out.u32(c.visits_a);
      out.u32(c.visits_b);
    }
    for (const Base& b : base_) {
      out.f32(b.a);
      out.f32(b.b);
    }
  }
  /// Throws Error (kInput) when shape or values do not fit; then nothing has changed.
  void load(ByteReader& in) {
    in.expect(static_cast<std::uint32_t>(states_), "number of states");
    in.expect(static_cast<std::uint32_t>(actions_), "number of actions");
    std::vector<Cell> read(cell_.size());
    for (Cell& c : read) {
      c.a = in.f32();
      c.b = in.f32();
      c.visits_a = std::min(in.u32(), kMaxVisits);
      c.visits_b = std::min(in.u32(), kMaxVisits);
    }
    std::vector<Base> base(base_.size());
    for (Base& b : base) {
      b.a = in.f32();
      b.b = in.f32();
    }
    cell_ = std::move(read);
    base_ = std::move(base);
  }

 private:
  static constexpr std::uint32_t kMaxVisits = 1u << 30;
  struct Cell {
    float a = 0, b = 0;
    std::uint32_t visits_a = 0, visits_b = 0;
  };
  struct Base {
    float a = 0, b = 0;
  };
  template <typename Value>
  int argmax(std::span<const double> prior, Value&& value) const {
    int best = -1;
    double best_value = 0;
    for (int i = 0; i < static_cast<int>(prior.size()); ++i) {
      if (prior[static_cast<std::size_t>(i)] <= kMasked) continue;
      const double v = value(i);
      if (best < 0 || v > best_value) best = i, best_value = v;
    }
    return best;
  }
  double side(bool first, int state, int action) const {
    const Cell& c = at(state, action);
    const Base& b = base_[static_cast<std::size_t>(state)];
    return static_cast<double>(first ? c.a : c.b) + static_cast<double>(first ? b.a : b.b);
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
