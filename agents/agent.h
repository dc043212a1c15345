#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "env/model/platform_spec.h"
#include "env/platform.h"
#include "env/scenario/scenario.h"
#include "env/spaces/observation.h"
#include "env/spaces/reward.h"
#include "env/spaces/spaces.h"

namespace flyball {

/// What an agent is given when it is made. The references outlive the agent.
struct AgentContext {
  const PlatformSpec& platform;
  const Scenario& scenario;
  const Spaces& spaces;
  RewardWeights weights;
  std::uint64_t seed = 1;
  const Foresight* foresight = nullptr;  ///< for the oracle only
};

/// Why a decision was made, for the display and the record. Fixed size: written within an epoch.
struct Explanation {
  char text[96] = "";
  bool explored = false;  ///< a random or uncertain action, taken to learn
  float value =
      0;  ///< the agent's own estimate of what it chose (reward per epoch); 0 when it has none
};

/// Decides, and may learn. `decide` and `learn` neither allocate nor throw. The loop calls, per
/// epoch,
///   decide(observation) -> shield -> apply -> advance -> learn(outcome, applied, reward)
/// `applied` may differ from what was decided: the shield has the last word.
class Agent {
 public:
  virtual ~Agent() = default;
  virtual std::string_view name() const = 0;
  /// How often it wants to decide. Constant over its life.
  virtual EpochRequest epoch() const { return {}; }
  virtual void decide(const Observation& now, Action& out) = 0;
  virtual void learn(const Observation& outcome, const Action& applied, double reward) {
    (void)outcome, (void)applied, (void)reward;
  }
  virtual const Explanation& why() const = 0;

  /// false: act greedily on what has been learned and change nothing.
  virtual void set_learning(bool on) { (void)on; }
  virtual bool learns() const { return false; }
  /// Whether the shield may replace what it decides, and not only clamp it. A baseline is measured
  /// as it is, even one that learns.
  virtual bool guarded() const { return learns(); }
  /// What has been learned, as the payload of a policy file; empty for an agent that does not
  /// learn.
  virtual std::vector<std::uint8_t> save() const { return {}; }
  /// Takes back a payload of the same spaces hash. Throws Error (kInput) when it does not fit.
  virtual void load(const std::vector<std::uint8_t>& payload) { (void)payload; }
};

/// The agents by name, with a line on each. `static_best` takes its configuration as
/// "static_best:<frequencies and mapping>" from the search in hindsight.
struct AgentInfo {
  std::string_view name;
  std::string_view summary;
  bool learns;
};
const std::vector<AgentInfo>& agent_catalogue();
/// `policy` is a name of the catalogue, with an argument after ':' where it takes one
/// ("userspace:1400000"). Throws Error (kInput) with the nearest known name.
std::unique_ptr<Agent> make_agent(const std::string& policy, const AgentContext& context);

}  // namespace flyball
