#pragma once

#include <cstring>
#include <map>
#include <string>

#include "agents/agent.h"

namespace flyball {

/// What an agent says that it might have decided, the same actions put together.
struct Drawn final : DrawnActions {
  static std::string key(const Action& action) {
    return std::string(reinterpret_cast<const char*>(&action), sizeof action);
  }
  void take(const Action& action, double probability, const Trial&) override {
    of[key(action)] += probability;
    sum += probability;
  }
  double probability(const Action& action) const {
    const auto found = of.find(key(action));
    return found == of.end() ? 0 : found->second;
  }
  std::map<std::string, double> of;
  double sum = 0;
};

}  // namespace flyball
