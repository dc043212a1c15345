#include "governor/metrics/monitor_figures.h"

#include <algorithm>

namespace flyball {

MonitorFigures::MonitorFigures(const PlatformSpec& platform, const RewardWeights& weights,
                               const std::vector<std::string>& measured)
    : table_(platform, weights, measured) {
  for (const Monitor& row : table_.rows()) add(row);
}

void MonitorFigures::add(const Monitor& row) {
  if (!row.shown) return;
  const auto before = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) {
    return !kept.there && kept.figure.monitor.name == row.name;
  });
  if (before == kept_.end()) {
    kept_.push_back({{.monitor = row}, true});
  } else {
    before->figure.monitor = row;
    before->there = true;
  }
}

void MonitorFigures::on_bind(int slot, const Binding& binding, const Observation& now) {
  on_unbind(slot);
  table_.bind(slot, binding, now.app[slot].required);
  for (const Monitor& row : table_.rows()) {
    if (row.scope == Monitor::Scope::kApp && row.index == slot) add(row);
  }
}

void MonitorFigures::on_unbind(int slot) {
  table_.unbind(slot);
  for (Kept& kept : kept_) {
    const Monitor& row = kept.figure.monitor;
    if (row.scope == Monitor::Scope::kApp && row.index == slot) kept.there = false;
  }
}

void MonitorFigures::add(const Observation& now) noexcept {
  const auto ns = static_cast<double>(now.epoch_ns);
  for (Kept& kept : kept_) {
    if (!kept.there) continue;
    MonitorFigure& figure = kept.figure;
    ++figure.epochs;
    const Reading reading = read(figure.monitor, now);
    figure.held += reading.state == Reading::State::kHeld;
    if (!reading.valid || reading.state == Reading::State::kHeld) continue;
    figure.least = figure.valid == 0 ? reading.value : std::min(figure.least, reading.value);
    figure.most = figure.valid == 0 ? reading.value : std::max(figure.most, reading.value);
    ++figure.valid;
    figure.sum += reading.value * ns;
    figure.ns += ns;
  }
}

std::vector<MonitorFigure> MonitorFigures::result() const {
  std::vector<MonitorFigure> figures;
  for (const Kept& kept : kept_) figures.push_back(kept.figure);
  return figures;
}

}  // namespace flyball
