#include "governor/desktop/governed_preference.h"

#include <fmt/format.h>

#include <algorithm>

#include "governor/status/control_client.h"
#include "governor/status/status_memory.h"
#include "kernels/base/error.h"

namespace flyball {

void GovernedPreference::keep(double preference) {
  hot_ = false;
  try {
    std::optional<ControlClient> client = ControlClient::connect(state_dir_);
    if (!client) {
      governor_ns_ = 0;
      return;
    }
    const StatusView view(client->page());
    const StatusFacts facts = view.facts();
    const StatusNow now = view.now();
    for (int c = 0; c < std::min(facts.clusters, now.clusters); ++c) {
      const auto i = static_cast<std::size_t>(c);
      hot_ = hot_ || now.cluster[i].temp_c >= facts.cluster[i].trip_c;  // not where one is NaN
    }
    if (facts.start_ns == governor_ns_ && done_ == preference) return;
    client->ask(fmt::format("set preference {}", preference));
    governor_ns_ = facts.start_ns;
    done_ = preference;
    problem_.clear();
  } catch (const Error& error) {
    problem_ = error.what();
  }
}

}  // namespace flyball
