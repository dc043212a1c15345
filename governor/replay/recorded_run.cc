#include "governor/replay/recorded_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "governor/replay/record_guard.h"

namespace flyball {
namespace {

class RunReader {
 public:
  RunReader(const PlatformSpec& platform, std::size_t max_epochs)
      : max_epochs_(max_epochs), guard_(platform), metrics_(platform, &platform) {
    of_slot_.fill(kNobody);
  }

  void on_info(const RecordingInfo& info) {
    guard_.on_info(info);
    weights_ = info.weights;
  }
  void on_start(const Observation& now) {
    *run_.start = now;
    *before_ = now;
    run_.battery_first_pct = now.battery_pct;
    run_.sustainable_mw = now.sustainable_mw;
    run_.preferences.push_back({0, now.energy_preference});
  }
  void on_bind(int slot, const Binding& binding, const Observation& now) {
    guard_.on_bind(slot, binding);
    const auto s = static_cast<std::size_t>(slot);
    of_slot_[s] = run_.apps.size();
    RecordedRun::App& app = run_.apps.emplace_back();
    app.slot = slot;
    app.binding = binding;
    app.required = required_[s] = now.app[s].required;
    app.start_ns = now.now_ns;
    app.stop_ns = kOpen;
    metrics_.on_bind(slot, binding, now);
    *before_ = now;
  }
  void on_unbind(int slot) {
    const auto s = static_cast<std::size_t>(slot);
    if (of_slot_[s] != kNobody) close(run_.apps[of_slot_[s]], before_->now_ns);
    of_slot_[s] = kNobody;
  }

  void on_epoch(const Observation& now, const DecisionRow& row) {
    guard_.on_epoch(now, row);
    if (run_.unusable.empty()) run_.unusable = why_unusable(now);
    if (run_.unusable.empty()) store(now, row);
    judge(weights_, now, *reward_);
    metrics_.on_epoch(
        {*before_, row.decision, row.applied, row.verdict, now, *reward_, row.decide_ns});
    *before_ = now;
  }

  RecordedRun finish(RecordingReport report) {
    for (std::size_t s = 0; s < of_slot_.size(); ++s) {
      if (of_slot_[s] == kNobody) continue;
      add_open(run_.apps[of_slot_[s]], before_->app[s]);
      close(run_.apps[of_slot_[s]], run_.duration_ns());
    }
    run_.metrics = metrics_.result();
    run_.report = std::move(report);
    return std::move(run_);
  }

 private:
  static constexpr std::size_t kNobody = ~std::size_t{0};
  static constexpr std::int64_t kOpen = -1;

  std::string why_unusable(const Observation& now) const {
    if (run_.preferences.empty()) return "the state before its first epoch cannot be read";
    if (now.epoch_ns <= 0 || now.now_ns - now.epoch_ns < run_.duration_ns())
      return "its epochs are not in order";
    if (run_.epochs.size() == max_epochs_)
      return fmt::format("it has more than {} epochs", max_epochs_);
    if (jobs_ > max_epochs_) return fmt::format("it has more than {} jobs", max_epochs_);
    return "";
  }
  void store(const Observation& now, const DecisionRow& row) {
    RecordedRun::Epoch& epoch = run_.epochs.emplace_back();
    epoch.start_ns = now.now_ns - now.epoch_ns;
    epoch.end_ns = now.now_ns;
    epoch.applied.opp = row.applied.opp;
    for (std::size_t c = 0; c < static_cast<std::size_t>(now.cluster_count); ++c) {
      const ClusterObservation& from = now.cluster[c];
      epoch.cluster[c] = {static_cast<float>(from.util_mean), static_cast<float>(from.power_mw),
                          static_cast<float>(from.temp_c), from.opp};
    }
    for (std::size_t s = 0; s < static_cast<std::size_t>(now.app_count); ++s) {
      if (of_slot_[s] == kNobody) continue;
      follow(of_slot_[s], now.app[s], epoch);
      if (of_slot_[s] < kMaxApps) epoch.applied.app[of_slot_[s]] = row.applied.app[s];
    }
    for (const JobRecord& job : now.jobs())
      if (job.app < kMaxApps && of_slot_[job.app] != kNobody) add(of_slot_[job.app], job);
    if (run_.preferences.back().value != now.energy_preference)
      run_.preferences.push_back({now.now_ns, now.energy_preference});
    run_.energy_mj += now.energy_mj;
    run_.battery_last_pct = now.battery_pct;
    run_.jobs_unlisted += now.jobs_unlisted;
  }
  void follow(std::size_t a, const AppObservation& seen, const RecordedRun::Epoch& epoch) {
    RecordedRun::App& app = run_.apps[a];
    Requirements& known = required_[static_cast<std::size_t>(app.slot)];
    if (!(seen.required == known)) {
      run_.changes.push_back({a, epoch.start_ns, epoch.end_ns, known, seen.required});
      known = seen.required;
    }
    app.longest_backlog = std::max(app.longest_backlog, seen.backlog);
    app.dropped_any = app.dropped_any || seen.dropped > 0;
    if (!seen.active && app.stop_ns == kOpen) app.stop_ns = epoch.end_ns;
  }
  void add(std::size_t a, const JobRecord& job) {
    RecordedRun::App& app = run_.apps[a];
    app.jobs.push_back(job);
    ++jobs_;
    app.start_ns = std::min(app.start_ns, job.release_ns);
  }
  /// Jobs that had not ended yet.
  static void add_open(RecordedRun::App& app, const AppObservation& seen) {
    JobRecord job;
    job.app = static_cast<std::uint8_t>(app.slot);
    if (seen.running.busy) {
      job.sequence = seen.running.sequence;
      job.release_ns = seen.running.release_ns;
      job.start_ns = seen.running.start_ns;
      job.deadline_ns = seen.running.deadline_ns;
      app.jobs.push_back(job);
    }
    for (std::uint32_t i = 0; i < seen.waiting_count; ++i) {
      job.sequence = seen.waiting[i].sequence;
      job.release_ns = seen.waiting[i].release_ns;
      job.deadline_ns = seen.waiting[i].deadline_ns;
      app.jobs.push_back(job);
    }
  }
  /// It stopped releasing after its last job and left when that was done.
  static void close(RecordedRun::App& app, std::int64_t at_ns) {
    std::ranges::stable_sort(app.jobs, {}, [](const JobRecord& job) { return job.release_ns; });
    if (app.stop_ns == kOpen) app.stop_ns = at_ns;
    if (!app.jobs.empty()) app.stop_ns = std::max(app.stop_ns, app.jobs.back().release_ns + 1);
  }

  const std::size_t max_epochs_;
  std::size_t jobs_ = 0;
  RecordGuard guard_;
  RecordedRun run_;
  RewardWeights weights_;
  MetricsSink metrics_;
  std::unique_ptr<Observation> before_ = std::make_unique<Observation>();
  std::unique_ptr<Reward> reward_ = std::make_unique<Reward>();
  std::array<std::size_t, kMaxApps> of_slot_{};
  std::array<Requirements, kMaxApps> required_{};
};

}  // namespace

RecordedRun read_recorded_run(const std::string& recording, const PlatformSpec& platform,
                              std::size_t max_epochs) {
  RunReader reader(platform, max_epochs);
  RecordingVisitor visitor;
  visitor.on_info = [&](const RecordingInfo& info) { reader.on_info(info); };
  visitor.on_start = [&](const Observation& now) { reader.on_start(now); };
  visitor.on_bind = [&](int slot, const Binding& binding, const Observation& now) {
    reader.on_bind(slot, binding, now);
  };
  visitor.on_unbind = [&](int slot) { reader.on_unbind(slot); };
  visitor.on_epoch = [&](const Observation& now, const DecisionRow& row) {
    reader.on_epoch(now, row);
  };
  RecordingReport report = read_recording(recording, visitor);
  return reader.finish(std::move(report));
}

}  // namespace flyball
