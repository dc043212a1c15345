#include "env/sim/simulator.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace flyball {
namespace {

constexpr std::int64_t kPreviewNs = 600'000'000'000;
// Of the wait for a far deadline so much is played; the rest costs what that did on average.
constexpr std::int64_t kIdleNs = 10'000'000'000;
constexpr int kPreviewSteps = 2;  // thermal steps in one; see the test of previews for the error

}  // namespace

Simulator::Simulator(const PlatformSpec& spec, const Scenario& scenario, SimOptions options)
    : model_(spec, scenario, options.max_step_ms) {
  Engine(model_, cache_, state_).reset(options.seed);
}

void Simulator::observe(Observation& out) const {
  out.clear_jobs();
  fill(out, 0);
}

Status Simulator::apply(const Action& action) {
  Engine(model_, cache_, state_).apply(action);
  return Status::kOk;
}

Status Simulator::advance(const EpochRequest& request, Observation& out) {
  out.clear_jobs();
  const std::int64_t start_ns = state_.now_ns;
  const std::int64_t end_ns = model_.scenario.duration_ns;
  if (start_ns >= end_ns || interrupted_.load(std::memory_order_relaxed)) {
    fill(out, 0);
    return start_ns >= end_ns ? Status::kFinished : Status::kInterrupted;
  }
  const std::int64_t interval_ns = std::max<std::int64_t>(1, request.interval_ns);
  const std::int64_t until_ns = end_ns - start_ns > interval_ns ? start_ns + interval_ns : end_ns;
  Engine engine(model_, cache_, state_, &out);
  engine.run(until_ns, {.release = request.stop_at_release, .finish = request.stop_at_finish});
  ++epochs_;
  fill(out, state_.now_ns - start_ns);
  clear_epoch();
  return state_.now_ns >= end_ns ? Status::kFinished : Status::kOk;
}

void Simulator::fill(Observation& out, std::int64_t epoch_ns) const {
  const double per_ns = epoch_ns > 0 ? 1 / static_cast<double>(epoch_ns) : 0;
  const double per_s = 1e9 * per_ns;
  out.sequence = epochs_;
  out.now_ns = state_.now_ns;
  out.epoch_ns = epoch_ns;
  out.energy_mj = state_.epoch_mj;
  out.power_mw = epoch_ns > 0 ? state_.epoch_mj * per_s : state_.total_mw;
  out.battery_pct =
      model_.scenario.battery_mj > 0 ? 100 * state_.battery_mj / model_.scenario.battery_mj : 100;
  out.energy_preference = state_.energy_preference;
  out.cluster_count = model_.clusters;
  out.app_count = model_.apps;
  out.sensors_ok = true;
  for (int c = 0; c < model_.clusters; ++c) {
    const SimCluster& from = state_.cluster[c];
    const double cores = model_.spec.clusters[c].cores;
    // Applications are placed on cores of their own while there are enough; only then is the
    // busiest core that of the busiest application, and otherwise everyone's together.
    double most_ns = from.background_ns, sum_ns = from.background_ns;
    double wanted = model_.segments[state_.segment].whole_cores[c];
    for (int a = 0; a < model_.apps; ++a) {
      const SimApp& app = state_.app[a];
      wanted += model_.spec.mappings[app.last_setting.mapping].cores[c];
      most_ns = std::max(most_ns, app.busy_ns[c]);
      sum_ns += app.busy_ns[c];
    }
    ClusterObservation& to = out.cluster[c];
    to.freq_khz = model_.spec.clusters[c].opps[from.opp].freq_khz;
    to.util_max = std::min(1.0, (wanted > cores ? sum_ns : most_ns) * per_ns);
    to.util_mean = std::min(1.0, from.busy_core_ns * per_ns / cores);
    to.power_mw = epoch_ns > 0 ? from.energy_mj * per_s : from.power_mw;
    to.temp_c = from.temp_c;
    to.opp = from.opp;
    to.opp_cap = state_.thermal.opp_cap[c];
  }
  for (int a = 0; a < model_.apps; ++a) {
    const SimApp& from = state_.app[a];
    const AppSpec& spec = model_.scenario.apps[a];
    AppObservation& to = out.app[a];
    to.active = state_.now_ns >= spec.start_ns && state_.now_ns < spec.stop_ns;
    to.required = from.required;
    to.setting = from.setting;
    to.released = from.released;
    to.finished = from.finished;
    to.missed = from.missed;
    to.backlog = from.backlog();
    to.oldest_release_ns = from.running   ? from.run.job.release_ns
                           : from.waiting ? from.queue[from.head].release_ns
                                          : 0;
    to.last_latency_ns = from.last_latency_ns;
    to.last_execution_ns = from.last_execution_ns;
    to.last_cycles = from.last_cycles;
    to.last_setting = from.last_finished;
  }
}

void Simulator::clear_epoch() {
  state_.epoch_mj = 0;
  for (int c = 0; c < model_.clusters; ++c) {
    SimCluster& cluster = state_.cluster[c];
    cluster.energy_mj = cluster.busy_core_ns = cluster.background_ns = 0;
  }
  for (int a = 0; a < model_.apps; ++a) {
    SimApp& app = state_.app[a];
    app.released = app.finished = app.missed = 0;
    app.busy_ns.fill(0);
  }
}

std::size_t Simulator::next_releases(int app, std::span<std::int64_t> out_ns) const {
  ArrivalStream arrivals = state_.app[app].arrivals;
  std::size_t count = 0;
  for (; count < out_ns.size() && arrivals.next_ns() != kNeverNs; ++count) {
    out_ns[count] = arrivals.next_ns();
    arrivals.step(model_.scenario.apps[app]);
  }
  return count;
}

Foresight::Outcome Simulator::preview(const Action& action, int app) const {
  const SimApp& watched = state_.app[app];
  const std::int64_t now_ns = state_.now_ns;
  if (watched.waiting == 0 && watched.arrivals.next_ns() == kNeverNs) return {now_ns, 0, true};

  // The applications come last in the state: those that the scenario lacks need no copy.
  std::memcpy(static_cast<void*>(&copy_), static_cast<const void*>(&state_),
              offsetof(SimState, app) + sizeof(SimApp) * static_cast<std::size_t>(model_.apps));
  copy_.watched_app = app;
  copy_.watch_started = copy_.watch_done = false;
  Engine engine(model_, cache_, copy_, nullptr, kPreviewSteps);
  engine.apply(action);
  engine.run(now_ns + kPreviewNs, {.watched_finish = true});

  Outcome outcome;
  outcome.finish_ns = copy_.watch_done ? copy_.watched_finish_ns : now_ns + kPreviewNs;
  outcome.meets_deadline = copy_.watch_done && outcome.finish_ns <= copy_.watched_deadline_ns;
  double extrapolated_mj = 0;
  const std::int64_t until_ns = std::min(copy_.watched_deadline_ns, model_.scenario.duration_ns);
  if (copy_.watch_done && copy_.watched_deadline_ns != kNeverNs && until_ns > copy_.now_ns) {
    copy_.app[app].waiting = 0;
    copy_.app[app].arrivals.end();
    const std::int64_t idle_ns = copy_.now_ns;
    const double idle_mj = copy_.total_mj;
    const std::int64_t played_ns = std::min(until_ns, idle_ns + kIdleNs);
    engine.run(played_ns, {});
    extrapolated_mj = (copy_.total_mj - idle_mj) * static_cast<double>(until_ns - played_ns) /
                      static_cast<double>(played_ns - idle_ns);
  }
  outcome.energy_mj = copy_.total_mj - state_.total_mj + extrapolated_mj;
  return outcome;
}

}  // namespace flyball
