#pragma once

#include <cstdint>

#include "env/ledger/job_ledger.h"

namespace flyball {

/// Where a scenario's script stands: its background load and its events. Plain data.
struct ScriptState {
  std::int64_t next_ns = 0;  ///< when something of it is due; kNeverNs: nothing more
  int segment = 0;           ///< of the background that is there now
  int event = 0;             ///< index of the next
  double energy_preference = 0.5;
};

/// What of a script only the platform can do.
class ScriptWorld {
 public:
  /// Load comes or goes: from now on it is that of LedgerModel::segments[segment].
  virtual void set_background(int segment) = 0;
  virtual void set_ambient(double ambient_c) = 0;
  virtual void set_battery(double left_mj) = 0;

 protected:
  ~ScriptWorld() = default;
};

/// The state before time 0.
ScriptState begin_script(const LedgerModel& model);
/// Does what is due by now, in order. All platforms play their scenarios with it: one from event to
/// event, one by a clock. Never allocates.
void play_script(const LedgerModel& model, std::int64_t now_ns, ScriptState& state,
                 JobLedger& ledger, ScriptWorld& world);

}  // namespace flyball
