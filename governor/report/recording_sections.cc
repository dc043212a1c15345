#include <fmt/format.h>

#include <array>
#include <cmath>
#include <filesystem>

#include "governor/record/summary.h"
#include "governor/report/sections.h"
#include "governor/report/timeline.h"

namespace flyball::report {
namespace {

/// How many jobs took at most which share of their deadline, in fixed memory: steps of 1 %.
class ShareOfDeadline {
 public:
  void add(const JobRecord& job) {
    ++jobs_;
    const std::int64_t deadline_ns = job.deadline_ns - job.release_ns;
    if (job.dropped || deadline_ns <= 0) return;
    const double share = static_cast<double>(job.latency_ns()) / static_cast<double>(deadline_ns);
    // What is met must not be counted as beyond it: a bucket ends at what it is called.
    const double bucket = std::ceil(share * 100 - 1e-9);
    ++counts_[static_cast<std::size_t>(std::clamp(bucket, 0.0, double{kBuckets - 1}))];
  }
  Series series(const std::string& name, int colour) const {
    Series one{name, Series::Kind::kSteps, colour};
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] == 0) continue;
      if (one.x.empty()) one.x.push_back(static_cast<double>(i)), one.y.push_back(0);
      seen += counts_[i];
      one.x.push_back(static_cast<double>(i));
      one.y.push_back(100 * static_cast<double>(seen) / static_cast<double>(jobs_));
    }
    return one;
  }

 private:
  static constexpr int kBuckets = 1001;
  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t jobs_ = 0;
};

std::string name_of(const RecordingSummary& run, const std::string& file) {
  return fmt::format("{} ({})", run.report.info.policy,
                     std::filesystem::path(file).filename().string());
}

Section section_of(const RecordingSummary& run, const std::string& file) {
  const RecordingInfo& info = run.report.info;
  Section section;
  section.title =
      fmt::format("{}: {} on {}, recorded", info.scenario, info.policy, info.platform.name);
  section.verdict = fmt::format(
      "{} s, {} jobs: {} missed ({} %), {} dropped; {} mJ per job, 99 of 100 jobs within "
      "{} ms.",
      digits(run.duration_s, 1), run.jobs(), run.missed, digits(run.miss_pct(), 2), run.dropped,
      digits(run.energy_mj_per_job(), 2), digits(run.latency_ms(99), 1));
  section.notes.push_back(fmt::format("Recording {}, seed {}.", file, info.seed));
  if (!run.report.complete)
    section.notes.push_back("The recording is not complete: " + run.report.problem() + ".");
  if (run.report.jobs_unlisted > 0) section.notes.push_back(run.report.unlisted() + ".");
  return section;
}

Table table_of(const std::vector<RecordingSummary>& runs, const std::vector<std::string>& files,
               const Options& options) {
  Table table;
  table.title = "Recordings";
  table.columns = {"policy",   "energy", "missed",  "latency p50", "latency p99",
                   "accuracy", "jobs",   "hottest", "duration"};
  table.units = {"", "mJ/job", "% of jobs", "ms", "ms", "% top-1", "", "°C", "s"};
  table.bar_column = 1;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RecordingSummary& run = runs[i];
    double hottest_c = std::nan("");
    for (const auto& cluster : run.clusters) hottest_c = std::fmax(hottest_c, cluster.temp_max_c);
    const auto number = [](double value, int decimals) {
      return Cell{digits(value, decimals), value};
    };
    table.rows.push_back({{name_of(run, files[i]), std::nan("")},
                          number(run.energy_mj_per_job(), 2),
                          number(run.miss_pct(), 2),
                          number(run.latency_ms(50), 2),
                          number(run.latency_ms(99), 2),
                          number(run.accuracy_pct, 2),
                          number(static_cast<double>(run.jobs()), 0),
                          number(hottest_c, 1),
                          number(run.duration_s, 1)});
    const double infeasible = static_cast<double>(run.infeasible);
    const double avoidable_pct =
        run.miss_pct() - 100 * infeasible / std::fmax(1, static_cast<double>(run.jobs()));
    table.marks.push_back(avoidable_pct <= options.max_miss_pct ? "" : "late");
  }
  table.note = fmt::format("Late: misses more than {:g} % of the jobs that could be met.",
                           options.max_miss_pct);
  return table;
}

}  // namespace

std::vector<Section> recording_sections(const std::vector<std::string>& recordings,
                                        const Options& options, Colours& colours) {
  std::vector<Section> sections;
  if (recordings.empty()) return sections;
  std::vector<RecordingSummary> runs;
  Figure distribution{"deadline_share",
                      "Latency as a share of the deadline",
                      "Share of the jobs that were done by then; what is missing at 100 % of the "
                      "deadline was missed, and dropped jobs are never done.",
                      {"latency as a share of the deadline", "%"},
                      {"jobs done", "%"}};
  for (std::size_t i = 0; i < recordings.size(); ++i) {
    // Who comes is known before the figures are begun.
    const RecordingSummary& run = runs.emplace_back(summarise(recordings[i]));
    Timeline timeline(run.report.info, run.apps, options.max_points / recordings.size());
    ShareOfDeadline shares;
    RecordingVisitor visitor;
    visitor.on_bind = [&](int slot, const Binding& binding, const Observation&) {
      timeline.bind(slot, binding);
    };
    visitor.on_unbind = [&](int slot) { timeline.unbind(slot); };
    visitor.on_epoch = [&](const Observation& now, const DecisionRow& row) {
      timeline.epoch(now, row);
    };
    visitor.on_job = [&](const JobRecord& job) {
      timeline.job(job);
      shares.add(job);
    };
    read_recording(recordings[i], visitor);
    Section section = section_of(run, recordings[i]);
    section.figures = timeline.figures(fmt::format("run{}", i + 1));
    if (Series one =
            shares.series(name_of(run, recordings[i]),
                          recordings.size() == 1 ? 0 : colours.of(name_of(run, recordings[i])));
        !one.x.empty())
      distribution.series.push_back(std::move(one));
    sections.push_back(std::move(section));
  }
  Section all;
  all.title = recordings.size() == 1 ? "The recording" : "The recordings together";
  all.tables.push_back(table_of(runs, recordings, options));
  if (!distribution.series.empty()) all.figures.push_back(std::move(distribution));
  sections.insert(sections.begin(), std::move(all));
  return sections;
}

}  // namespace flyball::report
