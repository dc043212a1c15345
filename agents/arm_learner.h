#pragma once

#include <memory>
#include <span>
#include <vector>

#include "agents/ablation.h"
#include "agents/arm.h"
#include "kernels/base/bytes.h"
#include "kernels/base/random.h"

namespace flyball {

/// The arm whose bound is least, and `greedy` among equals.
template <class Bound>
int least_bound(std::span<const Arm> arms, int greedy, const Bound& bound) {
  int chosen = greedy;
  double least = bound(arms[static_cast<std::size_t>(greedy)]);
  for (std::size_t i = 0; i < arms.size(); ++i) {
    const double of_it = bound(arms[i]);
    if (of_it < least) least = of_it, chosen = static_cast<int>(i);
  }
  return chosen;
}

/// Learns what arms cost by what jobs did, and says which to take. Costs are the project's reward
/// turned round: energy plus penalties, in reference jobs at the user's weights. Allocates when it is
/// made, never after.
class ArmLearner : public Spoilable {
 public:
  /// How it came to a choice.
  enum class Draw { kNone, kKnown, kUnknown };
  struct Choice {
    int arm = 0;
    Draw draw = Draw::kNone;  ///< kUnknown: by chance, and nobody can say how likely it was
  };
  /// One job that is done, and what was chosen behind it.
  struct Outcome {
    ArmState state;
    const Arm& arm;
    double cost = 0;
    double noise = 0;  ///< of it, one standard deviation, known beforehand: a sensor may be late
    bool disturbed = false;  ///< other programs ran, and their energy is in it
    bool explored = false;   ///< it was not the one of least expected cost
    // What follows: its state, the arm chosen, and the one of least expected cost.
    ArmState next_state;
    const Arm& next;
    const Arm& best_next;
  };

  /// Expected of a job, as far as arms differ.
  virtual double cost(const ArmState& state, const Arm& arm) const = 0;
  /// `greedy` is the arm of least expected cost. Where it draws and can say, `chance` gets each arm's
  /// probability; it is 0 throughout before.
  virtual Choice choose(const ArmState& state, std::span<const Arm> arms, int greedy,
                        Random& random, std::span<double> chance) = 0;
  virtual void learn(const Outcome& outcome) = 0;
  /// Whether it keeps off arms whose trials cost more than they can be worth.
  virtual bool frugal() const { return true; }
  /// Whether it asks for the best arm after every job that is coupled to the next.
  virtual bool looks_ahead() const { return false; }

  virtual void save(ByteWriter& out) const = 0;
  /// Throws Error (kInput) when it does not fit; what it holds then is void.
  virtual void load(ByteReader& in) = 0;
};

}  // namespace flyball
