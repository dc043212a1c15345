#include <time.h>

#include <algorithm>

#include "governor/supervisor/give_back.h"
#include "kernels/base/clock.h"

namespace flyball {
namespace {

constexpr timespec kBetweenTries = {0, 100'000'000};

void take_over_result(GiveBackResult& all, const GiveBackResult& latest) {
  for (const SettingResult& each : latest.settings) {
    const auto known =
        std::find_if(all.settings.begin(), all.settings.end(),
                     [&](const SettingResult& one) { return one.setting == each.setting; });
    if (known == all.settings.end()) {
      all.settings.push_back(each);
    } else {
      *known = each;
    }
  }
}

}  // namespace

GiveBackResult give_back_patiently(SettingsFile& file, std::int64_t limit_ns,
                                   const GiveBackOptions& options) {
  const std::int64_t until_ns = monotonic_ns() + limit_ns;
  GiveBackResult all = give_back(file, options);
  // A torn entry stays torn.
  while (all.missing() > all.count(Returned::kDamaged) && monotonic_ns() < until_ns) {
    nanosleep(&kBetweenTries, nullptr);
    file.gives_back();
    take_over_result(all, give_back(file, options));
    // A driver that took its time: what was let be has come through.
    for (SettingResult& each : all.settings) {
      if (each.outcome == Returned::kHung && file.state(each.setting) == SettingState::kGivenBack)
        each.outcome = Returned::kGivenBack;
    }
  }
  return all;
}

}  // namespace flyball
