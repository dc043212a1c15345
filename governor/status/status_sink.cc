#include "governor/status/status_sink.h"

#include <algorithm>
#include <cmath>

#include "kernels/base/clock.h"

namespace flyball {

void StatusSink::begin(const StatusFacts& facts) {
  page_.facts.put(facts);
  now_.at_ns = monotonic_ns();
  page_.now.put(now_);
}

void StatusSink::note(std::string_view sentence) noexcept {
  StatusNow::Note& note = now_.note[now_.notes % StatusNow::kNotes];
  note.at_ns = monotonic_ns();
  note.text.set(sentence);
  ++now_.notes;
  page_.now.put(now_);
}

void StatusSink::on_epoch(const EpochEvent& event) noexcept {
  ++now_.epochs;
  for (int c = 0; c < event.outcome.cluster_count; ++c) {
    predict(c, event);
    count(c, event.outcome.cluster[static_cast<std::size_t>(c)]);
  }
  add(event.outcome);
  if (window_.ns >= kWindowNs) end_window(event.outcome);
}

ClusterObservation StatusSink::averaged(int cluster, const EpochEvent& event) noexcept {
  constexpr double kAveragingNs = 46e6;  // the scheduler's half-life of 32 ms, as a time constant
  ClusterObservation seen = event.before.cluster[static_cast<std::size_t>(cluster)];
  const auto khz = static_cast<double>(seen.freq_khz);
  if (!(khz > 0)) return seen;
  Demand& demand = demand_[static_cast<std::size_t>(cluster)];
  const double fresh = -std::expm1(-static_cast<double>(event.before.epoch_ns) / kAveragingNs);
  demand.busiest_khz += fresh * (seen.util_max * khz - demand.busiest_khz);
  demand.mean_khz += fresh * (seen.util_mean * khz - demand.mean_khz);
  seen.util_max = std::min(1.0, demand.busiest_khz / khz);
  seen.util_mean = std::min(1.0, demand.mean_khz / khz);
  return seen;
}

/// Scored is what could have come true: the clock is what was asked for, and how much was wanted is
/// known.
void StatusSink::predict(int cluster, const EpochEvent& event) noexcept {
  const auto c = static_cast<std::size_t>(cluster);
  const ClusterObservation& out = event.outcome.cluster[c];
  const ClusterObservation seen = averaged(cluster, event);
  if (last_asked_khz_[c] == 0) last_asked_khz_[c] = event.before.cluster[c].asked_khz;
  if (out.asked_khz != last_asked_khz_[c]) decide(cluster, event, seen);
  // Of the average: a single epoch is often a tick that came late, and leaving out those that
  // were full would leave out those that are followed by less.
  if (seen.util_max >= PlainForecaster::kSaturated || out.opp != out.asked_opp ||
      seen.freq_khz <= 0)
    return;
  const PlainForecast expected = forecaster_.at(cluster, seen, out.asked_opp);
  const auto ns = static_cast<double>(event.outcome.epoch_ns);
  Window::Cluster& sum = window_.cluster[c];
  sum.predicted_busiest_ns += std::min(1.0, expected.busiest) * ns;
  sum.predicted_mw_ns += expected.mw * ns;
  sum.came_busiest_ns += out.util_max * ns;
  sum.came_mw_ns += forecaster_.modelled_mw(cluster, out) * ns;
  sum.scored_ns += ns;
}

void StatusSink::decide(int cluster, const EpochEvent& event,
                        const ClusterObservation& averaged) noexcept {
  const auto c = static_cast<std::size_t>(cluster);
  const ClusterObservation& seen = event.before.cluster[c];
  const ClusterObservation& out = event.outcome.cluster[c];
  const ClusterSpec& spec = platform_.spec().clusters[c];
  // Everybody may read it: what counters tell, of a single epoch, must not be seen through it.
  ClusterObservation expected_from = averaged;
  expected_from.counters = {};
  const int chosen = out.asked_opp;
  const int next = forecaster_.next_best(cluster, expected_from, chosen);
  const PlainForecast expected = forecaster_.at(cluster, expected_from, chosen);
  const PlainForecast other = forecaster_.at(cluster, expected_from, next);
  PlainDecision one;
  one.number = decisions_;
  one.at_ns = monotonic_ns() - event.outcome.epoch_ns;
  one.epoch_ns = event.outcome.epoch_ns;
  one.cluster = static_cast<std::uint8_t>(cluster);
  one.verdict = static_cast<std::uint8_t>(event.verdict);
  one.reason = static_cast<std::uint8_t>(event.decided.reason.code);
  one.capped = seen.opp_cap < spec.max_opp() ? 1 : 0;
  one.error = out.error;
  one.last_asked_khz = last_asked_khz_[c];
  one.before_khz = seen.freq_khz;
  one.decided_khz =
      spec.opps[std::min<std::size_t>(event.decided.action.opp[c], spec.opps.size() - 1)].freq_khz;
  one.asked_khz = out.asked_khz;
  one.next_khz = spec.opps[static_cast<std::size_t>(next)].freq_khz;
  one.delivered_khz = out.freq_khz;
  one.seen_busiest = static_cast<float>(seen.util_max);
  one.seen_temp_c = static_cast<float>(seen.temp_c);
  one.chosen_busiest = static_cast<float>(std::min(1.0, expected.busiest));
  one.chosen_mw = static_cast<float>(expected.mw);
  one.next_busiest = static_cast<float>(std::min(1.0, other.busiest));
  one.next_mw = static_cast<float>(other.mw);
  one.out_busiest = static_cast<float>(out.util_max);
  one.out_mw = static_cast<float>(forecaster_.modelled_mw(cluster, out));
  last_asked_khz_[c] = out.asked_khz;
  page_.decision[decisions_ % StatusPage::kDecisions].put(one);
  page_.decisions.store(++decisions_, std::memory_order_release);
  ++now_.cluster[c].decisions;
}

void StatusSink::score(int cluster) noexcept {
  const Window::Cluster& sum = window_.cluster[static_cast<std::size_t>(cluster)];
  constexpr double kBusy = 0.01;
  if (sum.came_busiest_ns <= kBusy * sum.scored_ns || !(sum.came_mw_ns > 0)) return;
  ++now_.scored;
  busy_error_sum_ += std::abs(sum.predicted_busiest_ns - sum.came_busiest_ns) / sum.scored_ns;
  power_error_sum_ += std::abs(sum.predicted_mw_ns / sum.came_mw_ns - 1);
  now_.busy_error = busy_error_sum_ / static_cast<double>(now_.scored);
  now_.power_error = power_error_sum_ / static_cast<double>(now_.scored);
}

void StatusSink::count(int cluster, const ClusterObservation& seen) noexcept {
  CounterTotals::Cluster& total = totals_.cluster[static_cast<std::size_t>(cluster)];
  total.valid |= seen.counters.valid;
  if (seen.counters.has(Counters::kInstructions)) total.instructions += seen.counters.instructions;
  if (seen.counters.has(Counters::kCycles)) total.cycles += seen.counters.cycles;
  if (seen.counters.has(Counters::kReferences)) total.references += seen.counters.cache_references;
  if (seen.counters.has(Counters::kMisses)) total.misses += seen.counters.cache_misses;
}

void StatusSink::add(const Observation& out) noexcept {
  const auto ns = static_cast<double>(out.epoch_ns);
  window_.ns += out.epoch_ns;
  window_.energy_mj += out.energy_mj;
  now_.energy_mj += out.energy_mj;
  if (platform_.power_measured()) {
    window_.measured_ns += ns;
    now_.energy_measured_mj += out.energy_mj;
  }
  for (int c = 0; c < out.cluster_count; ++c) {
    const auto at = static_cast<std::size_t>(c);
    const ClusterObservation& seen = out.cluster[at];
    Window::Cluster& sum = window_.cluster[at];
    sum.busy_ns += seen.util_mean * ns;
    sum.busiest_ns += seen.util_max * ns;
    sum.clock += seen.util_mean * ns * static_cast<double>(seen.freq_khz);
    sum.mw_ns += seen.power_mw * ns;
  }
}

void StatusSink::end_window(const Observation& out) noexcept {
  const auto ns = static_cast<double>(window_.ns);
  now_.at_ns = monotonic_ns();
  now_.window_ns = window_.ns;
  now_.naps = platform_.naps();
  now_.napping = platform_.napping() ? 1 : 0;
  now_.power_mw = window_.energy_mj / ns * 1e9;
  now_.measured_share = window_.measured_ns / ns;
  now_.clusters = out.cluster_count;
  const LinuxTuning& tuning = platform_.tuning();
  now_.epoch_ns = tuning.epoch_ns;
  now_.preference = out.energy_preference;
  now_.preference_set = tuning.preference ? 1 : 0;
  StatusSecond second;
  second.number = seconds_;
  second.power_mw = static_cast<float>(now_.power_mw);
  for (int c = 0; c < out.cluster_count; ++c) {
    const auto at = static_cast<std::size_t>(c);
    const ClusterObservation& seen = out.cluster[at];
    StatusNow::Cluster& cluster = now_.cluster[at];
    const HandReport hand = platform_.hand(c);
    const Window::Cluster& sum = window_.cluster[at];
    score(c);
    cluster.asked_khz = seen.asked_khz;
    cluster.delivered_khz = sum.busy_ns > 0 ? sum.clock / sum.busy_ns : kUnknown;
    cluster.busiest = sum.busiest_ns / ns;
    cluster.busy = sum.busy_ns / ns;
    cluster.modelled_mw = sum.mw_ns / ns;
    cluster.temp_c = seen.temp_c;
    for (int state = 0; state < StatusFacts::kIdleStates; ++state)
      cluster.idle_share[static_cast<std::size_t>(state)] = platform_.idle_share(c, state);
    cluster.error = seen.error;
    cluster.stood_down = hand.stood_down;
    cluster.writes = hand.writes;
    cluster.refused = hand.refused;
    cluster.rounded = hand.rounded;
    cluster.ignored = hand.ignored;
    cluster.min_khz = tuning.min_khz[at];
    cluster.max_khz = tuning.max_khz[at];
    second.busiest[at] = static_cast<float>(cluster.busiest);
    second.khz[at] = static_cast<float>(sum.busy_ns > 0 ? cluster.delivered_khz : 0);
  }
  page_.now.put(now_);
  page_.second[seconds_ % StatusPage::kSeconds].put(second);
  page_.seconds.store(++seconds_, std::memory_order_release);
  totals_.clusters = out.cluster_count;
  counters_.put(totals_);
  window_ = {};
}

}  // namespace flyball
