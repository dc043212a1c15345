#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "governor/cli/verbs/compared_policies.h"
#include "governor/record/recording.h"

namespace flyball::cli {

/// A recorded run among what is compared: a seed of a policy.
struct ComparedRecord {
  std::size_t policy = 0;  ///< index of those compared
  std::string label, file;
  RecordingInfo info;
  bool placed = false;  ///< is of one of the comparison's scenarios on one of its platforms
};

/// What recorded policies had in one scenario on one platform.
struct RecordedFigures {
  struct Policy {
    std::size_t index = 0;  ///< of those compared
    std::string agent;
    std::vector<Metrics> per_seed;   ///< of each seed of ComparedRecords
    std::vector<std::string> files;  ///< the same; empty: none
  };
  std::vector<Policy> policies;  ///< ascending
  std::vector<std::string> files;

  /// Of the policy with this index there is a run of that seed.
  bool has(std::size_t index, std::size_t seed) const;
  /// Among those of the policies that ran.
  void put_agents(std::vector<std::string>& agents) const;
  void put_figures(std::size_t seed, std::vector<Metrics>& figures) const;
};

/// The recorded runs of a comparison, and what the others run on.
struct ComparedRecords {
  enum class Others {
    kScenario,     ///< the scenario that the records are of, on their seeds
    kOwnWorkload,  ///< that of the one record
    kNone,         ///< there are none
  };
  std::vector<ComparedRecord> runs;
  bool alone = false;  ///< all that is compared are recorded runs
  Others others = Others::kScenario;
  bool loads_scenario = true;  ///< each is of a scenario that is loaded, and no other of its name
  std::vector<std::uint64_t>
      seeds;  ///< ascending; those that the runs are of, then those they all have

  void choose_others(bool scenario_named);
  /// Names of those that they are of, in their order.
  std::vector<std::string> scenarios() const;
  /// Those runs that are of `platform`, as agents are told of it, and of `scenario`; where the others run on
  /// the record's own workload, or there are none, that becomes one. Notes say what they are. Throws Error
  /// (kInput) with the reason.
  RecordedFigures load(const PlatformSpec& platform, const Belief& belief, Scenario& scenario,
                       CellContext& cell);
  /// Once all are loaded. Throws Error (kInput): a run is of none of them.
  void check_places(const std::vector<CellContext>& cells) const;
  /// The seeds that every recorded policy has in every cell: figures and `seeds` are of those from then on.
  /// Notes say what is left out, and which policy lacks it. Throws Error (kInput) when none is left.
  void keep_common_seeds(const std::vector<ComparedPolicy>& policies,
                         const std::vector<RecordedFigures*>& figures,
                         std::vector<CellContext>& cells);

 private:
  RecordedFigures load_own(const PlatformSpec& platform, const Belief& belief, Scenario& scenario,
                           CellContext& cell);
};

/// Reads what the recorded runs among the policies say of themselves. Throws Error (kInput): policies of
/// one name that are not one.
ComparedRecords records_among(const std::vector<ComparedPolicy>& policies);

}  // namespace flyball::cli
