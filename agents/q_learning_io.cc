// What the Q-learner says of itself, and what it keeps in a policy file.

#include <algorithm>

#include "kernels/base/bytes.h"
#include "agents/explain.h"
#include "agents/q_learning.h"

namespace flyball {

namespace {
constexpr std::uint32_t kPayloadVersion = 1;
}  // namespace

const Explanation& QLearning::why() const {
  why_.explored = reason_.explored && reason_.kind == Reason::Kind::kChosen;
  why_.value = reason_.value;
  if (reason_.kind == Reason::Kind::kIdle) {
    explain(why_, "no job: lowest clocks");
    return why_;
  }
  const App& app = apps_[static_cast<std::size_t>(reason_.app)];
  const AppProfile& profile = platform_.apps[static_cast<std::size_t>(
      scenario_.apps[static_cast<std::size_t>(reason_.app)].profile)];
  const Mapping& mapping = platform_.mappings[static_cast<std::size_t>(std::max(0, app.mapping))];
  std::int64_t mhz = 0;
  for (std::size_t c = 0; c < platform_.clusters.size(); ++c) {
    if (mapping.cores[c] == 0) continue;
    mhz = std::max(mhz, platform_.clusters[c].opps[decided_.opp[c]].freq_khz / 1000);
  }
  const char* lead = reason_.kind == Reason::Kind::kHurry     ? "hurry, job runs long: "
                     : reason_.kind == Reason::Kind::kRunning ? "running: "
                     : reason_.explored                       ? "exploring: "
                                                              : "";
  explain(why_, "{}slack {:.0f} %, demand {:.2f} -> {} at {} MHz, width {}{} (floor {:.3g})", lead,
          reason_.slack_pct, reason_.demand, mapping.name, mhz,
          profile.levels[static_cast<std::size_t>(app.accuracy_level)].width_pct,
          profile.levels[static_cast<std::size_t>(app.accuracy_level)].suffix(),
          app.required.accuracy_floor_pct);
  return why_;
}

std::vector<std::uint8_t> QLearning::save() const {
  ByteWriter out;
  out.u32(kPayloadVersion);
  out.u32(static_cast<std::uint32_t>(apps_.size()));
  out.u64(jobs_learned_);
  for (const App& app : apps_) {
    app.slow.save(out);
    app.fast.save(out);
    app.jobs.save(out);
  }
  return out.take();
}

void QLearning::load(const std::vector<std::uint8_t>& payload) {
  ByteReader in(payload, "policy of 'q_learning'");
  in.expect(kPayloadVersion, "payload version");
  in.expect(static_cast<std::uint32_t>(apps_.size()), "number of applications");
  const std::uint64_t jobs = in.u64();
  std::vector<App> read = apps_;
  for (App& app : read) {
    app.slow.load(in);
    app.fast.load(in);
    app.jobs.load(in);
  }
  in.end();
  for (std::size_t a = 0; a < apps_.size(); ++a) {
    apps_[a].slow = std::move(read[a].slow);
    apps_[a].fast = std::move(read[a].fast);
    // Its moving averages only; the stream of this run goes on.
    ByteWriter averages;
    read[a].jobs.save(averages);
    const std::vector<std::uint8_t> bytes = averages.take();
    ByteReader again(bytes, "policy of 'q_learning'");
    apps_[a].jobs.load(again);
  }
  jobs_learned_ = jobs;
}

}  // namespace flyball
