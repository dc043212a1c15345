#include "governor/replay/workload_finder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "env/model/model.h"
#include "env/sim/simulator.h"
#include "governor/replay/recorded_decisions.h"
#include "governor/replay/recorded_load.h"

namespace flyball {
namespace {

constexpr int kMostRounds = 60;   // jobs that queue settle one after the other
constexpr double kEnough = 1e-6;  // mean error of the jobs' times
constexpr double kGoodPct = 1;    // the same, where there is no need to try otherwise
constexpr double kLeastWork = 1e-4, kMostWork = 1e4;
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kMostSteps = 10'000;  // of the ambient temperature
constexpr int kPatience = 12;                // rounds in which nothing gets better

class WorkloadFinder {
 public:
  WorkloadFinder(const RecordedRun& run, const PlatformSpec& platform, const Scenario& said,
                 bool by_cycles)
      : run_(run),
        platform_(platform),
        by_cycles_(by_cycles),
        load_(run, platform),
        fixed_events_(said.events) {
    found_.scenario = said;
    guess_work();
    step_ns_ = std::max(kSecondNs, said.duration_ns / kMostSteps + 1);
    const auto steps = static_cast<std::size_t>(said.duration_ns / step_ns_) + 1;
    ambient_c_.assign(steps, said.ambient_c);
  }

  FoundWorkload find() {
    lay_out();
    // The jobs first: as long as they do not run when they ran, what else ran cannot be told. The
    // surroundings last: taken for the heat of power that is missing, they would hold clocks down later.
    for (const Sought sought : {Sought::kWork, Sought::kLoad, Sought::kHeat}) {
      double least = std::numeric_limits<double>::infinity();
      int in_vain = 0;
      for (int round = 0; round < kMostRounds && in_vain < kPatience; ++round) {
        play_own();
        keep_if_best();
        in_vain = error() < 0.95 * least ? 0 : in_vain + 1;
        least = std::min(least, error());
        if (round > 0 && time_error() <= kEnough && settled(sought)) break;
        correct(sought);
        lay_out();
      }
    }
    return std::move(best_);
  }

 private:
  enum class Sought { kWork, kLoad, kHeat };

  /// Each with those before it.
  bool settled(Sought sought) const {
    return sought == Sought::kWork ||
           (load_.settled() && (sought == Sought::kLoad || heat_settled_));
  }
  /// A kelvin weighs as much as a hundredth of the jobs' time, or of the energy.
  double error() const { return time_error() + std::abs(energy_error_) + 0.01 * temp_error_k_; }
  void keep_if_best() {
    if (error() >= best_error_) return;
    best_error_ = error();
    best_ = found_;
    best_.work_error_pct = 100 * time_error();
  }

  bool ran(const JobRecord& job) const { return !job.dropped && job.finish_ns > job.start_ns; }

  /// By the clocks in force while it ran, as if it had been alone.
  void guess_work() {
    for (std::size_t a = 0; a < run_.apps.size(); ++a) {
      const AppSpec& app = found_.scenario.apps[a];
      const AppProfile& profile = platform_.apps[static_cast<std::size_t>(app.profile)];
      std::size_t e = 0;
      for (std::size_t j = 0; j < run_.apps[a].jobs.size(); ++j) {
        const JobRecord& job = run_.apps[a].jobs[j];
        if (!ran(job)) {
          ++found_.open_jobs;
          continue;
        }
        while (e + 1 < run_.epochs.size() && run_.epochs[e].end_ns <= job.start_ns) ++e;
        double done = 0;
        for (std::size_t i = e; i < run_.epochs.size(); ++i) {
          const RecordedRun::Epoch& epoch = run_.epochs[i];
          if (epoch.start_ns >= job.finish_ns) break;
          OppChoice opp{};
          for (std::size_t c = 0; c < platform_.clusters.size(); ++c) opp[c] = epoch.cluster[c].opp;
          const std::int64_t ns =
              std::min(epoch.end_ns, job.finish_ns) - std::max(epoch.start_ns, job.start_ns);
          done += static_cast<double>(ns) / execution_ns(platform_, profile,
                                                         platform_.mappings[job.setting.mapping],
                                                         job.setting.level, opp);
        }
        work(a, j) = std::clamp(done, kLeastWork, kMostWork);
        ++expected_jobs_;
      }
    }
    fill_unknown();
  }
  double& work(std::size_t a, std::size_t j) {
    return found_.scenario.apps[a].arrival.listed[j].work;
  }
  /// Of whose work nothing is known it is the mean of the others.
  void fill_unknown() {
    for (std::size_t a = 0; a < run_.apps.size(); ++a) {
      const auto& jobs = run_.apps[a].jobs;
      double sum = 0;
      std::size_t known = 0;
      for (std::size_t j = 0; j < jobs.size(); ++j) {
        if (!ran(jobs[j])) continue;
        sum += work(a, j);
        ++known;
      }
      const double mean = known > 0 ? sum / static_cast<double>(known) : 1;
      for (std::size_t j = 0; j < jobs.size(); ++j)
        if (!ran(jobs[j])) work(a, j) = mean;
    }
  }

  /// Load and temperatures as they are believed by now.
  void lay_out() {
    Scenario& scenario = found_.scenario;
    scenario.background = load_.loads();
    scenario.ambient_c = ambient_c_.front();
    scenario.events = fixed_events_;
    double said_c = scenario.ambient_c;
    for (std::size_t s = 1; s < ambient_c_.size(); ++s) {
      if (std::abs(ambient_c_[s] - said_c) < kLeastK) continue;
      said_c = ambient_c_[s];
      scenario.events.push_back(
          {static_cast<std::int64_t>(s) * step_ns_, ScenarioEvent::Kind::kAmbient, -1, {}, said_c});
    }
    std::ranges::stable_sort(scenario.events, {}, &ScenarioEvent::at_ns);
  }

  /// The record's decisions, in the scenario as it is believed by now.
  void play_own() {
    Simulator simulator(platform_, found_.scenario);
    auto now = std::make_unique<Observation>();
    simulator.observe(*now);
    const std::size_t clusters = platform_.clusters.size();
    off_k_.assign(ambient_c_.size(), 0);
    seen_.assign(ambient_c_.size(), 0);
    for (std::size_t c = 0; c < clusters; ++c)
      off_k_[0] += run_.start->cluster[c].temp_c - now->cluster[c].temp_c;
    seen_[0] = static_cast<double>(clusters);
    start_off_k_ = off_k_[0] / seen_[0];
    load_.begin_round();
    ended_.clear();
    double energy_mj = 0, off_k = 0;
    play_decisions(run_, simulator, *now, [&](const RecordedRun::Epoch& epoch) {
      const auto step =
          std::min(ambient_c_.size() - 1, static_cast<std::size_t>(epoch.end_ns / step_ns_));
      for (std::size_t c = 0; c < clusters; ++c) {
        const double off = static_cast<double>(epoch.cluster[c].temp_c) - now->cluster[c].temp_c;
        off_k_[step] += off;
        off_k += std::abs(off);
      }
      seen_[step] += static_cast<double>(clusters);
      load_.add_epoch(*now);
      energy_mj += now->energy_mj;
      for (const JobRecord& job : now->jobs()) {
        const auto& recorded = run_.apps[job.app].jobs;
        if (job.sequence < recorded.size() && ran(recorded[job.sequence]) && !job.dropped)
          ended_.emplace_back(recorded[job.sequence], job);
      }
    });
    energy_error_ = run_.energy_mj > 0 ? energy_mj / run_.energy_mj - 1 : 0;
    temp_error_k_ = off_k / static_cast<double>(clusters * run_.epochs.size());
    // A job that does not run at all is as wrong as can be.
    error_ = static_cast<double>(expected_jobs_) - static_cast<double>(ended_.size());
    for (const auto& [recorded, played] : ended_) error_ += error_of(recorded, played);
  }
  double time_error() const {
    return expected_jobs_ > 0 ? error_ / static_cast<double>(expected_jobs_) : 0;
  }
  static double slower(const JobRecord& recorded, const JobRecord& played) {
    return static_cast<double>(recorded.execution_ns()) /
           static_cast<double>(std::max<std::int64_t>(1, played.execution_ns()));
  }
  static double error_of(const JobRecord& recorded, const JobRecord& played) {
    return recorded.setting == played.setting ? std::abs(1 / slower(recorded, played) - 1) : 1;
  }

  void correct(Sought sought) {
    for (const auto& [recorded, played] : ended_) correct_work(recorded, played);
    fill_unknown();
    if (sought != Sought::kWork) load_.correct();
    // Heat takes its time: what was not seen within a step is as in the one before.
    double off = start_off_k_;
    heat_settled_ = true;
    for (std::size_t s = 0; s < off_k_.size(); ++s) {
      if (sought == Sought::kHeat && seen_[s] > 0) off = off_k_[s] / seen_[s];
      heat_settled_ = heat_settled_ && std::abs(off) < kLeastK;
      ambient_c_[s] += off;
    }
  }

  void correct_work(const JobRecord& recorded, const JobRecord& played) {
    // It began at another time, when something else was in force: the one before is to be put right first.
    if (!(recorded.setting == played.setting)) {
      load_.distrust(recorded.start_ns, recorded.finish_ns);
      load_.distrust(played.start_ns, played.finish_ns);
      return;
    }
    const double times = slower(recorded, played);
    const bool counted = by_cycles_ && recorded.cycles > 0 && played.cycles > 0;
    double& mine = work(played.app, played.sequence);
    mine = std::clamp(mine * (counted ? recorded.cycles / played.cycles : times), kLeastWork,
                      kMostWork);
    // Without so many more cycles it took that much longer: it had to share its cores.
    if (counted)
      load_.add_job(recorded, platform_.mappings[recorded.setting.mapping],
                    times * played.cycles / recorded.cycles);
  }

  static constexpr double kLeastK = 0.1;
  const RecordedRun& run_;
  const PlatformSpec& platform_;
  const bool by_cycles_;
  FoundWorkload found_;
  RecordedLoad load_;
  const std::vector<ScenarioEvent> fixed_events_;
  std::vector<double> ambient_c_;  ///< of each step
  std::int64_t step_ns_ = kSecondNs;
  // Of the last round.
  std::vector<std::pair<JobRecord, JobRecord>> ended_;  ///< as recorded, and as played
  std::vector<double> off_k_, seen_;                    ///< of each step of the ambient temperature
  double start_off_k_ = 0;
  double error_ = 0, energy_error_ = 0, temp_error_k_ = 0;
  bool heat_settled_ = false;
  FoundWorkload best_;  ///< as it was played, with the least error
  double best_error_ = std::numeric_limits<double>::infinity();
  std::size_t expected_jobs_ = 0;
};

}  // namespace

FoundWorkload find_workload(const RecordedRun& run, const PlatformSpec& platform,
                            const Scenario& said) {
  // Cycles tell work apart from waiting for a core, where they are those that the model has.
  FoundWorkload found = WorkloadFinder(run, platform, said, true).find();
  if (found.work_error_pct < kGoodPct) return found;
  FoundWorkload by_time = WorkloadFinder(run, platform, said, false).find();
  return by_time.work_error_pct < found.work_error_pct ? by_time : found;
}

}  // namespace flyball
