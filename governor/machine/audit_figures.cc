#include "governor/machine/audit_figures.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace flyball {
namespace {

constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

constexpr double kFigureRounding = 1e-9;  // relative; below that there is no difference

struct BlockReading {
  const char *key, *heading, *unit;
  int decimals;
  double (*of)(const AuditBlock&);
};

const BlockReading kReadings[] = {
    {"power_mw", "power", "mW", 1, [](const AuditBlock& b) { return b.energy_mj / b.ns * 1e9; }},
    {"waited_pct", "tasks waited for a CPU", "% of time", 2,
     [](const AuditBlock& b) { return b.waited_ns < 0 ? kNotMeasured : 100 * b.waited_ns / b.ns; }},
    {"full_pct", "a core busy throughout", "% of time", 2,
     [](const AuditBlock& b) { return 100 * b.full_ns / b.ns; }},
    {"mips", "work", "M instr./s", 1,
     [](const AuditBlock& b) {
       return b.instructions < 0 ? kNotMeasured : b.instructions / b.ns * 1e3;
     }},
    {"busy_cores", "cores busy", "", 3, [](const AuditBlock& b) { return b.busy_ns / b.ns; }},
    {"own_cpu_pct", "flyball's own time", "% of a core", 3,
     [](const AuditBlock& b) { return 100 * b.own_cpu_ns / b.ns; }},
};

}  // namespace

std::vector<AuditFigure> audit_figures(const std::vector<AuditBlock>& blocks) {
  std::vector<AuditFigure> figures;
  for (const BlockReading& reading : kReadings) {
    std::vector<double> linux_governor, flyball, difference;
    for (std::size_t round = 0; round + 3 <= blocks.size(); round += 3) {
      // A machine that was busy elsewhere may have left a block no epoch of its own.
      if (std::any_of(&blocks[round], &blocks[round] + 3, [](auto& b) { return !(b.ns > 0); }))
        continue;
      double theirs = kNotMeasured, ours = kNotMeasured;
      for (std::size_t b = round; b < round + 3; ++b) {
        if (blocks[b].arm == AuditArm::kLinux) theirs = reading.of(blocks[b]);
        if (blocks[b].arm == AuditArm::kFlyball) ours = reading.of(blocks[b]);
      }
      linux_governor.push_back(theirs);
      flyball.push_back(ours);
      const double off = ours - theirs;
      difference.push_back(std::abs(off) < kFigureRounding * std::abs(theirs) ? 0 : off);
    }
    figures.push_back({reading.key, reading.heading, reading.unit, reading.decimals,
                       estimate(linux_governor), estimate(flyball), estimate(difference)});
  }
  return figures;
}

}  // namespace flyball
