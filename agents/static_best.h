#pragma once

#include <string>

#include "agents/agent.h"

namespace flyball {

/// One configuration, always: the best fixed setting of all knobs, which a search in hindsight
/// finds by running them. The text form names clusters with their frequency in kHz (the others stay
/// at their lowest) and every application with its mapping and width in percent,
/// with the precision unless it is fp32: "A15=1400000,A7=200000;camera=A15x1@100",
/// "camera=A15x1@75int8".
class StaticBest final : public Agent {
 public:
  /// Throws Error (kInput) that says which part of `text` is wrong and what is known.
  StaticBest(const AgentContext& context, const std::string& text);
  std::string_view name() const override { return "static_best"; }
  void decide(const Observation& now, Action& out) override;
  const Explanation& why() const override { return why_; }

 private:
  Action action_;
  Explanation why_;
};

Action parse_action(const PlatformSpec& platform, const Scenario& scenario,
                    const std::string& text);
std::string format_action(const PlatformSpec& platform, const Scenario& scenario,
                          const Action& action);

}  // namespace flyball
