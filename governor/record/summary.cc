#include "governor/record/summary.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace flyball {
namespace {

double ratio(double part, double whole) { return whole > 0 ? part / whole : std::nan(""); }

}  // namespace

double RecordingSummary::miss_pct() const {
  return 100 * ratio(static_cast<double>(missed), static_cast<double>(jobs()));
}

double RecordingSummary::energy_mj_per_job() const {
  return ratio(energy_mj, static_cast<double>(finished + report.jobs_unlisted));
}

double RecordingSummary::latency_ms(double percent) const {
  return latency.count() > 0 ? latency.percentile(percent) / 1e6 : std::nan("");
}

void SummaryReader::begin(const RecordingInfo& info) {
  monitors_.emplace(info.platform, info.weights, info.measured);
}

void SummaryReader::unbind(int slot) {
  if (monitors_) monitors_->on_unbind(slot);
}

void SummaryReader::bind(int slot, const Binding& binding, const Observation& now) {
  if (monitors_) monitors_->on_bind(slot, binding, now);
  if (std::ranges::find(summary_.apps, binding.name) == summary_.apps.end())
    summary_.apps.push_back(binding.name);
}

void SummaryReader::epoch(const Observation& now, const DecisionRow& row) {
  const auto ns = static_cast<double>(now.epoch_ns);
  elapsed_ns_ += ns;
  if (monitors_) monitors_->add(now);
  summary_.energy_mj += now.energy_mj;
  if (row.recorded) summary_.forecasts.expect(row.decision);
  summary_.explored += row.recorded && row.decision.explored();
  summary_.replaced +=
      row.verdict == Shield::Verdict::kReplaced || row.verdict == Shield::Verdict::kTakenOver;
  for (int c = 0; c < now.cluster_count; ++c) {
    const ClusterObservation& seen = now.cluster[static_cast<std::size_t>(c)];
    Cluster& cluster = clusters_[static_cast<std::size_t>(c)];
    cluster.mw_ns += seen.power_mw * ns;
    cluster.khz_ns += static_cast<double>(seen.freq_khz) * ns;
    cluster.temp_min_c = std::min(cluster.temp_min_c, seen.temp_c);
    cluster.temp_max_c = std::max(cluster.temp_max_c, seen.temp_c);
    cluster.changes += cluster.khz != 0 && cluster.khz != seen.freq_khz;
    cluster.khz = seen.freq_khz;
  }
}

void SummaryReader::job(const JobRecord& job) {
  summary_.forecasts.ended(
      job);  // told after the epoch in which it ended, whose forecasts it may have
  summary_.missed += job.missed;
  summary_.infeasible += job.infeasible;
  if (job.dropped) {
    ++summary_.dropped;
    return;
  }
  ++summary_.finished;
  summary_.latency.add(job.latency_ns());
  accuracy_sum_ += static_cast<double>(job.accuracy_pct);
}

RecordingSummary SummaryReader::finish(RecordingReport report) {
  summary_.duration_s = elapsed_ns_ / 1e9;
  summary_.accuracy_pct = ratio(accuracy_sum_, static_cast<double>(summary_.finished));
  for (std::size_t c = 0; c < report.info.platform.clusters.size(); ++c) {
    const Cluster& seen = clusters_[c];
    RecordingSummary::Cluster& cluster = summary_.clusters.emplace_back();
    cluster.name = report.info.platform.clusters[c].name;
    cluster.power_mean_mw = ratio(seen.mw_ns, elapsed_ns_);
    cluster.clock_mean_mhz = ratio(seen.khz_ns, elapsed_ns_) / 1e3;
    cluster.clock_changes = seen.changes;
    if (seen.temp_min_c > seen.temp_max_c) continue;
    cluster.temp_min_c = seen.temp_min_c;
    cluster.temp_max_c = seen.temp_max_c;
  }
  if (monitors_) summary_.monitors = monitors_->result();
  summary_.report = std::move(report);
  return std::move(summary_);
}

RecordingSummary summarise(const std::string& recording) {
  SummaryReader reader;
  RecordingVisitor visitor;
  visitor.on_info = [&](const RecordingInfo& info) { reader.begin(info); };
  visitor.on_bind = [&](int slot, const Binding& binding, const Observation& now) {
    reader.bind(slot, binding, now);
  };
  visitor.on_unbind = [&](int slot) { reader.unbind(slot); };
  visitor.on_epoch = [&](const Observation& now, const DecisionRow& row) {
    reader.epoch(now, row);
  };
  visitor.on_job = [&](const JobRecord& job) { reader.job(job); };
  return reader.finish(read_recording(recording, visitor));
}

}  // namespace flyball
