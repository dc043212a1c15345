#pragma once

#include <string>
#include <vector>

#include "governor/cli/json.h"
#include "governor/machine/audit_figures.h"

namespace flyball::cli {

struct AuditResult {
  std::string policy;
  std::vector<std::string> governors;  ///< that were there, per cluster
  std::string power_source;
  double block_s = 0;
  int rounds = 0;                                        ///< complete ones
  std::vector<AuditFigure> figures;                      ///< the first is power
  double predicted_linux_mw = 0, predicted_ours_mw = 0;  ///< NaN: nothing was predicted
  std::vector<std::string> notes;                        ///< sentences
};

Json audit_json(const AuditResult& result);
std::string audit_text(const AuditResult& result, int columns);

}  // namespace flyball::cli
