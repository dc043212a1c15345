#pragma once

#include <array>
#include <cstdint>

#include "env/spaces/action.h"
#include "env/spaces/limits.h"

namespace flyball {

/// What an agent expects of one job.
struct Forecast {
  std::uint8_t app = 0;
  std::uint64_t sequence = 0;         ///< of the job
  float time_ns = 0, time_sd_ns = 0;  ///< of its execution
  float energy_mj = 0, energy_sd_mj = 0;
  float miss_probability = 0;
};

/// Why a decision was made, as a code with numbers. Whoever shows it makes the text (explain.h).
struct Reason {
  enum class Code : std::uint8_t {
    kNone,
    kIdle,      ///< no job: lowest clocks
    kChosen,    ///< numbers: slack %, demand, floor %
    kExplored,  ///< the same; a random action, taken to learn
    kRunning,   ///< the same; a job goes on as chosen
    kHurry,     ///< the same; the job runs long
    kUtil,      ///< a Linux governor; numbers: busy % of cluster `index`
    kTable,     ///< from a profile table; numbers: time ms, steps above
    kMean,      ///< numbers: jobs, their mean ms, limit ms
    kWorkload,  ///< numbers: Mcycles a job, decisions so far, 1 when random
    kFixed,
    kSearched,  ///< numbers: configurations tried, 1 when on time, cost in mJ or ms
    kRefused,   ///< the shield's word on a trial; numbers: % likely to miss, to overheat, points
                ///< below the floor
  };
  Code code = Code::kNone;
  std::uint8_t index = 0;  ///< slot of the roster or cluster
  std::array<float, 3> number{};
};

/// What of a decision is a trial: other than what the agent would do if it had nothing to learn. The
/// shield judges it, and has `instead` to fall back on.
struct Trial {
  static_assert(kMaxApps <= 64);
  std::uint64_t next = 0;        ///< slots whose next job's setting it is, as bits
  std::uint64_t clocks = 0;      ///< slots whose running job has lower clocks for it
  std::int64_t interval_ns = 0;  ///< after so long at the latest clocks are decided on again
  Action instead;                ///< the decision without any trial; undefined when there is none
  bool any() const { return (next | clocks) != 0; }
};

/// What an agent decides, as a value: recorded, scored, explained by whoever reads it.
struct Decision {
  Action action;
  /// The agent says how likely this draw of its dice was, 1 when nothing was left to chance. The loop
  /// makes it the probability that, in this state, what is executed is executed: that of all draws
  /// of which the shield makes the same. NaN when that is not known, since they are too many.
  float probability = 1;
  float value = 0;     ///< its own estimate of it (reward per job); 0 when it has none
  bool fresh = false;  ///< something was chosen, not only kept or adjusted
  Reason reason;
  std::uint8_t forecasts = 0;
  std::array<Forecast, kMaxForecasts> forecast{};
  // The next best for the application of `reason`, when there was a choice.
  bool has_runner_up = false;
  AppSetting runner_up;
  float runner_up_energy_mj = 0;
  Trial trial;

  bool explored() const { return reason.code == Reason::Code::kExplored; }
  /// As before a decision is made; the action stays.
  void reset() {
    probability = 1;
    value = 0;
    fresh = false;
    reason = {};
    forecasts = 0;
    has_runner_up = false;
    trial.next = trial.clocks = 0;
  }
  void add_forecast(const Forecast& one) {
    if (forecasts < forecast.size()) forecast[forecasts++] = one;
  }
};

/// Is handed actions that might have been decided, and what of each would have been a trial.
class DrawnActions {
 public:
  virtual ~DrawnActions() = default;
  virtual void take(const Action& action, double probability, const Trial& trial) = 0;
};

}  // namespace flyball
