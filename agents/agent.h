#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "env/model/belief.h"
#include "env/platform.h"
#include "env/spaces/decision.h"
#include "env/spaces/observation.h"
#include "env/spaces/reward.h"
#include "kernels/base/bytes.h"

namespace flyball {

class Simulator;

/// What an agent is given when it is made. The references outlive the agent.
struct AgentContext {
  const Belief& belief;
  RewardWeights weights;
  std::uint64_t seed = 1;
  const Simulator* truth = nullptr;  ///< for who knows the future only (as_told.h)
};

/// Decides, and may learn. The loop calls, per epoch,
///   unbind(slot)s, bind(slot)s -> decide(observation) -> shield -> apply
///   -> alternatives(), where the decision was drawn -> replaced(), where the shield changed it
///   -> advance -> learn(outcome, applied, reward)
/// None of them allocates or throws but `bind`, for an application comes seldom.
class Agent {
 public:
  virtual ~Agent() = default;
  virtual std::string_view name() const = 0;
  /// How it wants the epoch to end that begins now.
  virtual EpochRequest epoch() const { return {}; }
  /// An application has taken a slot; `now` shows what it asks for.
  virtual void bind(int slot, const Binding& binding, const Observation& now) = 0;
  virtual void unbind(int slot) = 0;
  /// A run begins: what is known of jobs and queues is void, what was learned stays.
  virtual void begin_run() {}
  /// The run is over; whatever is still open will not come to an end.
  virtual void end_run() {}
  /// `out.action` is the action in force; everything else of `out` is reset.
  virtual void decide(const Observation& now, Decision& out) noexcept = 0;
  /// All that the last decide() might have decided by chance, each action with its probability; they
  /// sum to 1, and one may come several times. False when they are too many to go through. Asked
  /// only where decide() said that its probability is less than 1.
  virtual bool alternatives(const Observation& now, const Decision& decided,
                            DrawnActions& out) const {
    (void)now, (void)decided, (void)out;
    return false;
  }
  /// The shield, which has the last word, has put `applied` in the place of `decided`: whatever is
  /// learned is to be credited to that.
  virtual void replaced(const Observation& now, const Action& decided,
                        const Action& applied) noexcept {
    (void)now, (void)decided, (void)applied;
  }
  virtual void learn(const Observation& outcome, const Action& applied,
                     const Reward& reward) noexcept {
    (void)outcome, (void)applied, (void)reward;
  }

  /// false: act greedily on what has been learned and change nothing of it.
  virtual void set_learning(bool on) { (void)on; }
  virtual bool learns() const { return false; }
  /// Whether the shield may replace what it decides, and not only clamp it. A baseline is measured
  /// as it is, even one that learns.
  virtual bool guarded() const { return learns(); }
  /// Of the meaning of its states and actions: a policy with another one does not fit.
  virtual std::uint32_t feature_version() const { return 1; }
  /// What has been learned, as the payload of a policy file, appended to `out`; nothing for an agent
  /// that does not learn. Allocates only where `out` has no room.
  virtual void save(ByteWriter& out) const { (void)out; }
  /// Bytes that save() appends at most, until another application binds.
  virtual std::size_t saved_bytes() const {
    ByteWriter payload;
    save(payload);
    return payload.view().size();
  }
  /// Takes back a payload; `as_prior`: of another platform, of which it takes what means the same
  /// here. Returns notes for the user (what of it was left out). Throws Error (kInput) when it does
  /// not fit; then nothing has changed.
  virtual std::vector<std::string> load(const std::vector<std::uint8_t>& payload, bool as_prior) {
    (void)payload, (void)as_prior;
    return {};
  }
};

/// The agents by name, with a line on each. Whoever treats one in a way of its own does so by what is
/// said of it here, and knows no names.
struct AgentInfo {
  /// What a comparison runs it for beside those that are asked for.
  enum class Role : std::uint8_t {
    kNone,
    kSlowest,   ///< the lowest clocks: rt-app's efficiency is 0 % there
    kFastest,   ///< and 100 % at the highest
    kInformed,  ///< told the true board, the best that can be had without knowing the future
    kTried,     ///< where a better schedule is searched
  };
  std::string_view name;
  std::string_view summary;
  bool learns = false;
  bool knows_future = false;     ///< a yardstick: only a simulation can run it
  bool searched = false;         ///< its argument is found by a search in hindsight
  bool by_clusters = false;      ///< decides by what clusters show: needs nobody to announce jobs
  bool corrects_belief = false;  ///< plans with a belief of the board that it corrects
  bool keeps_tables = false;     ///< of states and actions, first in its policy file (QLearning::save)
  Role role = Role::kNone;
};
const std::vector<AgentInfo>& agent_catalogue();
/// nullptr when there is none of that name; `policy` may have an argument after ':'.
const AgentInfo* find_agent(std::string_view policy);
/// `policy` is a name of the catalogue, with an argument after ':' where it takes one
/// ("userspace:1400000"). Throws Error (kInput) with the nearest known name.
std::unique_ptr<Agent> make_agent(const std::string& policy, const AgentContext& context);

}  // namespace flyball
