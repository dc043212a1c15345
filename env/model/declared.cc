#include "env/model/declared.h"

#include <algorithm>

namespace flyball {

PlatformSpec as_declared(PlatformSpec truth, const Belief& belief) {
  for (AppProfile& app : truth.apps) {
    const int known = belief.mean.find_app(app.name);
    if (known < 0) continue;
    const auto& believed = belief.mean.apps[static_cast<std::size_t>(known)].levels;
    for (std::size_t l = 0; l < std::min(app.levels.size(), believed.size()); ++l)
      app.levels[l].accuracy_pct = believed[l].accuracy_pct;
  }
  return truth;
}

}  // namespace flyball
