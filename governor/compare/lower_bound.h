#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "governor/compare/bound_model.h"
#include "governor/compare/released_jobs.h"

namespace flyball {

/// Energy that no policy goes below that meets the same jobs: finished by their deadlines, at their
/// floors. For one seed; never above what the simulator charges, since it follows from the same
/// physics with these freedoms added:
///  - clocks and (of jobs that overlap, or where there are two applications) mappings and levels change
///    at once, for nothing and at any time, a job may rest, and nothing is ever capped;
///  - leakage is that of the coolest temperature that can be reached (least_rise_k);
///  - what is not a job that was met needs not be run at all.
/// What is not let go: the board, idling, the background, cores and memory that are shared, that a job
/// runs between its release and its deadline, and that an application runs one at a time.
///
/// Of one application a job that shares its time with no other costs the lower hull of time and energy of
/// the best mapping and level. All else is bounded by duality: every job has a price for its work, and a
/// second costs at least what its best use would earn. Any prices give a bound; good ones are searched,
/// job by job.
class LowerBound {
 public:
  /// `model` and `jobs`, the released ones, outlive it. The model has a bound.
  LowerBound(const BoundModel& model, const std::vector<ReleasedJob>& jobs);

  /// Of the whole run, for a policy that met these of the jobs.
  double energy_mj(const std::vector<bool>& met) const;
  /// Of the whole run when nothing is met.
  double idle_mj() const;
  /// The least that work of 1 costs beyond idling, whatever its time, under the conditions at the end.
  double cheapest_mj(int app, float accuracy_floor_pct) const;

 private:
  /// A time in which the same jobs could run.
  struct Slot {
    std::size_t condition = 0;
    double seconds = 0;
    int group = 0;
    std::vector<std::uint32_t> open;
  };
  /// Per application, the classes of floors of its open jobs, and the best price of each.
  struct Kinds {
    std::array<std::array<int, kMaxFloorClasses>, 2> floor_class{};
    std::array<std::array<std::uint8_t, kMaxFloorClasses>, 2> best{};
    std::array<std::size_t, 2> count{};
    void add(int app, int floor_class, std::uint8_t price);
  };
  using Prices = std::vector<std::uint8_t>;  ///< per job, an index; 0: not met

  double alone(std::size_t job) const;
  void find_slots();
  double value_mj(std::size_t job, std::uint8_t price) const;
  double earned_mw(std::size_t condition, const Kinds& kinds) const;
  double earned_mj(const Slot& slot, const Prices& prices) const;
  void price_all_alike(const std::vector<bool>& met, Prices& prices) const;
  void improve(const std::vector<bool>& met, Prices& prices) const;

  const BoundModel& model_;
  const std::vector<ReleasedJob>& jobs_;
  std::vector<int> class_;  ///< per job
  std::vector<double> alone_mj_;
  std::vector<Slot> slots_;
  struct Window {
    std::int64_t from_ns = 0, to_ns = 0;
    std::size_t first = 0, last = 0;  ///< slots, the last one excluded
  };
  std::vector<Window> window_;
  std::vector<int> group_;    ///< per job: whose windows overlap, one with the next
  std::vector<bool> shared_;  ///< per group: it has several jobs
  int groups_ = 0;
};

}  // namespace flyball
