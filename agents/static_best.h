#pragma once

#include <string>

#include "agents/agent.h"
#include "env/scenario/scenario.h"

namespace flyball {

/// One configuration, always: the best fixed setting of all knobs, which a search in hindsight
/// finds by running them. The text form names clusters with their frequency in kHz (the others stay
/// at their lowest) and every application with its mapping and level, which is the values of its
/// knobs (of the dynamic network the width, and the precision unless it is fp32):
/// "A15=1400000,A7=200000;camera=A15x1@100", "camera=A15x1@75int8", "camera=A7x2@320/small". In a list
/// of policies its commas are its own: NAME=VALUE follows them.
class StaticBest final : public Agent {
 public:
  /// Throws Error (kInput) that says which part of `text` is wrong and what is known.
  StaticBest(const AgentContext& context, const std::string& text);
  std::string_view name() const override { return "static_best"; }
  /// An application that the text does not name keeps what it has.
  void bind(int slot, const Binding& binding, const Observation& now) override;
  void unbind(int slot) override { action_.app[static_cast<std::size_t>(slot)] = {}; }
  void decide(const Observation& now, Decision& out) noexcept override;

 private:
  const PlatformSpec& platform_;
  std::string text_;
  Action action_;
};

/// A configuration of the applications of a scenario, slot by slot, as text and back. Throws Error
/// (kInput) also when one is missing or unknown.
Action parse_action(const PlatformSpec& platform, const Scenario& scenario,
                    const std::string& text);
std::string format_action(const PlatformSpec& platform, const Scenario& scenario,
                          const Action& action);

}  // namespace flyball
