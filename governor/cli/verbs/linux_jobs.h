#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agents/agent.h"
#include "env/linux/jobs/pool_jobs.h"
#include "env/linux/linux_platform.h"
#include "governor/cli/json.h"
#include "governor/cli/verbs/policies.h"
#include "governor/loop/learned_writer.h"
#include "governor/machine/governed_platform.h"
#include "governor/machine/inference_engine.h"
#include "governor/metrics/metrics.h"
#include "governor/record/recorder.h"

namespace flyball::cli {

/// What `run --platform linux --scenario` asks for beside what it asks of clocks.
struct LinuxJobsAsked {
  std::string scenario;  ///< empty: plain load only
  std::string policy_file, from;
  std::string learn_to;  ///< empty: where 'train' stores what was learned
  bool no_learn = false;
  std::string profile;
  std::string record;
};

/// Which monitors come from sensors, for a recording's header.
std::vector<std::string> measured_on_linux(const std::string& power_source);

/// The applications of a scenario on this machine: as described, as real jobs in the pool, and what
/// becomes of them.
class LinuxJobs {
 public:
  /// Reads and checks everything, and starts nothing. Throws Error (kInput).
  LinuxJobs(const LinuxJobsAsked& asked, const std::string& policy, double duration_s,
            std::uint64_t seed, const LinuxMachine& machine);

  const MachineSpec& made() const { return made_; }
  const Belief& belief() const { return belief_; }
  const Scenario& scenario() const { return scenario_; }
  /// The policy where applications are, and plain_load beside it.
  std::unique_ptr<Agent> make_agent(const RewardWeights& weights);
  /// Starts the pool, and measures an inference where no profile has. Throws Error.
  JobSource& start();
  /// Counts, records, keeps what is learned.
  void listen_to(ControlLoop& loop, Agent& agent, const RewardWeights& weights,
                 const std::string& power_source);
  /// What is to be said before the run.
  std::vector<std::string> sentences() const;
  /// On the run's clock, where this machine's own battery can be held to it; else 0.
  std::int64_t battery_until_ns() const { return battery_until_ns_; }
  /// After the run, once the machine is given back: files take as long as their disk. Throws nothing: what went wrong with files that were asked for is `problem()`.
  void finish();
  const std::string& problem() const { return problem_; }
  Json json() const;
  std::string text() const;

 private:
  std::string place_for_learned();
  void hold_to_battery(const LinuxMachine& machine);

  LinuxJobsAsked asked_;
  std::string policy_;
  std::uint64_t seed_;
  GovernedPlatform host_;
  MachineSpec made_;
  Belief belief_;
  Scenario scenario_;
  StartingPoint start_;
  std::vector<std::string> notes_;
  std::unique_ptr<InferenceEngine> engine_;
  std::unique_ptr<PoolJobs> jobs_;
  std::unique_ptr<MetricsSink> metrics_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<LearnedWriter> learned_;
  std::string problem_, battery_sentence_;
  std::int64_t battery_until_ns_ = 0;
};

}  // namespace flyball::cli
