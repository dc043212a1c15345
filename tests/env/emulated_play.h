#pragma once

#include <cstdint>
#include <vector>

#include "env/emulated/emulated_platform.h"
#include "tests/env/emulated_fixture.h"

namespace flyball::emulated_test {

constexpr std::int64_t kMs = 1'000'000;

inline EmulatedOptions one_ms_inference() {
  EmulatedOptions options;
  options.inference_ns = kMs;
  return options;
}

inline Action fixed(int opp, int mapping = 0, int width = 1) {
  Action action;
  action.opp[0] = static_cast<std::uint8_t>(opp);
  action.app[0] = {static_cast<std::uint8_t>(mapping), static_cast<std::uint8_t>(width)};
  return action;
}

struct Totals {
  std::uint64_t released = 0, finished = 0, missed = 0, dropped = 0, jobs = 0;
  std::uint32_t backlog = 0;
  double energy_mj = 0;
  std::int64_t ns = 0;
  std::vector<JobRecord> records;
  void add(const Observation& out, int app = 0) {
    released += out.app[app].released;
    finished += out.app[app].finished;
    missed += out.app[app].missed;
    backlog = out.app[app].backlog;
    energy_mj += out.energy_mj;
    ns += out.epoch_ns;
    for (const JobRecord& job : out.jobs()) {
      if (job.app != app) continue;
      ++jobs;
      dropped += job.dropped;
      records.push_back(job);
    }
  }
};

/// Runs the scenario to its end with one action.
inline Totals play(EmulatedPlatform& platform, const Action& action, Status* last = nullptr) {
  Totals totals;
  Observation out;
  Status status = Status::kOk;
  while (status == Status::kOk) {
    platform.apply(action);
    status = platform.advance({20 * kMs, false}, out);
    totals.add(out);
  }
  if (last != nullptr) *last = status;
  return totals;
}

}  // namespace flyball::emulated_test
