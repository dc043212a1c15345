#include "governor/cli/views/linux_live.h"

#include <fmt/format.h>

#include <limits>
#include <system_error>

#include "governor/cli/terminal.h"

namespace flyball::cli {

void LinuxSink::on_epoch(const EpochEvent& event) noexcept {
  const Observation& out = event.outcome;
  const auto span_ns = static_cast<double>(out.epoch_ns);
  ++epochs_;
  energy_mj_ += out.energy_mj;
  time_ns_ += span_ns;
  if (platform_.power_measured()) measured_ns_ += span_ns;
  for (int c = 0; c < out.cluster_count; ++c) {
    Cluster& cluster = cluster_[static_cast<std::size_t>(c)];
    const ClusterObservation& seen = out.cluster[static_cast<std::size_t>(c)];
    cluster.busy_ns += seen.util_mean * span_ns;
    cluster.busy_clock += seen.util_mean * span_ns * static_cast<double>(seen.freq_khz);
    const std::uint8_t opp = event.applied.opp[static_cast<std::size_t>(c)];
    if (opp != cluster.last_opp) ++cluster.decisions;
    cluster.last_opp = opp;
  }
  tell(out);
}

/// Rings once a second, and of a nap only at its beginning: people are not to be what wakes the
/// machine.
void LinuxSink::tell(const Observation& out) {
  const bool napped = state_.napping;
  state_.napping = platform_.napping();
  const std::int64_t second = out.now_ns / 1'000'000'000;
  if (second == second_ || (napped && state_.napping)) return;
  second_ = second;
  state_.now_ns = out.now_ns;
  state_.power_mw = out.power_mw;
  state_.measured = platform_.power_measured();
  state_.clusters = out.cluster_count;
  for (int c = 0; c < out.cluster_count; ++c) {
    const ClusterObservation& seen = out.cluster[static_cast<std::size_t>(c)];
    state_.cluster[static_cast<std::size_t>(c)] = {seen.util_max, seen.freq_khz, seen.asked_khz,
                                                   seen.error};
  }
  latest_.put(state_);
  bell_.ring();
}

void Teller::body() {
  for (;;) {
    const std::uint32_t seen = sink_.bell().mark();
    if (stop_.load(std::memory_order_acquire)) return;
    if (const LinuxSink::State* state = sink_.latest().fetch()) {
      offer_note(line(*state));
    } else {
      sink_.bell().wait(seen, std::numeric_limits<std::int64_t>::max());
    }
  }
}

std::string Teller::line(const LinuxSink::State& state) const {
  std::string text = fmt::format("{:5d} s", state.now_ns / 1'000'000'000);
  for (std::size_t c = 0; c < static_cast<std::size_t>(state.clusters); ++c) {
    const LinuxSink::State::Cluster& seen = state.cluster[c];
    text += fmt::format("  {} {:.0f} % busy, {:.0f} MHz", names_[c], 100 * seen.util_max,
                        static_cast<double>(seen.freq_khz) / 1e3);
    if (!state.napping)
      text += fmt::format(" (asked {:.0f})", static_cast<double>(seen.asked_khz) / 1e3);
    if (seen.error != 0) text += ", " + std::generic_category().message(seen.error);
  }
  text +=
      fmt::format("  {:.2f} W {}", state.power_mw / 1e3, state.measured ? "measured" : "modelled");
  if (state.napping) text += "  idle: Linux governs";
  return text + "\n";
}

}  // namespace flyball::cli
