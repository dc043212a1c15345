#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "env/spaces/decision.h"

namespace flyball {

/// A decision of a record, beside what another policy would have done in its place.
struct RetoldDecision {
  double probability = 1;  ///< of what was executed; not in (0, 1]: it is not known
  /// The setting of the jobs to come was chosen anew; otherwise it was kept, whatever else was chosen.
  bool chose_setting = false;
  bool setting_agreed = true, clocks_agreed = true;
};

/// What the decisions that a job depends on say for the other policy.
struct DrawnWeight {
  double weight = 0;     ///< 0 where it would have done something else
  bool unknown = false;  ///< a probability of what was done is not known
  /// Jobs just before this one whose weights have a draw in common with it.
  std::size_t shared = 0;
  Forecast forecast;  ///< the last one made before the first of these draws; of time 0: none was
};

/// Weighs the jobs of a record, of which each depends on what was decided while it ran and while the one
/// before it did. A draw of a setting governs all jobs until the setting is chosen anew, though the
/// decisions to keep it leave nothing to chance. So a job's weight is one over the probabilities of all
/// draws that govern those two stretches, each counted once, in whichever of them or before it was made.
class DrawnWeights {
 public:
  /// `before`: the other policy's last forecast from before this decision.
  void decide(const RetoldDecision& decision, const Forecast& before) {
    const bool known = decision.probability > 0 && decision.probability <= 1;
    const double factor = known ? 1 / decision.probability : 1;
    const bool drawn = !known || factor > 1;
    if (decision.chose_setting)
      in_force_ = {++draws_, factor, !known, !drawn || decision.clocks_agreed, index_, before};
    if (!now_.begun) {
      now_ = {.first = in_force_, .begun = true, .forecast = before};
      now_.take(in_force_);
    } else if (now_.last != in_force_.number) {
      now_.take(in_force_);
    }
    // Clocks alone were drawn: they govern no other stretch.
    if (drawn && !decision.chose_setting) {
      now_.weight *= factor;
      now_.unknown = now_.unknown || !known;
    }
    // With the setting clocks may have been drawn, whose chance is part of what is carried on.
    now_.agreed =
        now_.agreed && decision.setting_agreed && decision.clocks_agreed && in_force_.clocks_agreed;
  }

  /// A job has ended, and the stretch of its decisions with it. `used`: it is one of those weighed.
  DrawnWeight end_job(bool used) {
    const bool one_draw = last_.begun && last_.last == now_.first.number;
    DrawnWeight job;
    job.weight = last_.weight * now_.weight / (one_draw ? now_.first.weight : 1);
    if (!(last_.agreed && now_.agreed)) job.weight = 0;
    job.unknown = last_.unknown || now_.unknown;
    const Stretch& first = last_.begun ? last_ : now_;
    job.forecast = first.first.drawn() ? first.first.forecast : first.forecast;
    std::size_t since = index_ + 1;  // the stretch of the first draw that it depends on
    if (first.first.drawn())
      since = first.first.made_in;
    else if (first.drawn())
      since = last_.begun ? index_ - 1 : index_;
    else if (now_.drawn())
      since = index_;
    job.shared = static_cast<std::size_t>(used_.end() - std::ranges::lower_bound(used_, since));
    if (used) used_.push_back(index_);
    ++index_;
    last_ = now_;
    now_ = {};
    return job;
  }

 private:
  struct Draw {
    std::uint64_t number = 0;
    double weight = 1;
    bool unknown = false;
    bool clocks_agreed = true;
    std::size_t made_in = 0;  ///< stretch
    Forecast forecast;        ///< from before it
    bool drawn() const { return unknown || weight > 1; }
  };
  /// The decisions between the ends of two jobs.
  struct Stretch {
    Draw first;  ///< in force at its first decision
    std::uint64_t last = 0;
    double weight = 1;
    bool agreed = true, unknown = false, begun = false;
    Forecast forecast;  ///< from before its first decision

    void take(const Draw& draw) {
      weight *= draw.weight;
      unknown = unknown || draw.unknown;
      last = draw.number;
    }
    bool drawn() const { return unknown || weight > 1; }
  };
  std::uint64_t draws_ = 0;
  std::size_t index_ = 0;
  Draw in_force_;
  Stretch last_, now_;
  std::vector<std::size_t> used_;
};

}  // namespace flyball
