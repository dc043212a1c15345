#pragma once

#include "agents/agent.h"

namespace flyball {

/// What an agent may be told: the truth is for who knows the future. make_agent() hands on no more.
inline AgentContext as_told(const AgentInfo& agent, const AgentContext& context) {
  return {context.belief, context.weights, context.seed,
          agent.knows_future ? context.truth : nullptr};
}

}  // namespace flyball
