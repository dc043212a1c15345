#include "governor/cli/views/setting_sink.h"

#include <algorithm>

namespace flyball::cli {

void SettingSink::on_bind(int slot, const Binding& binding, const Observation&) {
  Counts& counts = counts_[static_cast<std::size_t>(slot)];
  if (static_cast<std::size_t>(slot) >= own_) return;  // every application has levels of its own
  if (counts.levels == binding.levels.size()) return;  // back again
  counts.levels = binding.levels.size();
  counts.jobs.assign(mappings_ * counts.levels, 0);
}

void SettingSink::on_epoch(const EpochEvent& event) noexcept {
  for (int slot = static_cast<int>(own_); slot < event.outcome.app_count; ++slot)
    joined_jobs_ += event.outcome.app[slot].finished;
  for (const JobRecord& job : event.outcome.jobs()) {
    Counts& counts = counts_[job.app];
    if (job.dropped || counts.jobs.empty()) continue;
    ++counts.jobs[job.setting.mapping * counts.levels + job.setting.level];
  }
}

std::vector<SettingUse> SettingSink::uses() const {
  std::vector<SettingUse> uses;
  for (std::size_t a = 0; a < counts_.size(); ++a) {
    const Counts& counts = counts_[a];
    for (std::size_t i = 0; i < counts.jobs.size(); ++i) {
      if (counts.jobs[i] == 0) continue;
      uses.push_back({static_cast<int>(a),
                      {static_cast<std::uint8_t>(i / counts.levels),
                       static_cast<std::uint8_t>(i % counts.levels)},
                      counts.jobs[i]});
    }
  }
  std::stable_sort(uses.begin(), uses.end(),
                   [](const SettingUse& a, const SettingUse& b) { return a.jobs > b.jobs; });
  return uses;
}

}  // namespace flyball::cli
