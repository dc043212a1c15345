#pragma once

#include <string>
#include <vector>

#include "governor/machine/audit_platform.h"
#include "governor/metrics/metrics.h"

namespace flyball {

/// A figure under Linux's governor and under flyball, round by round.
struct AuditFigure {
  std::string key, heading, unit;
  int decimals = 1;
  Estimate linux_governor, flyball, difference;  ///< NaN: not known in every round
};

/// Of complete rounds, in which each arm has a block: differences are taken within a round, with a
/// 95 % interval by Student's t over the rounds.
std::vector<AuditFigure> audit_figures(const std::vector<AuditBlock>& blocks);

}  // namespace flyball
