#include "governor/cli/views/setting_sink.h"

#include <algorithm>

namespace flyball::cli {

void SettingSink::on_epoch(const EpochEvent& event) {
  for (const JobRecord& job : event.outcome.jobs()) {
    if (!job.dropped) ++jobs_[job.app][job.setting.mapping][job.setting.level];
  }
}

std::vector<SettingUse> SettingSink::uses() const {
  std::vector<SettingUse> uses;
  for (std::size_t a = 0; a < jobs_.size(); ++a) {
    for (std::size_t m = 0; m < jobs_[a].size(); ++m) {
      for (std::size_t w = 0; w < jobs_[a][m].size(); ++w) {
        if (jobs_[a][m][w] == 0) continue;
        uses.push_back({static_cast<int>(a),
                        {static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(w)},
                        jobs_[a][m][w]});
      }
    }
  }
  std::stable_sort(uses.begin(), uses.end(),
                   [](const SettingUse& a, const SettingUse& b) { return a.jobs > b.jobs; });
  return uses;
}

}  // namespace flyball::cli
